//! What people read about the past.

use chrono::{DateTime, Utc};

use super::cell::{AnyText, Found, Options};
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::said;
use super::statement::{Columns, Parameters, Value};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{JobState, RunCounts, RunState};
use crate::plan::model::orders::FoundJob;
use crate::plan::model::window::Window;
use crate::plan::remember::past::{JobQuery, PastAttempt, PastJob, PastRun, RunQuery, TimeSpan};

row! {
    struct FoundJobRow of "etl_jobs" {
        id: JobId,
        run_id: RunId,
        gap_key: GapKey,
        state: JobState,
    }
}

pub(in crate::store) async fn find_jobs<C: SqlConnection>(connection: &mut C, prefix: &str, limit: u32) -> sqlx::Result<Found<FoundJob>> {
    let mut parameters = Parameters::default();
    let condition = id_begins_with::<C>(&mut parameters, "id", prefix);
    let text = format!(
        "SELECT {job} FROM {own}etl_jobs j WHERE {condition} {NEWEST_FIRST} LIMIT {limit}",
        job = FoundJobRow::select("j"),
        own = C::OWN,
        limit = parameters.add(limit),
    );
    let jobs: Found<FoundJobRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(jobs.map(|FoundJobRow { id, run_id, gap_key, state }| FoundJob { id, run: run_id, gap: gap_key, state }))
}

/// Jobs of a run are planned at the same time: those that started last come first.
const NEWEST_FIRST: &str = "ORDER BY queued_at DESC, started_at DESC NULLS LAST, position, id";

/// A condition on the column of an id.
fn id_begins_with<C: SqlConnection>(parameters: &mut Parameters, column: &str, prefix: &str) -> String {
    let prefix = prefix.to_ascii_lowercase();
    let is_whole = JobId::parse(&prefix).is_ok_and(|id| id.to_string() == prefix);
    if prefix.is_empty() {
        "TRUE".to_owned()
    } else if is_whole {
        // Both databases have an index for this.
        format!("{column} = {}", parameters.add(prefix))
    } else {
        C::begins_with(column, &parameters.add(prefix))
    }
}

/// Conditions that are all to hold.
#[derive(Default)]
pub(super) struct Conditions {
    pub(super) parameters: Parameters,
    all: Vec<String>,
}

impl Conditions {
    /// That a column has one of these values, if there are any.
    fn one_of<V: Into<Value>>(&mut self, column: &str, values: impl IntoIterator<Item = V>) {
        let listed: Vec<String> = values.into_iter().map(|value| self.parameters.add(value)).collect();
        if !listed.is_empty() {
            self.all.push(format!("{column} IN ({})", listed.join(", ")));
        }
    }

    fn id<C: SqlConnection>(&mut self, column: &str, prefix: Option<&String>) {
        if let Some(prefix) = prefix {
            let condition = id_begins_with::<C>(&mut self.parameters, column, prefix);
            self.all.push(condition);
        }
    }

    pub(super) fn within(&mut self, column: &str, span: TimeSpan) {
        if let Some(since) = span.since {
            self.all.push(format!("{column} >= {}", self.parameters.add(since)));
        }
        if let Some(until) = span.until {
            self.all.push(format!("{column} < {}", self.parameters.add(until)));
        }
    }

    /// What stands after `WHERE`.
    pub(super) fn text(&self) -> String {
        if self.all.is_empty() { "TRUE".to_owned() } else { self.all.join(" AND ") }
    }
}

row! {
    struct PastJobRow of "etl_jobs" {
        id: JobId,
        run_id: RunId,
        gap_key: GapKey,
        window_start: Option<DateTime<Utc>>,
        window_end: Option<DateTime<Utc>>,
        state: JobState,
        forced: bool,
        error: Option<AnyText>,
        queued_at: DateTime<Utc>,
        started_at: Option<DateTime<Utc>>,
        ended_at: Option<DateTime<Utc>>,
    }
}

impl PastJobRow {
    fn job(self) -> PastJob {
        PastJob {
            id: self.id,
            run: self.run_id,
            gap: self.gap_key,
            window: self.window_start.zip(self.window_end).map(|(start, end)| Window { start, end }),
            state: self.state,
            forced: self.forced,
            error: self.error.map(|AnyText(text)| text),
            queued_at: self.queued_at,
            started_at: self.started_at,
            ended_at: self.ended_at,
            attempts: Vec::new(),
            metrics: Vec::new(),
        }
    }
}

pub(in crate::store) async fn jobs<C: SqlConnection>(connection: &mut C, query: &JobQuery) -> sqlx::Result<Found<PastJob>> {
    let mut conditions = Conditions::default();
    conditions.id::<C>("id", query.id.as_ref());
    conditions.id::<C>("run_id", query.run.as_ref());
    conditions.one_of("gap_key", &query.gaps);
    conditions.one_of("bank_key", query.banks.iter().map(String::as_str));
    conditions.one_of("etl", query.filled_by.iter().map(String::as_str));
    conditions.one_of("state", query.states.iter().map(|state| state.name()));
    // Without a condition on the column SQLite would sort the whole table, and not follow the column's index.
    let since = query.planned.since.or(Some(DateTime::UNIX_EPOCH));
    conditions.within("queued_at", TimeSpan { since, ..query.planned });
    let limit = conditions.parameters.add(query.limit);
    let text = format!(
        "SELECT {job} FROM {own}etl_jobs j WHERE {condition} {NEWEST_FIRST} LIMIT {limit}",
        job = PastJobRow::select("j"),
        own = C::OWN,
        condition = conditions.text(),
    );
    let jobs: Found<PastJobRow> = connection.fetch_all(conditions.parameters.statement(text)).await?;
    let mut jobs = jobs.map(PastJobRow::job);
    let Found { rows, malformed } = attempts(connection, &jobs.rows).await?;
    jobs.malformed.extend(malformed);
    let mut by_job = said::grouped(rows);
    let ids: Vec<JobId> = jobs.rows.iter().map(|job| job.id).collect();
    let Found { rows, malformed } = said::metrics_of_jobs(connection, &ids).await?;
    jobs.malformed.extend(malformed);
    let mut metrics = said::grouped(rows);
    for job in &mut jobs.rows {
        job.attempts = by_job.remove(&job.id).unwrap_or_default();
        job.metrics = metrics.remove(&job.id).unwrap_or_default();
    }
    Ok(jobs)
}

