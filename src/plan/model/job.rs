//! Jobs, their owners and their records, as values.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::outcome::Outcome;
use crate::plan::model::period::Period;

/// The process that works on a run: enough to tell later whether it is still alive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Owner {
    /// Host name.
    pub host: String,
    /// What tells its machine from others of the same name; `None` where it does not know, and in records of earlier versions.
    pub machine_id: Option<String>,
    /// The kernel's boot id, new at every boot.
    pub boot_id: String,
    /// Process id.
    pub pid: u32,
    /// When that process started, in clock ticks since boot: a pid alone is used again.
    pub pid_started: u64,
}

impl Owner {
    /// Whether this may be the host of another process, as far as names and ids tell.
    #[must_use]
    pub fn may_share_host(&self, host: &str, machine_id: Option<&str>) -> bool {
        let machines_differ = matches!((&self.machine_id, machine_id), (Some(this), Some(its)) if this != its);
        self.host == host && !machines_differ
    }
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
    pub id: RunId,
    /// Who works on it.
    pub owner: Owner,
    /// The directory of its spool, as a path without links.
    pub state_dir: String,
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
    /// It was stopped by a signal.
    Cancelled,
    /// Its owner died.
    Lost,
}

impl RunState {
    pub const ALL: [Self; 5] = [Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Lost];

    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

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
    pub const ALL: [Self; 7] = [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Skipped, Self::Cancelled, Self::Lost];

    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
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

/// A report's identity in the reports table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReportKey {
    /// `bank_id`.
    pub bank_id: i64,
    /// `fiscal_year` and `quarter`.
    pub period: Period,
    /// `report_type` of a row that is written.
    pub report_type: String,
    /// Further types: a row of one of them is this report too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub other_types: Vec<String>,
}

impl ReportKey {
    /// All types that the report's row may have.
    pub fn types(&self) -> impl Iterator<Item = &str> {
        std::iter::once(self.report_type.as_str()).chain(self.other_types.iter().map(String::as_str))
    }
}

/// The right to work on a job. Every later change of the job is guarded by the fence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Claim {
    /// The claimed job.
    pub job: JobId,
    /// Grows with every claim of the gap.
    pub fence: i64,
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
