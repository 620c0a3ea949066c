//! What the rest of the program may ask of the database, by who needs it.
//!
//! Methods that change a job return whether they did: `false` means that the claim is not, or no longer, valid, and that
//! nothing was changed. They can be repeated with the same arguments, times included, when it is not known whether they were
//! carried out: what has happened already counts as done.

use std::fmt::Debug;
use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};

use super::{Available, MissingRights, Result, ScanRequest, Scanned, StoreError, TableFault, TableUse};
use crate::plan::decide::checkup::Server;
use crate::plan::decide::found_data::{FoundBank, FoundTables};
use crate::plan::decide::mismatch::{NameCount, ReportSpelling};
use crate::plan::decide::retention::{Compacted, KeptSince, RecordKind};
use crate::plan::model::candidate::AvailabilityRow;
use crate::plan::model::etl::Pool;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{AttemptEnd, Claim, NewRun, ReportKey, RunCounts, RunState, RunningRun};
use crate::plan::model::orders::{CancelAnswer, Forced, FoundJob, GapOrder, PendingOrder, SourceOrder};
use crate::plan::model::period::Period;
use crate::plan::model::said::Said;
use crate::plan::model::window::Window;
use crate::plan::remember::alert::{Alert, Notified, Subject};
use crate::plan::remember::arrivals::{Arrival, ArrivalQuery, NewlySeen, SeenData};
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::claim::{Begun, ClaimRequest, Claimed};
use crate::plan::remember::durations::PastSuccess;
use crate::plan::remember::failure_history::{FailureHistory, GapState};
use crate::plan::remember::past::{
    DayMetric, DayOfWork, JobQuery, PastDecision, PastJob, PastLog, PastOrder, PastRun, PastStage, RunQuery, TimeSpan,
};
use crate::plan::remember::recorded_job::{NewJob, RunningJob, Unplaced, Watched};
use crate::plan::remember::source_state::{QueuedWindow, SourceState};
use crate::plan::remember::stored_decision::{DecisionChanges, StoredDecision};
use crate::plan::run::job_end::{Finished, JobEnd};

/// Most rows that are listed of one bank.
pub const MOST_ROWS: usize = 1000;

/// The users' tables: what is available, and the reports.
#[async_trait]
pub trait Data: Debug + Send + Sync {
    /// What the database says of itself.
    async fn server(&self) -> Result<Server>;

    /// What is wrong with the data tables: they must be there with the columns that are needed and, where rows are to be written, a row
    /// of ours must satisfy the NOT NULL columns.
    async fn table_faults(&self, writes_reports: bool, writes_availability: bool) -> Result<Vec<TableFault>>;

    /// The same for who needs them as they must be: the first fault is an error.
    async fn check_data_tables(&self, writes_reports: bool, writes_availability: bool) -> Result<()> {
        let faults = self.table_faults(writes_reports, writes_availability).await?;
        faults.first().map_or(Ok(()), |fault| Err(StoreError::Schema(fault.to_string())))
    }

    /// The rights that the database user lacks: on the data tables, for this use of them, and on our own. What a policy on rows, or
    /// a view's own rights, refuse is not found.
    async fn missing_rights(&self, of: TableUse) -> Result<MissingRights>;

    /// Looks at availability and reports in one snapshot: a census, then one anti-join per ETL, each streamed into `sink` without
    /// being held.
    async fn scan(&self, request: &ScanRequest, sink: &mut (dyn FnMut(Scanned) + Send)) -> Result<()>;

    /// Those of `found` that the availability table does not have yet.
    async fn not_yet_available(&self, found: &[Available]) -> Result<Vec<Available>>;

    /// Adds tags to availability rows, making rows where there are none. What is there already stays as it is. Returns how many rows
    /// were added or changed.
    async fn add_availability(&self, found: &[Available]) -> Result<u64>;

    /// For each `bank_id` and period that has availability rows, a text that changes when their tags or their `version_column` do.
    async fn availability_versions(&self, of: &[(i64, Period)]) -> Result<Vec<((i64, Period), String)>>;

    /// A text that changes when the report's row does; `None` when there is no such report.
    async fn report_fingerprint(&self, report: &ReportKey) -> Result<Option<String>>;

    /// The types in the reports table, each with the number of its rows: the most frequent first, at most `mismatch::MOST_NAMES`. Empty where
    /// these lists are some and each has a type with a row; only otherwise are all rows looked at.
    async fn report_types(&self, unless: &[Vec<String>]) -> Result<Vec<NameCount>>;

    /// Types and quarters of the rows that the table has of the report's bank and fiscal year, each once, at most `mismatch::MOST_NAMES`.
    async fn reports_beside(&self, report: &ReportKey) -> Result<Vec<ReportSpelling>>;