row! {
    struct PastAttemptRow of "etl_attempts" {
        job_id: JobId,
        n: u32,
        outcome: Option<AnyText>,
        outcome_number: Option<i32>,
        error: Option<AnyText>,
        log: AnyText,
        remote_id: Option<AnyText>,
        started_at: DateTime<Utc>,
        ended_at: Option<DateTime<Utc>>,
        duration_ms: Option<u64>,
    }
}

impl PastAttemptRow {
    fn attempt(self) -> (JobId, PastAttempt) {
        let text = |AnyText(text): AnyText| text;
        let attempt = PastAttempt {
            n: self.n,
            outcome: self.outcome.map(text),
            number: self.outcome_number,
            error: self.error.map(text),
            log: text(self.log),
            remote_id: self.remote_id.map(text),
            started_at: self.started_at,
            ended_at: self.ended_at,
            duration_ms: self.duration_ms,
        };
        (self.job_id, attempt)
    }
}

/// The attempts of these jobs, in their order.
async fn attempts<C: SqlConnection>(connection: &mut C, jobs: &[PastJob]) -> sqlx::Result<Found<(JobId, PastAttempt)>> {
    if jobs.is_empty() {
        return Ok(Found::none());
    }
    let ids: Vec<Columns> = jobs.iter().map(|job| vec![("id", job.id.into())]).collect();
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {attempt} FROM {own}etl_attempts a WHERE job_id IN (SELECT id FROM ({ids}) i) ORDER BY job_id, n",
        attempt = PastAttemptRow::select("a"),
        own = C::OWN,
        ids = parameters.rows::<C>(&ids),
    );
    let found: Found<PastAttemptRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(found.map(PastAttemptRow::attempt))
}

row! {
    struct TailRow of "etl_attempts" {
        tail: Option<AnyText>,
    }
}

pub(in crate::store) async fn tail<C: SqlConnection>(connection: &mut C, job: JobId, n: u32) -> sqlx::Result<Option<String>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT tail FROM {own}etl_attempts WHERE job_id = {job} AND n = {n}",
        own = C::OWN,
        job = parameters.add(job),
        n = parameters.add(n),
    );
    let found: Option<TailRow> = connection.fetch_optional(parameters.statement(text)).await?;
    Ok(found.and_then(|row| row.tail).map(|AnyText(tail)| tail))
}

row! {
    struct PastRunRow of "etl_runs" {
        id: RunId,
        state: RunState,
        host: AnyText,
        pid: u32,
        version: AnyText,
        options: Options = "CAST({row}.options AS text)",
        started_at: DateTime<Utc>,
        ended_at: Option<DateTime<Utc>>,
        planned: Option<u64>,
        succeeded: Option<u64>,
        failed: Option<u64>,
        skipped: Option<u64>,
        cancelled: Option<u64>,
        capped: Option<u64>,
    }
}

impl PastRunRow {
    fn run(self) -> PastRun {
        let counts = self.planned.map(|planned| RunCounts {
            planned,
            succeeded: self.succeeded.unwrap_or_default(),
            failed: self.failed.unwrap_or_default(),
            skipped: self.skipped.unwrap_or_default(),
            cancelled: self.cancelled.unwrap_or_default(),
        });
        PastRun {
            id: self.id,
            state: self.state,
            host: self.host.0,
            pid: self.pid,
            version: self.version.0,
            options: self.options.0,
            started_at: self.started_at,
            ended_at: self.ended_at,
            counts,
            metrics: Vec::new(),
            capped: self.capped.unwrap_or_default(),
        }
    }
}

pub(in crate::store) async fn runs<C: SqlConnection>(connection: &mut C, query: &RunQuery) -> sqlx::Result<Found<PastRun>> {
    let mut conditions = Conditions::default();
    conditions.id::<C>("id", query.id.as_ref());
    conditions.one_of("state", query.states.iter().map(|state| state.name()));
    conditions.within("started_at", query.started);
    let limit = conditions.parameters.add(query.limit);
    let text = format!(
        "SELECT {run} FROM {own}etl_runs r WHERE {condition} ORDER BY started_at {order}, id LIMIT {limit}",
        order = if query.oldest_first { "ASC" } else { "DESC" },
        run = PastRunRow::select("r"),
        own = C::OWN,
        condition = conditions.text(),
    );
    let runs: Found<PastRunRow> = connection.fetch_all(conditions.parameters.statement(text)).await?;
    let mut runs = runs.map(PastRunRow::run);
    let ids: Vec<RunId> = runs.rows.iter().map(|run| run.id).collect();
    let Found { rows, malformed } = said::metrics_of_runs(connection, &ids).await?;
    runs.malformed.extend(malformed);
    let mut metrics = said::grouped(rows);
    for run in &mut runs.rows {
        run.metrics = metrics.remove(&run.id).unwrap_or_default();
    }
    Ok(runs)
}
