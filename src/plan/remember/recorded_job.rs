//! Jobs as the database has them, with what is remembered of their gaps.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{Claim, JobState, Owner};
use crate::plan::model::orders::CancelRequest;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::remember::fingerprint::Fingerprint;

/// A job as it is recorded when it is planned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewJob {
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
    /// Where etl-orch is to put its report.
    pub destination: Option<PathBuf>,
}

/// A job of which a staged report may be left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unplaced {
    pub job: JobId,
    /// The run it belongs to.
    pub run: RunId,
    pub state: JobState,
    /// Where its report is to be put.
    pub destination: PathBuf,
    /// The host of its run, and what tells its machine from others of that name.
    pub host: String,
    pub machine_id: Option<String>,
    /// Whether a later job over the same gap has succeeded.
    pub is_superseded: bool,
}

impl Unplaced {
    /// Whether its run may have been on the host of this process, so that what it left is here or nowhere.
    #[must_use]
    pub fn is_of_host_of(&self, process: &Owner) -> bool {
        process.may_share_host(&self.host, self.machine_id.as_deref())
    }
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

/// A job that somebody runs, or ran when he died.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunningJob {
    pub claim: Claim,
    /// The run it belongs to.
    pub run: RunId,
    /// What it fills.
    pub gap: GapKey,
    /// Who claimed it.
    pub owner: Owner,
    /// The directory of its run's spool; `None` in records of earlier versions.
    pub state_dir: Option<String>,
    /// When it was claimed.
    pub since: DateTime<Utc>,
    /// What the gap's runs have come to.
    pub history: FailureHistory,
    /// What it is made from and how, as it was planned.
    pub fingerprint: Option<Fingerprint>,
    /// Somebody wanted it stopped.
    pub cancel: Option<CancelRequest>,
}

/// A running job of this run, as the database has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watched {
    /// The claim that is good.
    pub claim: Claim,
    /// Somebody wants it stopped.
    pub cancel: Option<CancelRequest>,
}