    /// The tags in the availability table, each with the number of its rows: the most frequent first, at most `mismatch::MOST_NAMES`. Empty where
    /// each of these tags, of which there is at least one, has a row; only otherwise are all rows looked at.
    async fn availability_tags(&self, unless: &[String]) -> Result<Vec<NameCount>>;

    /// The rows of the availability table with one of these symbols, or of this bank's number; the latest periods first, at most
    /// [`MOST_ROWS`].
    async fn availability_rows(&self, symbols: &[&str], bank_id: i64) -> Result<Vec<AvailabilityRow>>;

    /// The symbols in the availability table, each with the number of its rows: the most frequent first, at most `mismatch::MOST_NAMES`.
    async fn availability_symbols(&self) -> Result<Vec<NameCount>>;

    /// The tables and views that have the columns of the data tables.
    async fn data_tables_like(&self) -> Result<FoundTables>;

    /// The banks in the availability table, by symbol and number: those with the most rows first, at most `mismatch::MOST_NAMES`.
    async fn banks(&self) -> Result<Vec<FoundBank>>;

    /// Asks a user's query, which may change nothing: the first value of its first row as text; `None` where there is no row, or the
    /// value is NULL. One statement, which may take 30 s; it holds up no other operation for longer.
    ///
    /// On PostgreSQL truth is `true` or `false`, and times are written as ISO 8601 does, those with a zone in UTC. SQLite has neither:
    /// a column that is declared `BOOLEAN` gives `true` or `false`, a condition `1` or `0`, and a time is what the row has.
    ///
    /// # Errors
    /// A query that is wrong, or would change something, does not [pass](super::StoreError::may_pass), and has the database's words
    /// for it; one that took too long does.
    async fn value_of(&self, query: &str) -> Result<Option<String>>;
}

/// The record of runs, their jobs and the jobs' attempts, and what is remembered of gaps and ETLs by them.
#[async_trait]
pub trait Ledger: Debug + Send + Sync {
    /// Records that a run begins.
    async fn begin_run(&self, run: &NewRun) -> Result<()>;

    /// Records that a run has ended; its jobs that are still queued become cancelled.
    async fn end_run(&self, run: RunId, state: RunState, counts: Option<RunCounts>, at: DateTime<Utc>) -> Result<()>;

    /// Makes the run's lease last `span` from now on, by the database's clock. `false` when the run is not recorded as running any
    /// more: another host took it for dead, and its claims with it.
    async fn renew(&self, run: RunId, span: Duration) -> Result<bool>;

    /// Runs that are recorded as running.
    async fn running_runs(&self) -> Result<Vec<RunningRun>>;

    /// Jobs that are recorded as running.
    async fn running_jobs(&self) -> Result<Vec<RunningJob>>;

    /// The running jobs of a run, with requests of others to cancel them.
    async fn watch(&self, run: RunId) -> Result<Vec<Watched>>;

    /// nothing -> queued. All of the jobs or, on an error, none.
    async fn enqueue(&self, run: RunId, jobs: &[NewJob], at: DateTime<Utc>) -> Result<()>;

    /// queued -> running, with attempt 1, if the report is still missing (not asked when the job is forced), nobody else runs the gap,
    /// and neither an order nor a newer failure of the gap forbids it; otherwise queued -> skipped. With the pool full the job stays
    /// queued.
    ///
    /// For windows: if the first of them is in the queue and not collected, and the source is not paused, which is answered before
    /// anything else; a newer failure does not forbid what an operator asked for. The windows that are not collected belong to the
    /// job from then on.
    async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed>;

    /// queued -> cancelled, for a job that its run will not start.
    async fn drop_queued(&self, job: JobId, reason: &str, at: DateTime<Utc>) -> Result<bool>;

    /// The same for many; those that are not queued any more stay as they are.
    async fn drop_all(&self, jobs: &[JobId], reason: &str, at: DateTime<Utc>) -> Result<()>;

    /// Records an attempt after the first.
    async fn begin_attempt(&self, claim: Claim, attempt: u32, pool: Option<&Pool>, log: &str, at: DateTime<Utc>) -> Result<Begun>;

    /// Records the process of the attempt.
    async fn attempt_spawned(&self, claim: Claim, attempt: u32, pid: u32) -> Result<bool>;

    /// Records the id that a service gave to the job of an attempt, with the attempt and with the report's gap, or with the windows
    /// that the job is for; with `None`, that no such job is to be followed any more (the attempt keeps its id). A job that ends
    /// without success leaves that id there, for whoever tries the report or the windows next; a success takes it away, and so does
    /// an order to collect windows again.
    async fn follow(&self, claim: Claim, attempt: u32, remote_id: Option<&str>) -> Result<bool>;

