//! Runs and their jobs, from the plan on.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::orders::force;
use super::{DURABLE, Postgres};
use crate::plan::model::ids::RunId;
use crate::plan::model::job::{NewJob, NewRun, RunCounts, RunState, RunningJob, RunningRun};
use crate::store::Result;
use crate::store::gap_columns::select_history;
use crate::store::record::{JobSubjectColumns, signed, storable, storable_json};
use crate::store::rows::{RunningJobColumns, RunningRunColumns};

impl Postgres {
    pub(super) async fn begin_run(&self, run: &NewRun) -> Result<()> {
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "INSERT INTO etl_orch.etl_runs (id, host, boot_id, pid, pid_started, version, options, state, started_at, lease_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, 'running', $8, clock_timestamp() + make_interval(secs => $9))
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(run.id.to_string())
        .bind(storable(&run.owner.host))
        .bind(storable(&run.owner.boot_id))
        .bind(i64::from(run.owner.pid))
        .bind(signed(run.owner.pid_started))
        .bind(run.version)
        .bind(storable_json(&run.options))
        .bind(run.started_at)
        .bind(run.lease.as_secs_f64())
        .execute(&mut *lease)
        .await;
        lease.settle("recording the start of the run", done.map(drop))
    }

    pub(super) async fn end_run(&self, run: RunId, state: RunState, counts: RunCounts, at: DateTime<Utc>) -> Result<()> {
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "WITH jobs AS (UPDATE etl_orch.etl_jobs SET state = 'cancelled', error = 'its run ended', ended_at = $3
                           WHERE run_id = $1 AND state = 'queued')
             UPDATE etl_orch.etl_runs SET state = $2, ended_at = $3, planned = $4, succeeded = $5, failed = $6, skipped = $7, cancelled = $8
             WHERE id = $1 AND state = 'running'",
        )
        .bind(run.to_string())
        .bind(state.name())
        .bind(at)
        .bind(signed(counts.planned))
        .bind(signed(counts.succeeded))
        .bind(signed(counts.failed))
        .bind(signed(counts.skipped))
        .bind(signed(counts.cancelled))
        .execute(&mut *lease)
        .await;
        lease.settle("recording the end of the run", done.map(drop))
    }

    pub(super) async fn renew(&self, run: RunId, span: Duration) -> Result<bool> {
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "UPDATE etl_orch.etl_runs SET lease_until = clock_timestamp() + make_interval(secs => $2)
             WHERE id = $1 AND state = 'running'",
        )
        .bind(run.to_string())
        .bind(span.as_secs_f64())
        .execute(&mut *lease)
        .await;
        lease.settle("renewing the run's lease", done.map(|done| done.rows_affected() > 0))
    }

    pub(super) async fn running_runs(&self) -> Result<Vec<RunningRun>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let mut lease = self.connections.lease().await?;
        let rows: sqlx::Result<Vec<RunningRunColumns>> = sqlx::query_as(
            "SELECT id, host, boot_id, pid, pid_started, lease_until < clock_timestamp() AS expired FROM etl_orch.etl_runs WHERE state = 'running' ORDER BY started_at, id",
        )
        .fetch_all(&mut *lease)
        .await;
        let runs = rows.and_then(|rows| rows.into_iter().map(RunningRunColumns::run).collect());
        lease.settle("listing the running runs", runs)
    }

    pub(super) async fn running_jobs(&self) -> Result<Vec<RunningJob>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let mut lease = self.connections.lease().await?;
        let rows: sqlx::Result<Vec<RunningJobColumns>> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT j.id, j.run_id, j.gap_key, j.fence AS claimed, j.started_at, j.fingerprint AS planned_with, j.cancel_by, j.cancel_reason,
                    r.host, r.boot_id, r.pid, r.pid_started, {}
             FROM etl_orch.etl_jobs j JOIN etl_orch.etl_runs r ON r.id = j.run_id
                  LEFT JOIN etl_orch.gap_states g ON g.gap_key = j.gap_key
             WHERE j.state = 'running' ORDER BY j.started_at, j.id",
            select_history()
        )))
        .fetch_all(&mut *lease)
        .await;
        let jobs = rows.and_then(|rows| rows.into_iter().map(RunningJobColumns::job).collect());
        lease.settle("listing the running jobs", jobs)
    }

    pub(super) async fn enqueue(&self, run: RunId, jobs: &[NewJob], by: &str, at: DateTime<Utc>) -> Result<()> {
        let forced: Vec<_> = jobs.iter().filter(|job| job.forced).collect();
        let mut lease = self.connections.lease().await?;
        let done = if forced.is_empty() {
            enqueue(&mut lease, run, jobs, at).await
        } else {
            enqueue_forced(&mut lease, run, (jobs, &forced), by, at).await
        };
        lease.settle("recording the planned jobs", done)
    }
}

async fn enqueue(connection: &mut PgConnection, run: RunId, jobs: &[NewJob], at: DateTime<Utc>) -> sqlx::Result<()> {
    let texts = |text: fn(&NewJob) -> String| jobs.iter().map(|job| storable(&text(job)).into_owned()).collect::<Vec<_>>();
    let subjects: Vec<JobSubjectColumns> = jobs.iter().map(JobSubjectColumns::from).collect();
    sqlx::query(
        "INSERT INTO etl_orch.etl_jobs
             (run_id, state, queued_at, id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, window_start, window_end, position,
              forced, fingerprint)
         SELECT $1, 'queued', $2, j.* FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) AS j ON CONFLICT (id) DO NOTHING",
    )
    .bind(run.to_string())
    .bind(at)
    .bind(jobs.iter().map(|job| job.id.to_string()).collect::<Vec<_>>())
    .bind(texts(|job| job.gap.to_string()))
    .bind(texts(|job| job.gap.filled_by().to_owned()))
    .bind(subjects.iter().map(|subject| subject.bank_key.clone()).collect::<Vec<_>>())
    .bind(subjects.iter().map(|subject| subject.bank_id).collect::<Vec<_>>())
    .bind(subjects.iter().map(|subject| subject.year).collect::<Vec<_>>())
    .bind(subjects.iter().map(|subject| subject.quarter).collect::<Vec<_>>())
    .bind(subjects.iter().map(|subject| subject.window.map(|window| window.start)).collect::<Vec<_>>())
    .bind(subjects.iter().map(|subject| subject.window.map(|window| window.end)).collect::<Vec<_>>())
    .bind(jobs.iter().map(|job| signed(job.position)).collect::<Vec<_>>())
    .bind(jobs.iter().map(|job| job.forced).collect::<Vec<_>>())
    .bind(jobs.iter().map(|job| job.fingerprint.as_ref().map(|made| storable(&made.to_text()).into_owned())).collect::<Vec<_>>())
    .execute(connection)
    .await?;
    Ok(())
}

/// Durable: a forced job is an order.
async fn enqueue_forced(
    connection: &mut PgConnection,
    run: RunId,
    (jobs, forced): (&[NewJob], &[&NewJob]),
    by: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let mut transaction = connection.begin_with(DURABLE).await?;
    enqueue(&mut transaction, run, jobs, at).await?;
    force(&mut transaction, forced, by, at).await?;
    transaction.commit().await
}
