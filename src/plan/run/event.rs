//! What happens in a run, as it happens: the one vocabulary that displays, logs and whatever else listens consume.

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::model::outcome::Outcome;
use crate::plan::model::said::Stage;
use crate::plan::model::window::Window;
use crate::plan::run::ended::End;
use crate::plan::run::expectations::Expectations;
use crate::plan::run::schedule::JobIndex;
use crate::plan::run::stop::StopReason;

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
        /// What the jobs are called, by their index.
        jobs: Vec<JobName>,
        /// How many of them wait for the probe of a broken ETL.
        waiting: usize,
        /// How many chains the others are in.
        chains: usize,
        /// How many chains run at once.
        max_parallel: usize,
        /// What is expected of it; nothing where nobody watches it.
        expectations: Expectations,
    },
    /// A signal arrived, or the guard is gone: nothing more starts, children are being stopped.
    RunStopping {
        reason: StopReason,
        /// Whether children are killed at once: it was asked for twice, or the guard is gone.
        is_immediate: bool,
        /// How many attempts are under way.
        running: usize,
        /// How long these may take to end by themselves.
        grace: Duration,
    },
    /// Something happened to a job.
    Job { job: JobRef, event: JobEvent },
}

/// What a job is called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobName {
    /// For people: `RY 2025 Q2 [call_summary]`.
    pub label: String,
    /// For programs.
    pub gap: GapKey,
    /// What it collects; `None` where it makes a report.
    pub window: Option<Window>,
}

/// A job of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JobRef {
    /// Its position in the plan, and among the names of [`EventKind::RunStarted`].
    pub index: JobIndex,
    /// The id under which it is recorded.
    pub id: JobId,
}

/// What a request to a service waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceWait {
    /// `host:8000`.
    pub host: String,
    pub reason: WaitReason,
}

/// Why a request is not sent yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WaitReason {
    /// `http.rate`.
    Rate,
    /// The host wants to be left alone until then.
    Pause(DateTime<Utc>),
    /// Jobs there go one at a time.
    OtherJobs,
}

/// What happened to a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEvent {
    /// It would start if this pool had room; `None` where it does not wait for one any more.
    WaitsForPool(Option<String>),
    AttemptStarted {
        /// From 1.
        attempt: u32,
        /// How many there may be.
        of: u32,
    },
    /// A request of its attempt waits for so much before it is sent; `None` where none waits any more. Short waits are not told.
    WaitsForService(Option<ServiceWait>),
    /// Its child printed this line. Untrusted: it may contain control characters.
    Line(String),
    /// Its child wrote over a line that has not ended. Told now and then. Untrusted, as a line is.
    ProgressBar(String),
    /// Its child printed so many lines faster than they could be passed on. Its log has them.
    LinesOmitted(u64),
    /// A stage of its attempt's work started, got on, or ended: the stage as it is now. That it got on is told now and then, its start
    /// and its end always.
    Stage(Stage),
    /// The work of an attempt is over. [`JobEvent::Retrying`] or [`JobEvent::Ended`] follows once that is recorded.
    AttemptEnded {
        attempt: u32,
        end: End,
        /// What that means; `None` where nothing is recorded of the attempt.
        outcome: Option<Outcome>,
        duration: Duration,
    },
    /// An attempt failed, and there may be another.
    Retrying {
        /// The attempt that failed, from 1.
        attempt: u32,
        /// How many there may be.
        of: u32,
        error: String,
        /// What it printed; `None` where there is nothing.
        log: Option<PathBuf>,
        /// The next one starts after this wait; `None` where there is none in this run, and [`JobEvent::Ended`] follows.
        delay: Option<Duration>,
    },
    /// It is over.
    Ended {
        state: JobState,
        /// From its first attempt to its end; zero when it never started.
        duration: Duration,
        /// Why, unless it succeeded.
        reason: Option<String>,
        /// What its last attempt printed; `None` where there is nothing.
        log: Option<PathBuf>,
    },
}
