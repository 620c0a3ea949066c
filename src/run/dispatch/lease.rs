//! The times at which the run's lease must be renewed and at which its attempts must stop. The dispatcher does the renewing.

use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::timer::Timer;

/// The lease of a run.
#[derive(Debug)]
pub(super) struct Lease {
    span: Duration,
    /// When the last renewal that succeeded was asked for.
    renewed_at: Instant,
    renewal: Timer,
    is_late: bool,
}

impl Lease {
    pub(super) fn new(span: Duration, renewed_at: Instant) -> Self {
        Self { span, renewed_at, renewal: Timer::new(renewed_at + span / 3), is_late: false }
    }

    /// Resolves when a renewal is due: a third of the lease has passed, and none is under way.
    pub(super) async fn renewal_due(&self) {
        self.renewal.due().await;
    }

    /// Resolves once two thirds of the lease have passed without a renewal. From then on children are stopped while the claims on
    /// them are still valid: their grace is shorter than the last third.
    pub(super) async fn late(&self) {
        if self.is_late {
            std::future::pending::<()>().await;
        }
        sleep_until(self.renewed_at + self.span * 2 / 3).await;
    }

    /// Notes that [`late`](Self::late) has resolved: it does so only once.
    pub(super) fn note_late(&mut self) {
        self.is_late = true;
    }

    pub(super) fn begin_renewal(&mut self) {
        self.renewal.begin();
    }

    /// The renewal that was asked for at `asked` succeeded.
    pub(super) fn renewed(&mut self, asked: Instant) {
        self.renewed_at = asked;
        self.renewal.end(self.span / 3);
    }

    /// The renewal failed, and is tried again soon.
    pub(super) fn not_renewed(&mut self) {
        self.renewal.end(self.span / 30);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPAN: Duration = Duration::from_secs(600);

    #[tokio::test(start_paused = true)]
    async fn it_is_renewed_after_a_third_and_late_after_two() {
        let begun = Instant::now();
        let mut lease = Lease::new(SPAN, begun);
        lease.renewal_due().await;
        assert_eq!(begun.elapsed(), SPAN / 3);
        lease.begin_renewal();
        let next = tokio::select! {
            biased;
            () = lease.renewal_due() => "renewal",
            () = lease.late() => "late",
        };
        assert_eq!((next, begun.elapsed()), ("late", SPAN * 2 / 3), "one renewal at a time");
    }

    #[tokio::test(start_paused = true)]
    async fn what_counts_is_when_the_renewal_was_asked_for() {
        let begun = Instant::now();
        let mut lease = Lease::new(SPAN, begun);
        lease.begin_renewal();
        tokio::time::sleep(SPAN / 2).await;
        lease.renewed(begun + SPAN / 6);
        lease.late().await;
        assert_eq!(begun.elapsed(), SPAN / 6 + SPAN * 2 / 3);
    }

    #[tokio::test(start_paused = true)]
    async fn a_renewal_that_failed_is_tried_again_soon() {
        let begun = Instant::now();
        let mut lease = Lease::new(SPAN, begun);
        lease.begin_renewal();
        lease.not_renewed();
        lease.renewal_due().await;
        assert_eq!(begun.elapsed(), SPAN / 30);
    }
}
