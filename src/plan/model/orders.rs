//! What an operator can order: to try again, to leave alone, to stop. Orders are kept for ever.

use chrono::{DateTime, Utc};

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{JobState, Owner};
use crate::plan::model::window::Window;

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GapOrder {
    pub kind: GapOrderKind,
    /// Who orders it.
    pub by: String,
    pub reason: String,
    /// Wall clock.
    pub at: DateTime<Utc>,
}

/// What can be ordered on gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GapOrderKind {
    /// Forget failures, rest, quarantine and `skip`.
    Retry,
    /// Leave alone.
    Skip {
        /// The order ends by itself.
        until: Option<DateTime<Utc>>,
    },
    /// Take `skip` back.
    Unskip,
}

impl GapOrderKind {
    /// The name under which it is stored. The same column holds `cancel` and `force`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Skip { .. } => "skip",
            Self::Unskip => "unskip",
        }
    }
}

/// A report that `--force` selects.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forced {
    pub gap: GapKey,
    pub what: ForcedWhat,
}

/// What `--force` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ForcedWhat {
    /// Make the report, which is missing.
    Missing,
    /// Make the report again.
    Existing,
    /// Nothing more: the report was made since an earlier `--force` asked for it, of which others are left.
    Made,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceOrder {
    pub source: String,
    pub kind: SourceOrderKind,
    /// Who orders it.
    pub by: String,
    pub reason: String,
    /// Wall clock.
    pub at: DateTime<Utc>,
}

/// What can be ordered on a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceOrderKind {
    /// Leave it alone until it is resumed.
    Pause,
    /// Take `Pause` back.
    Resume,
    /// Collect these windows, also again, by the next run.
    Collect(Vec<Window>),
    /// Collect these windows no more, though they are missing. The frontier passes them.
    GiveUp {
        windows: Vec<Window>,
        /// Where a source begins of which nothing was collected, if its first windows are among these.
        begin: Option<DateTime<Utc>>,
    },
}

impl SourceOrderKind {
    /// The name under which it is stored.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Collect(_) => "collect",
            Self::GiveUp { .. } => "give_up",
        }
    }
}

/// An order that was given on a gap and that no job has answered yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PendingOrder {
    /// For windows: the gap of their source.
    pub gap: GapKey,
    pub kind: PendingOrderKind,
    pub by: String,
    pub reason: String,
    pub at: DateTime<Utc>,
}

/// What was ordered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PendingOrderKind {
    /// To try again in spite of failures.
    Retry,
    /// To make an existing report again.
    Force,
    /// To collect windows, also again.
    Collect,
}

impl PendingOrderKind {
    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Retry => "retry",
            Self::Force => "force",
            Self::Collect => "collect",
        }
    }

    /// The kind of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Retry, Self::Force, Self::Collect].into_iter().find(|kind| kind.name() == name)
    }
}

/// Somebody asked for a running job to be stopped.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CancelRequest {
    pub by: String,
    pub reason: String,
}

/// What became of the wish to cancel a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CancelAnswer {
    /// Its owner was asked to stop it, and its gap is skipped.
    Asked(Owner),
    /// It was queued: it is cancelled, and its gap is skipped.
    Dropped,
    /// It has ended; nothing was changed.
    Ended(JobState),
    /// There is no such job.
    Unknown,
}

/// A job as a person finds it by its id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundJob {
    pub id: JobId,
    pub run: RunId,
    /// What it fills.
    pub gap: GapKey,
    pub state: JobState,
}
