//! The processes that ETLs started, as `/proc` shows them.

use std::fs;
use std::os::fd::OwnedFd;

use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

/// The variable that tells which invocation started a process, directly or not.
pub(crate) const TAG: &str = "CHAOS_INVOCATION";

/// The variable that etl-orch gives to every process of an ETL, but not to guard and orchestrator.
const MARKER: &str = "ETL_ORCH_RUN_ID=";

/// A process, by a pidfd: a signal never reaches another process that got the same pid.
pub(crate) struct Process {
    pid: Pid,
    handle: OwnedFd,
}

impl Process {
    /// The process with this pid, if there is one.
    pub(crate) fn open(pid: u32) -> Option<Self> {
        let pid = Pid::from_raw(i32::try_from(pid).ok()?)?;
        Some(Self { pid, handle: pidfd_open(pid, PidfdFlags::empty()).ok()? })
    }

    /// Sends SIGKILL. Returns whether the process still existed.
    pub(crate) fn kill(&self) -> bool {
        pidfd_send_signal(&self.handle, Signal::KILL).is_ok()
    }

    /// Sends SIGQUIT. Returns whether the process still existed.
    pub(crate) fn quit(&self) -> bool {
        pidfd_send_signal(&self.handle, Signal::QUIT).is_ok()
    }

    /// Whether it has handlers for SIGTERM and SIGINT.
    pub(crate) fn handles_signals(&self) -> bool {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid)).unwrap_or_default();
        let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigCgt:")?.trim(), 16).ok());
        mask.is_some_and(|mask| [Signal::TERM, Signal::INT].iter().all(|signal| mask >> (signal.as_raw() - 1) & 1 == 1))
    }

    /// Its command line, run and state, for messages.
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

/// The living processes that ETLs of invocations started whose tags begin with this one.
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

/// Fails when a process of an ETL outlived its invocation, of which guard and orchestrator were not both killed.
pub(crate) fn assert_none_alive(tag: &str) {
    let alive: Vec<_> = etls_of(tag).iter().map(Process::describe).collect();
    assert!(alive.is_empty(), "processes of ETLs outlived their run: {alive:?}");
}
