//! The database: the port, and its two adapters.
//!
//! Only this room knows SQL. Both adapters pass one conformance suite (`tests/store`) and behave the same. Every
//! change of a job's state is one method named for the transition, guarded by the state it leaves and by the claim's
//! fence, and says whether it happened.

mod columns;
mod delegate;
mod error;
mod gap_columns;
mod postgres;
mod question;
mod record;
mod rows;
mod sqlite;

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};

pub use error::StoreError;

use crate::plan::model::candidate::{Candidate, CensusGroup};
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::etl::Pool;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{
    AttemptEnd, Begun, Claim, ClaimRequest, Claimed, NewJob, NewRun, ReportKey, RunCounts, RunState, RunningJob, RunningRun, Watched,
};
use crate::plan::model::orders::{CancelAnswer, FoundJob, GapOrder, SourceOrder};
use crate::plan::model::period::Period;
use crate::plan::model::settings::{Database, DatabaseTarget};
use crate::plan::model::window::Window;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::{FailureHistory, GapState};
use crate::plan::remember::source_state::{QueuedWindow, SourceState};
use crate::plan::run::job_end::{Finished, JobEnd};

/// Answer of every operation on the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What an invocation may do with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Look only: nothing is created, migrated or written. A SQLite file that is not there is an empty database in
    /// memory; state tables that are not there are empty history.
    ReadOnly,
    /// Read and write. Our own tables are created or migrated forward; a SQLite file that is not there is made, with
    /// the data tables. Data tables are not added to a database that exists.
    ReadWrite,
    /// Like `ReadWrite`, and on SQLite missing data tables are created too (`etl-orch init`).
    Init,
}

/// Connects to the database and makes sure that our own tables are of the version that this program knows.
///
/// # Errors
/// [`StoreError::Unreachable`] when there is no database to talk to, at once where that is known at once;
/// [`StoreError::Schema`] when our tables are newer than this program, or older and `access` forbids to migrate them.
pub async fn open(database: &Database, access: Access) -> Result<Arc<dyn Store>> {
    Ok(match &database.target {
        DatabaseTarget::Sqlite(path) => Arc::new(sqlite::Sqlite::open(database, path, access).await?),
        DatabaseTarget::Postgres { url, .. } => Arc::new(postgres::Postgres::open(database, url, access).await?),
    })
}

/// The statements of [`Access::Init`] for an empty database, for whoever applies them by hand. They also record which
/// migrations they are, so that a later run finds nothing left to do.
pub fn schema_sql(database: &Database) -> String {
    match database.target {
        DatabaseTarget::Sqlite(_) => sqlite::schema_sql(database),
        DatabaseTarget::Postgres { .. } => postgres::schema_sql(),
    }
}

/// What [`Store::scan`] is to look for.
#[derive(Debug, Clone, Default)]
pub struct ScanRequest {
    /// The ETLs whose reports may be missing.
    pub etls: Vec<EtlScan>,
    /// Rows of these symbols are candidates, in exactly this spelling. The census counts all symbols.
    pub symbols: Vec<String>,
    /// Earlier fiscal years are neither candidates nor counted.
    pub from_year: Option<u16>,
    /// When not empty, only these periods are candidates or counted.
    pub periods: Vec<Period>,
    /// Whether rows whose report exists are candidates too (`--force`).
    pub include_existing: bool,
    /// Data that is available though the table does not say so yet: what a dry run learnt from files.
    pub also_available: Vec<Available>,
}

/// One ETL in a scan.
#[derive(Debug, Clone)]
pub struct EtlScan {
    /// Which ETL.
    pub etl: EtlIndex,
    /// Its report.
    pub report_type: String,
    /// Tags that must all be in `database_names`.
    pub requires: Vec<String>,
    /// Report types of the ETLs it needs, in the order of [`Candidate::needs_met`].
    pub needs: Vec<String>,
}

/// Data that a bank has for a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// `bank_id`.
    pub bank_id: i64,
    /// `bank_name`.
    pub bank_name: String,
    /// `bank_symbol`, for a row that is new.
    pub bank_symbol: String,
    /// `fiscal_year` and `quarter`.
    pub period: Period,
    /// A tag of `database_names`.
    pub tag: String,
}

