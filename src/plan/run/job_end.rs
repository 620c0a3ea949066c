//! How a running job ends, as the database or the spool records it.

use std::borrow::Cow;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::model::collection::Collected;
use crate::plan::model::job::{AttemptEnd, JobState, ReportKey, ReportRow};
use crate::plan::model::outcome::Outcome;
use crate::plan::remember::failure_history::FailureHistory;

/// A transition out of `running`, with everything that is recorded in its transaction. The serialized form is part of the spool's
/// file format.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum JobEnd {
    /// running -> succeeded. The gap's failure history is forgotten, and a pending `--force` answered.
    Succeeded {
        /// The end of the last attempt.
        attempt: AttemptEnd,
        /// What the job produced.
        artifact: Artifact,
    },
    /// running -> succeeded if the report is there and differs from `before`, otherwise running -> cancelled. The program or
    /// the service reported success while the database could not be asked about the report, so whoever records this looks for the report
    /// in the same transaction.
    Unverified {
        /// The end of the last attempt, as it is if the report is there.
        attempt: AttemptEnd,
        /// The report to look at.
        report: ReportKey,
        /// The report's fingerprint when the job was claimed, if it existed then.
        before: Option<String>,
    },
    /// running -> failed.
    Failed {
        /// The end of the last attempt.
        attempt: AttemptEnd,
        /// Why, in a sentence.
        error: String,
        /// The gap's failures, this one included where it is charged.
        history: FailureHistory,
    },
    /// running -> skipped: the input is not ready.
    Skipped {
        /// The end of the last attempt.
        attempt: AttemptEnd,
        /// Why, in a sentence.
        reason: String,
        /// The gap's failures, with the rest until the input is looked for again.
        history: FailureHistory,
    },
    /// running -> cancelled.
    Cancelled {
        /// The end of the attempt that was under way; `None` between attempts.
        attempt: Option<AttemptEnd>,
        /// Why, in a sentence.
        reason: String,
        /// Wall clock.
        at: DateTime<Utc>,
    },
    /// running -> lost: the owner died. An attempt without an end becomes lost as well.
    Lost {
        /// The gap's failures, this loss included.
        history: FailureHistory,
        /// Wall clock.
        at: DateTime<Utc>,
    },
}

/// What a successful job produced.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Artifact {
    /// A report whose row the ETL has written.
    Report,
    /// A report whose row is written, or replaced, with the end of the job.
    ReportRow(Box<ReportRow>),
    /// Windows of a source.
    Collection(Box<Collected>),
}

/// The answer to a [`JobEnd`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finished {
    /// The job is in this state, now or since an earlier call with the same arguments.
    Recorded(JobState),
    /// The claim is not valid any more; nothing was changed.
    ClaimLost,
}

const NOT_THERE_LATER: &str = "its ETL reported success while the database was away, and the report is not there now";

impl JobEnd {
    /// The end of the attempt that was under way, if there was one.
    pub fn attempt(&self) -> Option<&AttemptEnd> {
        match self {
            Self::Succeeded { attempt, .. }
            | Self::Unverified { attempt, .. }
            | Self::Failed { attempt, .. }
            | Self::Skipped { attempt, .. } => Some(attempt),
            Self::Cancelled { attempt, .. } => attempt.as_ref(),
            Self::Lost { .. } => None,
        }
    }

    /// When the job ended, by the wall clock.
    pub fn at(&self) -> DateTime<Utc> {
        match self {
            Self::Succeeded { attempt, .. }
            | Self::Unverified { attempt, .. }
            | Self::Failed { attempt, .. }
            | Self::Skipped { attempt, .. } => attempt.ended_at,
            Self::Cancelled { at, .. } | Self::Lost { at, .. } => *at,
        }
    }

    /// The state that the job goes to. An unverified end that was not [resolved](Self::resolved) is no success.
    pub fn state(&self) -> JobState {
        match self {
            Self::Succeeded { .. } => JobState::Succeeded,
            Self::Failed { .. } => JobState::Failed,
            Self::Skipped { .. } => JobState::Skipped,
            Self::Unverified { .. } | Self::Cancelled { .. } => JobState::Cancelled,
            Self::Lost { .. } => JobState::Lost,
        }
    }

