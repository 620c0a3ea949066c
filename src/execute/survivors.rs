//! Ends processes that outlived the run that started them, known by the marker in their environment.

use std::io;
use std::time::Duration;

/// The variable that every process of a run carries: its run's id.
pub const MARKER: &str = "ETL_ORCH_RUN_ID";

/// How often it is looked whether they are gone.
const LOOK: Duration = Duration::from_millis(10);

/// How long processes that were killed may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Kills every process that carries the run's marker, and returns how many there were once they are gone. Nobody watches
/// them any more, so they get no grace: what they still wrote could be taken for another attempt's work.
///
/// # Errors
/// When one of them cannot be ended.
#[cfg(target_os = "linux")]
pub async fn end(run: &str) -> io::Result<usize> {
    use std::collections::BTreeSet;

    let mut seen = BTreeSet::new();
    let deadline = tokio::time::Instant::now() + PATIENCE;
    loop {
        let killed = kill_marked(run)?;
        if killed.is_empty() {
            return Ok(seen.len());
        }
        if tokio::time::Instant::now() >= deadline {
            return Err(io::Error::other(format!("processes {killed:?} of a run that died cannot be ended")));
        }
        seen.extend(killed);
        tokio::time::sleep(LOOK).await;
    }
}

/// There is no /proc to find them by.
#[cfg(not(target_os = "linux"))]
pub async fn end(_run: &str) -> io::Result<usize> {
    Ok(0)
}

#[cfg(target_os = "linux")]
fn kill_marked(run: &str) -> io::Result<Vec<i32>> {
    use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};

    let marker = format!("{MARKER}={run}").into_bytes();
    let mut killed = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let Some(number) = entry?.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let Some(pid) = Pid::from_raw(number).filter(|pid| *pid != rustix::process::getpid()) else { continue };
        // Opened before it is looked at: the signal goes to the very process whose environment was read.
        let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { continue };
        // Not readable: another user's, or gone, or a zombie. None of them is ours to end.
        let Ok(environment) = std::fs::read(format!("/proc/{number}/environ")) else { continue };
        if environment.split(|byte| *byte == 0).any(|variable| variable == marker) {
            match pidfd_send_signal(&process, Signal::KILL) {
                Ok(()) => killed.push(number),
                Err(rustix::io::Errno::SRCH) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }
    Ok(killed)
}