/// One thing that a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanned {
    /// A row whose report is missing.
    Candidate(Candidate),
    /// A group of rows that have the required tags. All groups come before the first candidate.
    Group(CensusGroup),
    /// Rows whose `database_names` is no array of text: how many, and up to ten of them as `symbol year quarter`.
    NotAnArray {
        /// Number of such rows.
        rows: u64,
        /// Some of them.
        examples: Vec<String>,
    },
}

/// The port.
///
/// Methods that change a job return whether they did: `false` means that the claim is not (or no longer) ours, and
/// nothing was changed. They can be repeated with the same arguments, times included, when it is not known whether they were
/// carried out: what has happened already counts as done.
#[async_trait::async_trait]
pub trait Store: Send + Sync + std::fmt::Debug {
    /// Checks that the data tables are there with the columns that are needed, and, when `writes_reports`, that a
    /// row that etl-orch writes would satisfy their NOT NULL columns.
    async fn check_data_tables(&self, writes_reports: bool, writes_availability: bool) -> Result<()>;

    /// Looks at availability and reports in one snapshot: a census, then one anti-join per ETL, each streamed into
    /// `sink` without being held.
    async fn scan(&self, request: &ScanRequest, sink: &mut (dyn FnMut(Scanned) + Send)) -> Result<()>;

    /// Which of `found` the availability table does not say yet.
    async fn not_yet_available(&self, found: &[Available]) -> Result<Vec<Available>>;

    /// Adds tags to availability rows, making rows where there are none. What is there already stays as it is.
    /// Returns how many rows were added or changed.
    async fn add_availability(&self, found: &[Available]) -> Result<u64>;

    /// A text that changes when the report's row does; `None` when there is no such report.
    async fn report_fingerprint(&self, report: &ReportKey) -> Result<Option<String>>;

    /// Records that a run begins.
    async fn begin_run(&self, run: &NewRun) -> Result<()>;

    /// Records that a run has ended; its jobs that are still queued become cancelled.
    async fn end_run(&self, run: RunId, state: RunState, counts: RunCounts, at: DateTime<Utc>) -> Result<()>;

    /// Makes the run's lease last `span` from now on, by the database's clock. `false` when the run is not running any more:
    /// another host took it for dead, and its claims with it.
    async fn renew(&self, run: RunId, span: Duration) -> Result<bool>;

    /// Runs that are recorded as running.
    async fn running_runs(&self) -> Result<Vec<RunningRun>>;

    /// Jobs that are recorded as running.
    async fn running_jobs(&self) -> Result<Vec<RunningJob>>;

    /// Records jobs as planned: nothing -> queued. All of them or, on an error, none. A forced one is an order on its gap, by the
    /// user `by`, until a success answers it.
    async fn enqueue(&self, run: RunId, jobs: &[NewJob], by: &str, at: DateTime<Utc>) -> Result<()>;

    /// queued -> running, with attempt 1, if the report is still missing (not asked when the job is forced), nobody else runs
    /// the gap, and neither an order nor a newer failure of the gap forbids it; otherwise queued -> skipped. With the pool full
    /// the job stays queued. For windows: if the first of them is in the queue, not collected, and the source is not paused, which is
    /// told before anything else; a newer failure does not forbid what an operator asked for. The windows that are not collected
    /// are the job's from then on.
    async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed>;

    /// Records an attempt after the first.
    async fn begin_attempt(&self, claim: Claim, attempt: u32, pool: Option<&Pool>, log: &str, at: DateTime<Utc>) -> Result<Begun>;

    /// Records the process of the attempt.
    async fn attempt_spawned(&self, claim: Claim, attempt: u32, pid: u32) -> Result<bool>;

    /// Records the end of an attempt; the job goes on running, for a retry.
    async fn end_attempt(&self, claim: Claim, end: &AttemptEnd) -> Result<bool>;

    /// running -> succeeded, failed, skipped, cancelled or lost, and the end of the attempt that was under way, in one transaction with
    /// everything else that `end` holds: the gap's failure history, a report's row, or collected windows.
    ///
    /// Windows become collected that are the job's, and all within the collected window; an operator's request for them is answered by
    /// that too. A source's first frontier is the end of what was collected first. It moves to the end of what was collected from
    /// before it or from it on, then over windows that were collected ahead of it without a hole, and never back. A success that does
    /// not say how much it collected leaves the number of empty ones as it is.
    async fn finish(&self, claim: Claim, end: &JobEnd) -> Result<Finished>;