    /// The id of a service's job that earlier jobs left with the gap of a claimed report. It is to be followed, so that no other is
    /// triggered. (That of windows is in the queue.)
    async fn report_in_progress(&self, claim: Claim) -> Result<Option<String>>;

    /// When the service's job of this id was triggered for the gap of a claimed job, by the record of attempts; `None` where that is not
    /// known.
    async fn triggered_at(&self, claim: Claim, remote_id: &str) -> Result<Option<DateTime<Utc>>>;

    /// Records what an attempt says while it is under way. Can be repeated: stages and metrics are replaced by what is known now.
    async fn record_said(&self, claim: Claim, attempt: u32, said: &Said) -> Result<bool>;

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

    /// The jobs, of one gap or of all, of which a staged report may be left, in the order of their claims.
    async fn unplaced(&self, of: Option<&GapKey>) -> Result<Vec<Unplaced>>;

    /// Records that nothing is left to be done of the staged reports of these jobs.
    async fn placed(&self, jobs: &[JobId]) -> Result<()>;

    /// Gives a lost job's attempt the end that became known later. Nothing else of the job changes.
    async fn attach(&self, claim: Claim, end: &AttemptEnd) -> Result<bool>;

    /// What is remembered of gaps, where that is anything: failures, rest, quarantine, losses, an order, a pending `--force`.
    async fn gap_states(&self) -> Result<Vec<GapState>>;

    /// The decisions not to make gaps that are in force.
    async fn decisions(&self) -> Result<Vec<(GapKey, StoredDecision)>>;

    /// Puts on record what a run decided at this time, where that differs from what is in force. All or, on an error, nothing; nothing is
    /// written where nothing changes.
    async fn record_decisions(&self, run: RunId, changes: &DecisionChanges, at: DateTime<Utc>) -> Result<()>;

    /// What runs have seen so far of the banks' data.
    async fn seen_data(&self) -> Result<Vec<SeenData>>;

    /// Puts on record what a run has seen, with what it was the first to see. All or, on an error, nothing.
    async fn record_seen(&self, newly_seen: &[NewlySeen]) -> Result<()>;

    async fn open_breakers(&self) -> Result<Vec<OpenBreaker>>;

    /// Opens or changes the breaker of an ETL (`Some`), or closes it (`None`), and writes the failure histories that follow from it,
    /// each with the fence that it was made for. Where a gap has another fence by now, or is running, its history stays as it is.
    async fn set_breaker(&self, etl: &str, breaker: Option<&OpenBreaker>, refunds: &[(GapKey, i64, FailureHistory)]) -> Result<()>;
}

/// Operators' orders. Each is recorded, also where it changes nothing, unless it says otherwise.
#[async_trait]
pub trait Orders: Debug + Send + Sync {
    /// Gives an order on gaps. `Retry` changes nothing of a gap that is running; of others it raises the fence, so that nobody who
    /// remembers their failures writes them back, and no service's job of them is followed any more. Returns how many gaps it changed.
    async fn order(&self, order: &GapOrder, gaps: &[GapKey]) -> Result<u64>;

    /// Records an order of `--force`, by the user `by`: all of it or, on an error, nothing. Each report that it asks for is pending until a
    /// success answers it, or an order to leave its gap alone withdraws it.
    async fn order_force(&self, order: &[Forced], by: &str, at: DateTime<Utc>) -> Result<()>;

    /// The orders of `--force` of which something is pending: each of their gaps, with the time of the order.
    async fn force_orders(&self) -> Result<Vec<(GapKey, DateTime<Utc>)>>;

    /// Those of these gaps, and of the windows of these sources, that have a service's job which is to be followed.
    async fn followed(&self, gaps: &[GapKey]) -> Result<Vec<GapKey>>;

    /// Asks for a job to be stopped and has its gap skipped. Not recorded where there is nothing to stop.
    async fn order_cancel(&self, job: JobId, by: &str, reason: &str, at: DateTime<Utc>) -> Result<CancelAnswer>;

    /// Gives an order on a source. Returns whether it changed anything: a paused source cannot be paused, nor one that is not paused
    /// resumed; then nothing is recorded. A running job goes on: where windows to be collected are its own, its success answers the
    /// order.
    async fn order_source(&self, order: &SourceOrder) -> Result<bool>;

    /// The latest order on each of these gaps, at most one, that no job has answered yet: a `retry` since which no job of the gap ended, a
    /// `--force` or windows to be collected that no success has answered.
    async fn pending_orders(&self, gaps: &[GapKey]) -> Result<Vec<PendingOrder>>;
}

/// Disclosure sources and the queue of their windows.
#[async_trait]
pub trait Sources: Debug + Send + Sync {
    /// The records of all sources that ever succeeded or were paused; others have none.
    async fn source_states(&self) -> Result<Vec<SourceState>>;

