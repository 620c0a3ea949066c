//! How jobs end, as far as both adapters do it alike.

use super::attempts::assign_end;
use super::statement::{Columns, Parameters};
use crate::plan::model::job::JobState;
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};

/// What the statement that ends a job did.
pub(in crate::store) enum Ended {
    /// It ended the job.
    Now,
    /// Nothing: the claim's job had ended at this time already, in this state.
    Before(JobState),
    /// Nothing: the claim is not valid any more.
    ClaimLost,
}

impl Ended {
    /// The answer of a statement that changed nothing, given the state that the claim's job has been in since then.
    pub(in crate::store) fn before(state: Option<JobState>) -> Self {
        state.map_or(Self::ClaimLost, Self::Before)
    }

    /// The answer to a caller who asked for `end`, which led to `state` if it was recorded now.
    pub(in crate::store) fn answer(&self, end: &JobEnd, state: JobState) -> Finished {
        match self {
            Self::Now => Finished::Recorded(state),
            Self::Before(before) if end.can_lead_to(*before) => Finished::Recorded(*before),
            Self::Before(_) | Self::ClaimLost => Finished::ClaimLost,
        }
    }
}

/// The end of a job, but for its pool, which it does not use any more.
pub(in crate::store) fn job_end_columns(end: &JobEnd) -> Columns {
    vec![("state", end.state().name().into()), ("error", end.error().into()), ("ended_at", end.at().into())]
}

/// How the end of a job ends its attempt, as parts of an `UPDATE`.
pub(in crate::store) struct AttemptUpdate {
    /// The assignments.
    pub(in crate::store) set: String,
    /// The condition that an attempt is the one that ends.
    pub(in crate::store) is_meant: String,
}

impl AttemptUpdate {
    /// The parts; `None` where no attempt was under way.
    pub(in crate::store) fn of(parameters: &mut Parameters, end: &JobEnd) -> Option<Self> {
        if let JobEnd::Lost { at, .. } = end {
            let columns = vec![("outcome", "lost".into()), ("error", "lost".into()), ("ended_at", (*at).into())];
            // Whoever records a loss does not know which attempt was under way: it is the one without an end.
            return Some(Self { set: parameters.assign(columns), is_meant: "outcome IS NULL".to_owned() });
        }
        let attempt = end.attempt()?;
        let set = assign_end(parameters, attempt);
        Some(Self { set, is_meant: format!("n = {} AND outcome IS NULL", parameters.add(attempt.attempt)) })
    }
}

/// Whether recording this end reads or writes the reports table.
pub(in crate::store) fn is_about_report(end: &JobEnd) -> bool {
    end.unverified_report().is_some() || matches!(end.artifact(), Artifact::ReportRow(_))
}
