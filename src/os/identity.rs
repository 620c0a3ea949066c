//! Who this process is, and whether the process that another record names is alive.

use std::fs;

use rustix::process::getpid;
use sha2::{Digest, Sha256};

use super::process;
use crate::plan::model::job::Owner;
use crate::plan::remember::liveness::{HostFacts, Liveness, Presence, liveness};

/// The namespaces without which a pid and a start time mean nothing, with the links that the host itself has: their numbers are fixed in
/// the kernel.
const NAMESPACES: [(&str, &str); 2] = [("pid", "pid:[4026531836]"), ("time", "time:[4026531834]")];

/// This process, as the owner of what it records.
pub(crate) fn this_process() -> Owner {
    let started = match process::presence(getpid()) {
        Presence::Started(ticks) => ticks,
        Presence::Gone | Presence::Hidden => 0,
    };
    let host = Host::new();
    Owner { host: host.name, machine_id: host.machine_id, boot_id: host.boot_id, pid: std::process::id(), pid_started: started }
}

/// Whether the owner of a record is alive.
pub(crate) fn liveness_of(owner: &Owner) -> Liveness {
    let process = process::from_number(owner.pid).map_or(Presence::Hidden, process::presence);
    let Host { name, machine_id, boot_id } = Host::new();
    liveness(owner, &HostFacts { host: name, machine_id, boot_id, process })
}

/// The name of this host.
pub(crate) fn host_name() -> String {
    rustix::system::uname().nodename().to_string_lossy().into_owned()
}

/// What tells this host from others.
struct Host {
    name: String,
    machine_id: Option<String>,
    boot_id: String,
}

impl Host {
    fn new() -> Self {
        let own = own_namespaces();
        // Copies of a container's image may have the same machine id, and its boot id may be made up.
        let machine_id = if own.is_empty() { machine_id(&fs::read_to_string("/etc/machine-id").unwrap_or_default()) } else { None };
        // Empty where a sandbox hides it.
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default();
        Self { name: named(host_name(), &own), machine_id, boot_id }
    }
}

/// The namespaces of this process that are not the host's own, as their links name them.
fn own_namespaces() -> Vec<String> {
    let link = |kind| Some(fs::read_link(format!("/proc/self/ns/{kind}")).ok()?.display().to_string());
    NAMESPACES.into_iter().filter_map(|(kind, initial)| link(kind).filter(|link| link != initial)).collect()
}

/// The host's name. In a container its namespaces are part of it: containers may share host name and boot id, but a pid means another
/// process in each.
fn named(name: String, namespaces: &[String]) -> String {
    if namespaces.is_empty() { name } else { format!("{name} ({})", namespaces.join(", ")) }
}

/// A digest of the machine's id, which itself is not to be shown to others. `None` while the machine has none.
fn machine_id(text: &str) -> Option<String> {
    let id = text.trim();
    let is_id = id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()) && id.bytes().any(|byte| byte != b'0');
    is_id.then(|| {
        let digest = Sha256::digest(format!("etl-orch {}", id.to_ascii_lowercase()));
        format!("{:032x}", digest.iter().take(16).fold(0_u128, |number, byte| number << 8 | u128::from(*byte)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_others_with_its_pid_are_not() {
        let me = this_process();
        assert_eq!(liveness_of(&me), Liveness::Alive);
        assert_eq!(liveness_of(&Owner { pid_started: me.pid_started + 1, ..me.clone() }), Liveness::Dead);
        assert_eq!(liveness_of(&Owner { host: "another".to_owned(), ..me.clone() }), Liveness::Unknown);
        let another = |id: &str| Owner { machine_id: Some(id.to_owned()), boot_id: "another".to_owned(), ..me.clone() };
        assert_eq!(liveness_of(&another("another")), Liveness::Unknown, "a machine of the same name");
        if let Some(id) = &me.machine_id {
            assert_eq!(liveness_of(&another(id)), Liveness::Dead, "this machine was booted since");
        }
    }

    #[test]
    fn a_process_that_ended_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let owner = Owner { pid: child.id(), ..this_process() };
        child.wait().unwrap();
        assert_eq!(liveness_of(&owner), Liveness::Dead);
    }

    #[test]
    fn a_pid_that_cannot_be_is_unknown() {
        for pid in [0, u32::MAX] {
            assert_eq!(liveness_of(&Owner { pid, ..this_process() }), Liveness::Unknown);
        }
    }

    #[test]
    fn a_machine_id_is_stored_as_a_digest_and_only_a_real_one() {
        let digest = machine_id("0123456789abcdef0123456789abcdef\n").unwrap();
        assert_eq!(digest, "aab4fc7418c485f36086479a38b93d48");
        assert_eq!(machine_id("0123456789ABCDEF0123456789abcdef"), Some(digest));
        for text in ["", "uninitialized\n", "00000000000000000000000000000000", "0123", "0123456789abcdef0123456789abcdeg"] {
            assert_eq!(machine_id(text), None, "{text:?}");
        }
    }

    #[test]
    fn a_container_is_told_by_its_namespaces() {
        assert_eq!(named("h".to_owned(), &[]), "h");
        assert_eq!(named("h".to_owned(), &["pid:[1]".to_owned(), "time:[2]".to_owned()]), "h (pid:[1], time:[2])");
    }
}