    /// The queue of all sources: every window that is not collected, and those collected beyond their source's frontier. By source,
    /// then by start.
    async fn queue(&self) -> Result<Vec<QueuedWindow>>;

    /// Records where a source begins that has no frontier. One that has a frontier stays as it is.
    async fn begin_source(&self, source: &str, begin: DateTime<Utc>) -> Result<()>;

    /// Puts windows into the queue of a source, all or, on an error, none; those that are there stay as they are. One statement,
    /// however many.
    async fn enqueue_windows(&self, source: &str, windows: &[Window], at: DateTime<Utc>) -> Result<()>;
}

/// What people were told by mail or webhook.
#[async_trait]
pub trait Notifications: Debug + Send + Sync {
    /// All that was told to be wrong, and is as far as those know who were told.
    async fn notified(&self) -> Result<Vec<Notified>>;

    /// Records that people were told this by a channel: what is wrong, or that nothing is any more. All or, on an error, nothing.
    async fn record_notified(&self, channel: &str, subjects: &[(&Subject, Option<&Alert>)], at: DateTime<Utc>) -> Result<()>;
}

/// Removes what is over.
#[async_trait]
pub trait Retention: Debug + Send + Sync {
    /// Removes at most `most` records of a kind that are not kept any longer, the oldest first. What belongs to a gap that is open stays,
    /// and so do the last runs, the last successes of each ETL and source, and what orders need. Returns how many were removed.
    async fn remove(&self, kind: RecordKind, kept_since: KeptSince, most: u32) -> Result<u64>;

    /// How many records of a kind that would remove in the end.
    async fn count_removable(&self, kind: RecordKind, kept_since: KeptSince) -> Result<u64>;

    /// Those of these jobs whose gap is open.
    async fn of_open_gaps(&self, jobs: &[JobId]) -> Result<Vec<JobId>>;

    /// Gives the disk back what a file has free, where that is a good part of it. Returns how long the file was and is. A server does that
    /// by itself.
    async fn compact(&self) -> Result<Option<Compacted>>;
}

/// What people read about the past.
#[async_trait]
pub trait History: Debug + Send + Sync {
    /// Jobs whose id begins with this text (letters a to f, digits, hyphens), newest first, at most `limit`. An empty text finds the
    /// latest jobs.
    async fn find_jobs(&self, prefix: &str, limit: u32) -> Result<Vec<FoundJob>>;

    /// The jobs that a query asks for, with their attempts, newest first.
    async fn jobs(&self, query: &JobQuery) -> Result<Vec<PastJob>>;

    /// The runs that a query asks for, newest first.
    async fn runs(&self, query: &RunQuery) -> Result<Vec<PastRun>>;

    /// When data arrived, the latest periods first. Of what was there when a run looked for the first time nothing is known.
    async fn arrivals(&self, query: ArrivalQuery<'_>) -> Result<Vec<Arrival>>;

    /// The stages of these jobs, also of those that run: by job, attempt, and their order.
    async fn stages(&self, jobs: &[JobId]) -> Result<Vec<PastStage>>;

    /// The log messages of a job, by attempt, in their order.
    async fn job_logs(&self, job: JobId) -> Result<Vec<PastLog>>;

    /// What is not stored of the messages of these jobs, each with the job.
    async fn not_stored(&self, jobs: &[JobId]) -> Result<Vec<(JobId, PastLog)>>;

    /// Metrics summed over the runs that started on each day of UTC, by day and name.
    async fn metrics_per_day(&self, started: TimeSpan) -> Result<Vec<DayMetric>>;

    /// The last successes of each of these ETLs and sources, the newest first: those whose whole duration is on record.
    async fn successes(&self, of: &[String]) -> Result<Vec<PastSuccess>>;

    /// Since when these gaps are seen to be missing: the first decision not to make one, or the first job for it, since its last success. A
    /// time in which an operator wanted it left alone is none of its own. A gap without such a record is not listed.
    async fn missing_since(&self, gaps: &[GapKey]) -> Result<Vec<(GapKey, DateTime<Utc>)>>;

    /// The decisions not to make these gaps (any gap, where none is named) that were in force at this time.
    async fn decisions_at(&self, gaps: &[GapKey], at: DateTime<Utc>) -> Result<Vec<PastDecision>>;

    /// The orders on these gaps that were given by this time, the latest first.
    async fn orders_on(&self, gaps: &[GapKey], until: DateTime<Utc>) -> Result<Vec<PastOrder>>;

    /// What the runs that started then succeeded at on each day of UTC, by day, and then by ETL or source.
    async fn work_per_day(&self, started: TimeSpan) -> Result<Vec<DayOfWork>>;

    /// The last lines that an attempt printed; `None` until it has ended.
    async fn tail(&self, job: JobId, attempt: u32) -> Result<Option<String>>;
}
