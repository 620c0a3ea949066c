//! Jobs: planned, watched, and not started after all.

use chrono::{DateTime, Utc};

use super::cell::{AnyText, AnyTime, Fence, Found, Malformed};
use super::connection::SqlConnection;
use super::gaps::HistoryRow;
use super::row::{Selected, row};
use super::runs::OwnerRow;
use super::statement::{Columns, Parameters, Statement, names};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{Claim, JobState, RunState};
use crate::plan::model::orders::CancelRequest;
use crate::plan::remember::fingerprint::Fingerprint;
use crate::plan::remember::recorded_job::{JobSubject, NewJob, RunningJob, Watched};

row! {
    /// An operator's request to cancel a job.
    pub(in crate::store) struct CancelRow of "etl_jobs" {
        cancel_by: Option<String>,
        cancel_reason: Option<String>,
    }
}

impl CancelRow {
    pub(in crate::store) fn request(self) -> Option<CancelRequest> {
        let reason = self.cancel_reason.unwrap_or_default();
        self.cancel_by.map(|by| CancelRequest { by, reason })
    }
}

row! {
    struct RunningJobRow of "etl_jobs" {
        id: JobId,
        run_id: RunId,
        claimed: Fence = "{row}.fence",
        started_at: DateTime<Utc>,
        planned_with: Option<String> = "{row}.fingerprint";
        cancel: CancelRow,
        of_run: JobRunRow,
        owner: OwnerRow,
        history: HistoryRow,
    }
}

row! {
    /// What else of the job's run must be readable: where it is not, nobody knows whether the run is alive.
    struct JobRunRow of "etl_runs" {
        state_dir: Option<String>,
        _state: RunState = "{row}.state",
        _lease_until: AnyTime = "{row}.lease_until",
    }
}

row! {
    struct GapJobRow of "etl_jobs" {
        job_id: AnyText = "{row}.id",
        gap_key: GapKey;
        job: Result<RunningJobRow, Malformed>,
    }
}

impl RunningJobRow {
    fn job(self, gap: GapKey) -> RunningJob {
        let Fence(fence) = self.claimed;
        RunningJob {
            claim: Claim { job: self.id, fence },
            run: self.run_id,
            gap,
            owner: self.owner.owner(),
            state_dir: self.of_run.state_dir,
            since: self.started_at,
            history: self.history.history(),
            fingerprint: self.planned_with.as_deref().and_then(Fingerprint::parse),
            cancel: self.cancel.request(),
        }
    }
}

async fn of_gaps<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<GapJobRow>> {
    let query = Statement::plain(format!(
        "SELECT {gap}, {job}, {cancel}, {run}, {owner}, {history}
         FROM {own}etl_jobs j LEFT JOIN {own}etl_runs r ON r.id = j.run_id LEFT JOIN {own}gap_states g ON g.gap_key = j.gap_key
         WHERE j.state = 'running' ORDER BY j.started_at, j.id",
        gap = GapJobRow::select("j"),
        job = RunningJobRow::select("j"),
        cancel = CancelRow::select("j"),
        run = JobRunRow::select("r"),
        owner = OwnerRow::select("r"),
        history = HistoryRow::select("g"),
        own = C::OWN,
    ));
    connection.fetch_all(query).await
}

pub(in crate::store) async fn running<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<RunningJob>> {
    let Found { rows, mut malformed } = of_gaps(connection).await?;
    let mut running = Vec::with_capacity(rows.len());
    for GapJobRow { job_id: _, gap_key, job } in rows {
        match job {
            Ok(job) => running.push(job.job(gap_key)),
            Err(one) => malformed.push(one),
        }
    }
    Ok(Found { rows: running, malformed })
}

/// Gaps whose running job cannot be read, and what to do about it.
pub(super) async fn unreadable<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Vec<(GapKey, String)>> {
    let rows = of_gaps(connection).await?.rows;
    Ok(rows.into_iter().filter_map(|row| Some((row.gap_key, way_out::<C>(&row.job_id, &row.job.err()?)))).collect())
}

/// What to do about a running job that cannot be read.
pub(in crate::store) fn way_out<C: SqlConnection>(id: &AnyText, malformed: &Malformed) -> String {
    format!(
        "it counts as running, as the record of its job {} cannot be read: {}; correct that, or when nothing works on it any more \
         set `state` to 'lost' in {}etl_jobs",
        id.0.escape_debug(),
        malformed.problem(),
        C::OWN
    )
}

row! {
    struct WatchedRow of "etl_jobs" {
        id: JobId,
        fence: Fence;
        cancel: CancelRow,
    }
}

pub(in crate::store) async fn watch<C: SqlConnection>(connection: &mut C, run: RunId) -> sqlx::Result<Found<Watched>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {job}, {cancel} FROM {own}etl_jobs j WHERE run_id = {run} AND state = 'running' ORDER BY position, id",
        job = WatchedRow::select("j"),
        cancel = CancelRow::select("j"),
        own = C::OWN,
        run = parameters.add(run),
    );
    let jobs: Found<WatchedRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(jobs.map(|WatchedRow { id, fence: Fence(fence), cancel }| Watched { claim: Claim { job: id, fence }, cancel: cancel.request() }))
}

