//! Runs: their records and their leases.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::cell::Found;
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters, Statement, names};
use super::values::storable_json;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::{JobState, NewRun, Owner, RunCounts, RunState, RunningRun};

row! {
    /// The process that works on a run.
    pub(in crate::store) struct OwnerRow of "etl_runs" {
        host: String,
        machine_id: Option<String>,
        boot_id: String,
        pid: u32,
        pid_started: u64,
    }
}

impl OwnerRow {
    pub(in crate::store) fn owner(self) -> Owner {
        Owner { host: self.host, machine_id: self.machine_id, boot_id: self.boot_id, pid: self.pid, pid_started: self.pid_started }
    }
}

row! {
    struct RunningRunRow of "etl_runs" {
        id: RunId,
        expired: bool;
        owner: OwnerRow,
    }
}

row! {
    /// How many jobs of a run are in a state.
    struct JobsInStateRow of "etl_jobs" {
        state: JobState,
        jobs: u64 = "count({row}.id)",
    }
}

pub(in crate::store) async fn begin<C: SqlConnection>(connection: &mut C, run: &NewRun) -> sqlx::Result<()> {
    let columns: Columns = vec![
        ("id", run.id.into()),
        ("host", run.owner.host.as_str().into()),
        ("machine_id", run.owner.machine_id.as_deref().into()),
        ("boot_id", run.owner.boot_id.as_str().into()),
        ("pid", run.owner.pid.into()),
        ("pid_started", run.owner.pid_started.into()),
        ("state_dir", run.state_dir.as_str().into()),
        ("version", run.version.into()),
        ("started_at", run.started_at.into()),
    ];
    let mut parameters = Parameters::default();
    let text = format!(
        "INSERT INTO {own}etl_runs (state, options, lease_until, {names}) VALUES ('running', {options}{json}, {lease_until}, {values})
         ON CONFLICT (id) DO NOTHING",
        own = C::OWN,
        json = C::AS_JSON,
        names = names(&columns),
        options = parameters.add(storable_json(&run.options)),
        lease_until = C::after(&parameters.add(milliseconds(run.lease))),
        values = parameters.values(columns),
    );
    if connection.execute(parameters.statement(text)).await? > 0 {
        return Ok(());
    }
    let mut parameters = Parameters::default();
    // Recorded before, as the answer to that did not arrive.
    let text = format!("SELECT 1 FROM {own}etl_runs WHERE id = {id}", own = C::OWN, id = parameters.add(run.id));
    connection.must_find(parameters.statement(text), "etl_runs").await
}

pub(in crate::store) async fn renew<C: SqlConnection>(connection: &mut C, run: RunId, lease: Duration) -> sqlx::Result<bool> {
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}etl_runs SET lease_until = {lease_until} WHERE id = {run} AND state = 'running'",
        own = C::OWN,
        run = parameters.add(run),
        lease_until = C::after(&parameters.add(milliseconds(lease))),
    );
    Ok(connection.execute(parameters.statement(text)).await? > 0)
}

fn milliseconds(span: Duration) -> i64 {
    span.as_millis().try_into().unwrap_or(i64::MAX)
}

pub(in crate::store) async fn running<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<RunningRun>> {
    // By an expression: for a column SQLite would follow its index, through all runs there ever were.
    let query = Statement::plain(format!(
        "SELECT id, lease_until < {now} AS expired, {owner} FROM {own}etl_runs r WHERE state = 'running'
         ORDER BY coalesce(started_at, NULL), id",
        owner = OwnerRow::select("r"),
        now = C::NOW,
        own = C::OWN,
    ));
    let runs: Found<RunningRunRow> = connection.fetch_all(query).await?;
    Ok(runs.map(|RunningRunRow { id, expired, owner }| RunningRun { id, owner: owner.owner(), expired }))
}

/// Ends a run, and first its jobs that are still queued. Not in one transaction: where the second statement fails the run counts as
/// running, and both are repeated, by this run or by the one that finds its lease ended. Without `counts` its jobs are counted.
pub(in crate::store) async fn end<C: SqlConnection>(
    connection: &mut C,
    run: RunId,
    state: RunState,
    counts: Option<RunCounts>,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let own = C::OWN;
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}etl_jobs SET state = 'cancelled', error = 'its run ended', ended_at = {at} WHERE run_id = {run} AND state = 'queued'",
        at = parameters.add(at),
        run = parameters.add(run),
    );
    connection.execute(parameters.statement(text)).await?;
    let counts = match counts {
        Some(counts) => counts,
        None => count_jobs(connection, run).await?,
    };
    let columns: Columns = vec![
        ("state", state.name().into()),
        ("ended_at", at.into()),
        ("planned", counts.planned.into()),
        ("succeeded", counts.succeeded.into()),
        ("failed", counts.failed.into()),
        ("skipped", counts.skipped.into()),
        ("cancelled", counts.cancelled.into()),
    ];
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}etl_runs SET {end} WHERE id = {run} AND state = 'running'",
        end = parameters.assign(columns),
        run = parameters.add(run),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}

/// Counts the jobs of a run by what is on record of them. One whose owner died counts as failed.
async fn count_jobs<C: SqlConnection>(connection: &mut C, run: RunId) -> sqlx::Result<RunCounts> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {columns} FROM {own}etl_jobs j WHERE run_id = {run} GROUP BY state",
        columns = JobsInStateRow::select("j"),
        own = C::OWN,
        run = parameters.add(run),
    );
    let found: Found<JobsInStateRow> = connection.fetch_all(parameters.statement(text)).await?;
    let mut counts = RunCounts::default();
    for JobsInStateRow { state, jobs } in found.rows {
        counts.planned += jobs;
        match state {
            JobState::Succeeded => counts.succeeded += jobs,
            JobState::Failed | JobState::Lost => counts.failed += jobs,
            JobState::Skipped => counts.skipped += jobs,
            JobState::Cancelled => counts.cancelled += jobs,
            JobState::Queued | JobState::Running => {}
        }
    }
    Ok(counts)
}
