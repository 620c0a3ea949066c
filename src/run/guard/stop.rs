//! Passes the signals that ask for a stop on to the orchestrator, and kills one that does not follow them.

use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::signal::unix::SignalKind;
use tokio::time::{Instant, sleep_until};

/// How long the orchestrator may take to end after the second signal. It ends by itself within 6 seconds, unless it is stopped or hangs.
const PATIENCE: Duration = Duration::from_secs(8);

/// The same signal within so short a time is one request that came twice: `timeout`, `sudo` and others pass on what the terminal or
/// systemd sends to the whole group as well. Nobody presses Ctrl-C twice so fast. So is a signal that follows SIGHUP so soon: they were
/// sent together.
const SAME_REQUEST: Duration = Duration::from_millis(100);

/// What the orchestrator was asked for.
#[derive(Debug)]
pub(super) struct StopRequests {
    orchestrator: Pid,
    first: Option<i32>,
    /// The signal that was forwarded last, and when.
    latest: Option<(SignalKind, Instant)>,
    /// Set by the second signal.
    kill_at: Option<Instant>,
    has_killed: bool,
}

impl StopRequests {
    pub(super) fn new(orchestrator: Pid) -> Self {
        Self { orchestrator, first: None, latest: None, kill_at: None, has_killed: false }
    }

    /// Whether a signal asks for something that was not asked for yet. SIGHUP after another signal does not: it comes with the end of a
    /// session, once or more often, and nobody means by it that the children are to be killed.
    pub(super) fn is_new(&self, kind: SignalKind) -> bool {
        let hangup = SignalKind::hangup();
        self.latest.is_none_or(|(latest, at)| kind != hangup && !((kind == latest || latest == hangup) && at.elapsed() < SAME_REQUEST))
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
        self.latest = Some((kind, Instant::now()));
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_request_that_comes_twice_at_once_is_one() {
        let (terminate, interrupt, hangup) = (SignalKind::terminate(), SignalKind::interrupt(), SignalKind::hangup());
        let mut requests = StopRequests::new(rustix::process::getpid());
        assert!([terminate, interrupt, hangup].into_iter().all(|kind| requests.is_new(kind)));
        requests.latest = Some((terminate, Instant::now()));
        assert!(!requests.is_new(terminate) && requests.is_new(interrupt) && !requests.is_new(hangup));
        tokio::time::advance(SAME_REQUEST).await;
        assert!(requests.is_new(terminate) && !requests.is_new(hangup));
        requests.latest = Some((hangup, Instant::now()));
        assert!(!requests.is_new(terminate) && !requests.is_new(hangup));
        tokio::time::advance(SAME_REQUEST).await;
        assert!(requests.is_new(terminate) && !requests.is_new(hangup));
    }
}
