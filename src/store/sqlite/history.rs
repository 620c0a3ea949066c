//! Runs and their jobs, from the plan on.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::orders::force;
use super::{Sqlite, begin_write};
use crate::plan::model::ids::RunId;
use crate::plan::model::job::{NewJob, NewRun, RunCounts, RunState, RunningJob, RunningRun};
use crate::plan::remember::fingerprint::Fingerprint;
use crate::store::Result;
use crate::store::gap_columns::select_history;
use crate::store::record::{JobSubjectColumns, failed, rfc3339, signed, storable, storable_json};
use crate::store::rows::{RunningJobColumns, RunningRunColumns};

impl Sqlite {
    pub(super) async fn begin_run(&self, run: &NewRun) -> Result<()> {
        sqlx::query(
            "INSERT INTO etl_runs (id, host, boot_id, pid, pid_started, version, options, state, started_at, lease_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'running', ?8, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?9))
             ON CONFLICT (id) DO NOTHING",
        )
        .bind(run.id.to_string())
        .bind(storable(&run.owner.host))
        .bind(storable(&run.owner.boot_id))
        .bind(i64::from(run.owner.pid))
        .bind(signed(run.owner.pid_started))
        .bind(run.version)
        .bind(storable_json(&run.options))
        .bind(rfc3339(run.started_at))
        .bind(modifier(run.lease))
        .execute(&mut *self.connection().await?)
        .await
        .map_err(failed("recording the start of the run"))?;
        Ok(())
    }

    pub(super) async fn end_run(&self, run: RunId, state: RunState, counts: RunCounts, at: DateTime<Utc>) -> Result<()> {
        let mut connection = self.connection().await?;
        end_run(&mut connection, run, state, counts, at).await.map_err(failed("recording the end of the run"))
    }

    pub(super) async fn renew(&self, run: RunId, span: Duration) -> Result<bool> {
        let done =
            sqlx::query("UPDATE etl_runs SET lease_until = strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?2) WHERE id = ?1 AND state = 'running'")
                .bind(run.to_string())
                .bind(modifier(span))
                .execute(&mut *self.connection().await?)
                .await;
        done.map(|done| done.rows_affected() > 0).map_err(failed("renewing the run's lease"))
    }

    pub(super) async fn running_runs(&self) -> Result<Vec<RunningRun>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let rows: sqlx::Result<Vec<RunningRunColumns>> =
            sqlx::query_as("SELECT id, host, boot_id, pid, pid_started, lease_until < strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AS expired FROM etl_runs WHERE state = 'running' ORDER BY started_at, id")
                .fetch_all(&mut *self.connection().await?)
                .await;
        rows.and_then(|rows| rows.into_iter().map(RunningRunColumns::run).collect()).map_err(failed("listing the running runs"))
    }

    pub(super) async fn running_jobs(&self) -> Result<Vec<RunningJob>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let rows: sqlx::Result<Vec<RunningJobColumns>> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT j.id, j.run_id, j.gap_key, j.fence AS claimed, j.started_at, j.fingerprint AS planned_with, j.cancel_by, j.cancel_reason,
                    r.host, r.boot_id, r.pid, r.pid_started, {}
             FROM etl_jobs j JOIN etl_runs r ON r.id = j.run_id LEFT JOIN gap_states g ON g.gap_key = j.gap_key
             WHERE j.state = 'running' ORDER BY j.started_at, j.id",
            select_history()
        )))
        .fetch_all(&mut *self.connection().await?)
        .await;
        rows.and_then(|rows| rows.into_iter().map(RunningJobColumns::job).collect()).map_err(failed("listing the running jobs"))
    }

    pub(super) async fn enqueue(&self, run: RunId, jobs: &[NewJob], by: &str, at: DateTime<Utc>) -> Result<()> {
        let mut connection = self.connection().await?;
        let done = if jobs.iter().any(|job| job.forced) {
            enqueue_forced(&mut connection, run, jobs, by, at).await
        } else {
            enqueue(&mut connection, run, jobs, at).await
        };
        done.map_err(failed("recording the planned jobs"))
    }
}

async fn enqueue(connection: &mut SqliteConnection, run: RunId, jobs: &[NewJob], at: DateTime<Utc>) -> sqlx::Result<()> {
    let rows: Vec<_> = jobs
        .iter()
        .map(|job| {
            let subject = JobSubjectColumns::from(job);
            serde_json::json!([
                job.id,
                job.gap.to_string(),
                job.gap.filled_by(),
                subject.bank_key,
                subject.bank_id,
                subject.year,
                subject.quarter,
                subject.window.map(|window| rfc3339(window.start)),
                subject.window.map(|window| rfc3339(window.end)),
                job.position,
                job.forced,
                job.fingerprint.as_ref().map(Fingerprint::to_text)
            ])
        })
        .collect();
    // Without a WHERE before it the ON would be read as a join's.
    sqlx::query(
        "INSERT INTO etl_jobs (id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, window_start, window_end, position,
                               forced, fingerprint, state, queued_at)
         SELECT value ->> 0, ?1, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                value ->> 8, value ->> 9, value ->> 10, value ->> 11, 'queued', ?2
         FROM json_each(?3) WHERE TRUE ON CONFLICT (id) DO NOTHING",
    )
    .bind(run.to_string())
    .bind(rfc3339(at))
    .bind(serde_json::Value::Array(rows).to_string())
    .execute(connection)
    .await?;
    Ok(())
}

async fn enqueue_forced(connection: &mut SqliteConnection, run: RunId, jobs: &[NewJob], by: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    let mut transaction = begin_write(connection).await?;
    enqueue(&mut transaction, run, jobs, at).await?;
    force(&mut transaction, jobs, by, at).await?;
    transaction.commit().await
}

async fn end_run(connection: &mut SqliteConnection, run: RunId, state: RunState, counts: RunCounts, at: DateTime<Utc>) -> sqlx::Result<()> {
    let (id, at) = (run.to_string(), rfc3339(at));
    let mut transaction = begin_write(connection).await?;
    sqlx::query(
        "UPDATE etl_runs SET state = ?2, ended_at = ?3, planned = ?4, succeeded = ?5, failed = ?6, skipped = ?7, cancelled = ?8
         WHERE id = ?1 AND state = 'running'",
    )
    .bind(&id)
    .bind(state.name())
    .bind(&at)
    .bind(signed(counts.planned))
    .bind(signed(counts.succeeded))
    .bind(signed(counts.failed))
    .bind(signed(counts.skipped))
    .bind(signed(counts.cancelled))
    .execute(&mut *transaction)
    .await?;
    sqlx::query("UPDATE etl_jobs SET state = 'cancelled', error = 'its run ended', ended_at = ?2 WHERE run_id = ?1 AND state = 'queued'")
        .bind(&id)
        .bind(&at)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}

/// A span as SQLite's date functions add it.
fn modifier(span: Duration) -> String {
    format!("+{:.3} seconds", span.as_secs_f64())
}
