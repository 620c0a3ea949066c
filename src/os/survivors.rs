//! Ends processes that outlived both processes of their run. They are found by the run's mark, on the whole host.

use std::collections::BTreeSet;
use std::io;
use std::os::fd::OwnedFd;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, getpid, pidfd_open, pidfd_send_signal, test_kill_process};
use tokio::time::{Instant, sleep};

use super::mark::Mark;
use super::process;
use crate::plan::model::ids::RunId;

/// The pause between two looks at what is left.
const PAUSE: Duration = Duration::from_millis(10);

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// What [`kill`] found.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Survivors {
    /// How many processes have ended.
    pub(crate) ended: usize,
    /// The pids of those that go on: this user may not signal them, or they hang in the kernel.
    pub(crate) left: Vec<i32>,
}

/// Kills every process of this host that carries the run's mark, and returns once they are gone. They get no grace period: nobody watches
/// them, and what they still write could be taken for the work of another attempt.
///
/// # Errors
/// When processes cannot be looked at.
pub(crate) async fn kill(run: RunId) -> io::Result<Survivors> {
    let mark = Mark::of(run);
    let give_up_at = Instant::now() + PATIENCE;
    let mut seen = BTreeSet::new();
    loop {
        let (mut signalled, mut refused) = (Vec::new(), Vec::new());
        for (pid, handle) in marked(&mark)? {
            match pidfd_send_signal(&handle, Signal::KILL) {
                Err(Errno::PERM) => refused.push(pid),
                // One that has ended in this moment may have left a child.
                Ok(()) | Err(_) => signalled.push(pid),
            }
        }
        seen.extend(signalled.iter().copied());
        if signalled.is_empty() || Instant::now() >= give_up_at {
            let left = [signalled, refused].concat();
            seen.retain(|pid| !left.contains(pid));
            return Ok(Survivors { ended: seen.len(), left });
        }
        sleep(PAUSE).await;
    }
}

/// The pids of processes that carry the run's mark and that this user may not signal.
///
/// # Errors
/// When processes cannot be looked at.
pub(crate) fn beyond_reach(run: RunId) -> io::Result<Vec<i32>> {
    let marked = marked(&Mark::of(run))?.into_iter().map(|(pid, _)| pid);
    Ok(marked.filter(|pid| Pid::from_raw(*pid).is_some_and(|pid| test_kill_process(pid) == Err(Errno::PERM))).collect())
}

/// The living processes that carry the mark, but this one, each with a handle on it.
fn marked(mark: &Mark) -> io::Result<Vec<(i32, OwnedFd)>> {
    let mut found = Vec::new();
    for pid in process::all()?.filter(|pid| *pid != getpid()) {
        // The handle is opened before the mark is read, so that a signal reaches the very process that carries it even when the pid
        // is used again.
        let handle = match pidfd_open(pid, PidfdFlags::empty()) {
            Ok(handle) => handle,
            // It has ended.
            Err(Errno::SRCH | Errno::INVAL) => continue,
            Err(error) => return Err(error.into()),
        };
        if mark.is_on(pid) && process::is_alive(pid) {
            found.push((pid.as_raw_pid(), handle));
        }
    }
    Ok(found)
}
