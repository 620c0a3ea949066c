//! Runs an attempt as a child process.
//!
//! One attempt is one future. It starts the child (`spawn`), reads its output (`capture`), terminates its process group when it must
//! (`termination`, `group`), and always reaps it. It needs a tokio runtime with I/O and time; a current-thread one is enough.
//!
//! A process that leaves the group (`setsid`) is not terminated here, and does not hold up the attempt. The guard ends it after the run.

mod capture;
mod exit;
mod group;
mod lookup;
mod spawn;
mod spawn_error;
mod termination;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::time::sleep;

use self::capture::Capture;
use self::group::{Leader, Leftovers};
use self::termination::Termination;
use super::record::Record;
use super::stop::StopSignal;
use super::task::{AttemptEvent, Program};
use crate::plan::run::ended::{End, Ended};

pub use super::lines::MAX_LINE;
pub use super::log::MAX_LOG_BYTES;
pub use super::tail::{TAIL_BYTES, TAIL_LINES};

/// How long processes that the child leaves behind with its output still open may take to finish before they get SIGTERM. It lets the
/// `tee` of a shell's `exec > >(tee ...)` write its last lines.
const LINGER: Duration = Duration::from_millis(200);

/// Runs programs as child processes.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommandExecutor;

impl CommandExecutor {
    /// Runs a program to its end; the contract is that of [`Executor::run`](crate::execute::Executor::run).
    pub async fn run(&self, task: Program, stop: StopSignal, events: mpsc::Sender<AttemptEvent>) -> Ended {
        if stop.is_raised() {
            return without_process(End::Stopped);
        }
        let started = std::time::Instant::now();
        let spawned = match spawn::spawn(&task) {
            Ok(spawned) => spawned,
            Err(why) => return without_process(End::SpawnFailed(why)),
        };
        let pid = spawned.leader.pid();
        // The attempt goes on when nobody takes the events.
        let _ = events.try_send(AttemptEvent::Spawned(pid));
        let supervisor = Supervisor {
            capture: Capture::new(spawned.out, spawned.err, Record::new(task.log, events)),
            termination: Termination::new(stop, task.grace),
        };
        let (end, tail) = supervisor.run(spawned.leader, task.timeout).await;
        Ended { end, duration: started.elapsed(), tail, pid: Some(pid), answer: None, remote_id: None }
    }
}

fn without_process(end: End) -> Ended {
    Ended { end, duration: Duration::ZERO, tail: String::new(), pid: None, answer: None, remote_id: None }
}

/// Looks after a child that was started.
struct Supervisor {
    capture: Capture,
    termination: Termination,
}

impl Supervisor {
    /// Returns how the child ended, and the tail of its output.
    async fn run(mut self, mut leader: Leader, timeout: Duration) -> (End, String) {
        let ended_by_us = self.until_exit(&mut leader, timeout).await;
        self.linger(&leader).await;
        let (status, leftovers) = leader.reap();
        self.end_leftovers(leftovers).await;
        let end = ended_by_us.unwrap_or_else(|| own_end(status));
        (end, self.capture.finish())
    }

    /// Waits until the child has ended; terminates it when time is up or a stop is asked for. Returns why we terminated it, and `None`
    /// when the child had ended before our first signal.
    async fn until_exit(&mut self, leader: &mut Leader, timeout: Duration) -> Option<End> {
        let mut time_up = pin!(sleep(timeout));
        let mut why = None;
        loop {
            let (signal, cause) = tokio::select! {
                biased;
                () = leader.exited() => return why,
                signal = self.termination.next() => (signal, End::Stopped),
                () = &mut time_up, if why.is_none() => (self.termination.begin(), End::TimedOut),
                () = self.capture.read() => continue,
            };
            if !leader.has_exited() {
                why.get_or_insert(cause);
            }
            if let Some(signal) = signal {
                leader.signal_group(signal);
            }
        }
    }

    /// After the child's end, lets the rest of its group finish for a moment, then sends SIGTERM. The leader is not reaped yet, so the
    /// signal reaches no other group.
    async fn linger(&mut self, leader: &Leader) {
        if self.termination.has_begun() {
            return;
        }
        let mut time_up = pin!(sleep(LINGER));
        let mut signal = None;
        while signal.is_none() && self.capture.is_open() {
            tokio::select! {
                next = self.termination.next() => signal = next,
                () = &mut time_up => break,
                () = self.capture.read() => {}
            }
        }
        if let Some(signal) = signal.or_else(|| self.termination.begin()) {
            leader.signal_group(signal);
        }
    }

    /// Waits until nothing of the group is left, and terminates it when it must.
    async fn end_leftovers(&mut self, mut leftovers: Leftovers) {
        if !leftovers.are_alive() {
            return;
        }
        if self.termination.is_kill() {
            leftovers.signal(Signal::KILL);
        }
        loop {
            let signal = tokio::select! {
                biased;
                () = leftovers.gone() => return,
                signal = self.termination.next() => signal,
                () = self.capture.read() => continue,
            };
            if let Some(signal) = signal {
                leftovers.signal(signal);
            }
        }
    }
}

/// How a child ended that we did not terminate.
fn own_end(status: io::Result<ExitStatus>) -> End {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => End::Exited(code),
            (None, Some(signal)) => End::Signalled(signal),
            (None, None) => End::Unseen(format!("the system reports neither exit nor signal: {status}")),
        },
        Err(error) => End::Unseen(format!("its exit status was reaped elsewhere: {error}")),
    }
}
