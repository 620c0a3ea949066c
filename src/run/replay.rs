//! At its end a run tries once more to record in the database what it had to put into the spool.

use std::collections::HashSet;
use std::time::Duration;

use super::invocation::Invocation;
use super::recover;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::run::job_end::Finished;
use crate::plan::run::note::JobNote;
use crate::plan::run::summary::Results;

/// How long the database may take for all of it.
const TIMEOUT: Duration = Duration::from_secs(10);

impl Invocation {
    /// Records the ends in the spool and updates the results of their jobs. When any cannot be recorded the run counts as broken, because of
    /// `trouble`.
    pub(super) async fn replay_spool(&self, results: &mut Results, trouble: String) {
        let ids: HashSet<JobId> = results.spooled.iter().map(|job| results.jobs[*job].id).collect();
        let recorded = tokio::time::timeout(TIMEOUT, recover::replay_ends(&*self.store, &self.state_dir, &ids)).await.unwrap_or_default();
        for job in std::mem::take(&mut results.spooled) {
            let result = &mut results.jobs[job];
            match recorded.get(&result.id) {
                Some(Finished::Recorded(JobState::Succeeded)) => (result.state, result.reason) = (JobState::Succeeded, None),
                // The result has its state and reason already. They hold also where an unverified report turned out to be missing.
                Some(Finished::Recorded(_)) => {}
                Some(Finished::ClaimLost) => {
                    (result.state, result.reason) = (JobState::Failed, Some(JobNote::ClaimLost.to_string()));
                }
                None => results.spooled.push(job),
            }
        }
        if !results.spooled.is_empty() {
            let ends = if results.spooled.len() == 1 {
                "the end of 1 job".to_owned()
            } else {
                format!("the ends of {} jobs", results.spooled.len())
            };
            let trouble = results.broken.take().unwrap_or(trouble);
            results.broken = Some(format!("{trouble}; the next run records {ends} from the spool"));
        }
    }
}
