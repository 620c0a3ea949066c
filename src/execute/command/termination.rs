//! Decides which signal a process group gets and when: SIGTERM, the grace period, SIGKILL. Sends nothing itself.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep_until};

use super::super::stop::StopSignal;
use crate::plan::run::stop::StopLevel;

/// A process that is still there this long after SIGKILL hangs in the kernel, which is worth a warning.
const UNKILLABLE: Duration = Duration::from_secs(10);

/// How far the termination of a group has got. It only ever escalates.
#[derive(Debug)]
pub(super) struct Termination {
    stop: StopSignal,
    /// The highest stop level that was acted on.
    seen: StopLevel,
    grace: Duration,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    NotBegun,
    /// SIGTERM was decided on. `kill_at` is `None` when the grace period ends beyond the range of the clock, that is never.
    Terminated {
        kill_at: Option<Instant>,
    },
    /// SIGKILL was decided on.
    Killed {
        warn_at: Instant,
    },
    /// The warning was given.
    Unkillable,
}

impl Termination {
    /// Not begun yet. `grace` is the time between SIGTERM and SIGKILL.
    pub(super) fn new(stop: StopSignal, grace: Duration) -> Self {
        Self { stop, seen: StopLevel::None, grace, step: Step::NotBegun }
    }

    /// Whether a signal was decided on.
    pub(super) fn has_begun(&self) -> bool {
        !matches!(self.step, Step::NotBegun)
    }

    /// Whether SIGKILL was decided on.
    pub(super) fn is_kill(&self) -> bool {
        matches!(self.step, Step::Killed { .. } | Step::Unkillable)
    }

    /// Begins the termination. Returns the first signal; `None` when it had begun before.
    pub(super) fn begin(&mut self) -> Option<Signal> {
        if self.has_begun() {
            return None;
        }
        self.step = Step::Terminated { kill_at: Instant::now().checked_add(self.grace) };
        Some(Signal::TERM)
    }

    /// Waits until the stop level rises or the time of the present step is over. Returns the signal to send then. Loses nothing when
    /// dropped.
    pub(super) async fn next(&mut self) -> Option<Signal> {
        self.seen = tokio::select! {
            biased;
            level = self.stop.raised_above(self.seen) => level,
            () = time_is_up(self.step) => return self.escalate(),
        };
        match self.seen {
            StopLevel::None => None,
            StopLevel::Graceful => self.begin(),
            StopLevel::Immediate => Some(self.kill()),
        }
    }

    fn escalate(&mut self) -> Option<Signal> {
        match self.step {
            Step::NotBegun | Step::Unkillable => None,
            Step::Terminated { .. } => Some(self.kill()),
            Step::Killed { .. } => {
                tracing::warn!("a process of an attempt survives SIGKILL, it hangs in the kernel; waiting for it");
                self.step = Step::Unkillable;
                Some(Signal::KILL)
            }
        }
    }

    fn kill(&mut self) -> Signal {
        if !self.is_kill() {
            self.step = Step::Killed { warn_at: Instant::now() + UNKILLABLE };
        }
        Signal::KILL
    }
}

async fn time_is_up(step: Step) {
    match step {
        Step::Terminated { kill_at: Some(at) } | Step::Killed { warn_at: at } => sleep_until(at).await,
        Step::NotBegun | Step::Terminated { kill_at: None } | Step::Unkillable => std::future::pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::super::super::stop::StopSender;
    use super::*;
    use crate::plan::run::stop::StopReason;

    #[tokio::test(start_paused = true)]
    async fn term_then_grace_then_kill_then_a_second_look() {
        let sender = StopSender::default();
        let mut termination = Termination::new(sender.signal(), Duration::from_secs(10));
        assert_eq!(termination.begin(), Some(Signal::TERM));
        assert_eq!(termination.begin(), None);
        let begun = Instant::now();
        assert_eq!(termination.next().await, Some(Signal::KILL));
        assert_eq!(begun.elapsed().as_secs(), 10);
        assert_eq!(termination.next().await, Some(Signal::KILL));
        assert_eq!(begun.elapsed().as_secs(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn the_level_only_rises() {
        let sender = StopSender::default();
        sender.raise(StopLevel::Graceful, StopReason::Signal(15));
        let mut termination = Termination::new(sender.signal(), Duration::MAX);
        assert_eq!(termination.next().await, Some(Signal::TERM));
        sender.raise(StopLevel::Immediate, StopReason::Signal(15));
        assert_eq!(termination.next().await, Some(Signal::KILL));
        sender.raise(StopLevel::Graceful, StopReason::Signal(15));
        drop(sender);
        let begun = Instant::now();
        termination.next().await;
        assert_eq!(begun.elapsed(), UNKILLABLE, "only the clock is left");
    }
}
