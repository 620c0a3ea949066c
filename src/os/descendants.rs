//! Ends everything below this process.
//!
//! Descent is the kernel's own record: no process below a subreaper leaves it, whatever it does to its session, user, environment or open
//! files. Both processes of etl-orch are subreapers, so the death of either leaves the whole tree of every ETL below the other.

use std::collections::BTreeSet;
use std::io;
use std::pin::pin;
use std::time::Duration;

use futures::FutureExt;
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, WaitId, WaitIdOptions, getpid, pidfd_open, pidfd_send_signal, waitid};
use tokio::time::{Instant, sleep};

use super::{children, process};

/// The first pause between two looks at what is left. While processes have their grace, each is twice as long as the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// How long killed processes may take to be gone.
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends SIGTERM to every process below this one, SIGKILL after `grace` or when `kill_now` resolves, and returns once all are gone that
/// this user may signal. Adopted children are reaped; a child that this process started is left to be reaped by whoever started it.
/// Returns the pids of those that go on, as this user may not signal them: setuid programs.
///
/// # Errors
/// When processes are still there 10 s after SIGKILL.
pub(crate) async fn end(grace: Duration, kill_now: impl Future<Output = ()>) -> io::Result<Vec<i32>> {
    let mut kill_now = pin!(kill_now.fuse());
    let mut kill_at = Instant::now() + grace;
    if (&mut kill_now).now_or_never().is_some() {
        kill_at = Instant::now();
    }
    let mut signalled = Signalled::default();
    let mut found_nothing = false;
    let mut pause = FIRST_PAUSE;
    loop {
        children::reap_adopted();
        let now = Instant::now();
        let is_kill = now >= kill_at;
        let left = signalled.signal_all(is_kill);
        if !left.is_empty() {
            found_nothing = false;
        } else if !found_nothing {
            // A process that has just lost its parent may be on no list for a moment: one look is no proof.
            found_nothing = true;
            continue;
        } else if !signalled.refused.is_empty() || !children::are_left() {
            return Ok(signalled.refused.into_iter().collect());
        }
        if now >= kill_at + PATIENCE && !left.is_empty() {
            return Err(io::Error::other(format!("processes {left:?} that an ETL started cannot be ended")));
        }
        pause = if is_kill { FIRST_PAUSE } else { (pause * 2).min(LONGEST_PAUSE) };
        tokio::select! {
            () = sleep(pause) => {}
            () = &mut kill_now, if !is_kill => kill_at = now,
        }
    }
}

/// What is known of the processes that were found so far, by pid.
#[derive(Debug, Default)]
struct Signalled {
    seen: BTreeSet<i32>,
    refused: BTreeSet<i32>,
}

impl Signalled {
    /// Sends SIGKILL to every process below this one, or SIGTERM to those that are seen for the first time. Returns those that were there
    /// and may be signalled.
    fn signal_all(&mut self, is_kill: bool) -> Vec<i32> {
        let mut left = Vec::new();
        let refused_before = std::mem::take(&mut self.refused);
        for pid in all_below(getpid()) {
            let number = pid.as_raw_pid();
            let is_new = self.seen.insert(number);
            let sent = match (is_kill, is_new) {
                (true, _) => send(pid, Signal::KILL),
                (false, true) => send(pid, Signal::TERM),
                (false, false) if refused_before.contains(&number) => Err(Errno::PERM),
                (false, false) => Ok(()),
            };
            match sent {
                Err(Errno::PERM) => drop(self.refused.insert(number)),
                // One that has ended in this moment may have left a child.
                Ok(()) | Err(_) => left.push(number),
            }
        }
        left
    }
}

/// The living processes below `root`, parents before their children: one that starts others anew is ended before those.
fn all_below(root: Pid) -> Vec<Pid> {
    let mut found: Vec<Pid> = Vec::new();
    let mut next = 0;
    let mut parent = root;
    loop {
        found.extend(process::children_of(parent).into_iter().filter(|child| is_alive(*child)));
        let Some(pid) = found.get(next) else { return found };
        parent = *pid;
        next += 1;
    }
}

/// Whether a process has not ended. Of our children the kernel tells it even where `/proc` hides them.
fn is_alive(pid: Pid) -> bool {
    is_living_child(pid).unwrap_or_else(|| process::is_alive(pid))
}

/// Whether a child of ours has not ended; `None` for a process that is no child.
fn is_living_child(pid: Pid) -> Option<bool> {
    let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    waitid(WaitId::Pid(pid), options).ok().map(|ended| ended.is_none())
}

fn is_below_us(pid: Pid) -> bool {
    let us = getpid();
    pid != us && (is_living_child(pid) == Some(true) || process::descends_from(pid, us))
}

/// Signals a process below this one. The handle is opened before its descent is looked at: a signal reaches no other process that got
/// the same pid.
fn send(pid: Pid, signal: Signal) -> Result<(), Errno> {
    let handle = pidfd_open(pid, PidfdFlags::empty())?;
    if is_below_us(pid) { pidfd_send_signal(&handle, signal) } else { Err(Errno::SRCH) }
}
