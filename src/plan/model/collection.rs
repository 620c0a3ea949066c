//! What is remembered of a source, and what is to be done about it.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::model::job::Owner;
use crate::plan::model::source::SourceIndex;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};

/// A source's record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceState {
    /// Its id.
    pub source: String,
    /// Everything before this was collected, without a hole; `None` when nothing ever was.
    pub frontier: Option<DateTime<Utc>>,
    /// An operator wants it left alone.
    pub paused: Option<Pause>,
    /// Its last success.
    pub last: Option<LastSuccess>,
    /// Successes in a row, the last one included, that said they had collected nothing.
    pub empty: u32,
}

/// An operator's order to leave a source alone until he says otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// When it was given.
    pub since: DateTime<Utc>,
    /// Who gave it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// A source's last success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSuccess {
    /// When its job ended.
    pub at: DateTime<Utc>,
    /// What was collected.
    pub collected: Collected,
}

/// What a job of a source collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// The source's id.
    pub source: String,
    /// The window, or all windows in a row that one job was for.
    pub window: Window,
    /// How it is known.
    pub seen: Seen,
    /// How many records, where the collector said so.
    pub records: Option<i64>,
    /// What the collector said last.
    pub message: Option<String>,
}

/// How a collection is known to have succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// Its collector said so.
    Reported,
    /// `verify:` saw the data.
    Verified,
}

impl Seen {
    /// The name under which it is stored and shown.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Reported => "reported",
            Self::Verified => "verified",
        }
    }

    /// The one of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Reported, Self::Verified].into_iter().find(|seen| seen.name() == name)
    }
}

/// A window in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedWindow {
    /// The source's id.
    pub source: String,
    /// Which window.
    pub window: Window,
    /// Whether it was collected, and nobody has asked for it again since.
    pub is_collected: bool,
    /// An operator asked for it, and that was not answered by a success.
    pub is_requested: bool,
    /// An operator asked for it, and it was not tried since: it goes before a rest.
    pub is_urgent: bool,
    /// The service's id of the job that was started for it and whose end was not seen.
    pub remote: Option<String>,
}

/// A collection that is to be made: a window, or several in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    /// Of which source.
    pub source: SourceIndex,
    /// From the first to the last.
    pub window: Window,
    /// How many windows of the queue that is.
    pub windows: u64,
    /// The service's id of the job that was started for it and whose end was not seen.
    pub remote: Option<String>,
}

/// What a run finds of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlan {
    /// Which source.
    pub source: SourceIndex,
    /// Its record, as it was before.
    pub state: SourceState,
    /// What is done about it.
    pub standing: SourceStatus,
    /// Windows that are to be put in the queue, oldest first.
    pub new: Vec<Window>,
    /// Windows that are to be collected again, as `--force` names their source: the run gives that as an order to the queue
    /// before its jobs begin.
    pub again: Vec<Window>,
    /// The jobs, oldest first.
    pub jobs: Vec<Collection>,
    /// Windows that are due and were not collected: queued or not, to be collected in this run or not.
    pub behind: u64,
    /// From the first of them to the last.
    pub missing: Option<Window>,
    /// Of the windows behind, those that are left for a later run by `max_windows` or `max_jobs`.
    pub left: u64,
    /// When the next window is due that is not yet.
    pub next_due: DateTime<Utc>,
    /// Whether it is behind for too long.
    pub lateness: Lateness,
    /// Why it last failed, unless it has succeeded since.
    pub error: Option<String>,
    /// Runs in a row that failed at it.
    pub failed_runs: u32,
}

/// What is done about a source. The first that applies, in this order: what an operator ordered is said even when nothing is
/// due. A window that an operator asked for, and `--force`, override quarantine and rest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceStatus {
    /// An operator has paused it.
    Paused(Pause),
    /// An operator has cancelled its job, or wants it left alone.
    Skipped(SkipOrder),
    /// Nothing is to be collected.
    UpToDate,
    /// Somebody else is collecting it now.
    Claimed(Owner),
    /// It failed so that trying again helps only once something has changed.
    Quarantined(Quarantine),
    /// It failed, or was not ready, and is not tried for a while.
    CoolingDown(Rest),
    /// There are jobs.
    Due,
}

/// Whether a source is behind for too long, by the end of what was collected last; where nothing ever was, by the begin of the
/// oldest window that is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lateness {
    /// It is not.
    OnTime,
    /// Longer than `warn_after`.
    Late,
    /// Longer than `error_after`.
    Overdue,
    /// What was collected ends in the future: the clock went backwards, and nothing will be due for a while.
    Ahead,
}
