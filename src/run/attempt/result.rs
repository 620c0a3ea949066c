//! What an attempt led to, for the dispatcher.

use std::io;
use std::time::Duration;

use super::ActiveJob;
use crate::plan::model::collection::Collected;
use crate::plan::model::job::JobState;
use crate::plan::model::outcome::Class;
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::run::aftermath::{step_to, uses_up_attempts};
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::plan::run::note::JobNote;
use crate::plan::run::schedule::NextStep;
use crate::run::ledger::Recorded;

/// What an attempt led to.
#[derive(Debug)]
pub(in crate::run) enum AttemptResult {
    /// It could not begin yet, because the database is away ([`NextStep::Later`]) or its pool is full ([`NextStep::PoolFull`]).
    NotYet {
        /// For how long, and which jobs this concerns.
        step: NextStep,
        /// What the attempt before left.
        active: Option<ActiveJob>,
    },
    /// It failed, and another attempt follows.
    Retry {
        /// What the failure means.
        class: Class,
        /// The wait before the next attempt.
        wait: Duration,
        /// Why it failed.
        note: Option<JobNote>,
        /// What the next attempt takes over.
        active: ActiveJob,
    },
    Over(JobOver),
}

#[derive(Debug)]
pub(in crate::run) struct JobOver {
    pub(in crate::run) state: JobState,
    /// Why it did not succeed, or what is odd about its success.
    pub(in crate::run) note: Option<JobNote>,
    /// What the last attempt means; `None` where no attempt was carried out, or another invocation has the claim.
    pub(in crate::run) class: Option<Class>,
    /// The step for the schedule.
    pub(in crate::run) step: NextStep,
    /// Whether it failed because no attempt was left.
    pub(in crate::run) exhausted: bool,
    /// The fence of its claim and the gap's failures now, where the job was charged or changed what is remembered.
    pub(in crate::run) history: Option<(i64, FailureHistory)>,
    pub(in crate::run) collected: Option<Collected>,
    /// Whether its end is in the spool and not yet in the database.
    pub(in crate::run) is_spooled: bool,
    /// Whether the job was not done, or not tried again, because something could not be recorded, or not be looked at.
    pub(in crate::run) for_want_of_record: bool,
    /// Why this host could not carry it out, while it can others.
    pub(in crate::run) host_unfit: Option<String>,
    /// Why beginning other attempts is of no use.
    pub(in crate::run) trouble: Option<String>,
}

impl AttemptResult {
    /// Another invocation has the claim, so that nothing was recorded.
    pub(super) fn claim_lost() -> Self {
        Self::Over(JobOver::without_attempt(JobState::Failed, NextStep::Fail, JobNote::ClaimLost))
    }

    /// It panicked. What it was about to record is unknown: the next run closes its record.
    pub(super) fn bug() -> Self {
        Self::Over(JobOver::without_attempt(JobState::Failed, NextStep::Fail, JobNote::Bug))
    }
}

impl JobOver {
    /// The attempt says nothing of the job.
    pub(super) fn without_attempt(state: JobState, step: NextStep, note: JobNote) -> Self {
        Self {
            state,
            note: Some(note),
            class: None,
            step,
            exhausted: false,
            history: None,
            collected: None,
            is_spooled: false,
            for_want_of_record: false,
            host_unfit: None,
            trouble: None,
        }
    }

    /// Its success is on record, but its report is not at its destination.
    pub(super) fn with_misplaced_report(self, error: &io::Error) -> Self {
        let note = Some(JobNote::ReportMisplaced(error.to_string()));
        Self { state: JobState::Failed, note, step: NextStep::Fail, ..self }
    }

    /// The job ended by an attempt of this class, and that was recorded.
    pub(super) fn new(end: &JobEnd, recorded: &Recorded, class: Class, note: Option<JobNote>) -> Self {
        let planned = end.state();
        let (state, step, note) = match recorded {
            Recorded::Database(Finished::Recorded(JobState::Succeeded)) => {
                (JobState::Succeeded, NextStep::Succeed, note.filter(|_| planned == JobState::Succeeded))
            }
            Recorded::Database(Finished::Recorded(state)) if end.unverified_report().is_some() => {
                (*state, step_to(*state), Some(JobNote::ReportMissing))
            }
            // What is only in the spool is no success yet, and nothing that another job may rely on.
            Recorded::Spool { error, .. } if planned == JobState::Succeeded => {
                (JobState::Failed, NextStep::Unrecorded, Some(JobNote::NotOnRecord(error.clone())))
            }
            // The report may be there.
            Recorded::Spool { .. } if end.unverified_report().is_some() => (planned, NextStep::Unrecorded, note),
            Recorded::Database(_) | Recorded::Spool { .. } => (planned, step_to(planned), note),
        };
        // A table that keeps no row takes none of another bank either.
        let class = if matches!(recorded, Recorded::Spool { is_not_kept: true, .. }) { Class::Configuration } else { class };
        let for_want_of_record =
            matches!(note, Some(JobNote::NoFurtherAttempt { .. } | JobNote::CollectionUnverified | JobNote::ReportMissing));
        let collected = match end.artifact() {
            Artifact::Collection(collected) => Some((**collected).clone()),
            Artifact::Report | Artifact::ReportRow(_) => None,
        };
        Self {
            state,
            note,
            class: Some(class),
            step,
            exhausted: step == NextStep::Fail && uses_up_attempts(class),
            history: None,
            collected,
            is_spooled: recorded.is_spooled(),
            for_want_of_record,
            host_unfit: None,
            trouble: None,
        }
    }
}
