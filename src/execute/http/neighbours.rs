//! The jobs at one host that are under way together. A host that loses them together was restarted, or went down, perhaps by one of them:
//! that says nothing of the others. From then on they are begun one at a time, so that the one that brings it down is found.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, OwnedMutexGuard};
use tokio::time::Instant;

/// The jobs under way at one host.
#[derive(Debug, Default)]
pub(super) struct Neighbours {
    state: Mutex<State>,
    /// Whoever holds it begins the next job, once the host has jobs one at a time.
    next: Arc<tokio::sync::Mutex<()>>,
    /// Notified when a job is over.
    left: Notify,
}

#[derive(Debug, Default)]
struct State {
    under_way: usize,
    /// When it was last noticed that a job was lost while others were under way.
    lost_together: Option<Instant>,
}

/// A job that is under way, for as long as this is held.
#[derive(Debug)]
pub(super) struct Place {
    neighbours: Arc<Neighbours>,
    /// When the host was last known to have the job.
    seen: Instant,
    _next: Option<OwnedMutexGuard<()>>,
}

impl Neighbours {
    /// Whether jobs are begun one at a time.
    pub(super) fn are_separate(&self) -> bool {
        lock(&self.state).lost_together.is_some()
    }

    /// A job that was begun before.
    pub(super) fn found(self: &Arc<Self>) -> Place {
        lock(&self.state).under_way += 1;
        self.place(None)
    }

    /// A job that is about to be begun. Waits until it may be.
    pub(super) async fn begin(self: &Arc<Self>) -> Place {
        if !self.are_separate() {
            return self.found();
        }
        let next = self.next.clone().lock_owned().await;
        loop {
            {
                let mut state = lock(&self.state);
                if state.under_way == 0 {
                    state.under_way = 1;
                    break;
                }
            }
            self.left.notified().await;
        }
        self.place(Some(next))
    }

    fn place(self: &Arc<Self>, next: Option<OwnedMutexGuard<()>>) -> Place {
        Place { neighbours: self.clone(), seen: Instant::now(), _next: next }
    }
}

impl Place {
    /// The host knows the job.
    pub(super) fn seen(&mut self) {
        self.seen = Instant::now();
    }

    /// The host does not know the job any more. Returns whether it lost others with it.
    pub(super) fn lost(self) -> bool {
        let mut state = lock(&self.neighbours.state);
        if state.under_way > 1 {
            state.lost_together = Some(Instant::now());
            return true;
        }
        // The others noticed before.
        state.lost_together.is_some_and(|at| self.seen < at)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut state = lock(&self.neighbours.state);
        state.under_way = state.under_way.saturating_sub(1);
        drop(state);
        self.neighbours.left.notify_one();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[tokio::test(start_paused = true)]
    async fn jobs_that_are_lost_together_are_told_from_one_that_is_lost_alone() {
        let host = Arc::<Neighbours>::default();
        let (a, b) = (host.begin().await, host.begin().await);
        tokio::time::advance(SECOND).await;
        assert!(a.lost(), "another one was under way");
        tokio::time::advance(SECOND * 10).await;
        assert!(b.lost(), "it was last seen before");
        let alone = host.begin().await;
        tokio::time::advance(SECOND).await;
        assert!(!alone.lost());
    }

    #[tokio::test(start_paused = true)]
    async fn a_job_that_was_seen_since_is_lost_by_itself() {
        let host = Arc::<Neighbours>::default();
        let (a, mut b) = (host.begin().await, host.begin().await);
        tokio::time::advance(SECOND).await;
        assert!(a.lost());
        tokio::time::advance(SECOND).await;
        b.seen();
        assert!(!b.lost());
    }

    #[tokio::test(start_paused = true)]
    async fn after_a_common_loss_jobs_are_begun_one_at_a_time() {
        let host = Arc::<Neighbours>::default();
        let (a, b, still_there) = (host.begin().await, host.begin().await, host.found());
        assert!(!host.are_separate());
        assert!(a.lost() && b.lost() && host.are_separate());
        let soon = async |host: &Arc<Neighbours>| tokio::time::timeout(SECOND, host.begin()).await.ok();
        assert!(soon(&host).await.is_none(), "one is under way");
        drop(still_there);
        let first = soon(&host).await.unwrap();
        assert!(soon(&host).await.is_none());
        drop(first);
        assert!(soon(&host).await.is_some());
    }
}
