//! The process group of one attempt, and how to signal it without ever hitting a stranger.
//!
//! The kernel may give the number of a group to somebody else as soon as the group is empty. Two types keep us from
//! that:
//!
//! - [`Leader`] is the child as long as it is not reaped. Alive or a zombie, it holds its number, so signalling the group
//!   is safe. A pidfd tells its end without reaping it.
//! - [`Leftovers`] is the group after that. As long as one process of ours is in it, the number cannot be taken and no
//!   process with the leader's number exists; so a group that is there while its leader is not is ours. Where a process
//!   with that number exists, the number went to a stranger, and ours are gone.
//!
//! Dropping either ends the group at once: nothing outlives an attempt whose future is dropped.

use std::io;
use std::process::{Child, ExitStatus};
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};
use tokio::time::sleep;

use super::exit::ExitWatch;
use crate::os::process;

/// A child that leads its own process group and has not been reaped.
#[derive(Debug)]
pub(super) struct Leader {
    pid: Pid,
    /// Taken when it is reaped.
    child: Option<Child>,
    watch: ExitWatch,
}

impl Leader {
    /// Takes a child that was started as the leader of a new group.
    ///
    /// # Errors
    /// When its end cannot be watched; it is killed then.
    pub(super) fn new(child: Child) -> io::Result<Self> {
        let pid = Pid::from_child(&child);
        match ExitWatch::new(pid) {
            Ok(watch) => Ok(Self { pid, child: Some(child), watch }),
            Err(error) => {
                kill_and_reap(pid, child);
                Err(error)
            }
        }
    }

    /// Its process id, which is the id of the group as well.
    pub(super) fn pid(&self) -> u32 {
        self.pid.as_raw_pid().unsigned_abs()
    }

    /// Waits until it has ended. Does not reap it.
    pub(super) async fn exited(&self) {
        self.watch.exited().await;
    }

    /// Whether it has ended.
    pub(super) fn has_exited(&self) -> bool {
        has_exited(self.pid)
    }

    /// Signals the whole group.
    pub(super) fn signal_group(&self, signal: Signal) {
        send(self.pid, signal);
    }

    /// Reaps it; it must have ended. What is left of the group stays to be dealt with.
    pub(super) fn reap(mut self) -> (io::Result<ExitStatus>, Leftovers) {
        let status = self.child.take().map_or_else(|| Err(Errno::CHILD.into()), |mut child| child.wait());
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

/// Usually the child is gone in a moment; a thread waits, because this one has a runtime to serve.
fn kill_and_reap(group: Pid, mut child: Child) {
    send(group, Signal::KILL);
    std::thread::spawn(move || child.wait());
}

/// What may be left of the group after its leader was reaped.
#[derive(Debug)]
pub(super) struct Leftovers {
    group: Pid,
    gone: bool,
}

impl Leftovers {
    /// Whether a process of the group is alive. Zombies are not: they wait for their parent, which is not us.
    pub(super) fn are_alive(&mut self) -> bool {
        self.gone = self.gone || !self.are_ours() || !process::has_living_member(self.group);
        !self.gone
    }

    /// Waits until all are gone. Nobody tells us of the end of processes that are not our children, so this looks, ever
    /// more slowly; it is the way of the rare attempt that leaves something behind.
    pub(super) async fn gone(&mut self) {
        let mut pause = Duration::from_millis(1);
        while self.are_alive() {
            sleep(pause).await;
            pause = (pause * 2).min(Duration::from_millis(50));
        }
    }

    /// Signals what is left.
    pub(super) fn signal(&mut self, signal: Signal) {
        if !self.gone && self.are_ours() {
            send(self.group, signal);
        }
    }

    /// See the module's documentation for why this holds. A group that we may not signal at all (a setuid program) is
    /// outside what we can promise.
    fn are_ours(&self) -> bool {
        rustix::process::test_kill_process_group(self.group).is_ok() && rustix::process::test_kill_process(self.group) == Err(Errno::SRCH)
    }
}

impl Drop for Leftovers {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

/// Whether a child that is not reaped has ended. A child that is no longer ours to wait for has.
pub(super) fn has_exited(pid: Pid) -> bool {
    let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
    !matches!(rustix::process::waitid(WaitId::Pid(pid), look), Ok(None))
}

/// SIGCONT follows SIGTERM: a stopped process could not heed it.
fn send(group: Pid, signal: Signal) {
    // The only failures are that nobody is there and that we may not: both are seen by who looks for survivors.
    let _ = rustix::process::kill_process_group(group, signal);
    if signal == Signal::TERM {
        let _ = rustix::process::kill_process_group(group, Signal::CONT);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_a_stranger_is_never_taken_for_ours() {
        // Our own group exists and so does a process with its number, as after a reuse of the number.
        let stranger = rustix::process::getpgrp();
        if rustix::process::test_kill_process(stranger).is_ok() {
            assert!(!Leftovers { group: stranger, gone: false }.are_alive());
        }
    }
}
