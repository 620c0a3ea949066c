//! What is remembered of a source: its frontier, its pause, its last success, and its queue.

use chrono::{DateTime, Utc};

use crate::plan::model::collection::Collected;
use crate::plan::model::window::Window;

/// Successes in a row without a record that are worth a warning.
pub const EMPTY_SUCCESSES: u32 = 3;

/// A source's record.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceState {
    /// Its id.
    pub source: String,
    /// Everything before this was collected or given up, without a hole; `None` when nothing ever was.
    pub frontier: Option<DateTime<Utc>>,
    /// An operator wants it left alone.
    pub paused: Option<Pause>,
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
    pub reason: String,
}

/// A source's last success.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastSuccess {
    /// When its job ended.
    pub at: DateTime<Utc>,
    pub collected: Collected,
}

/// A window in the queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QueuedWindow {
    /// The source's id.
    pub source: String,
    pub window: Window,
    /// Whether it was collected, and nobody has asked for it again since.
    pub is_collected: bool,
    /// An operator asked for it, and that was not answered by a success.
    pub is_requested: bool,
    /// An operator asked for it, and it was not tried since: it goes before a rest.
    pub is_urgent: bool,
    /// The service's id of the job that was started for it and whose end was not seen.
    pub remote_id: Option<String>,
    /// An operator gave it up, and it was not collected since.
    pub given_up: Option<GivenUp>,
}

impl QueuedWindow {
    /// Whether it is to be collected: it was not, and nobody gave it up, or somebody has asked for it again since.
    #[must_use]
    pub fn is_open(&self) -> bool {
        !self.is_collected && (self.given_up.is_none() || self.is_requested)
    }
}

/// An operator's order that a window is not to be collected any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GivenUp {
    /// When it was given.
    pub since: DateTime<Utc>,
    /// Who gave it.
    pub by: String,
    pub reason: String,
}
