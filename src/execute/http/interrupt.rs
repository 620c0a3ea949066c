//! What may break into a call: its time is up, or somebody wants it to stop.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::super::stop::StopSignal;
use crate::plan::run::stop::StopLevel;

/// Why a call ends before its job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// It has taken its time.
    TimeUp,
    /// Somebody wants it to stop, soon.
    Stopped,
    /// At once.
    StoppedAtOnce,
}

/// How long the last words of a call may take.
const LAST_WORDS: Duration = Duration::from_secs(5);

/// Looks for interrupts.
pub(super) struct Watch {
    stop: StopSignal,
    /// When time is up.
    pub(super) deadline: Instant,
}

impl Watch {
    /// Looks from now on.
    pub(super) fn new(stop: StopSignal, timeout: Duration) -> Self {
        // So far away that it cannot be reckoned is never.
        let now = Instant::now();
        let never = Duration::from_secs(100 * 365 * 24 * 3600);
        Self { stop, deadline: now.checked_add(timeout).unwrap_or(now + never) }
    }

    /// Waits, unless something breaks in.
    pub(super) async fn during<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, Interrupt> {
        let deadline = self.deadline;
        tokio::select! {
            biased;
            level = self.stop.reached(StopLevel::Graceful) => Err(interrupt_of(level)),
            done = wait => Ok(done),
            () = sleep_until(deadline) => Err(Interrupt::TimeUp),
        }
    }

    /// Waits, and when somebody wants a stop soon, as long as last words may take.
    ///
    /// # Errors
    /// What broke in, and what was waited for where it still came.
    pub(super) async fn see_through<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, (Interrupt, Option<T>)> {
        let mut wait = std::pin::pin!(wait);
        match self.during(wait.as_mut()).await {
            Ok(done) => Ok(done),
            Err(Interrupt::Stopped) => Err((Interrupt::Stopped, self.last_words(wait).await)),
            Err(interrupt @ (Interrupt::TimeUp | Interrupt::StoppedAtOnce)) => Err((interrupt, None)),
        }
    }

    /// Waits for last words after an interrupt: not for long, and not at all when everything is to end at once.
    pub(super) async fn last_words<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.stop.reached(StopLevel::Immediate) => None,
            done = wait => Some(done),
            () = sleep(LAST_WORDS) => None,
        }
    }
}

fn interrupt_of(level: StopLevel) -> Interrupt {
    match level {
        StopLevel::Immediate => Interrupt::StoppedAtOnce,
        StopLevel::None | StopLevel::Graceful => Interrupt::Stopped,
    }
}
