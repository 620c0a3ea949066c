//! What this host says of itself and of its processes.

use crate::plan::model::job::Owner;
use crate::plan::remember::liveness::{HostFacts, Liveness, liveness};

/// The present process, as the owner of what it records.
pub fn this_process() -> Owner {
    let pid = std::process::id();
    Owner { host: host_name(), boot_id: boot_id(), pid, pid_started: pid_started(pid).unwrap_or_default() }
}

/// Whether the owner of a record is alive.
pub(super) fn is_alive(owner: &Owner) -> Liveness {
    liveness(owner, &HostFacts { host: host_name(), boot_id: boot_id(), pid_started: pid_started(owner.pid) })
}

/// The host's name; with the pid namespace, where that is not the host's own: containers may share name and boot, and
/// the same pid is another process in each.
fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    match std::fs::read_link("/proc/self/ns/pid") {
        Ok(namespace) if namespace.as_os_str() != INITIAL_NAMESPACE => format!("{name} ({})", namespace.display()),
        Ok(_) | Err(_) => name,
    }
}

/// The pid namespace of the host itself; its number is fixed in the kernel.
const INITIAL_NAMESPACE: &str = "pid:[4026531836]";

/// The kernel's id of this boot; empty where there is none (macOS), which makes the check one of pids alone.
fn boot_id() -> String {
    std::fs::read_to_string("/proc/sys/kernel/random/boot_id").map(|id| id.trim().to_owned()).unwrap_or_default()
}

/// When the process of this pid started, in clock ticks since boot.
#[cfg(target_os = "linux")]
fn pid_started(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The name, field 2, stands in parentheses and may itself hold spaces and parentheses.
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace();
    let state = fields.next()?;
    if state == "Z" || state == "X" {
        return None;
    }
    // The start time is field 22; the state was field 3.
    fields.nth(18)?.parse().ok()
}

/// Whether the process of this pid exists; where there is no /proc there is no start time to tell.
#[cfg(not(target_os = "linux"))]
fn pid_started(pid: u32) -> Option<u64> {
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).ok()?)?;
    rustix::process::test_kill_process(pid).ok().map(|()| 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_alive_and_its_namesakes_are_not() {
        let me = this_process();
        assert_eq!(is_alive(&me), Liveness::Alive);
        assert_eq!(is_alive(&Owner { pid_started: me.pid_started + 1, ..me.clone() }), Liveness::Dead);
        assert_eq!(is_alive(&Owner { boot_id: "another".to_owned(), ..me.clone() }), Liveness::Dead);
        assert_eq!(is_alive(&Owner { host: "another".to_owned(), ..me }), Liveness::Elsewhere);
    }

    #[test]
    fn a_process_that_ended_is_dead() {
        let mut child = std::process::Command::new("true").spawn().unwrap();
        let owner = Owner { pid: child.id(), ..this_process() };
        child.wait().unwrap();
        assert_eq!(is_alive(&owner), Liveness::Dead);
    }
}
