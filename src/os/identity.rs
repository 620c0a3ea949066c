//! Who this process is, and whether the process that another record names is alive.

use super::process;
use crate::plan::model::job::Owner;
use crate::plan::remember::liveness::{HostFacts, Liveness, liveness};

/// The pid namespace of the host itself; its number is fixed in the kernel.
const INITIAL_NAMESPACE: &str = "pid:[4026531836]";

/// This process, as the owner of what it records.
pub(crate) fn this_process() -> Owner {
    let pid = std::process::id();
    Owner { host: host_name(), boot_id: boot_id(), pid, pid_started: process::start_time(pid).unwrap_or_default() }
}

/// Whether the owner of a record is alive.
pub(crate) fn liveness_of(owner: &Owner) -> Liveness {
    liveness(owner, &HostFacts { host: host_name(), boot_id: boot_id(), pid_started: process::start_time(owner.pid) })
}

/// The host's name. In a container the pid namespace is part of it: containers may share host name and boot id, but a pid means
/// another process in each.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match std::fs::read_link("/proc/self/ns/pid") {
        Ok(namespace) if namespace.as_os_str() != INITIAL_NAMESPACE => format!("{name} ({})", namespace.display()),
        Ok(_) | Err(_) => name,
    }
}

/// The kernel's id of this boot. Empty where a sandbox hides it; then only host name, pid and start time are compared.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_others_with_its_pid_are_not() {
        let me = this_process();
        assert_eq!(liveness_of(&me), Liveness::Alive);
        assert_eq!(liveness_of(&Owner { pid_started: me.pid_started + 1, ..me.clone() }), Liveness::Dead);
        assert_eq!(liveness_of(&Owner { boot_id: "another".to_owned(), ..me.clone() }), Liveness::Dead);
        assert_eq!(liveness_of(&Owner { host: "another".to_owned(), ..me }), Liveness::Elsewhere);
    }

    #[test]
    fn a_process_that_ended_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let owner = Owner { pid: child.id(), ..this_process() };
        child.wait().unwrap();
        assert_eq!(liveness_of(&owner), Liveness::Dead);
    }
}
