//! Jobs, their owners and their records, as values.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::model::etl::Pool;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::orders::CancelRequest;
use crate::plan::model::outcome::Outcome;
use crate::plan::model::period::Period;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{FailureHistory, SkipOrder};
use crate::plan::remember::fingerprint::Fingerprint;

/// The process that works on a run: enough to tell later whether it is still alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Host name.
    pub host: String,
    /// The kernel's boot id, new at every boot.
    pub boot_id: String,
    /// Process id.
    pub pid: u32,
    /// When that process started, in clock ticks since boot: a pid alone is used again.
    pub pid_started: u64,
}

/// `process 7 on host`. The host name may come from the database: escape it before it is shown.
impl fmt::Display for Owner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "process {} on {}", self.pid, self.host)
    }
}

/// A run as it is recorded when it begins.
#[derive(Debug, Clone)]
pub struct NewRun {
    /// Its id.
    pub id: RunId,
    /// Who works on it.
    pub owner: Owner,
    /// Version of etl-orch.
    pub version: &'static str,
    /// The options it was started with.
    pub options: serde_json::Value,
    /// How long its claims are good without being renewed.
    pub lease: Duration,
    /// Wall clock.
    pub started_at: DateTime<Utc>,
}

/// A run that is recorded as running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningRun {
    /// Its id.
    pub id: RunId,
    /// Who works on it.
    pub owner: Owner,
    /// Whether its lease has ended, by the database's clock.
    pub expired: bool,
}

/// A run's state in the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Its owner works on it.
    Running,
    /// It did what there was to do, and nothing failed.
    Succeeded,
    /// Jobs failed, or the orchestrator could not do its work.
    Failed,
    /// It was told to stop.
    Cancelled,
    /// Its owner died.
    Lost,
}

impl RunState {
    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// A job's state: `queued -> running -> succeeded | failed | skipped | cancelled | lost`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobState {
    /// Planned in a run, not started.
    Queued,
    /// An attempt is under way, or a retry is waited for.
    Running,
    /// Its report was seen to exist.
    Succeeded,
    /// Its attempts are used up, or another cannot help.
    Failed,
    /// Not run, or not to be counted: its input is not ready.
    Skipped,
    /// Stopped or never started because the run ended.
    Cancelled,
    /// Its owner died.
    Lost,
}

impl JobState {
    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        use JobState::{Cancelled, Failed, Lost, Queued, Running, Skipped, Succeeded};
        [Queued, Running, Succeeded, Failed, Skipped, Cancelled, Lost].into_iter().find(|state| state.name() == name)
    }

    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
        }
    }
}

/// A job as it is recorded when it is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
    /// Its id.
    pub id: JobId,
    /// What it fills.
    pub gap: GapKey,
    /// What the key of its gap does not say.
    pub subject: JobSubject,
    /// Its place in the run's order, from 0.
    pub position: usize,
    /// Whether it was planned by `--force`, now or by a run that could not finish it.
    pub forced: bool,
    /// What it is made from and how, as it was planned.
    pub fingerprint: Option<Fingerprint>,
}

/// What a job makes or collects, beyond the key of its gap.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobSubject {
    /// The report of a bank.
    Report {
        /// The bank's number.
        bank_id: i64,
    },
    /// Windows of a source, in a row.
    Windows(Window),
}

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
    /// The job.
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

/// A report's identity in the reports table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportKey {
    /// `bank_id`.
    pub bank_id: i64,
    /// `fiscal_year` and `quarter`.
    pub period: Period,
    /// `report_type`.
    pub report_type: String,
}

/// The right to work on a job. Every later change of the job is guarded by the fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Claim {
    /// The claimed job.
    pub job: JobId,
    /// Grows with every claim of the gap.
    pub fence: i64,
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
    /// The job is not queued any more.
    Gone,
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

/// A running job of this run, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The claim that is good.
    pub claim: Claim,
    /// Somebody wants it stopped.
    pub cancel: Option<CancelRequest>,
}

/// A job that somebody runs, or ran when he died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningJob {
    /// The claim on it.
    pub claim: Claim,
    /// The run it belongs to.
    pub run: RunId,
    /// What it fills.
    pub gap: GapKey,
    /// Who claimed it.
    pub owner: Owner,
    /// When it was claimed.
    pub since: DateTime<Utc>,
    /// What the gap's runs have come to.
    pub history: FailureHistory,
    /// What it is made from and how, as it was planned.
    pub fingerprint: Option<Fingerprint>,
    /// Somebody wanted it stopped.
    pub cancel: Option<CancelRequest>,
}

/// How an attempt ended, for the record.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AttemptEnd {
    /// Number of the attempt, from 1.
    pub attempt: u32,
    /// Its end.
    pub outcome: Outcome,
    /// Wall clock.
    pub ended_at: DateTime<Utc>,
    /// Milliseconds, by the monotonic clock.
    pub duration_ms: i64,
    /// The last lines it printed.
    pub tail: String,
    /// Its process, where there was one.
    pub pid: Option<u32>,
}

/// The row of a report that etl-orch writes itself. Columns that the table lacks are left out.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportRow {
    /// `bank_id`, `fiscal_year`, `quarter`, `report_type`.
    pub key: ReportKey,
    /// `report_name`.
    pub report_name: String,
    /// `report_description`.
    pub report_description: String,
    /// `bank_name`.
    pub bank_name: String,
    /// `bank_symbol`, as the availability row spells it.
    pub bank_symbol: String,
    /// `local_filepath`, absolute.
    pub local_filepath: String,
    /// `markdown_content`; `None` when the file is no text or is too large for a column.
    pub markdown_content: Option<String>,
    /// `generation_date`.
    pub generation_date: DateTime<Utc>,
    /// `generated_by`.
    pub generated_by: String,
    /// `execution_id`: the run.
    pub execution_id: RunId,
    /// `metadata`: job, attempt, sources used.
    pub metadata: serde_json::Value,
}

/// What a run came to, for its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct RunCounts {
    /// Jobs that were planned.
    pub planned: u64,
    /// Jobs that succeeded.
    pub succeeded: u64,
    /// Jobs that failed.
    pub failed: u64,
    /// Jobs that were skipped.
    pub skipped: u64,
    /// Jobs that were cancelled.
    pub cancelled: u64,
}
