//! Whether the owner of a recorded run is still alive, from facts of this host.

use crate::plan::model::job::Owner;

/// What this host knows of itself and of the owner's pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// This host's name.
    pub host: String,
    /// This machine's id; `None` where the host has none, or one that several may share.
    pub machine_id: Option<String>,
    /// This boot's id; empty where it is hidden.
    pub boot_id: String,
    /// The process that has the owner's pid on this host.
    pub process: Presence,
}

/// What a host shows of the process that has a pid.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Presence {
    /// No living process has the pid.
    Gone,
    /// One has, which was started this many clock ticks after the boot.
    Started(u64),
    /// One has, or may have, but the host does not show when it was started.
    Hidden,
}

/// What can be said of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The very process that made the record runs.
    Alive,
    /// It was seen to be gone: the machine was booted since, or its pid is free or another's.
    Dead,
    /// It is on another host, or this one does not show it. Its lease decides.
    Unknown,
}

/// What `facts` say of `owner`, whatever the clock says. Only what is seen counts: two hosts may have the same name, copies of a machine
/// the same boot id, and a process may be hidden from this user.
pub fn liveness(owner: &Owner, facts: &HostFacts) -> Liveness {
    let same_machine = match (&owner.machine_id, &facts.machine_id) {
        (Some(owners), Some(ours)) => Some(owners == ours),
        (None, _) | (_, None) => None,
    };
    if owner.host != facts.host || same_machine == Some(false) || owner.boot_id.is_empty() || facts.boot_id.is_empty() {
        return Liveness::Unknown;
    }
    if owner.boot_id != facts.boot_id {
        return if same_machine == Some(true) { Liveness::Dead } else { Liveness::Unknown };
    }
    match facts.process {
        // The owner could not see when it was started.
        Presence::Started(_) if owner.pid_started == 0 => Liveness::Unknown,
        Presence::Started(ticks) if ticks == owner.pid_started => Liveness::Alive,
        Presence::Gone | Presence::Started(_) => Liveness::Dead,
        Presence::Hidden => Liveness::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::Liveness::{Alive, Dead, Unknown};
    use super::Presence::{Gone, Hidden, Started};
    use super::*;

    fn owner() -> Owner {
        Owner { host: "a".to_owned(), machine_id: Some("m".to_owned()), boot_id: "1".to_owned(), pid: 7, pid_started: 100 }
    }

    fn facts() -> HostFacts {
        HostFacts { host: "a".to_owned(), machine_id: Some("m".to_owned()), boot_id: "1".to_owned(), process: Started(100) }
    }

    #[test]
    fn a_pid_alone_proves_nothing() {
        for (process, expected, why) in [
            (Started(100), Alive, "it is the process of the record"),
            (Started(101), Dead, "the pid was used again"),
            (Gone, Dead, "the process is gone"),
            (Hidden, Unknown, "it may be another user's, behind hidepid"),
        ] {
            assert_eq!(liveness(&owner(), &HostFacts { process, ..facts() }), expected, "{why}");
            let without = (Owner { machine_id: None, ..owner() }, HostFacts { machine_id: None, process, ..facts() });
            assert_eq!(liveness(&without.0, &facts_with(process)), expected, "written by a version without machine ids: {why}");
            assert_eq!(liveness(&without.0, &without.1), expected, "neither has a machine id: {why}");
        }
    }

    fn facts_with(process: Presence) -> HostFacts {
        HostFacts { process, ..facts() }
    }

    #[test]
    fn an_owner_that_did_not_see_its_own_start_is_dead_only_when_its_pid_is_free() {
        let owner = Owner { pid_started: 0, ..owner() };
        assert_eq!(liveness(&owner, &facts_with(Started(100))), Unknown);
        assert_eq!(liveness(&owner, &facts_with(Started(0))), Unknown);
        assert_eq!(liveness(&owner, &facts_with(Gone)), Dead);
    }

    #[test]
    fn another_boot_is_a_death_only_on_the_same_machine() {
        let machine = |id: &str| Some(id.to_owned());
        for process in [Started(100), Gone, Hidden] {
            for (owners, ours, expected, why) in [
                (machine("m"), machine("m"), Dead, "the machine was booted since"),
                (machine("n"), machine("m"), Unknown, "another machine of the same name"),
                (None, machine("m"), Unknown, "written by a version without machine ids"),
                (machine("m"), None, Unknown, "this host has no machine id"),
                (None, None, Unknown, "neither has one"),
            ] {
                let owner = Owner { machine_id: owners, ..owner() };
                let facts = HostFacts { machine_id: ours, boot_id: "2".to_owned(), process, ..facts() };
                assert_eq!(liveness(&owner, &facts), expected, "{why}");
            }
        }
    }

    #[test]
    fn what_is_elsewhere_or_cannot_be_compared_is_unknown() {
        for process in [Started(100), Gone, Hidden] {
            for owner in [
                Owner { host: "b".to_owned(), ..owner() },
                Owner { machine_id: Some("n".to_owned()), ..owner() },
                Owner { boot_id: String::new(), ..owner() },
            ] {
                assert_eq!(liveness(&owner, &facts_with(process)), Unknown, "{owner:?}");
            }
            let blind = HostFacts { boot_id: String::new(), process, ..facts() };
            assert_eq!(liveness(&owner(), &blind), Unknown);
            assert_eq!(liveness(&Owner { boot_id: String::new(), ..owner() }, &blind), Unknown, "nobody knows the boot");
        }
    }
}
