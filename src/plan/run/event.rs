//! What happens in a run, as it happens: the one vocabulary that displays, logs and whatever else listens consume.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::run::schedule::JobIndex;

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Wall clock.
    pub at: DateTime<Utc>,
    pub run: RunId,
    pub kind: EventKind,
}

/// What happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EventKind {
    /// The plan stands; jobs start.
    RunStarted {
        /// `RY 2025 Q2 [call_summary]`, by job.
        labels: Vec<String>,
        /// How many chains they are in.
        chains: usize,
        /// How many chains run at once.
        max_parallel: usize,
    },
    /// A signal arrived: nothing more starts, children are being stopped.
    RunStopping {
        /// Whether it is the second, so that children are killed at once.
        is_immediate: bool,
    },
    /// Something happened to a job.
    Job { job: JobRef, event: JobEvent },
}

/// A job of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRef {
    /// Its position in the plan, and in the labels of [`EventKind::RunStarted`].
    pub index: JobIndex,
    /// The id under which it is recorded.
    pub id: JobId,
}

/// What happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    AttemptStarted {
        /// From 1.
        attempt: u32,
        /// How many there may be.
        of: u32,
    },
    /// Its child printed this line. Untrusted: it may contain control characters.
    Line(String),
    /// Its child printed so many lines faster than they could be passed on. Its log has them.
    LinesOmitted(u64),
    /// An attempt failed, and another follows.
    Retrying {
        /// The attempt that failed.
        attempt: u32,
        error: String,
        /// The next one starts after this wait.
        delay: Duration,
    },
    /// It is over.
    Ended {
        state: JobState,
        /// From its first attempt to its end; zero when it never started.
        duration: Duration,
        /// Why, unless it succeeded.
        reason: Option<String>,
    },
}