    /// queued -> cancelled, for a job that this run will not start.
    async fn drop_queued(&self, job: JobId, reason: &str, at: DateTime<Utc>) -> Result<bool>;

    /// Gives a lost job's attempt the end that became known later. Nothing else of the job changes.
    async fn attach(&self, claim: Claim, end: &AttemptEnd) -> Result<bool>;

    /// The running jobs of a run, with what others want of them.
    async fn watch(&self, run: RunId) -> Result<Vec<Watched>>;

    /// Every gap that has a past: failures, rest, quarantine, losses, an order, a pending `--force`.
    async fn gap_states(&self) -> Result<Vec<GapState>>;

    /// The open breakers.
    async fn open_breakers(&self) -> Result<Vec<OpenBreaker>>;

    /// Opens or changes the breaker of an ETL (`Some`), or closes it (`None`), and writes what is to be remembered of gaps by
    /// it; where a gap was claimed again since (another fence), or is running, its memory stays as it is.
    async fn set_breaker(&self, etl: &str, breaker: Option<&OpenBreaker>, refunds: &[(GapKey, i64, FailureHistory)]) -> Result<()>;

    /// What the database says of the sources of these (`bank_id`, period): for each that it knows a text that changes when the
    /// tags or the `version_column` of its availability rows do.
    async fn sources(&self, of: &[(i64, Period)]) -> Result<Vec<((i64, Period), String)>>;

    /// Gives an order on gaps, and records it. `Retry` on a gap that is running changes nothing of it; on others it
    /// raises the fence, so that nobody writes back what he remembered of them. Returns how many gaps it
    /// changed.
    async fn order(&self, order: &GapOrder, gaps: &[GapKey]) -> Result<u64>;

    /// Asks for a job to be stopped and has its gap skipped, and records that.
    async fn order_cancel(&self, job: JobId, by: &str, reason: &str, at: DateTime<Utc>) -> Result<CancelAnswer>;

    /// Jobs whose id begins with this text (letters a to f, digits, hyphens), newest first, at most `limit`. An empty text finds
    /// the latest jobs.
    async fn find_jobs(&self, prefix: &str, limit: u32) -> Result<Vec<FoundJob>>;

    /// The records of all sources that ever succeeded or were paused; others have none.
    async fn source_states(&self) -> Result<Vec<SourceState>>;

    /// The queue of all sources: every window that is not collected, and those collected beyond their source's frontier. By
    /// source, then by start.
    async fn queue(&self) -> Result<Vec<QueuedWindow>>;

    /// Puts windows into the queue of a source, all or, on an error, none; those that are there stay as they are. One statement,
    /// however many.
    async fn enqueue_windows(&self, source: &str, windows: &[Window], at: DateTime<Utc>) -> Result<()>;

    /// Records the id that a service gave to the job of an attempt, with the attempt and with the windows that the job is for;
    /// with `None`, that no such job is to be followed any more (the attempt keeps its id). A job that ends without success leaves
    /// its windows in the queue with that id, for whoever tries them next; a success and an order to collect them take it away.
    async fn follow(&self, claim: Claim, attempt: u32, remote: Option<&str>) -> Result<bool>;

    /// Gives an order on a source, and records it. Returns whether it changed anything: a paused source cannot be paused, nor
    /// one that is not paused resumed; then nothing is recorded. What is running goes on: also windows to be collected that a
    /// running job is for, which are what was asked for if it succeeds.
    async fn order_source(&self, order: &SourceOrder) -> Result<bool>;

    /// Asks a user's query, which may change nothing: the first value of its first row as text; `None` where there is no row, or
    /// the value is NULL. One statement, which may take 30 s; it holds up no other operation for longer.
    ///
    /// On PostgreSQL truth is `true` or `false`, and times are written as ISO 8601 does, those with a zone in UTC. SQLite has
    /// neither: truth is so written for a column that is declared `BOOLEAN`, a condition is `1` or `0`, and a time is what the row has.
    ///
    /// # Errors
    /// A query that is wrong, or would change something, does not [pass](StoreError::may_pass), and has the database's words for
    /// it; one that took too long does.
    async fn value_of(&self, query: &str) -> Result<Option<String>>;

    /// Ends the connections. A SQLite database is left cleanly closed: one file.
    async fn close(&self);
}