    /// Whether recording this end can have led to `state`.
    pub fn can_lead_to(&self, state: JobState) -> bool {
        state == self.state() || (matches!(self, Self::Unverified { .. }) && state == JobState::Succeeded)
    }

    /// Why the job did not succeed.
    pub fn error(&self) -> Option<&str> {
        match self {
            Self::Succeeded { .. } => None,
            Self::Unverified { .. } => Some(NOT_THERE_LATER),
            Self::Failed { error: reason, .. } | Self::Skipped { reason, .. } | Self::Cancelled { reason, .. } => Some(reason),
            Self::Lost { .. } => Some("its owner died"),
        }
    }

    /// The gap's failure history from now on; `None` leaves it as it is.
    pub fn history(&self) -> Option<Cow<'_, FailureHistory>> {
        match self {
            Self::Succeeded { .. } => Some(Cow::Owned(FailureHistory::default())),
            Self::Failed { history, .. } | Self::Skipped { history, .. } | Self::Lost { history, .. } => Some(Cow::Borrowed(history)),
            Self::Unverified { .. } | Self::Cancelled { .. } => None,
        }
    }

    /// What was produced and is recorded with the end.
    pub fn artifact(&self) -> &Artifact {
        match self {
            Self::Succeeded { artifact, .. } => artifact,
            Self::Unverified { .. } | Self::Failed { .. } | Self::Skipped { .. } | Self::Cancelled { .. } | Self::Lost { .. } => {
                &Artifact::Report
            }
        }
    }

    /// The report that must be looked at before this can be recorded.
    pub fn unverified_report(&self) -> Option<&ReportKey> {
        match self {
            Self::Unverified { report, .. } => Some(report),
            Self::Succeeded { .. } | Self::Failed { .. } | Self::Skipped { .. } | Self::Cancelled { .. } | Self::Lost { .. } => None,
        }
    }

    /// An unverified end as a success or a cancellation, given the report's fingerprint now; other ends as they are.
    #[must_use]
    pub fn resolved(&self, fingerprint: Option<&str>) -> Cow<'_, Self> {
        let Self::Unverified { attempt, before, .. } = self else { return Cow::Borrowed(self) };
        let is_new = fingerprint.is_some() && fingerprint != before.as_deref();
        Cow::Owned(if is_new {
            Self::Succeeded { attempt: attempt.clone(), artifact: Artifact::Report }
        } else {
            let outcome = Outcome::NoOutput(NOT_THERE_LATER.to_owned());
            Self::Cancelled {
                attempt: Some(AttemptEnd { outcome, ..attempt.clone() }),
                reason: NOT_THERE_LATER.to_owned(),
                at: attempt.ended_at,
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unverified(before: Option<&str>) -> JobEnd {
        let attempt = AttemptEnd {
            attempt: 2,
            outcome: Outcome::Succeeded,
            ended_at: "2026-03-01T10:00:00Z".parse().unwrap(),
            duration_ms: 5,
            tail: "tail".to_owned(),
            pid: Some(7),
        };
        let report =
            ReportKey { bank_id: 1, period: "2025Q2".parse().unwrap(), report_type: "Call Summary".to_owned(), other_types: Vec::new() };
        JobEnd::Unverified { attempt, report, before: before.map(str::to_owned) }
    }

    #[test]
    fn only_a_report_that_is_there_and_new_is_a_success() {
        for (before, now, state) in [
            (None, Some("a"), JobState::Succeeded),
            (Some("a"), Some("b"), JobState::Succeeded),
            (Some("a"), Some("a"), JobState::Cancelled),
            (Some("a"), None, JobState::Cancelled),
            (None, None, JobState::Cancelled),
        ] {
            let end = unverified(before);
            let resolved = end.resolved(now);
            assert_eq!(resolved.state(), state, "{before:?} {now:?}");
            assert!(end.can_lead_to(state));
            assert_eq!(resolved.at(), end.at());
            let outcome = &resolved.attempt().unwrap().outcome;
            assert_eq!(*outcome == Outcome::Succeeded, state == JobState::Succeeded, "{outcome}");
        }
        assert!(!unverified(None).can_lead_to(JobState::Failed));
    }
}
