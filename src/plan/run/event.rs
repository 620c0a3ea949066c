//! What happens in a run, as it happens: the one vocabulary that every display consumes.

use std::time::Duration;

use crate::plan::model::job::JobState;
use crate::plan::run::schedule::JobIndex;

/// Something happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// The plan stands; jobs start.
    Started {
        /// `RY 2025 Q2 [call_summary]`, by job.
        labels: Vec<String>,
        /// How many chains they are in.
        chains: usize,
        /// How many chains run at once.
        max_parallel: usize,
    },
    /// An attempt starts.
    AttemptStarted {
        /// Which job.
        job: JobIndex,
        /// From 1.
        attempt: u32,
        /// How many there may be.
        of: u32,
    },
    /// A child printed a line. Untrusted.
    Line {
        /// Which job.
        job: JobIndex,
        /// As printed.
        text: String,
    },
    /// An attempt failed, and another follows.
    Retrying {
        /// Which job.
        job: JobIndex,
        /// The attempt that failed.
        attempt: u32,
        /// Why.
        error: String,
        /// When the next one starts.
        delay: Duration,
    },
    /// A job is over.
    Ended {
        /// Which job.
        job: JobIndex,
        /// How.
        state: JobState,
        /// From its first attempt to its end; zero when it never started.
        duration: Duration,
        /// Why, unless it succeeded.
        reason: Option<String>,
    },
    /// A signal arrived: nothing more starts, children are being stopped.
    Stopping {
        /// Whether it is the second, so that children are killed at once.
        at_once: bool,
    },
}
