//! Something that is done again and again, once at a time.

use std::time::Duration;

use tokio::time::Instant;

/// When it is due next, and whether it is under way.
#[derive(Debug)]
pub(super) struct Timer {
    due_at: Instant,
    is_under_way: bool,
}

impl Timer {
    pub(super) fn new(due_at: Instant) -> Self {
        Self { due_at, is_under_way: false }
    }

    /// Resolves when it is due; never while it is under way.
    pub(super) async fn due(&self) {
        if self.is_under_way {
            std::future::pending::<()>().await;
        }
        tokio::time::sleep_until(self.due_at).await;
    }

    pub(super) fn begin(&mut self) {
        self.is_under_way = true;
    }

    /// It is over, or was not necessary, and due again after `pause`.
    pub(super) fn end(&mut self, pause: Duration) {
        self.is_under_way = false;
        self.due_at = Instant::now() + pause;
    }
}

/// Waits until this time; for ever where there is none.
pub(super) async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}
