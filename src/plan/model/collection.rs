//! What a job of a source collects, and what it has collected.

use serde::{Deserialize, Serialize};

use crate::plan::model::source::SourceIndex;
use crate::plan::model::window::Window;

/// What a job of a source collected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collected {
    /// The source's id.
    pub source: String,
    /// The window, or all windows in a row that one job was for.
    pub window: Window,
    /// How it is known that the data was collected.
    pub seen: Seen,
    /// How many records, where the collector said so.
    pub records: Option<i64>,
    /// The collector's last message.
    pub message: Option<String>,
}

/// How a collection is known to have succeeded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Seen {
    /// The collector reported success.
    Reported,
    /// `verify:` found the data.
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

    /// The inverse of [`Self::name`].
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        [Self::Reported, Self::Verified].into_iter().find(|seen| seen.name() == name)
    }
}

/// A collection that is to be made: a window, or several in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Collection {
    pub source: SourceIndex,
    /// From the first to the last.
    pub window: Window,
    /// How many windows of the queue that is.
    pub windows: u64,
    /// The service's id of the job that was started for it and whose end was not seen.
    pub remote_id: Option<String>,
}
