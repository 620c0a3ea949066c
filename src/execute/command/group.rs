//! The process group of one attempt, and how to signal it without ever reaching a process that is not ours.
//!
//! The kernel may give the number of a group to other processes as soon as the group is empty. Two types prevent us from signalling
//! those:
//!
//! - [`Leader`] is the child until it is reaped. Alive or a zombie, it keeps its number, so it is safe to signal the group. A pidfd
//!   tells its end without reaping it.
//! - [`Leftovers`] is the group after that. As long as one process of ours is in it, the number is not given away and no process has
//!   the leader's pid; so a group that exists while no process with its number does is ours. Once such a process exists, the number
//!   was given to others, and ours are gone.
//!
//! Dropping either kills the group: nothing outlives an attempt whose future is dropped.

use std::io;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, test_kill_process, test_kill_process_group};
use tokio::time::sleep;

use crate::os::children::StartedChild;
use crate::os::exit_watch::ExitWatch;
use crate::os::process;

/// The longest pause between two looks at leftovers.
const LONGEST_PAUSE: Duration = Duration::from_millis(50);

/// A child that leads its own process group and has not been reaped.
#[derive(Debug)]
pub(super) struct Leader {
    pid: Pid,
    /// `None` once it is reaped.
    child: Option<StartedChild>,
    watch: ExitWatch,
}

impl Leader {
    /// Takes a child that was started as the leader of a new group.
    ///
    /// # Errors
    /// When its end cannot be watched; then it is killed.
    pub(super) fn new(child: StartedChild) -> io::Result<Self> {
        let pid = child.pid();
        match ExitWatch::new(pid) {
            Ok(watch) => Ok(Self { pid, child: Some(child), watch }),
            Err(error) => {
                kill_and_reap(pid, child);
                Err(error)
            }
        }
    }

    /// Its pid, which is the id of the group as well.
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Waits until it has ended. Does not reap it.
    pub(super) async fn exited(&self) {
        self.watch.exited().await;
    }

    /// Whether it has ended. Does not reap it.
    pub(super) fn has_exited(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that it is no child of ours any more: it has ended, and was reaped elsewhere.
        !matches!(rustix::process::waitid(WaitId::Pid(self.pid), options), Ok(None))
    }

    /// Signals the whole group.
    pub(super) fn signal_group(&self, signal: Signal) {
        send(self.pid, signal);
    }

    /// Reaps it, once it has ended. The rest of the group is returned as [`Leftovers`].
    pub(super) fn reap(mut self) -> (io::Result<ExitStatus>, Leftovers) {
        let status = self.child.take().map_or_else(|| Err(Errno::CHILD.into()), StartedChild::reap);
        (status, Leftovers { group: self.pid, gone: false })
    }
}

impl Drop for Leader {
    fn drop(&mut self) {
        if let Some(child) = self.child.take() {
            kill_and_reap(self.pid, child);
        }
    }
}

/// The child usually ends within a moment; a thread waits for it, so that the runtime does not block. Where the host has no room for a
/// thread, the child stays a zombie until this process ends.
fn kill_and_reap(group: Pid, child: StartedChild) {
    send(group, Signal::KILL);
    // This runs in destructors, where a panic would abort the process.
    let _ = std::thread::Builder::new().spawn(move || child.reap());
}

/// What may be left of the group after its leader was reaped.
#[derive(Debug)]
pub(super) struct Leftovers {
    group: Pid,
    gone: bool,
}

impl Leftovers {
    /// Whether a process of the group is alive. A zombie is not: it waits to be reaped by its parent, which may never happen, as in a
    /// container whose process 1 does not reap.
    pub(super) fn are_alive(&mut self) -> bool {
        self.gone = self.gone || !self.are_ours() || !process::has_living_member(self.group);
        !self.gone
    }

    /// Waits until all are gone. The kernel reports only the end of our own children, so this looks again and again, with longer and
    /// longer pauses. Few attempts leave something behind.
    pub(super) async fn gone(&mut self) {
        let mut pause = Duration::from_millis(1);
        while self.are_alive() {
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Signals what is left.
    pub(super) fn signal(&mut self, signal: Signal) {
        if !self.gone && self.are_ours() {
            send(self.group, signal);
        }
    }

    /// Whether the group exists and is still ours; the module's documentation says why this holds. A group that we may not signal at
    /// all (a setuid program) counts as gone.
    fn are_ours(&self) -> bool {
        test_kill_process_group(self.group).is_ok() && test_kill_process(self.group) == Err(Errno::SRCH)
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// SIGCONT follows SIGTERM, as a stopped process could not act on it.
fn send(group: Pid, signal: Signal) {
    // It fails when the group is empty or may not be signalled. `Leftovers::are_ours` sees both.
    let _ = kill_process_group(group, signal);
    if signal == Signal::TERM {
        let _ = kill_process_group(group, Signal::CONT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_stranger_is_never_taken_for_ours() {
        // Our own group exists and so does a process with its number, as after a reuse of the number.
        let stranger = rustix::process::getpgrp();
        if test_kill_process(stranger).is_ok() {
            assert!(!Leftovers { group: stranger, gone: false }.are_alive());
        }
    }
}
