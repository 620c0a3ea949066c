//! What children say of their work.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;

use chrono::{DateTime, NaiveDate, Utc};

use super::cell::{AnyText, Counts, Found, FromRow};
use super::connection::SqlConnection;
use super::gaps;
use super::history::Conditions;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters, Value, names};
use super::values::storable_json;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::Claim;
use crate::plan::model::said::{ChildLog, LogLevel, Metric, Records, Said, Stage, StageState};
use crate::plan::remember::past::{DayMetric, PastLog, PastStage, TimeSpan};

row! {
    struct RunRow of "etl_jobs" {
        run_id: AnyText,
    }
}

/// Records what an attempt of a claimed job has said. What is on record already is replaced by the same, or by what is known now.
pub(in crate::store) async fn record<C: SqlConnection>(connection: &mut C, claim: Claim, attempt: u32, said: &Said) -> sqlx::Result<bool> {
    let mut changes = connection.begin_write().await?;
    gaps::lock_of_job::<C>(&mut changes, claim.job).await?;
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {row} FROM {own}etl_jobs j WHERE id = {job} AND state = 'running' AND fence = {fence}",
        row = RunRow::select("j"),
        own = C::OWN,
        job = parameters.add(claim.job),
        fence = parameters.add(claim.fence),
    );
    let ours: Option<RunRow> = changes.fetch_optional(parameters.statement(text)).await?;
    let is_ours = ours.is_some();
    if let Some(RunRow { run_id: AnyText(run) }) = ours {
        let of = |columns: Columns| -> Columns {
            let key: Columns = vec![("job_id", claim.job.into()), ("attempt", attempt.into())];
            key.into_iter().chain(columns).collect()
        };
        let stages = said.stages.iter().map(|stage| of(stage_columns(stage))).collect();
        put::<C>(&mut changes, "etl_stages", stages).await?;
        let logs = said.logs.iter().map(|log| of(log_columns(log))).collect();
        put::<C>(&mut changes, "job_logs", logs).await?;
        let metrics = said.metrics.iter().map(|metric| of(metric_columns(metric, &run))).collect();
        put::<C>(&mut changes, "etl_metrics", metrics).await?;
    }
    changes.commit().await?;
    Ok(is_ours)
}

/// So many columns, the first, are the key of these tables.
const KEY: usize = 3;

/// Writes rows of a table. Those that are there are replaced.
async fn put<C: SqlConnection>(connection: &mut C, table: &str, rows: Vec<Columns>) -> sqlx::Result<()> {
    let Some((key, rest)) = rows.first().and_then(|columns| columns.split_at_checked(KEY)) else { return Ok(()) };
    let as_stored = |name: &str| if name == "counts" { format!("{name}{}", C::AS_JSON) } else { name.to_owned() };
    let columns = || key.iter().chain(rest).map(|(name, _)| *name);
    let mut parameters = Parameters::default();
    // Without the WHERE, SQLite would take the ON for that of a join.
    let text = format!(
        "INSERT INTO {own}{table} ({listed}) SELECT {values} FROM ({rows}) n WHERE TRUE ON CONFLICT ({key}) DO UPDATE SET {replaced}",
        own = C::OWN,
        listed = columns().collect::<Vec<_>>().join(", "),
        values = columns().map(as_stored).collect::<Vec<_>>().join(", "),
        rows = parameters.rows::<C>(&rows),
        key = names(key),
        replaced = rest.iter().map(|(name, _)| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", "),
    );
    connection.write(parameters.statement(text), table).await
}

fn stage_columns(stage: &Stage) -> Columns {
    vec![
        ("n", stage.n.into()),
        ("name", stage.name.as_str().into()),
        ("state", stage.state.name().into()),
        ("started_at", stage.started_at.into()),
        ("ended_at", stage.ended_at.into()),
        ("records_read", stage.records.read.into()),
        ("records_written", stage.records.written.into()),
        ("records_rejected", stage.records.rejected.into()),
        ("records_estimate", stage.records.estimate.into()),
        ("counts", storable_json(&serde_json::json!(stage.counts)).into()),
    ]
}

fn log_columns(log: &ChildLog) -> Columns {
    vec![("n", log.n.into()), ("at", log.at.into()), ("level", log.level.name().into()), ("message", log.message.as_str().into())]
}

fn metric_columns(metric: &Metric, run: &str) -> Columns {
    vec![("name", metric.name.as_str().into()), ("value", metric.value.into()), ("run_id", run.into())]
}

row! {
    struct StageRow of "etl_stages" {
        job_id: JobId,
        attempt: u32,
        n: u32,
        name: AnyText,
        state: StageState,
        started_at: DateTime<Utc>,
        ended_at: Option<DateTime<Utc>>,
        records_read: Option<u64>,
        records_written: Option<u64>,
        records_rejected: Option<u64>,
        records_estimate: Option<u64>,
        counts: Counts = "CAST({row}.counts AS text)",
    }
}

impl StageRow {
    fn stage(self) -> PastStage {
        let records = Records {
            read: self.records_read,
            written: self.records_written,
            rejected: self.records_rejected,
            estimate: self.records_estimate,
        };
        let stage = Stage {
            n: self.n,
            name: self.name.0,
            state: self.state,
            started_at: self.started_at,
            ended_at: self.ended_at,
            records,
            counts: self.counts.0,
        };
        PastStage { job: self.job_id, attempt: self.attempt, stage }
    }
}

/// A query for these ids.
fn listed<C: SqlConnection, I: Copy + Into<Value>>(parameters: &mut Parameters, ids: &[I]) -> String {
    let rows: Vec<Columns> = ids.iter().map(|id| vec![("id", (*id).into())]).collect();
    format!("SELECT id FROM ({}) i", parameters.rows::<C>(&rows))
}

