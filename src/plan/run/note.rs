//! Why a job of a run has not succeeded, or what is odd about its success, for people. The only place that renders these reasons.

use std::fmt;

use crate::plan::model::job::Owner;
use crate::plan::model::orders::CancelRequest;
use crate::plan::model::outcome::Outcome;
use crate::plan::remember::failure_history::SkipOrder;
use crate::plan::run::stop::StopReason;

/// Why a job has not succeeded, or not yet; or what a person should know of its success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobNote {
    /// Its attempt ended so.
    Outcome {
        outcome: Outcome,
        /// The last line that the process printed, where that usually says what went wrong.
        last_line: Option<String>,
    },
    /// It succeeded, as its report is there, though its last attempt ended so.
    ReportThere {
        outcome: Outcome,
        /// The last line that the process printed.
        last_line: Option<String>,
    },
    /// The program or the service reported success while the database was away, so that nobody could look for the report.
    ReportUnverified,
    /// The same for a collection.
    CollectionUnverified,
    /// The report that could not be looked at is missing, as turned out before the run ended.
    ReportMissing,
    /// It is done, but that is in the spool only, because of this error of the database.
    NotOnRecord(String),
    /// Its attempt failed, and no other could be recorded because of this error of the database.
    NoFurtherAttempt { failure: Option<Box<JobNote>>, error: String },
    /// It is done and on record, but its report could not be put at its destination, for this reason.
    ReportMisplaced(String),
    /// Another invocation has the claim.
    ClaimLost,
    /// etl-orch itself failed while it ran.
    Bug,
    /// It was stopped on its own, while the run goes on.
    Stopped(StopReason),
    /// The report exists now, though this run did not make it.
    ReportMadeElsewhere,
    /// The windows were collected, though not by this run.
    CollectedElsewhere,
    /// Another process fills the gap.
    RunningElsewhere(Owner),
    /// An operator wants the gap skipped.
    Skipped(SkipOrder),
    /// It failed in another invocation since it was planned, and rests now.
    FailedElsewhere,
    /// Its record is not queued any more.
    CancelledElsewhere(Option<CancelRequest>),
    /// It was not started, as its report could not be put at, or into, this path.
    NoPlace { path: String, error: String },
    /// It was not started, as the row of its report seems to be there, spelled otherwise than the configuration says: so.
    Misspelled(String),
    /// The database does not let it be recorded, and what is not recorded is not started.
    CannotBeRecorded(String),
}

impl fmt::Display for JobNote {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Outcome { outcome, last_line: None } => write!(f, "{outcome}"),
            Self::Outcome { outcome, last_line: Some(line) } => write!(f, "{outcome} - {line}"),
            Self::ReportThere { outcome, last_line } => {
                let line = last_line.as_ref().map(|line| format!(" - {line}")).unwrap_or_default();
                write!(f, "its report is there, but its ETL did not end well: {outcome}{line}")
            }
            Self::ReportUnverified => f.write_str("its ETL reports success, but the database is away; the next run looks for the report"),
            Self::CollectionUnverified => f.write_str("its collector reports success, but the database is away; the next run verifies it"),
            Self::ReportMissing => f.write_str("its ETL reported success, but the report was missing when the database could be asked"),
            Self::NotOnRecord(error) => write!(f, "it was done, but that is not on record yet; the next run records it: {error}"),
            Self::NoFurtherAttempt { failure: None, error } => write!(f, "no further attempt could be recorded: {error}"),
            Self::NoFurtherAttempt { failure: Some(failure), error } => {
                write!(f, "{failure}; no further attempt could be recorded: {error}")
            }
            Self::ReportMisplaced(error) => {
                write!(f, "its report is made and on record, but cannot be put in its place; the next run tries again: {error}")
            }
            Self::ClaimLost => f.write_str("its claim was taken by another invocation; nothing was recorded"),
            Self::Bug => f.write_str("etl-orch failed at it, which is a bug that was reported on stderr; the next run tries it again"),
            Self::Stopped(reason) => write!(f, "{reason}"),
            Self::ReportMadeElsewhere => f.write_str("its report was made elsewhere meanwhile"),
            Self::CollectedElsewhere => f.write_str("it was collected elsewhere meanwhile"),
            Self::RunningElsewhere(owner) => write!(f, "already running as {owner}"),
            Self::Skipped(order) => write!(f, "{} had it skipped: {}", order.by, order.reason),
            Self::FailedElsewhere => f.write_str("another invocation failed at it meanwhile"),
            Self::CancelledElsewhere(Some(CancelRequest { by, reason })) => write!(f, "cancelled by {by}: {reason}"),
            Self::CancelledElsewhere(None) => f.write_str("another invocation cancelled it"),
            Self::NoPlace { path, error } => write!(f, "{path} takes no report: {error}; no ETL was started for it"),
            Self::Misspelled(why) => write!(f, "not started: {why}"),
            Self::CannotBeRecorded(error) => write!(f, "it could not be started: {error}"),
        }
    }
}
