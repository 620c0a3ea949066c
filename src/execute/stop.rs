//! Asks for a stop, and waits for one. The level only ever rises; the first reason stays.

use tokio::sync::watch;

use crate::plan::run::stop::{StopLevel, StopReason};

#[derive(Debug, Clone, Default)]
struct State {
    level: StopLevel,
    /// Why the level rose first, and why last.
    reason: Option<StopReason>,
    latest: Option<StopReason>,
}

/// Asks everybody who has its [`signal`](Self::signal) to stop.
#[derive(Debug, Default)]
pub struct StopSender(watch::Sender<State>);

impl StopSender {
    /// What others look at and wait for.
    #[must_use]
    pub fn signal(&self) -> StopSignal {
        StopSignal(self.0.subscribe())
    }

    /// Raises the level to `level`, if it is lower.
    pub fn raise(&self, level: StopLevel, reason: StopReason) {
        self.0.send_if_modified(|state| {
            let is_higher = level > state.level;
            if is_higher {
                state.level = level;
                state.reason.get_or_insert_with(|| reason.clone());
                state.latest = Some(reason);
            }
            is_higher
        });
    }
}

/// Whether, how urgently and why to stop.
#[derive(Debug, Clone)]
pub struct StopSignal(watch::Receiver<State>);

impl StopSignal {
    /// How urgently to stop.
    #[must_use]
    pub fn level(&self) -> StopLevel {
        self.0.borrow().level
    }

    /// Whether to stop at all.
    #[must_use]
    pub fn is_raised(&self) -> bool {
        self.level() > StopLevel::None
    }

    /// Why to stop, once it is asked for.
    #[must_use]
    pub fn reason(&self) -> Option<StopReason> {
        self.0.borrow().reason.clone()
    }

    /// Why the level is as high as it is.
    #[must_use]
    pub fn latest_reason(&self) -> Option<StopReason> {
        self.0.borrow().latest.clone()
    }

    /// Resolves once the stop level reaches `least`; never, when the sender is gone before.
    pub async fn reached(&self, least: StopLevel) -> StopLevel {
        self.wait_until(|level| level >= least).await
    }

    /// Resolves once the stop level is above `seen`; never, when the sender is gone before.
    pub async fn raised_above(&self, seen: StopLevel) -> StopLevel {
        self.wait_until(|level| level > seen).await
    }

    async fn wait_until(&self, holds: impl Fn(StopLevel) -> bool) -> StopLevel {
        let mut receiver = self.0.clone();
        let reached = receiver.wait_for(|state| holds(state.level)).await.map(|state| state.level);
        match reached {
            Ok(level) => level,
            // Nobody is left who could raise it.
            Err(_) => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::FutureExt;

    use super::*;

    #[test]
    fn the_level_only_rises_and_the_first_reason_stays() {
        let sender = StopSender::default();
        let signal = sender.signal();
        assert_eq!((signal.is_raised(), signal.reason()), (false, None));
        sender.raise(StopLevel::Immediate, StopReason::Signal(15));
        sender.raise(StopLevel::Graceful, StopReason::ClaimLost);
        assert_eq!((signal.level(), signal.reason()), (StopLevel::Immediate, Some(StopReason::Signal(15))));
        assert_eq!(signal.latest_reason(), signal.reason());
    }

    #[tokio::test]
    async fn whoever_waits_for_a_level_is_woken_by_it_and_by_no_lower_one() {
        let sender = StopSender::default();
        let signal = sender.signal();
        sender.raise(StopLevel::Graceful, StopReason::LeaseLate);
        assert_eq!(signal.reached(StopLevel::Graceful).await, StopLevel::Graceful);
        assert_eq!(signal.raised_above(StopLevel::Graceful).now_or_never(), None);
        sender.raise(StopLevel::Immediate, StopReason::Signal(2));
        assert_eq!(signal.raised_above(StopLevel::Graceful).await, StopLevel::Immediate);
        assert_eq!(signal.reason(), Some(StopReason::LeaseLate));
        drop(sender);
        assert_eq!(signal.reached(StopLevel::Graceful).await, StopLevel::Immediate, "the last level stays");
        assert_eq!(signal.raised_above(StopLevel::Immediate).now_or_never(), None);
    }
}
