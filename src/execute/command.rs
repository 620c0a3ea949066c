//! Runs an attempt as a child process.
//!
//! One attempt is one future: it starts the child (`spawn`), reads what it prints (`capture`), ends it when it must
//! (`ending`, `group`), and always reaps it. There is no thread and no timer beyond the attempt's own. It needs a tokio runtime
//! with I/O and time; a current-thread one is enough.
//!
//! A process that leaves the group (`setsid`) is out of reach here. It cannot hold the attempt up; ending it is the
//! guard's part.

mod capture;
mod ending;
mod exit;
mod group;
mod lookup;
mod refusal;
mod spawn;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::ExitStatus;
use std::time::Duration;

use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::time::sleep;

use self::capture::Capture;
use self::ending::Ending;
use self::group::{Leader, Leftovers};
use super::record::Record;
use super::stop::StopSignal;
use super::{AttemptEvent, End, Ended, Program};

pub use super::lines::MAX_LINE;
pub use super::log::MAX_LOG_BYTES;
pub use super::tail::{TAIL_BYTES, TAIL_LINES};

/// How long processes that the child leaves behind, with its output still open, may take to finish by themselves before
/// they get SIGTERM. It lets the `tee` of a shell's `exec > >(tee ...)` write its last lines.
const LINGER: Duration = Duration::from_millis(200);

/// Runs programs as child processes.
#[derive(Debug, Clone, Copy, Default)]
pub struct CommandExecutor;

impl CommandExecutor {
    /// Runs a program to its end, as [`Executor::run`](super::Executor::run) says.
    pub async fn run(&self, task: Program, stop: StopSignal, said: mpsc::Sender<AttemptEvent>) -> Ended {
        if stop.is_raised() {
            return without_process(End::Stopped);
        }
        let started = std::time::Instant::now();
        let spawned = match spawn::spawn(&task) {
            Ok(spawned) => spawned,
            Err(why) => return without_process(End::SpawnFailed(why)),
        };
        let pid = spawned.leader.pid();
        // The listener may have gone away; the attempt goes on.
        let _ = said.try_send(AttemptEvent::Spawned(pid));
        let attempt =
            Attempt { capture: Capture::new(spawned.out, spawned.err, Record::new(task.log, said)), ending: Ending::new(stop, task.grace) };
        let (end, tail) = attempt.run(spawned.leader, task.timeout).await;
        Ended { end, duration: started.elapsed(), tail, pid: Some(pid), answer: None, open: None }
    }
}

fn without_process(end: End) -> Ended {
    Ended { end, duration: Duration::ZERO, tail: String::new(), pid: None, answer: None, open: None }
}

/// An attempt whose child exists.
struct Attempt {
    capture: Capture,
    ending: Ending,
}

impl Attempt {
    async fn run(mut self, mut leader: Leader, timeout: Duration) -> (End, String) {
        let ended_by_us = self.until_exit(&mut leader, timeout).await;
        self.linger(&leader).await;
        let (status, leftovers) = leader.reap();
        self.end_leftovers(leftovers).await;
        let end = ended_by_us.unwrap_or_else(|| own_end(status));
        (end, self.capture.finish())
    }

    /// Waits for the child's end, and brings it about when time is up or somebody asks. Returns why we ended it; a child
    /// that had ended before our first signal ended by itself.
    async fn until_exit(&mut self, leader: &mut Leader, timeout: Duration) -> Option<End> {
        let mut time_up = pin!(sleep(timeout));
        let mut why = None;
        loop {
            let (signal, cause) = tokio::select! {
                biased;
                () = leader.exited() => return why,
                signal = self.ending.next() => (signal, End::Stopped),
                () = &mut time_up, if why.is_none() => (self.ending.terminate(), End::TimedOut),
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

    /// The child has ended. What it left behind may finish by itself for a moment, then gets SIGTERM; as the leader is not
    /// reaped yet, the signal reaches nobody else.
    async fn linger(&mut self, leader: &Leader) {
        if self.ending.begun() {
            return;
        }
        let mut time_up = pin!(sleep(LINGER));
        let mut signal = None;
        while signal.is_none() && self.capture.is_open() {
            tokio::select! {
                asked = self.ending.next() => signal = asked,
                () = &mut time_up => break,
                () = self.capture.read() => {}
            }
        }
        if let Some(signal) = signal.or_else(|| self.ending.terminate()) {
            leader.signal_group(signal);
        }
    }

    /// Sees to it that nothing of the group is left.
    async fn end_leftovers(&mut self, mut leftovers: Leftovers) {
        if !leftovers.are_alive() {
            return;
        }
        if self.ending.is_kill() {
            leftovers.signal(Signal::KILL);
        }
        loop {
            let signal = tokio::select! {
                biased;
                () = leftovers.gone() => return,
                signal = self.ending.next() => signal,
                () = self.capture.read() => continue,
            };
            if let Some(signal) = signal {
                leftovers.signal(signal);
            }
        }
    }
}

/// How a child that we did not end has ended.
fn own_end(status: io::Result<ExitStatus>) -> End {
    match status {
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => End::Exited(code),
            (None, Some(signal)) => End::Signalled(signal),
            (None, None) => End::Unseen(format!("the system reports neither exit nor signal: {status}")),
        },
        Err(error) => End::Unseen(format!("the exit status was taken by somebody else: {error}")),
    }
}
