//! Ends processes that outlived the run that started them, known by the marker in their environment.

use std::io;
use std::time::Duration;

use futures::FutureExt;

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
    end_with_grace(run, Duration::ZERO, std::future::ready(())).await
}

/// Asks every process below our parent that carries the run's marker to end, kills it when `grace` is over, and returns how many
/// there were once they are gone. When `at_once` comes, all that carry the marker are killed, wherever they are: our parent may be
/// gone, and they have another one.
///
/// # Errors
/// When one of them cannot be ended.
#[cfg(target_os = "linux")]
pub async fn end_with_grace(run: &str, grace: Duration, at_once: impl Future<Output = ()>) -> io::Result<usize> {
    use rustix::process::Signal;
    use std::collections::BTreeSet;
    use tokio::time::Instant;

    let mut at_once = std::pin::pin!(at_once.fuse());
    let mut everywhere = (&mut at_once).now_or_never().is_some();
    let mut seen = BTreeSet::new();
    let mut kill_from = if everywhere { Instant::now() } else { Instant::now() + grace };
    let mut look = LOOK;
    loop {
        let now = Instant::now();
        let is_meant = |pid| everywhere || is_below_our_parent(pid);
        let signal = |pid| if now >= kill_from { Some(Signal::KILL) } else { (!seen.contains(&pid)).then_some(Signal::TERM) };
        let left = signal_marked(run, is_meant, signal)?;
        if left.is_empty() {
            return Ok(seen.len());
        }
        if now >= kill_from + PATIENCE {
            return Err(io::Error::other(format!("processes {left:?} that the run {run} started cannot be ended")));
        }
        seen.extend(left);
        tokio::select! {
            () = tokio::time::sleep(look) => look = (look * 2).min(LONGEST_LOOK),
            () = &mut at_once, if !everywhere => (everywhere, kill_from, look) = (true, now, LOOK),
        }
    }
}

/// There is no /proc to find them by.
#[cfg(not(target_os = "linux"))]
pub async fn end_with_grace(_run: &str, _grace: Duration, _at_once: impl Future<Output = ()>) -> io::Result<usize> {
    Ok(0)
}

/// Sends each process that carries the run's marker and is meant the signal that is chosen for it, and returns all of them.
#[cfg(target_os = "linux")]
fn signal_marked(
    run: &str,
    is_meant: impl Fn(i32) -> bool,
    signal: impl Fn(i32) -> Option<rustix::process::Signal>,
) -> io::Result<Vec<i32>> {
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
        if !environment.split(|byte| *byte == 0).any(|variable| variable == marker) || !is_meant(number) {
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

/// Whether a process descends from our parent, the guard, to which daemons come that lost their own. Somebody's shell may carry the
/// marker too, when he looks into what an ETL does.
#[cfg(target_os = "linux")]
fn is_below_our_parent(pid: i32) -> bool {
    let Some(guard) = rustix::process::getppid().map(|parent| parent.as_raw_nonzero().get()) else { return true };
    std::iter::successors(Some(pid), |pid| parent_of(*pid)).any(|ancestor| ancestor == guard)
}

#[cfg(target_os = "linux")]
fn parent_of(pid: i32) -> Option<i32> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // Behind the name in parentheses: state, then parent.
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok().filter(|parent| *parent > 0)
}
