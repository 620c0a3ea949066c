//! The processes that ETLs have started, as the kernel sees them.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable by which the tests know what an invocation has started, directly or not.
pub(crate) const TAG: &str = "CHAOS_INVOCATION";

/// The variable that etl-orch gives to every process of a run; its own two processes are without.
const MARKER: &str = "ETL_ORCH_RUN_ID=";

/// A process, held so that nobody else is signalled under its number.
pub(crate) struct Process {
    pid: Pid,
    handle: OwnedFd,
}

impl Process {
    /// A process of this number, if there is one.
    pub(crate) fn open(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Some(Self { pid, handle: pidfd_open(pid, PidfdFlags::empty()).ok()? })
    }

    /// Ends it; whether it was there to be ended.
    pub(crate) fn kill(&self) -> bool {
        pidfd_send_signal(&self.handle, Signal::KILL).is_ok()
    }

    /// Asks it to end at once, by SIGQUIT; whether it was there to be asked.
    pub(crate) fn quit(&self) -> bool {
        pidfd_send_signal(&self.handle, Signal::QUIT).is_ok()
    }

    /// Whether it catches SIGTERM and SIGINT by now.
    pub(crate) fn handles_signals(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
        mask.is_some_and(|mask| [Signal::TERM, Signal::INT].iter().all(|signal| mask >> (signal.as_raw() - 1) & 1 == 1))
    }

    /// What `ps` would show, and the run that it belongs to.
    pub(crate) fn describe(&self) -> String {
        let read = |name| String::from_utf8_lossy(&fs::read(format!("/proc/{}/{name}", self.pid)).unwrap_or_default()).replace('\0', " ");
        format!("{}of run {}, {}", read("cmdline"), self.run(), read("stat"))
    }

    /// The id of the run that it belongs to.
    pub(crate) fn run(&self) -> String {
        let environment = self.environment();
        let run = environment.split(|byte| *byte == 0).find_map(|variable| variable.strip_prefix(MARKER.as_bytes()));
        String::from_utf8_lossy(run.unwrap_or_default()).into_owned()
    }

    fn environment(&self) -> Vec<u8> {
        fs::read(format!("/proc/{}/environ", self.pid)).unwrap_or_default()
    }
}

/// What runs of the invocations with this tag, or with tags that begin so, have started and is alive.
pub(crate) fn etls_of(tag: &str) -> Vec<Process> {
    let tag = format!("{TAG}={tag}").into_bytes();
    let pids = fs::read_dir("/proc").expect("/proc").flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter_map(Process::open)
        .filter(|process| {
            let environment = process.environment();
            let has = |start: &[u8]| environment.split(|byte| *byte == 0).any(|variable| variable.starts_with(start));
            has(&tag) && has(MARKER.as_bytes())
        })
        .collect()
}

/// When an invocation has ended, so has all that its ETLs started, unless both of its processes were killed.
pub(crate) fn nothing_is_alive_of(tag: &str) {
    let alive: Vec<_> = etls_of(tag).iter().map(Process::describe).collect();
    assert!(alive.is_empty(), "processes of ETLs outlived their run: {alive:?}");
}
