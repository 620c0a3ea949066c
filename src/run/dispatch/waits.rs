//! Says which jobs wait for a pool.

use std::time::Duration;

use tokio::time::Instant;

use super::Dispatch;
use crate::plan::run::event::JobEvent;

impl Dispatch<'_> {
    /// The time until which there is nothing to do, after it was told what is waited for meanwhile.
    pub(super) fn told_waits(&mut self, until: Option<Duration>) -> Option<Instant> {
        let waiting = self.schedule.waiting_for_pools(self.context.lock_taken_at.elapsed());
        let before = std::mem::replace(&mut self.waiting_for_pools, waiting);
        for job in before.difference(&self.waiting_for_pools).filter(|job| !self.jobs[**job].has_attempt()) {
            self.emit(*job, JobEvent::WaitsForPool(None));
        }
        for job in self.waiting_for_pools.difference(&before) {
            let pool = self.context.catalogue.pool(self.plan.job(*job)).map(|pool| pool.name.clone());
            self.emit(*job, JobEvent::WaitsForPool(pool));
        }
        until.map(|until| self.context.lock_taken_at + until)
    }
}