/// A job as it is planned.
fn job_columns(run: RunId, job: &NewJob, at: DateTime<Utc>) -> Columns {
    let (bank_id, window) = match job.subject {
        JobSubject::Report { bank_id } => (Some(bank_id), None),
        JobSubject::Windows(window) => (None, Some(window)),
    };
    let report = match &job.gap {
        GapKey::Report { bank, period, .. } => Some((bank.as_str(), *period)),
        GapKey::Source(_) | GapKey::Window { .. } | GapKey::Group { .. } => None,
    };
    vec![
        ("id", job.id.into()),
        ("run_id", run.into()),
        ("gap_key", (&job.gap).into()),
        ("etl", job.gap.filled_by().into()),
        ("bank_key", report.map(|(bank, _)| bank).into()),
        ("bank_id", bank_id.into()),
        ("fiscal_year", report.map(|(_, period)| i32::from(period.year())).into()),
        ("quarter", report.map(|(_, period)| period.quarter().as_str()).into()),
        ("window_start", window.map(|window| window.start).into()),
        ("window_end", window.map(|window| window.end).into()),
        ("position", job.position.into()),
        ("forced", job.forced.into()),
        ("fingerprint", job.fingerprint.as_ref().map(Fingerprint::to_text).into()),
        ("destination", job.destination.as_ref().map(|path| path.to_string_lossy().into_owned()).into()),
        ("state", JobState::Queued.name().into()),
        ("queued_at", at.into()),
    ]
}

/// Records the jobs in one statement.
pub(in crate::store) async fn enqueue<C: SqlConnection>(
    connection: &mut C,
    run: RunId,
    jobs: &[NewJob],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let rows: Vec<Columns> = jobs.iter().map(|job| job_columns(run, job, at)).collect();
    let names = rows.first().map(|row| names(row)).unwrap_or_default();
    let mut parameters = Parameters::default();
    // Without the WHERE, SQLite would take the ON for that of a join.
    let text = format!(
        "INSERT INTO {own}etl_jobs ({names}) SELECT {names} FROM ({rows}) n WHERE TRUE ON CONFLICT (id) DO NOTHING",
        own = C::OWN,
        rows = parameters.rows::<C>(&rows),
    );
    if connection.execute(parameters.statement(text)).await? >= jobs.len() as u64 {
        return Ok(());
    }
    let mut parameters = Parameters::default();
    // Some were recorded before, as the answer to that did not arrive.
    let ids: Vec<Columns> = jobs.iter().map(|job| vec![("id", job.id.into())]).collect();
    let text = format!(
        "SELECT 1 WHERE NOT EXISTS (SELECT n.id FROM ({ids}) n EXCEPT SELECT id FROM {own}etl_jobs WHERE run_id = {run})",
        ids = parameters.rows::<C>(&ids),
        own = C::OWN,
        run = parameters.add(run),
    );
    connection.must_find(parameters.statement(text), "etl_jobs").await
}

/// queued -> skipped, for a job whose claim was refused.
pub(in crate::store) async fn skip_queued<C: SqlConnection>(
    connection: &mut C,
    job: JobId,
    reason: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    leave_queue(connection, job, JobState::Skipped, reason, at).await.map(drop)
}

/// queued -> cancelled, for a job that its run will not start. Cancelled at the same time before, it counts as done.
pub(in crate::store) async fn drop_queued<C: SqlConnection>(
    connection: &mut C,
    job: JobId,
    reason: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    if leave_queue(connection, job, JobState::Cancelled, reason, at).await? {
        return Ok(true);
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT 1 FROM {own}etl_jobs WHERE id = {job} AND state = 'cancelled' AND fence IS NULL AND ended_at = {at}",
        own = C::OWN,
        job = parameters.add(job),
        at = parameters.add(at),
    );
    connection.finds(parameters.statement(text)).await
}

/// queued -> cancelled, for jobs that their run will not start.
pub(in crate::store) async fn drop_all<C: SqlConnection>(
    connection: &mut C,
    jobs: &[JobId],
    reason: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let ids: Vec<Columns> = jobs.iter().map(|job| vec![("id", (*job).into())]).collect();
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}etl_jobs SET {end} WHERE state = 'queued' AND id IN (SELECT id FROM ({ids}) d)",
        own = C::OWN,
        end = parameters.assign(vec![("state", JobState::Cancelled.name().into()), ("error", reason.into()), ("ended_at", at.into())]),
        ids = parameters.rows::<C>(&ids),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}

async fn leave_queue<C: SqlConnection>(
    connection: &mut C,
    job: JobId,
    to: JobState,
    reason: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<bool> {
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}etl_jobs SET {end} WHERE id = {job} AND state = 'queued'",
        own = C::OWN,
        end = parameters.assign(vec![("state", to.name().into()), ("error", reason.into()), ("ended_at", at.into())]),
        job = parameters.add(job),
    );
    Ok(connection.execute(parameters.statement(text)).await? > 0)
}
