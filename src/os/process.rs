//! The processes of this host, as `/proc` shows them. The only place that parses `/proc/PID/stat`.

use std::io;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, getpid, test_kill_process};

use crate::plan::remember::liveness::Presence;

/// What `/proc/PID/stat` says of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Stat {
    /// False for a zombie, which only waits to be reaped.
    alive: bool,
    /// The parent's pid; 0 for a process without one.
    parent: i32,
    /// The process group.
    group: i32,
    /// Clock ticks from boot to the start of the process.
    started: u64,
}

impl Stat {
    /// `None` when there is no such process.
    fn of(pid: Pid) -> Option<Self> {
        Self::parse(&std::fs::read(format!("/proc/{}/stat", pid.as_raw_pid())).ok()?)
    }

    /// Reads `pid (name) state ppid pgrp ... starttime ...`. The name may hold any byte, `)` included, so the fields are counted
    /// from the last `)`.
    fn parse(stat: &[u8]) -> Option<Self> {
        let name_end = stat.iter().rposition(|byte| *byte == b')')?;
        let mut fields = std::str::from_utf8(stat.get(name_end + 1..)?).ok()?.split_ascii_whitespace();
        let is_zombie = matches!(fields.next()?, "Z" | "X");
        let parent = fields.next()?.parse().ok()?;
        let group = fields.next()?.parse().ok()?;
        // The group is field 5 of the line, the number of threads is field 20, the start time is field 22.
        let threads: u32 = fields.nth(20 - 5 - 1)?.parse().ok()?;
        let started = fields.nth(22 - 20 - 1)?.parse().ok()?;
        // A process whose first thread has ended looks like a zombie while others work.
        Some(Self { alive: !is_zombie || threads > 1, parent, group, started })
    }
}

/// All processes that this one can see.
///
/// # Errors
/// When `/proc` cannot be read.
pub(crate) fn all() -> io::Result<impl Iterator<Item = Pid>> {
    let entries = std::fs::read_dir("/proc")?;
    Ok(entries.flatten().filter_map(|entry| Pid::from_raw(entry.file_name().to_str()?.parse().ok()?)))
}

/// The living processes whose programs have one of these names, and how each was started, in one line.
///
/// # Errors
/// As [`all`].
pub(crate) fn named(names: &[&str]) -> io::Result<Vec<(Pid, String)>> {
    let read = |pid: Pid, what: &str| std::fs::read(format!("/proc/{pid}/{what}")).ok();
    let command = |pid: Pid| {
        let line = read(pid, "cmdline")?;
        let words: Vec<_> = line.split(|byte| *byte == 0).filter(|word| !word.is_empty()).map(String::from_utf8_lossy).collect();
        Some(words.join(" "))
    };
    let is_named = |pid: &Pid| read(*pid, "comm").is_some_and(|name| names.iter().any(|wanted| name.trim_ascii_end() == wanted.as_bytes()));
    Ok(all()?.filter(is_named).filter(|pid| is_alive(*pid)).filter_map(|pid| Some((pid, command(pid)?))).collect())
}

/// The name of a program that runs; `None` where `/proc` does not show it.
pub(crate) fn name_of(pid: u32) -> Option<String> {
    let name = std::fs::read(format!("/proc/{pid}/comm")).ok()?;
    Some(String::from_utf8_lossy(name.trim_ascii_end()).into_owned())
}

/// Whether `/proc` shows the processes of other users too.
pub(crate) fn shows_others() -> bool {
    std::fs::read("/proc/1/comm").is_ok()
}

/// A pid from a record; `None` when no process can have it.
pub(crate) fn from_number(pid: u32) -> Option<Pid> {
    Pid::from_raw(i32::try_from(pid).ok()?)
}

/// What is seen of the process that has this pid. A pid is used again after its process has ended; pid and start time together name one
/// process of a boot. The kernel says whether a pid is free even where `/proc` hides other users' processes.
pub(crate) fn presence(pid: Pid) -> Presence {
    let is_free = || test_kill_process(pid) == Err(Errno::SRCH);
    if is_free() {
        return Presence::Gone;
    }
    match Stat::of(pid).filter(|_| shows_own_namespace()) {
        Some(Stat { alive: true, started, .. }) => Presence::Started(started),
        // It has ended, and waits to be reaped.
        Some(_) => Presence::Gone,
        // It may have ended between the two looks.
        None if is_free() => Presence::Gone,
        None => Presence::Hidden,
    }
}

/// Whether the pids in `/proc` are those by which the kernel knows processes here. After `unshare --pid` without `--mount-proc` they are
/// those of another namespace.
pub(crate) fn shows_own_namespace() -> bool {
    std::fs::read_link("/proc/self").is_ok_and(|link| link.to_str() == Some(&getpid().to_string()))
}

