//! Interrupts of a call: its timeout, and stop signals.

use std::time::Duration;

use tokio::time::{Instant, sleep, sleep_until};

use super::super::stop::StopSignal;
use crate::plan::model::work::CLOSING_TIME;
use crate::plan::run::stop::StopLevel;

/// Why a call ends before its job does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Interrupt {
    /// The timeout has passed.
    TimeUp,
    /// A graceful stop: the job may still be cancelled.
    Stopped,
    /// An immediate stop: nothing more is sent.
    StoppedAtOnce,
}

/// Waits for something, and notices interrupts meanwhile.
pub(super) struct Watch {
    stop: StopSignal,
    /// When time is up.
    pub(super) deadline: Instant,
}

impl Watch {
    /// The timeout begins now.
    pub(super) fn new(stop: StopSignal, timeout: Duration) -> Self {
        let mut watch = Self { stop, deadline: Instant::now() };
        watch.restart(timeout);
        watch
    }

    /// The timeout begins now, and not before.
    pub(super) fn restart(&mut self, timeout: Duration) {
        // A deadline that overflows is replaced by one that is never reached.
        let now = Instant::now();
        let never = Duration::from_secs(100 * 365 * 24 * 3600);
        self.deadline = now.checked_add(timeout).unwrap_or(now + never);
    }

    /// Waits until `wait` is done or the call is interrupted. After a stop `wait` does not begin; what is done when the stop comes counts.
    pub(super) async fn during<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, Interrupt> {
        let deadline = self.deadline;
        if self.stop.is_raised() {
            return Err(interrupt_of(self.stop.level()));
        }
        tokio::select! {
            biased;
            done = wait => Ok(done),
            level = self.stop.reached(StopLevel::Graceful) => Err(interrupt_of(level)),
            () = sleep_until(deadline) => Err(Interrupt::TimeUp),
        }
    }

    /// Like [`Self::during`], for a wait that the timeout does not count.
    pub(super) async fn during_without_deadline<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, Interrupt> {
        if self.stop.is_raised() {
            return Err(interrupt_of(self.stop.level()));
        }
        tokio::select! {
            biased;
            done = wait => Ok(done),
            level = self.stop.reached(StopLevel::Graceful) => Err(interrupt_of(level)),
        }
    }

    /// Like [`Self::during`], but after a graceful stop waits a little longer.
    ///
    /// # Errors
    /// The interrupt, and the result of `wait` if it was still done in time.
    pub(super) async fn during_or_while_closing<T>(&mut self, wait: impl Future<Output = T>) -> Result<T, (Interrupt, Option<T>)> {
        let mut wait = std::pin::pin!(wait);
        match self.during(wait.as_mut()).await {
            Ok(done) => Ok(done),
            Err(Interrupt::Stopped) => Err((Interrupt::Stopped, self.while_closing(wait).await)),
            Err(interrupt @ (Interrupt::TimeUp | Interrupt::StoppedAtOnce)) => Err((interrupt, None)),
        }
    }

    /// Waits after an interrupt: at most [`CLOSING_TIME`], and not at all after an immediate stop. `None` when that was too short.
    pub(super) async fn while_closing<T>(&mut self, wait: impl Future<Output = T>) -> Option<T> {
        tokio::select! {
            biased;
            _ = self.stop.reached(StopLevel::Immediate) => None,
            done = wait => Some(done),
            () = sleep(CLOSING_TIME) => None,
        }
    }
}

fn interrupt_of(level: StopLevel) -> Interrupt {
    match level {
        StopLevel::Immediate => Interrupt::StoppedAtOnce,
        StopLevel::None | StopLevel::Graceful => Interrupt::Stopped,
    }
}
