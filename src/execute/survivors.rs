//! Ends processes that outlived the run that started them, known by the marker in their environment.

use std::io;
use std::time::Duration;

/// The variable that every process of a run carries: its run's id.
pub const MARKER: &str = "ETL_ORCH_RUN_ID";

/// How soon it is looked whether they are gone; then less and less often.
const LOOK: Duration = Duration::from_millis(10);
/// The longest wait between two looks.
const LONGEST_LOOK: Duration = Duration::from_millis(250);

/// How long processes that were killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kills every process that carries the run's marker, and returns how many there were once they are gone. Nobody watches
/// them any more, so they get no grace: what they still wrote could be taken for another attempt's work.
///
/// # Errors
/// When one of them cannot be ended.
pub async fn end(run: &str) -> io::Result<usize> {
    end_with_grace(run, Duration::ZERO, std::future::pending()).await
}

/// Asks every process that carries the run's marker to end, kills it when `grace` is over or `at_once` comes, and returns how
/// many there were once they are gone.
///
/// # Errors
/// When one of them cannot be ended.
#[cfg(target_os = "linux")]
pub async fn end_with_grace(run: &str, grace: Duration, at_once: impl Future<Output = ()>) -> io::Result<usize> {
    use rustix::process::Signal;
    use std::collections::BTreeSet;
    use tokio::time::Instant;

    let mut at_once = std::pin::pin!(at_once);
    let mut seen = BTreeSet::new();
    let mut kill_from = Instant::now() + grace;
    let mut look = LOOK;
    loop {
        let now = Instant::now();
        let left = if now < kill_from {
            signal_marked(run, |pid| (!seen.contains(&pid)).then_some(Signal::TERM))?
        } else {
            signal_marked(run, |_| Some(Signal::KILL))?
        };
        if left.is_empty() {
            return Ok(seen.len());
        }
        if now >= kill_from + PATIENCE {
            return Err(io::Error::other(format!("processes {left:?} that the run {run} started cannot be ended")));
        }
        seen.extend(left);
        tokio::select! {
            () = tokio::time::sleep(look) => look = (look * 2).min(LONGEST_LOOK),
            () = &mut at_once, if now < kill_from => (kill_from, look) = (now, LOOK),
        }
    }
}

/// There is no /proc to find them by.
#[cfg(not(target_os = "linux"))]
pub async fn end_with_grace(_run: &str, _grace: Duration, _at_once: impl Future<Output = ()>) -> io::Result<usize> {
    Ok(0)
}

/// Sends each process that carries the run's marker the signal that is chosen for it, and returns all of them.
#[cfg(target_os = "linux")]
fn signal_marked(run: &str, signal: impl Fn(i32) -> Option<rustix::process::Signal>) -> io::Result<Vec<i32>> {
    use rustix::process::{Pid, PidfdFlags, pidfd_open, pidfd_send_signal};

    let marker = format!("{MARKER}={run}").into_bytes();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Some(pid) = Pid::from_raw(number).filter(|pid| *pid != rustix::process::getpid()) else { continue };
        // Opened before it is looked at: the signal goes to the very process whose environment was read.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // Not readable: another user's, or gone, or a zombie. None of them is ours to end.
        let Ok(environment) = std::fs::read(format!("/proc/{number}/environ")) else { continue };
        if !environment.split(|byte| *byte == 0).any(|variable| variable == marker) {
            continue;
        }
        match signal(number).map_or(Ok(()), |signal| pidfd_send_signal(&process, signal)) {
            Ok(()) => found.push(number),
            Err(rustix::io::Errno::SRCH) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(found)
}