/// Whether a process is there that has not ended, as far as `/proc` shows.
pub(crate) fn is_alive(pid: Pid) -> bool {
    Stat::of(pid).is_some_and(|stat| stat.alive)
}

/// The children of a process that are not reaped. The kernel lists them by the thread that is their parent, also those that `/proc` hides
/// otherwise. One may be missing from the list while another ends.
pub(crate) fn children_of(parent: Pid) -> Vec<Pid> {
    let threads = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let lists: Vec<String> = threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("children")).ok()).collect();
    if lists.is_empty() && std::fs::metadata(format!("/proc/self/task/{}/children", getpid())).is_err() {
        // This kernel does not make such lists.
        let is_child = |pid: &Pid| Stat::of(*pid).is_some_and(|stat| stat.parent == parent.as_raw_pid());
        return all().into_iter().flatten().filter(is_child).collect();
    }
    lists.iter().flat_map(|list| list.split_ascii_whitespace()).filter_map(|pid| Pid::from_raw(pid.parse().ok()?)).collect()
}

/// Whether a process is `ancestor` or descends from it.
pub(crate) fn descends_from(pid: Pid, ancestor: Pid) -> bool {
    std::iter::successors(Some(pid), |pid| Pid::from_raw(Stat::of(*pid)?.parent)).any(|pid| pid == ancestor)
}

/// Whether a living process is in a group that has members. Where `/proc` cannot be read the members count as alive.
pub(crate) fn has_living_member(group: Pid) -> bool {
    let is_member = |pid| Stat::of(pid).is_some_and(|stat| stat.alive && stat.group == group.as_raw_pid());
    all().map_or(true, |mut pids| pids.any(is_member))
}

/// Whether this process ignores a signal; `None` when the host does not say.
pub(crate) fn ignores(signal: Signal) -> Option<bool> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"))?;
    let mask = u64::from_str_radix(mask.trim(), 16).ok()?;
    Some(mask >> (signal.as_raw() - 1) & 1 == 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_may_hold_anything() {
        let rest = "1 40 7 0 -1 4194304 100 0 0 0 3 2 0 0 20 0 1 0 8642 5000000 100";
        let stat = Stat { alive: true, parent: 1, group: 40, started: 8642 };
        for (line, expected) in [
            (format!("41 (sleep) S {rest}"), Some(stat)),
            (format!("41 (sleep) Z {rest}"), Some(Stat { alive: false, ..stat })),
            (format!("41 (a) Z 1 9 (x\n) R {rest}"), Some(stat)),
            (format!("41 (sleep) Z {}", rest.replace(" 0 1 0 8642", " 0 2 0 8642")), Some(stat)),
            ("41 (sleep) S 1 40".to_owned(), None),
            (String::new(), None),
        ] {
            assert_eq!(Stat::parse(line.as_bytes()), expected, "{line}");
        }
        assert_eq!(Stat::parse(&[b"41 (\xff) S ".as_slice(), rest.as_bytes()].concat()), Some(stat));
    }

    #[test]
    fn a_child_is_found_until_it_has_ended() {
        let mut child = std::process::Command::new("sleep").arg("1000").spawn().unwrap();
        let (me, pid) = (rustix::process::getpid(), Pid::from_child(&child));
        assert!(children_of(me).contains(&pid) && descends_from(pid, me) && !descends_from(me, pid));
        let Presence::Started(ours) = presence(me) else { panic!("we are alive") };
        assert!(matches!(presence(pid), Presence::Started(ticks) if ticks >= ours));
        child.kill().unwrap();
        // Its end is seen, and it is not reaped.
        let ended = rustix::process::WaitIdOptions::EXITED | rustix::process::WaitIdOptions::NOWAIT;
        rustix::process::waitid(rustix::process::WaitId::Pid(pid), ended).unwrap();
        assert!(children_of(me).contains(&pid) && !is_alive(pid), "a zombie is a child, but not alive");
        assert_eq!(presence(pid), Presence::Gone, "a zombie has ended");
        child.wait().unwrap();
        assert_eq!(presence(pid), Presence::Gone);
        assert!(!children_of(me).contains(&pid));
    }

    #[test]
    fn a_group_is_alive_while_a_member_is() {
        assert!(has_living_member(rustix::process::getpgrp()));
        assert!(!has_living_member(Pid::from_raw(i32::MAX).unwrap()));
    }

    #[test]
    fn ignored_signals_are_told() {
        // The Rust runtime ignores SIGPIPE.
        assert_eq!(ignores(Signal::PIPE), Some(true));
        assert_eq!(ignores(Signal::TERM), Some(false));
    }
}
