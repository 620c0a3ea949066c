//! How an attempt begins: the first with the claim on its job, a further one under the same claim.

use std::time::Duration;

use super::workspace::Paths;
use super::{ActiveJob, Assignment, AttemptResult, JobOver};
use crate::plan::decide::decision::Why;
use crate::plan::model::etl::ReportsBy;
use crate::plan::model::gap::Gap;
use crate::plan::model::job::{Claim, JobState, ReportKey};
use crate::plan::model::outcome::Class;
use crate::plan::model::target::Target;
use crate::plan::remember::claim::{Begun, ClaimRequest, ClaimTarget, Claimed};
use crate::plan::remember::recorded_job::Unplaced;
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::plan::run::note::JobNote;
use crate::plan::run::schedule::NextStep;
use crate::run::ledger::Recorded;
use crate::run::spool::Record;
use crate::store::{self, StoreError};

/// A job whose pool is full asks again after this long: another invocation may be who frees it.
const POOL_FULL: Duration = Duration::from_secs(1);

/// The answer to the wish to begin an attempt.
pub(super) enum Taken {
    /// It is on record as begun.
    Begun(ActiveJob),
    NotBegun(AttemptResult),
}

impl Taken {
    fn pool_full(active: Option<ActiveJob>) -> Self {
        Self::NotBegun(AttemptResult::NotYet { step: NextStep::PoolFull(POOL_FULL), active })
    }

    fn over(state: JobState, step: NextStep, note: JobNote) -> Self {
        Self::NotBegun(AttemptResult::Over(JobOver::without_attempt(state, step, note)))
    }

    fn skipped(note: JobNote) -> Self {
        Self::over(JobState::Skipped, NextStep::Skip, note)
    }
}

