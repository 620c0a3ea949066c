//! Runs and jobs as people look them up later.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde_json::Value;

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{JobState, RunCounts, RunState};
use crate::plan::model::said::{ChildLog, Metric, Stage};
use crate::plan::model::window::Window;
use crate::plan::remember::stored_decision::StoredDecision;

/// From when to when; open where it is `None`. The beginning belongs to it, the end does not.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeSpan {
    pub since: Option<DateTime<Utc>>,
    pub until: Option<DateTime<Utc>>,
}

/// Which jobs are looked for. What is empty does not narrow it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobQuery {
    /// What they were to fill.
    pub gaps: Vec<GapKey>,
    /// The full keys of their banks.
    pub banks: Vec<String>,
    /// The names of their ETLs, and the ids of their sources.
    pub filled_by: Vec<String>,
    pub states: Vec<JobState>,
    /// What the id of the job begins with.
    pub id: Option<String>,
    /// What the id of the run begins with.
    pub run: Option<String>,
    /// When they were planned.
    pub planned: TimeSpan,
    /// At most so many, the newest first.
    pub limit: u32,
}

/// A job on record.
#[derive(Debug, Clone, PartialEq)]
pub struct PastJob {
    pub id: JobId,
    pub run: RunId,
    /// What it fills.
    pub gap: GapKey,
    /// What it collects, where that is windows of a source.
    pub window: Option<Window>,
    pub state: JobState,
    /// Whether it was planned by `--force`.
    pub forced: bool,
    /// Why it did not succeed.
    pub error: Option<String>,
    pub queued_at: DateTime<Utc>,
    pub started_at: Option<DateTime<Utc>>,
    pub ended_at: Option<DateTime<Utc>>,
    /// In their order.
    pub attempts: Vec<PastAttempt>,
    /// What its attempts said, summed, by name.
    pub metrics: Vec<Metric>,
}

/// An attempt on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastAttempt {
    /// From 1.
    pub n: u32,
    /// The name of its outcome; `None` while it is under way.
    pub outcome: Option<String>,
    /// The number of an exit code or a signal.
    pub number: Option<i32>,
    pub error: Option<String>,
    /// The path of its log, on the host of its run. An attempt that printed nothing has no file.
    pub log: String,
    /// The id that a service gave to its job.
    pub remote_id: Option<String>,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// By the monotonic clock.
    pub duration_ms: Option<u64>,
}

impl PastJob {
    /// How long it took, so far; `None` before it started, and where its run died, as nobody saw its end.
    #[must_use]
    pub fn took(&self, now: DateTime<Utc>) -> Option<Duration> {
        let start = self.started_at.filter(|_| self.state != JobState::Lost)?;
        (self.ended_at.unwrap_or(now) - start).to_std().ok()
    }
}

impl PastAttempt {
    /// When it ended, where somebody saw that.
    #[must_use]
    pub fn seen_end(&self) -> Option<DateTime<Utc>> {
        self.ended_at.filter(|_| self.outcome.as_deref() != Some("lost"))
    }

    /// Its exit code, where it ended by itself.
    #[must_use]
    pub fn exit_code(&self) -> Option<i32> {
        match self.outcome.as_deref() {
            Some("succeeded") => Some(0),
            Some("exit_code" | "not_ready" | "reported_error") => self.number,
            _ => None,
        }
    }
}

/// A decision not to make a gap, on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastDecision {
    pub gap: GapKey,
    /// When a run decided so.
    pub since: DateTime<Utc>,
    /// When a later run decided otherwise.
    pub until: Option<DateTime<Utc>>,
    pub run: RunId,
    pub decision: StoredDecision,
}

/// An operator's order, on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastOrder {
    pub gap: GapKey,
    /// As it is stored: `skip`, `unskip`, `retry`, `cancel`, `force`, `pause`, `resume`, `collect` or `give_up`.
    pub kind: String,
    pub by: String,
    pub reason: String,
    pub at: DateTime<Utc>,
    /// When it ends by itself.
    pub until: Option<DateTime<Utc>>,
}

/// Which runs are looked for. What is empty does not narrow it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RunQuery {
    pub states: Vec<RunState>,
    /// What the id begins with.
    pub id: Option<String>,
    /// When they started.
    pub started: TimeSpan,
    /// At most so many, the newest first.
    pub limit: u32,
    /// The oldest first instead.
    pub oldest_first: bool,
}

/// A run on record.
#[derive(Debug, Clone, PartialEq)]
pub struct PastRun {
    pub id: RunId,
    pub state: RunState,
    pub host: String,
    pub pid: u32,
    /// Of etl-orch.
    pub version: String,
    /// The options that it was started with.
    pub options: Value,
    pub started_at: DateTime<Utc>,
    pub ended_at: Option<DateTime<Utc>>,
    /// What its jobs came to; `None` until it has ended by itself.
    pub counts: Option<RunCounts>,
    /// What its jobs said, summed, by name.
    pub metrics: Vec<Metric>,
    /// How many gaps it left for later runs by `max_jobs`.
    pub capped: u64,
}

/// A stage of an attempt on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastStage {
    pub job: JobId,
    /// Number of the attempt, from 1.
    pub attempt: u32,
    pub stage: Stage,
}

/// A log message of an attempt on record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastLog {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    pub log: ChildLog,
}

/// The sum of a metric over the runs that started on a day of UTC.
#[derive(Debug, Clone, PartialEq)]
pub struct DayMetric {
    pub day: NaiveDate,
    pub metric: Metric,
}

/// The options that select what a run works on.
const SELECTING: [&str; 8] = ["bank_symbol", "exclude_bank", "etl_type", "source", "period", "from_year", "until_year", "force"];

impl PastRun {
    /// How long it took, so far; `None` where it died, as nobody saw its end.
    #[must_use]
    pub fn took(&self, now: DateTime<Utc>) -> Option<Duration> {
        let end = match self.state {
            RunState::Lost => None,
            RunState::Running => Some(now),
            RunState::Succeeded | RunState::Failed | RunState::Cancelled => self.ended_at,
        };
        (end? - self.started_at).to_std().ok()
    }

    /// Whether it was to work on a part only, or to make something again.
    #[must_use]
    pub fn is_narrowed(&self) -> bool {
        SELECTING.iter().any(|option| match self.options.get(option) {
            None | Some(Value::Null | Value::Bool(false)) => false,
            Some(Value::Array(values)) => !values.is_empty(),
            Some(Value::Bool(true) | Value::Number(_) | Value::String(_) | Value::Object(_)) => true,
        })
    }
}

/// A job on record that failed.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedJob {
    pub job: PastJob,
    /// The last lines that its last attempt printed; `None` where it printed none.
    pub last_lines: Option<String>,
}

/// What an ETL or a source succeeded at in the runs that started on a day of UTC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayOfWork {
    pub day: NaiveDate,
    /// The name of the ETL, or the id of the source.
    pub filled_by: String,
    /// Attempts that succeeded.
    pub succeeded: u64,
    /// How long they took together.
    pub total: Duration,
    pub longest: Duration,
}

impl DayOfWork {
    /// How long an attempt took.
    #[must_use]
    pub fn mean(&self) -> Duration {
        self.total.checked_div(u32::try_from(self.succeeded).unwrap_or(u32::MAX)).unwrap_or_default()
    }
}
