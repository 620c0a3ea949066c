//! Claims on jobs: what is asked of the database, and what it answers.

use chrono::{DateTime, Utc};

use crate::plan::model::etl::Pool;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{Claim, Owner, ReportKey};
use crate::plan::model::orders::CancelRequest;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{FailureHistory, SkipOrder};

/// What a claim looks for before it is made.
#[derive(Debug, Clone, Copy)]
pub enum ClaimTarget<'a> {
    /// A report, unless it is there.
    Report(&'a ReportKey),
    /// Windows of the queue, unless none of them is left to be collected; and no source that is paused.
    Windows {
        /// The source's id.
        source: &'a str,
        /// From the first window to the last.
        window: Window,
    },
}

/// The wish to work on a job.
#[derive(Debug, Clone, Copy)]
pub struct ClaimRequest<'a> {
    pub job: JobId,
    /// What it makes or collects.
    pub wanted: ClaimTarget<'a>,
    /// The fence of the gap's latest claim when the job was planned, 0 if there was none. If the gap has another fence now, another
    /// invocation claimed it since, so that the plan's decision may be outdated: rest and quarantine are then checked again. With the
    /// same fence the plan's decision stands, also one that ignores them (`--force`, a probe).
    pub planned_fence: i64,
    /// The external resource that its attempts use.
    pub pool: Option<&'a Pool>,
    /// Log of its first attempt.
    pub log: &'a str,
    /// Wall clock.
    pub at: DateTime<Utc>,
}

/// What became of the wish to claim a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// The job is running and ours; the first attempt is recorded.
    Yes {
        /// The right to it.
        claim: Claim,
        /// What the gap's runs have come to.
        history: FailureHistory,
    },
    /// The report exists by now, or the windows were collected, the first of them at least; the job is recorded as skipped.
    AlreadyDone,
    /// Another job of the same gap is running; the job is recorded as skipped.
    Elsewhere {
        /// Who runs it.
        owner: Owner,
    },
    /// An operator wants the gap left alone, or has paused the source; the job is recorded as skipped.
    Ordered(SkipOrder),
    /// Another invocation failed at it since it was planned, and it rests or is quarantined; the job is recorded as skipped.
    HeldBack,
    /// As many attempts use the pool as may. The job is still queued.
    PoolFull,
    /// The job is not queued any more; an operator's request to cancel it may be why.
    Gone(Option<CancelRequest>),
}

/// What became of the wish to record another attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Begun {
    /// It is recorded.
    Yes,
    /// As many attempts use the pool as may.
    PoolFull,
    /// The claim is not ours any more.
    ClaimLost,
}
