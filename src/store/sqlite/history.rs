//! Runs, jobs and attempts: every transition guarded by the state it leaves and by the claim's fence.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::{Sqlite, begin_write, reports};
use crate::plan::ids::{JobId, RunId};
use crate::plan::job::{AttemptEnd, Claim, ClaimRequest, Claimed, NewJob, NewRun, ReportKey, RunCounts, RunState, RunningJob, RunningRun};
use crate::store::Result;
use crate::store::columns::Column;
use crate::store::delegate::Ending;
use crate::store::record::{
    EndColumns, OwnerColumns, RunningJobColumns, RunningRunColumns, failed, rfc3339, signed, storable, storable_json,
};

impl Sqlite {
    pub(super) async fn begin_run(&self, run: &NewRun) -> Result<()> {
        sqlx::query(
            "INSERT INTO etl_runs (id, host, boot_id, pid, pid_started, version, options, state, started_at, lease_until)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 'running', ?8, strftime('%Y-%m-%dT%H:%M:%fZ', 'now', ?9))",
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
        let rows: sqlx::Result<Vec<RunningJobColumns>> = sqlx::query_as(
            "SELECT j.id, j.run_id, j.gap_key, j.fence, j.started_at, r.host, r.boot_id, r.pid, r.pid_started
             FROM etl_jobs j JOIN etl_runs r ON r.id = j.run_id WHERE j.state = 'running' ORDER BY j.started_at, j.id",
        )
        .fetch_all(&mut *self.connection().await?)
        .await;
        rows.and_then(|rows| rows.into_iter().map(RunningJobColumns::job).collect()).map_err(failed("listing the running jobs"))
    }

    pub(super) async fn enqueue(&self, run: RunId, jobs: &[NewJob], _by: &str, at: DateTime<Utc>) -> Result<()> {
        let rows: Vec<_> = jobs
            .iter()
            .map(|job| {
                serde_json::json!([
                    job.id,
                    job.gap.as_str(),
                    job.etl,
                    job.bank_key,
                    job.bank_id,
                    job.period.year(),
                    job.period.quarter().as_str(),
                    job.position,
                    job.forced
                ])
            })
            .collect();
        sqlx::query(
            "INSERT INTO etl_jobs (id, run_id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced, state, queued_at)
             SELECT value ->> 0, ?1, value ->> 1, value ->> 2, value ->> 3, value ->> 4, value ->> 5, value ->> 6, value ->> 7,
                    value ->> 8, 'queued', ?2
             FROM json_each(?3)",
        )
        .bind(run.to_string())
        .bind(rfc3339(at))
        .bind(serde_json::Value::Array(rows).to_string())
        .execute(&mut *self.connection().await?)
        .await
        .map_err(failed("recording the planned jobs"))?;
        Ok(())
    }

    pub(super) async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed> {
        let ClaimRequest { job, report, log, at, .. } = *request;
        let mut connection = self.connection().await?;
        self.claim_on(&mut connection, job, report, log, at).await.map_err(failed("claiming a job"))
    }

    async fn claim_on(
        &self,
        connection: &mut SqliteConnection,
        job: JobId,
        report: &ReportKey,
        log: &str,
        at: DateTime<Utc>,
    ) -> sqlx::Result<Claimed> {
        let (id, at) = (job.to_string(), rfc3339(at));
        let mut transaction = begin_write(connection).await?;
        let found: Option<(String, bool, bool)> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT gap_key, NOT forced AND EXISTS (SELECT 1 FROM {} WHERE {}),
                    EXISTS (SELECT 1 FROM etl_jobs o WHERE o.gap_key = j.gap_key AND o.state = 'running')
             FROM etl_jobs j WHERE id = ?5 AND state = 'queued'",
            self.reports.quoted(),
            reports::BY_KEY
        )))
        .bind(report.bank_id)
        .bind(i64::from(report.period.year()))
        .bind(report.period.quarter().as_str())
        .bind(&report.report_type)
        .bind(&id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some((gap, done, elsewhere)) = found else { return Ok(Claimed::Gone) };
        if done {
            skip_queued(&mut transaction, &id, "the report exists", &at).await?;
            transaction.commit().await?;
            return Ok(Claimed::AlreadyDone);
        }
        if elsewhere {
            let other: OwnerColumns = sqlx::query_as(
                "SELECT r.host, r.boot_id, r.pid, r.pid_started FROM etl_jobs j JOIN etl_runs r ON r.id = j.run_id
                 WHERE j.gap_key = ?1 AND j.state = 'running'",
            )
            .bind(&gap)
            .fetch_one(&mut *transaction)
            .await?;
            let owner = other.owner()?;
            skip_queued(&mut transaction, &id, &format!("process {} on {} runs it", owner.pid, owner.host), &at).await?;
            transaction.commit().await?;
            return Ok(Claimed::Elsewhere { owner });
        }
        let fence: i64 = sqlx::query_scalar(
            "INSERT INTO gap_states (gap_key, fence) VALUES (?1, 1) ON CONFLICT (gap_key) DO UPDATE SET fence = fence + 1;
             UPDATE etl_jobs SET state = 'running', fence = (SELECT fence FROM gap_states WHERE gap_key = ?1), started_at = ?3
             WHERE id = ?2;
             INSERT INTO etl_attempts (job_id, n, log, started_at) VALUES (?2, 1, ?4, ?3);
             SELECT fence FROM gap_states WHERE gap_key = ?1",
        )
        .bind(&gap)
        .bind(&id)
        .bind(&at)
        .bind(storable(log))
        .fetch_one(&mut *transaction)
        .await?;
        transaction.commit().await?;
        Ok(Claimed::Yes { claim: Claim { job, fence }, memory: crate::plan::memory::Memory::default() })
    }

    pub(super) async fn begin_attempt(
        &self,
        claim: Claim,
        attempt: u32,
        _pool: Option<&crate::plan::etl::Pool>,
        log: &str,
        at: DateTime<Utc>,
    ) -> Result<crate::plan::job::Begun> {
        let done = sqlx::query(
            "INSERT INTO etl_attempts (job_id, n, log, started_at)
             SELECT id, ?3, ?4, ?5 FROM etl_jobs WHERE id = ?1 AND state = 'running' AND fence = ?2",
        )
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(i64::from(attempt))
        .bind(storable(log))
        .bind(rfc3339(at))
        .execute(&mut *self.connection().await?)
        .await
        .map_err(failed("recording the start of an attempt"))?;
        Ok(if done.rows_affected() > 0 { crate::plan::job::Begun::Yes } else { crate::plan::job::Begun::ClaimLost })
    }

    pub(super) async fn attempt_spawned(&self, claim: Claim, attempt: u32, pid: u32) -> Result<bool> {
        let done = sqlx::query(
            "UPDATE etl_attempts SET pid = ?4 WHERE job_id = ?1 AND n = ?3 AND outcome IS NULL
             AND EXISTS (SELECT 1 FROM etl_jobs WHERE id = ?1 AND state = 'running' AND fence = ?2)",
        )
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(i64::from(attempt))
        .bind(i64::from(pid))
        .execute(&mut *self.connection().await?)
        .await
        .map_err(failed("recording the process of an attempt"))?;
        Ok(done.rows_affected() > 0)
    }

    pub(super) async fn end_attempt(&self, claim: Claim, end: &AttemptEnd) -> Result<bool> {
        let mut connection = self.connection().await?;
        end_attempt(&mut connection, claim, end).await.map_err(failed("recording the end of an attempt"))
    }

    pub(super) async fn finish(&self, claim: Claim, ending: Ending<'_>) -> Result<bool> {
        let columns = if ending.report.is_some() { self.report_columns().await? } else { &[] };
        let mut connection = self.connection().await?;
        self.finish_on(&mut connection, claim, ending, columns).await.map_err(failed("recording the end of a job"))
    }

    async fn finish_on(
        &self,
        connection: &mut SqliteConnection,
        claim: Claim,
        ending: Ending<'_>,
        columns: &[Column],
    ) -> sqlx::Result<bool> {
        let mut transaction = begin_write(connection).await?;
        if !end_job(&mut transaction, claim, ending).await? {
            return Ok(false);
        }
        if let Some(row) = ending.report {
            reports::write(&mut transaction, &self.reports, columns, row).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn drop_queued(&self, job: JobId, reason: &str, at: DateTime<Utc>) -> Result<bool> {
        let done = sqlx::query("UPDATE etl_jobs SET state = 'cancelled', error = ?2, ended_at = ?3 WHERE id = ?1 AND state = 'queued'")
            .bind(job.to_string())
            .bind(storable(reason))
            .bind(rfc3339(at))
            .execute(&mut *self.connection().await?)
            .await
            .map_err(failed("recording that a job will not start"))?;
        Ok(done.rows_affected() > 0)
    }

    pub(super) async fn lose(&self, claim: Claim, _memory: &crate::plan::memory::Memory, at: DateTime<Utc>) -> Result<bool> {
        let mut connection = self.connection().await?;
        lose(&mut connection, claim, at).await.map_err(failed("recording that a job was lost"))
    }
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

async fn skip_queued(connection: &mut SqliteConnection, id: &str, reason: &str, at: &str) -> sqlx::Result<()> {
    sqlx::query("UPDATE etl_jobs SET state = 'skipped', error = ?2, ended_at = ?3 WHERE id = ?1 AND state = 'queued'")
        .bind(id)
        .bind(storable(reason))
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

/// Ends an attempt of the job that the claim is good for.
const END_ATTEMPT: &str = "UPDATE etl_attempts SET outcome = ?4, outcome_number = ?5, error = ?6, tail = ?7, ended_at = ?8, \
     duration_ms = ?9, pid = coalesce(?10, pid) WHERE job_id = ?1 AND n = ?3 AND outcome IS NULL \
     AND EXISTS (SELECT 1 FROM etl_jobs WHERE id = ?1 AND state = 'running' AND fence = ?2)";

/// Ends the job that the claim is good for, and its attempt with it: one turn for both statements.
async fn end_job(connection: &mut SqliteConnection, claim: Claim, ending: Ending<'_>) -> sqlx::Result<bool> {
    let end = ending.attempt.map(EndColumns::from);
    let end = end.as_ref();
    let statements = format!(
        "{END_ATTEMPT};
         UPDATE etl_jobs SET state = ?11, error = ?12, ended_at = ?13 WHERE id = ?1 AND state = 'running' AND fence = ?2"
    );
    let done = sqlx::query(AssertSqlSafe(statements))
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(end.map(|end| end.n))
        .bind(end.map(|end| end.outcome))
        .bind(end.and_then(|end| end.number))
        .bind(end.and_then(|end| end.error.as_deref()))
        .bind(end.map(|end| end.tail.as_ref()))
        .bind(end.map(|end| rfc3339(end.ended_at)))
        .bind(end.map(|end| end.duration_ms))
        .bind(end.and_then(|end| end.pid))
        .bind(ending.state.name())
        .bind(ending.error.map(storable))
        .bind(rfc3339(ending.at))
        .execute(connection)
        .await?;
    // Where the job is not the claim's neither statement finds a row.
    Ok(done.rows_affected() > 0)
}

async fn end_attempt(connection: &mut SqliteConnection, claim: Claim, end: &AttemptEnd) -> sqlx::Result<bool> {
    let end = EndColumns::from(end);
    let done = sqlx::query(END_ATTEMPT)
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(end.n)
        .bind(end.outcome)
        .bind(end.number)
        .bind(end.error)
        .bind(end.tail)
        .bind(rfc3339(end.ended_at))
        .bind(end.duration_ms)
        .bind(end.pid)
        .execute(connection)
        .await?;
    Ok(done.rows_affected() > 0)
}

async fn lose(connection: &mut SqliteConnection, claim: Claim, at: DateTime<Utc>) -> sqlx::Result<bool> {
    let (id, at) = (claim.job.to_string(), rfc3339(at));
    let mut transaction = begin_write(connection).await?;
    let done = sqlx::query(
        "UPDATE etl_jobs SET state = 'lost', error = 'its owner died', ended_at = ?3
         WHERE id = ?1 AND state = 'running' AND fence = ?2",
    )
    .bind(&id)
    .bind(claim.fence)
    .bind(&at)
    .execute(&mut *transaction)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    sqlx::query("UPDATE etl_attempts SET outcome = 'lost', error = 'lost', ended_at = ?2 WHERE job_id = ?1 AND outcome IS NULL")
        .bind(&id)
        .bind(&at)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// A span as SQLite's date functions add it.
fn modifier(span: Duration) -> String {
    format!("+{:.3} seconds", span.as_secs_f64())
}
