//! Jobs as the database has them, with what is remembered of their gaps.

use chrono::{DateTime, Utc};

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{Claim, Owner};
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
