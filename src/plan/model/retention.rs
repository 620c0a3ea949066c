//! How long what is over is kept, as it is configured.

use std::fmt;
use std::time::Duration;

use crate::plan::text::span;

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How long something is kept. The longer is the greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Keep {
    For(Duration),
    Forever,
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(span) => f.write_str(&span::exact(*span)),
            Self::Forever => f.write_str("forever"),
        }
    }
}

/// How long what is over is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retention {
    /// Runs, their jobs and all that is on record of these, decisions that are over, windows that were collected.
    pub history: Keep,
    /// Runs that succeeded and had nothing to do.
    pub idle_runs: Keep,
    /// Files with what attempts printed.
    pub logs: Keep,
}

impl Default for Retention {
    fn default() -> Self {
        Self { history: Keep::For(400 * DAY), idle_runs: Keep::For(90 * DAY), logs: Keep::For(30 * DAY) }
    }
}
