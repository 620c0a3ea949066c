//! The system calls of a run, from the lines of strace. Those of the programs that it starts are not its own, and not counted.

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use crate::counts::Counts;
use crate::support::world::Done;

/// Threads that wait for each other do so more or less often, as it happens.
const WAITS: [&str; 9] = ["futex", "epoll_wait", "epoll_pwait", "poll", "ppoll", "sched_yield", "restart_syscall", "wait4", "waitid"];

/// A page in the write-ahead log of SQLite.
const PAGE: &str = "4096";
const FRAME_HEADER: &str = "24";
const NO_SIZE: &str = r#"\0\0\0\0""#;

/// Runs a command under strace, and counts.
pub(crate) fn traced(command: &Command, into: &Path) -> Counts {
    let mut strace = Command::new("strace");
    strace.args(["-f", "-y", "-qq", "-s", "8", "-e", "signal=none", "-o"]).arg(into);
    strace.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    strace.current_dir(command.get_current_dir().expect("a directory"));
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => strace.env(name, value),
            None => strace.env_remove(name),
        };
    }
    let done = Done::of(&strace.output().expect("strace is installed: apt-get install strace"));
    assert_eq!(done.code, 0, "{done:?}");
    count(&fs::read_to_string(into).expect("strace wrote it"))
}

fn count(trace: &str) -> Counts {
    let mut counts = Counts::default();
    let mut others = HashSet::new();
    for line in trace.lines() {
        let (process, call) = line.split_once(' ').expect("a process and its call");
        let Some((name, arguments)) = call.trim_start().split_once('(') else { continue };
        // The end of a call that was interrupted, or of a process.
        if name.starts_with(['<', '+', '-']) || others.contains(process) {
            continue;
        }
        note(&mut counts, name, arguments);
        if name == "execve" && !arguments.split('"').nth(1).is_some_and(|program| program.ends_with("/etl-orch")) {
            others.insert(process);
        }
    }
    counts
}

fn note(counts: &mut Counts, name: &str, arguments: &str) {
    counts.add(&format!("call {name}"), 1.0);
    counts.add(if WAITS.contains(&name) { "waits for threads" } else { "system calls" }, 1.0);
    match name {
        "fsync" | "fdatasync" | "sync_file_range" | "syncfs" => counts.add("waits for the disk", 1.0),
        "fork" | "vfork" | "clone" | "clone3" if !arguments.contains("CLONE_THREAD") => counts.add("processes", 1.0),
        "pwrite64" => note_page(counts, arguments),
        _ => {}
    }
}

/// A frame of SQLite's log is a header, and a page. The header of the last one of a transaction has the size of the database after it.
fn note_page(counts: &mut Counts, arguments: &str) {
    let Some((_, write)) = arguments.split_once("-wal>, ") else { return };
    let mut parts = write.rsplitn(3, ", ");
    let (Some(_offset), Some(length), Some(bytes)) = (parts.next(), parts.next(), parts.next()) else { return };
    if length == PAGE {
        counts.add("pages", 1.0);
    }
    if length == FRAME_HEADER && !bytes.trim_end_matches("...").ends_with(NO_SIZE) {
        counts.add("transactions", 1.0);
    }
}
