//! Passes the signals that ask for a stop on to the orchestrator, and kills one that does not follow them.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::SignalKind;
use tokio::time::{Instant, sleep_until};

/// How long the orchestrator may take to end after the second signal. It ends by itself within 6 seconds, unless it is stopped or hangs.
const PATIENCE: Duration = Duration::from_secs(8);

/// What the orchestrator was asked for.
#[derive(Debug)]
pub(super) struct StopRequests {
    orchestrator: Pid,
    first: Option<i32>,
    /// Set by the second signal.
    kill_at: Option<Instant>,
    has_killed: bool,
}

impl StopRequests {
    pub(super) fn new(orchestrator: Pid) -> Self {
        Self { orchestrator, first: None, kill_at: None, has_killed: false }
    }

    /// The number of the first signal.
    pub(super) fn first(&self) -> Option<i32> {
        self.first
    }

    /// Whether the orchestrator was killed, as it did not follow two signals.
    pub(super) fn has_killed(&self) -> bool {
        self.has_killed
    }

    /// Passes a signal on. SIGCONT follows it, as a stopped process could not act on it.
    pub(super) fn forward(&mut self, kind: SignalKind) {
        if let Some(signal) = Signal::from_named_raw(kind.as_raw_value()) {
            self.send(signal);
            self.send(Signal::CONT);
        }
        if self.first.is_some() {
            self.kill_at.get_or_insert_with(|| Instant::now() + PATIENCE);
        }
        self.first.get_or_insert(kind.as_raw_value());
    }

    /// Waits until the orchestrator has had its time; for ever when it was not asked twice. Loses nothing when dropped.
    pub(super) async fn overdue(&self) {
        match self.kill_at {
            Some(at) if !self.has_killed => sleep_until(at).await,
            Some(_) | None => std::future::pending().await,
        }
    }

    /// Kills the orchestrator.
    pub(super) fn kill(&mut self) {
        self.has_killed = true;
        self.send(Signal::KILL);
    }

    fn send(&self, signal: Signal) {
        // It fails when the orchestrator has just ended, which is seen at once.
        let _ = kill_process(self.orchestrator, signal);
    }
}
