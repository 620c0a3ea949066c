//! Runs an attempt as a child process.
//!
//! One attempt is one future. It starts the child (`spawn`), reads its output (`capture`), terminates its process group when it must
//! (`termination`, `group`), and always reaps it. It needs a tokio runtime with I/O and time; a current-thread one is enough.
//!
//! A process that leaves the group (`setsid`) is not terminated here, and does not hold up the attempt. It is ended after the run.

mod capture;
mod group;
mod spawn;
mod spawn_error;
mod termination;

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::pin::pin;
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use rustix::process::Signal;
use tokio::sync::mpsc;
use tokio::time::sleep;

use self::capture::Capture;
use self::group::{Leader, Leftovers};
use self::termination::Termination;
use super::record::{Record, Recorded};
use super::stop::StopSignal;
use super::task::{AttemptEvent, Program};
use crate::plan::model::said::Said;
use crate::plan::run::ended::{End, Ended};
use crate::plan::text::secrets::Secrets;
use crate::plan::text::span::{brief, seconds};

pub use super::lines::MAX_LINE;
pub use super::log::MAX_LOG_BYTES;
pub use super::tail::{TAIL_BYTES, TAIL_LINES};

/// How long processes that the child leaves behind with its output still open may take to finish before they get SIGTERM. It lets the
/// `tee` of a shell's `exec > >(tee ...)` write its last lines.
const LINGER: Duration = Duration::from_millis(200);

/// Runs programs as child processes.
#[derive(Debug, Clone, Default)]
pub struct CommandExecutor {
    secrets: Secrets,
}

impl CommandExecutor {
    /// An executor that passes on what programs print without these secrets. Their logs have all that they printed.
    pub fn new(secrets: Secrets) -> Self {
        Self { secrets }
    }

    /// Runs a program to its end; the contract is that of [`Executor::run`](crate::execute::Executor::run).
    pub async fn run(&self, task: Program, stop: StopSignal, events: mpsc::Sender<AttemptEvent>) -> Ended {
        if stop.is_raised() {
            return without_process(End::Stopped);
        }
        let (started, began_at) = (std::time::Instant::now(), Utc::now());
        let task = Arc::new(task);
        let spawned = match spawn::spawn_elsewhere(Arc::clone(&task)).await {
            Ok(spawned) => spawned,
            Err(end) => return without_process(end),
        };
        let pid = spawned.leader.pid();
        let name = task.argv.first().map_or("", String::as_str);
        tracing::debug!(program = name, pid, "Started {name} (pid {pid})");
        // The attempt goes on when nobody takes the events.
        let _ = events.try_send(AttemptEvent::Spawned(pid));
        let record = Record::new(task.log.clone(), events, self.secrets.clone(), began_at).with_stages(task.progress.clone());
        let supervisor =
            Supervisor { capture: Capture::new(spawned.out, spawned.err, record), termination: Termination::new(stop, task.grace) };
        let (end, Recorded { tail, said, error }) = supervisor.run(spawned.leader, task.timeout).await;
        log_end(&end, pid, started.elapsed());
        Ended { duration: started.elapsed(), tail, pid: Some(pid), said, error, ..without_process(end) }
    }
}

fn log_end(end: &End, pid: u32, took: Duration) {
    let how = match end {
        End::Exited(code) => format!("exited with {code}"),
        End::Signalled(signal) => format!("was ended by signal {signal}"),
        End::TimedOut => "was ended at its timeout".to_owned(),
        End::Stopped => "was ended, as a stop was asked for".to_owned(),
        End::SpawnFailed(why) | End::HostShort(why) | End::Unseen(why) => format!("is over: {why}"),
        // Those are of services.
        End::Completed | End::Reported { .. } | End::Vanished => "is over".to_owned(),
    };
    tracing::debug!(pid, duration_seconds = seconds(took), "Process {pid} {how} ({})", brief(took));
}

fn without_process(end: End) -> Ended {
    Ended {
        end,
        duration: Duration::ZERO,
        tail: String::new(),
        pid: None,
        said: Said::default(),
        error: None,
        answer: None,
        service_job: None,
        remote_id: None,
    }
}

/// Looks after a child that was started.
struct Supervisor {
    capture: Capture,
    termination: Termination,
}

impl Supervisor {
    /// Returns how the child ended, and what is left of its output.
    async fn run(mut self, mut leader: Leader, timeout: Duration) -> (End, Recorded) {
        let terminated = self.until_exit(&mut leader, timeout).await;
        self.linger(&leader).await;
        let (status, leftovers) = leader.reap();
        self.end_leftovers(leftovers).await;
        let end = end_of(terminated, own_end(status));
        let is_good = end == End::Exited(0);
        (end, self.capture.finish(is_good))
    }

    /// Waits until the child has ended; terminates it when time is up or a stop is asked for. Returns `None` when the child had ended
    /// before our first signal.
    async fn until_exit(&mut self, leader: &mut Leader, timeout: Duration) -> Option<Terminated> {
        let mut time_up = pin!(sleep(timeout));
        let mut terminated: Option<Terminated> = None;
        loop {
            let (signal, cause) = tokio::select! {
                biased;
                () = leader.exited() => return terminated,
                signal = self.termination.next() => (signal, Cause::Stop),
                () = &mut time_up, if terminated.is_none() => (self.termination.begin(), Cause::TimeUp),
                () = self.capture.read() => continue,
            };
            if !leader.has_exited() {
                let terminated = terminated.get_or_insert(Terminated { cause, with_kill: false });
                terminated.with_kill |= signal == Some(Signal::KILL);
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

/// That we signalled a child before it had ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Terminated {
    /// Why we did.
    cause: Cause,
    /// Whether SIGKILL was among the signals.
    with_kill: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Cause {
    Stop,
    TimeUp,
}

/// How a child ended, given how its status says it did. The kernel's OOM killer needs a moment to end a large process, and whoever stops us
/// because of that is faster: a child that died of a SIGKILL which we did not send was not ended by our stop.
fn end_of(terminated: Option<Terminated>, own: End) -> End {
    match terminated {
        None => own,
        Some(Terminated { cause: Cause::TimeUp, .. }) => End::TimedOut,
        Some(Terminated { cause: Cause::Stop, with_kill: false }) if own == End::Signalled(Signal::KILL.as_raw()) => own,
        Some(Terminated { cause: Cause::Stop, .. }) => End::Stopped,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_our_signal_ended_was_stopped() {
        let killed = End::Signalled(9);
        let sent = |cause, with_kill| Some(Terminated { cause, with_kill });
        for (terminated, own, end) in [
            (None, killed.clone(), killed.clone()),
            (None, End::Exited(3), End::Exited(3)),
            (sent(Cause::Stop, false), killed.clone(), killed.clone()),
            (sent(Cause::Stop, true), killed.clone(), End::Stopped),
            (sent(Cause::Stop, false), End::Signalled(15), End::Stopped),
            (sent(Cause::Stop, false), End::Exited(0), End::Stopped),
            (sent(Cause::Stop, false), End::Exited(1), End::Stopped),
            (sent(Cause::TimeUp, false), killed.clone(), End::TimedOut),
            (sent(Cause::TimeUp, true), killed, End::TimedOut),
        ] {
            assert_eq!(end_of(terminated, own.clone()), end, "{terminated:?} {own:?}");
        }
    }
}
