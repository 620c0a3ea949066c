//! What a run does about a source.

use chrono::{DateTime, Utc};

use crate::plan::model::collection::Collection;
use crate::plan::model::job::Owner;
use crate::plan::model::orders::PendingOrder;
use crate::plan::model::source::SourceIndex;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};
use crate::plan::remember::source_state::{GivenUp, Pause, SourceState};
use crate::plan::remember::unfinished::UnrecordedEnd;

/// What a run finds of a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourcePlan {
    pub source: SourceIndex,
    /// Its record, as it was before.
    pub state: SourceState,
    /// What is done about it.
    pub standing: SourceStatus,
    /// Windows that are to be put in the queue, oldest first.
    pub new: Vec<Window>,
    /// Where the frontier of a source with independent windows stands before any of them is collected, if it has none yet: the first that is
    /// collected need not be the first that is missing.
    pub begin: Option<DateTime<Utc>>,
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
    /// Windows that an operator gave up and that were not collected since, oldest first.
    pub given_up: Vec<GivenUpSpan>,
    /// Windows that are missing, or asked for again, and that their own past holds back; oldest first. Only of a source whose windows are
    /// independent.
    pub held_back: Vec<HeldBack>,
    /// An order that no job has answered yet: a `retry`, or windows to be collected. Looked up for who is shown the plan.
    pub order: Option<PendingOrder>,
    /// Why it last failed, unless it has succeeded since.
    pub error: Option<String>,
    /// Runs in a row that failed at it.
    pub failed_runs: u32,
}

impl SourcePlan {
    /// The end of what was collected: the frontier, unless windows before it were given up, or nothing was ever collected.
    #[must_use]
    pub fn collected_until(&self) -> Option<DateTime<Utc>> {
        let frontier = self.state.frontier.filter(|_| self.state.last.is_some());
        frontier.map(|frontier| collected_until(frontier, &self.given_up))
    }
}

/// The end of what was collected, given the frontier, which passes what was given up.
pub(super) fn collected_until(frontier: DateTime<Utc>, spans: &[GivenUpSpan]) -> DateTime<Utc> {
    spans.iter().rev().fold(frontier, |until, span| {
        let reaches = span.window.start < until && until <= span.window.end;
        if reaches { span.window.start } else { until }
    })
}

/// A window that is not to be tried now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldBack {
    pub window: Window,
    /// What holds it back: neither `UpToDate` nor `Due`.
    pub status: SourceStatus,
    /// Runs in a row that failed at it.
    pub failed_runs: u32,
    /// Why it last failed.
    pub error: Option<String>,
}

/// Windows in a row that an operator gave up by one order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUpSpan {
    /// From the first of them to the last.
    pub window: Window,
    /// How many they are.
    pub windows: u64,
    pub order: GivenUp,
    /// Somebody has asked for them again since.
    pub is_requested: bool,
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
    /// Its job has ended, which the database does not have on record yet.
    Unrecorded(UnrecordedEnd),
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
