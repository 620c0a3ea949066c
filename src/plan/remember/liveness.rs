//! Whether the owner of a recorded run is still alive, from facts of this host.

use crate::plan::model::job::Owner;

/// What this host knows of itself and of the owner's pid.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostFacts {
    /// This host's name.
    pub host: String,
    /// This boot's id.
    pub boot_id: String,
    /// When the process that has the owner's pid now was started; `None` when no process has it.
    pub pid_started: Option<u64>,
}

/// What can be said of an owner.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Liveness {
    /// The very process that made the record runs.
    Alive,
    /// It does not: the host was booted since, or the pid is gone or another's.
    Dead,
    /// It is on another host, and nothing can be said from here.
    Elsewhere,
}

/// What `facts` say of `owner`, whatever the clock says.
pub fn liveness(owner: &Owner, facts: &HostFacts) -> Liveness {
    if owner.host != facts.host {
        Liveness::Elsewhere
    } else if owner.boot_id == facts.boot_id && facts.pid_started == Some(owner.pid_started) {
        Liveness::Alive
    } else {
        Liveness::Dead
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pid_alone_proves_nothing() {
        let owner = Owner { host: "a".to_owned(), boot_id: "1".to_owned(), pid: 7, pid_started: 100 };
        let facts = |host: &str, boot: &str, started| HostFacts { host: host.to_owned(), boot_id: boot.to_owned(), pid_started: started };
        assert_eq!(liveness(&owner, &facts("a", "1", Some(100))), Liveness::Alive);
        assert_eq!(liveness(&owner, &facts("a", "1", Some(101))), Liveness::Dead, "the pid was used again");
        assert_eq!(liveness(&owner, &facts("a", "1", None)), Liveness::Dead, "the process is gone");
        assert_eq!(liveness(&owner, &facts("a", "2", Some(100))), Liveness::Dead, "the host was booted since");
        assert_eq!(liveness(&owner, &facts("b", "1", None)), Liveness::Elsewhere);
    }
}
