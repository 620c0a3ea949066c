//! Tells what the next request of a call waits for, as long as it does.

use std::time::Duration;

use tokio::sync::mpsc;

use super::super::task::AttemptEvent;
use crate::plan::run::event::ServiceWait;

/// Shorter waits are not told.
pub(super) const SHORTEST_TOLD: Duration = Duration::from_secs(1);

/// What was told last.
pub(super) struct Waits {
    said: mpsc::Sender<AttemptEvent>,
    told: Option<ServiceWait>,
}

impl Waits {
    pub(super) fn new(said: mpsc::Sender<AttemptEvent>) -> Self {
        Self { said, told: None }
    }

    /// The next request waits for this, or for nothing. A receiver that has no room is told at the next change.
    pub(super) fn tell(&mut self, wait: Option<ServiceWait>) {
        if self.told != wait && self.said.try_send(AttemptEvent::Waits(wait.clone())).is_ok() {
            self.told = wait;
        }
    }
}
