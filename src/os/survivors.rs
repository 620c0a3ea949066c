//! Ends processes that outlived the attempt or the run that started them. They are found by a marker in their environment.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, getppid, pidfd_open, pidfd_send_signal};
use tokio::time::{Instant, sleep};

use super::process;
use crate::plan::model::ids::RunId;

/// The variable that every process of a run carries. Its value is the run's id.
const MARKER: &str = "ETL_ORCH_RUN_ID";

/// The first pause between two looks at what is left; each pause is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(10);
const LONGEST_PAUSE: Duration = Duration::from_millis(250);

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Where processes of a run are looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Scope {
    /// Among the descendants of our parent, the guard, which adopts daemons. A person's shell may carry the marker too, and is
    /// left alone.
    BelowGuard,
    /// On the whole host: the guard may be gone, and then init has adopted them.
    Host,
}

/// Kills every process of this host that carries the run's marker, and returns how many there were once all are gone. They get no
/// grace period: nobody watches them, and what they still write could be taken for the work of another attempt.
///
/// # Errors
/// When one of them cannot be ended.
pub(crate) async fn kill(run: RunId) -> io::Result<usize> {
    end(run, Duration::ZERO, std::future::ready(())).await
}

/// Sends SIGTERM to every process below our parent that carries the run's marker, SIGKILL after `grace`, and returns how many there
/// were once all are gone. When `kill_now` resolves, all processes of this host that carry the marker are killed.
///
/// # Errors
/// When one of them cannot be ended.
pub(crate) async fn end(run: RunId, grace: Duration, kill_now: impl Future<Output = ()>) -> io::Result<usize> {
    let mut kill_now = pin!(kill_now.fuse());
    let mut scope = Scope::BelowGuard;
    let mut kill_at = Instant::now() + grace;
    if (&mut kill_now).now_or_never().is_some() {
        (scope, kill_at) = (Scope::Host, Instant::now());
    }
    let mut seen = BTreeSet::new();
    let mut pause = FIRST_PAUSE;
    loop {
        let now = Instant::now();
        let left =
            signal_marked(
                run,
                scope,
                |pid| {
                    if now >= kill_at { Some(Signal::KILL) } else { (!seen.contains(&pid)).then_some(Signal::TERM) }
                },
            )?;
        if left.is_empty() {
            return Ok(seen.len());
        }
        if now >= kill_at + PATIENCE {
            return Err(io::Error::other(format!("processes {left:?} that the run {run} started cannot be ended")));
        }
        seen.extend(left);
        tokio::select! {
            () = sleep(pause) => pause = (pause * 2).min(LONGEST_PAUSE),
            () = &mut kill_now, if scope == Scope::BelowGuard => (scope, kill_at, pause) = (Scope::Host, now, FIRST_PAUSE),
        }
    }
}

/// Sends each process of the run the signal that `signal` chooses for it, if any. Returns the pids of those that are still there.
fn signal_marked(run: RunId, scope: Scope, signal: impl Fn(i32) -> Option<Signal>) -> io::Result<Vec<i32>> {
    let marker = format!("{MARKER}={run}").into_bytes();
    let mut found = Vec::new();
    for pid in process::all()?.filter(|pid| *pid != getpid()) {
        let Some(process) = open_marked(pid, &marker)? else { continue };
        if scope == Scope::BelowGuard && getppid().is_some_and(|guard| !process::descends_from(pid, guard)) {
            continue;
        }
        let number = pid.as_raw_pid();
        match signal(number).map_or(Ok(()), |signal| pidfd_send_signal(&process, signal)) {
            Ok(()) => found.push(number),
            Err(Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}

/// A handle on a process, if it carries the marker. It is opened before the environment is read, so that a signal reaches the very
/// process that carries the marker even when the pid is used again.
fn open_marked(pid: Pid, marker: &[u8]) -> io::Result<Option<OwnedFd>> {
    let process = match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(process) => process,
        // It has ended.
        Err(Errno::SRCH | Errno::INVAL) => return Ok(None),
        Err(error) => return Err(error.into()),
    };
    // Not readable: another user's process, a zombie, or gone. None of them can be a process of ours that still works.
    let Ok(environment) = std::fs::read(format!("/proc/{}/environ", pid.as_raw_pid())) else { return Ok(None) };
    Ok(environment.split(|byte| *byte == 0).any(|variable| variable == marker).then_some(process))
}