pub(in crate::store) async fn stages<C: SqlConnection>(connection: &mut C, jobs: &[JobId]) -> sqlx::Result<Found<PastStage>> {
    if jobs.is_empty() {
        return Ok(Found::none());
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {stage} FROM {own}etl_stages s WHERE job_id IN ({jobs}) ORDER BY job_id, attempt, n",
        stage = StageRow::select("s"),
        own = C::OWN,
        jobs = listed::<C, _>(&mut parameters, jobs),
    );
    let found: Found<StageRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(found.map(StageRow::stage))
}

row! {
    struct LogRow of "job_logs" {
        attempt: u32,
        n: u32,
        at: DateTime<Utc>,
        level: LogLevel,
        message: AnyText,
    }
}

pub(in crate::store) async fn job_logs<C: SqlConnection>(connection: &mut C, job: JobId) -> sqlx::Result<Found<PastLog>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {log} FROM {own}job_logs l WHERE job_id = {job} ORDER BY attempt, n",
        log = LogRow::select("l"),
        own = C::OWN,
        job = parameters.add(job),
    );
    let found: Found<LogRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(found.map(LogRow::log))
}

impl LogRow {
    fn log(self) -> PastLog {
        let Self { attempt, n, at, level, message: AnyText(message) } = self;
        PastLog { attempt, log: ChildLog { n, at, level, message } }
    }
}

row! {
    struct NotStoredRow of "job_logs" {
        job_id: JobId;
        log: LogRow,
    }
}

pub(in crate::store) async fn not_stored<C: SqlConnection>(connection: &mut C, jobs: &[JobId]) -> sqlx::Result<Found<(JobId, PastLog)>> {
    if jobs.is_empty() {
        return Ok(Found::none());
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {key}, {log} FROM {own}job_logs l WHERE level = {omitted} AND job_id IN ({jobs}) ORDER BY job_id, attempt, n",
        key = NotStoredRow::select("l"),
        log = LogRow::select("l"),
        omitted = parameters.add(LogLevel::Omitted.name()),
        own = C::OWN,
        jobs = listed::<C, _>(&mut parameters, jobs),
    );
    let found: Found<NotStoredRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(found.map(|NotStoredRow { job_id, log }| (job_id, log.log())))
}

row! {
    struct JobSumRow of "etl_metrics" {
        job_id: JobId,
        name: AnyText,
        value: f64,
    }
}

/// Sums over each of these jobs.
pub(super) async fn metrics_of_jobs<C: SqlConnection>(connection: &mut C, jobs: &[JobId]) -> sqlx::Result<Found<(JobId, Metric)>> {
    let found: Found<JobSumRow> = sums(connection, "job_id", jobs, &JobSumRow::select("m")).await?;
    Ok(found.map(|JobSumRow { job_id, name: AnyText(name), value }| (job_id, Metric { name, value })))
}

row! {
    struct RunSumRow of "etl_metrics" {
        run_id: RunId,
        name: AnyText,
        value: f64,
    }
}

/// Sums over each of these runs.
pub(super) async fn metrics_of_runs<C: SqlConnection>(connection: &mut C, runs: &[RunId]) -> sqlx::Result<Found<(RunId, Metric)>> {
    let found: Found<RunSumRow> = sums(connection, "run_id", runs, &RunSumRow::select("m")).await?;
    Ok(found.map(|RunSumRow { run_id, name: AnyText(name), value }| (run_id, Metric { name, value })))
}

async fn sums<C: SqlConnection, I: Copy + Into<Value>, R: FromRow>(
    connection: &mut C,
    column: &str,
    ids: &[I],
    row: &str,
) -> sqlx::Result<Found<R>> {
    if ids.is_empty() {
        return Ok(Found::none());
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {row} FROM (SELECT {column}, name, sum(value) AS value FROM {own}etl_metrics
         WHERE {column} IN ({ids}) GROUP BY {column}, name) m ORDER BY name",
        own = C::OWN,
        ids = listed::<C, _>(&mut parameters, ids),
    );
    connection.fetch_all(parameters.statement(text)).await
}

/// Puts what belongs to each id into one list.
pub(super) fn grouped<I: Hash + Eq, T>(of: Vec<(I, T)>) -> HashMap<I, Vec<T>> {
    let mut groups: HashMap<I, Vec<T>> = HashMap::new();
    for (id, one) in of {
        groups.entry(id).or_default().push(one);
    }
    groups
}

row! {
    struct DaySumRow of "etl_metrics" {
        started_at: DateTime<Utc>,
        name: AnyText,
        value: f64,
    }
}

pub(in crate::store) async fn metrics_per_day<C: SqlConnection>(connection: &mut C, span: TimeSpan) -> sqlx::Result<Found<DayMetric>> {
    let mut conditions = Conditions::default();
    conditions.within("r.started_at", span);
    let text = format!(
        "SELECT {sum} FROM (SELECT r.started_at, m.name, sum(m.value) AS value FROM {own}etl_metrics m
         JOIN {own}etl_runs r ON r.id = m.run_id WHERE {span} GROUP BY r.id, r.started_at, m.name) m",
        sum = DaySumRow::select("m"),
        own = C::OWN,
        span = conditions.text(),
    );
    let Found { rows, malformed } = connection.fetch_all::<DaySumRow>(conditions.parameters.statement(text)).await?;
    let mut days: BTreeMap<(NaiveDate, String), f64> = BTreeMap::new();
    for DaySumRow { started_at, name: AnyText(name), value } in rows {
        *days.entry((started_at.date_naive(), name)).or_default() += value;
    }
    let rows = days.into_iter().map(|((day, name), value)| DayMetric { day, metric: Metric { name, value } }).collect();
    Ok(Found { rows, malformed })
}