impl Assignment<'_> {
    /// Claims the job for its first attempt, or records that a further one begins.
    ///
    /// # Errors
    /// When a job that cannot go on is recorded nowhere.
    pub(super) async fn take(&self, paths: &Paths) -> Result<Taken, StoreError> {
        let ledger = &self.context.ledger;
        let taken = match &self.active {
            None => self.claim(paths).await,
            Some(active) => self.begin_again(active, paths).await,
        };
        let error = match taken {
            Ok(taken) => {
                ledger.is_back();
                return Ok(taken);
            }
            Err(error) => error,
        };
        if let Some(wait) = ledger.wait_after(&error) {
            return Ok(Taken::NotBegun(AttemptResult::NotYet { step: NextStep::Later(wait), active: self.active.clone() }));
        }
        let note = JobNote::CannotBeRecorded(error.to_string());
        let is_spooled = match &self.active {
            Some(active) => ledger.cancel(&self.job.key, active.claim, note.to_string()).await?.is_spooled(),
            None => false,
        };
        let over = JobOver::without_attempt(JobState::Cancelled, NextStep::Cancel, note);
        Ok(Taken::NotBegun(AttemptResult::Over(JobOver { is_spooled, for_want_of_record: true, trouble: Some(error.to_string()), ..over })))
    }

    async fn begin_again(&self, active: &ActiveJob, paths: &Paths) -> store::Result<Taken> {
        if let Some(taken) = self.end_if_report_came(active).await? {
            return Ok(taken);
        }
        let pool = self.context.catalogue.pool(self.job);
        let log = paths.log.to_string_lossy();
        Ok(match self.context.store.begin_attempt(active.claim, self.number, pool, &log, self.begins_at).await? {
            Begun::Yes => Taken::Begun(active.clone()),
            Begun::PoolFull => Taken::pool_full(Some(active.clone())),
            Begun::ClaimLost => Taken::NotBegun(AttemptResult::claim_lost()),
        })
    }

    /// Ends the job where the row that its ETL writes came since the attempt before ended.
    async fn end_if_report_came(&self, active: &ActiveJob) -> store::Result<Option<Taken>> {
        let context = self.context;
        let (Some(gap), Some(attempt)) = (self.job.report(), &active.ended) else { return Ok(None) };
        if context.destination(gap).is_some() {
            return Ok(None);
        }
        let now = context.store.report_fingerprint(&context.report_key(gap)).await?;
        if now.is_none() || now == active.before {
            return Ok(None);
        }
        let note = JobNote::ReportThere { outcome: attempt.outcome.clone(), last_line: None };
        let end = JobEnd::Succeeded { attempt: attempt.clone(), artifact: Artifact::Report };
        let record = Record { claim: active.claim, gap: self.job.key.clone(), remote_id: None, staged: None, end };
        Ok(Some(match context.ledger.finish(&record).await? {
            Recorded::Database(Finished::ClaimLost) => Taken::NotBegun(AttemptResult::claim_lost()),
            recorded => {
                let over = JobOver { class: None, ..JobOver::new(&record.end, &recorded, Class::Success, Some(note)) };
                Taken::NotBegun(AttemptResult::Over(over))
            }
        }))
    }

    async fn claim(&self, paths: &Paths) -> store::Result<Taken> {
        match &self.job.target {
            Target::Report { gap, .. } => {
                let key = self.context.report_key(*gap);
                let before = self.report_before(*gap, &key).await?;
                let claimed = self.context.store.claim(&self.request(ClaimTarget::Report(&key), &paths.log.to_string_lossy())).await?;
                let mut remote_id = None;
                if let Claimed::Yes { claim, .. } = &claimed
                    && self.context.catalogue.work(self.job).has_remote_id()
                {
                    remote_id = self.context.store.report_in_progress(*claim).await?;
                }
                let mut taken = taken(claimed, JobNote::ReportMadeElsewhere, before, remote_id);
                if let Taken::Begun(active) = &mut taken {
                    active.unplaced = self.unplaced(*gap, active.claim).await?;
                }
                Ok(taken)
            }
            Target::Collection(collection) => {
                let source = &self.context.source(collection).id;
                let target = ClaimTarget::Windows { source, window: collection.window };
                let claimed = self.context.store.claim(&self.request(target, &paths.log.to_string_lossy())).await?;
                Ok(taken(claimed, JobNote::CollectedElsewhere, None, collection.remote_id.clone()))
            }
        }
    }

    /// Earlier jobs over the gap whose reports may not be in their places yet, which their runs, frozen now, could do at any time. The
    /// first claim of a gap has none before it.
    async fn unplaced(&self, gap: Gap, claim: Claim) -> store::Result<Vec<Unplaced>> {
        if claim.fence <= 1 || self.context.destination(gap).is_none() {
            return Ok(Vec::new());
        }
        let mut unplaced = self.context.store.unplaced(Some(&self.job.key)).await?;
        unplaced.retain(|job| job.job != self.id && job.state != JobState::Queued);
        Ok(unplaced)
    }

    fn request<'a>(&'a self, wanted: ClaimTarget<'a>, log: &'a str) -> ClaimRequest<'a> {
        ClaimRequest {
            job: self.id,
            wanted,
            planned_fence: self.job.planned_fence,
            pool: self.context.catalogue.pool(self.job),
            log,
            at: self.begins_at,
        }
    }

    /// The fingerprint of the report that a forced ETL is to replace: only a report that differs from it is a success. A report whose row
    /// etl-orch writes is new in any case.
    async fn report_before(&self, gap: Gap, key: &ReportKey) -> store::Result<Option<String>> {
        match (&self.context.etl(gap).reports, self.job.why) {
            (ReportsBy::Etl, Why::Forced) => self.context.store.report_fingerprint(key).await,
            (ReportsBy::Etl, Why::Missing) | (ReportsBy::Orchestrator { .. }, _) => Ok(None),
        }
    }
}

/// What a claim's answer means. `done` is the note where the result exists already.
fn taken(claimed: Claimed, done: JobNote, before: Option<String>, remote_id: Option<String>) -> Taken {
    match claimed {
        Claimed::Yes { claim, history } => {
            Taken::Begun(ActiveJob { claim, history, before, remote_id, ended: None, if_stopped: None, unplaced: Vec::new() })
        }
        Claimed::AlreadyDone => Taken::over(JobState::Skipped, NextStep::Succeed, done),
        Claimed::Elsewhere { owner } => Taken::skipped(JobNote::RunningElsewhere(owner)),
        Claimed::Ordered(order) => Taken::skipped(JobNote::Skipped(order)),
        Claimed::HeldBack => Taken::skipped(JobNote::FailedElsewhere),
        Claimed::PoolFull => Taken::pool_full(None),
        Claimed::Gone(request) => Taken::over(JobState::Cancelled, NextStep::Cancel, JobNote::CancelledElsewhere(request)),
    }
}
