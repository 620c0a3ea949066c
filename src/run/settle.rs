//! The last attempt of a run to get what it spooled into the database.

use std::collections::HashSet;
use std::time::Duration;

use super::invocation::Invocation;
use super::recover;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::run::job_end::Finished;
use crate::plan::run::note::JobNote;
use crate::plan::run::summary::Results;

/// How long the database may take for it.
const PATIENCE: Duration = Duration::from_secs(10);

impl Invocation {
    /// Replays what waits in the spool, if the database takes it now; otherwise the run could not do all its work, for `trouble`.
    pub(super) async fn settle(&self, results: &mut Results, trouble: String) {
        let ids: HashSet<JobId> = results.spooled.iter().map(|job| results.jobs[*job].id).collect();
        let settled = tokio::time::timeout(PATIENCE, recover::settle(&*self.store, &self.state_dir, &ids)).await.unwrap_or_default();
        for job in std::mem::take(&mut results.spooled) {
            let result = &mut results.jobs[job];
            match settled.get(&result.id) {
                Some(Finished::Recorded(JobState::Succeeded)) => (result.state, result.reason) = (JobState::Succeeded, None),
                // The state and the reason are known already; an unverified report turned out to be missing.
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
