//! Finds the jobs to stop, because an operator cancelled them or because another invocation has taken their claim.

use std::collections::{BTreeSet, HashMap};

use super::jobs::Jobs;
use super::progress::JobProgress;
use crate::plan::model::ids::JobId;
use crate::plan::model::orders::CancelRequest;
use crate::plan::remember::recorded_job::Watched;
use crate::plan::run::schedule::JobIndex;
use crate::plan::run::stop::StopReason;

/// The jobs whose attempt is on record: each of them has a claim that the database must know.
pub(super) fn begun(jobs: &Jobs) -> BTreeSet<JobIndex> {
    jobs.iter().enumerate().filter(|(_, job)| job.is_begun()).map(|(index, _)| index).collect()
}

/// The jobs to stop. `claims` are the claims of the run in the database, `begun` the jobs that had a claim when it was asked.
pub(super) fn stops(jobs: &Jobs, begun: &BTreeSet<JobIndex>, claims: Vec<Watched>) -> Vec<(JobIndex, StopReason)> {
    let claims: HashMap<JobId, Option<CancelRequest>> = claims.into_iter().map(|watched| (watched.claim.job, watched.cancel)).collect();
    let reason = |(index, job): (JobIndex, &JobProgress)| match claims.get(&job.result.id) {
        Some(Some(CancelRequest { by, reason })) => Some((index, StopReason::Cancelled { by: by.clone(), reason: reason.clone() })),
        Some(None) => None,
        // An attempt whose end was just recorded has no claim either. To stop it does no harm: its result is already on its way.
        None => (begun.contains(&index) && job.has_attempt()).then_some((index, StopReason::ClaimLost)),
    };
    jobs.iter().enumerate().filter_map(reason).collect()
}
