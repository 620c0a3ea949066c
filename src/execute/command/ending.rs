//! Decides which signal a group gets and when: SIGTERM, the grace period, SIGKILL. Sends nothing itself.

use std::time::Duration;

use rustix::process::Signal;
use tokio::time::{Instant, sleep_until};

use super::super::stop::StopSignal;
use crate::plan::run::stop::StopLevel;

/// After this long a process that survives SIGKILL is worth a warning: it hangs in the kernel.
const UNKILLABLE: Duration = Duration::from_secs(10);

/// How far the ending of a group has got. It only ever gets sharper.
#[derive(Debug)]
pub(super) struct Ending {
    stop: StopSignal,
    /// The highest level that was acted on.
    seen: StopLevel,
    grace: Duration,
    step: Step,
}

#[derive(Debug, Clone, Copy)]
enum Step {
    Alive,
    /// Without a time where the grace period is beyond the reach of the clock: it never ends.
    Terminated {
        kill_at: Option<Instant>,
    },
    Killed {
        warn_at: Instant,
    },
    Unkillable,
}

impl Ending {
    /// Nothing is to be ended yet.
    pub(super) fn new(stop: StopSignal, grace: Duration) -> Self {
        Self { stop, seen: StopLevel::None, grace, step: Step::Alive }
    }

    /// Whether a signal was decided on.
    pub(super) fn begun(&self) -> bool {
        !matches!(self.step, Step::Alive)
    }

    /// Whether SIGKILL was decided on.
    pub(super) fn is_kill(&self) -> bool {
        matches!(self.step, Step::Killed { .. } | Step::Unkillable)
    }

    /// The signal to begin with; none when it was begun before.
    pub(super) fn terminate(&mut self) -> Option<Signal> {
        if self.begun() {
            return None;
        }
        self.step = Step::Terminated { kill_at: Instant::now().checked_add(self.grace) };
        Some(Signal::TERM)
    }

    /// Waits until the stop level rises, or the step that was taken has had its time. Returns the signal that follows from it.
    /// Loses nothing when dropped.
    pub(super) async fn next(&mut self) -> Option<Signal> {
        self.seen = tokio::select! {
            biased;
            level = self.stop.raised_above(self.seen) => level,
            () = time_of(self.step) => return self.sharpen(),
        };
        match self.seen {
            StopLevel::None => None,
            StopLevel::Graceful => self.terminate(),
            StopLevel::Immediate => Some(self.kill()),
        }
    }

    fn sharpen(&mut self) -> Option<Signal> {
        match self.step {
            Step::Alive | Step::Unkillable => None,
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

async fn time_of(step: Step) {
    match step {
        Step::Terminated { kill_at: Some(at) } | Step::Killed { warn_at: at } => sleep_until(at).await,
        Step::Alive | Step::Terminated { kill_at: None } | Step::Unkillable => std::future::pending().await,
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
        let mut ending = Ending::new(sender.signal(), Duration::from_secs(10));
        assert_eq!(ending.terminate(), Some(Signal::TERM));
        assert_eq!(ending.terminate(), None);
        let begun = Instant::now();
        assert_eq!(ending.next().await, Some(Signal::KILL));
        assert_eq!(begun.elapsed().as_secs(), 10);
        assert_eq!(ending.next().await, Some(Signal::KILL));
        assert_eq!(begun.elapsed().as_secs(), 20);
    }

    #[tokio::test(start_paused = true)]
    async fn the_level_only_rises() {
        let sender = StopSender::default();
        sender.raise(StopLevel::Graceful, StopReason::Signal(15));
        let mut ending = Ending::new(sender.signal(), Duration::MAX);
        assert_eq!(ending.next().await, Some(Signal::TERM));
        sender.raise(StopLevel::Immediate, StopReason::Signal(15));
        assert_eq!(ending.next().await, Some(Signal::KILL));
        sender.raise(StopLevel::Graceful, StopReason::Signal(15));
        drop(sender);
        let begun = Instant::now();
        ending.next().await;
        assert_eq!(begun.elapsed(), UNKILLABLE, "only the clock is left");
    }
}
