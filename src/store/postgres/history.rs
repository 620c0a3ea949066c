//! Runs, jobs and attempts: every transition guarded by the state it leaves and by the claim's fence, and where that
//! can be, one statement.

use std::time::Duration;

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, FromRow, Row};

use super::{DURABLE, Postgres, reports};
use crate::plan::ids::{JobId, RunId};
use crate::plan::job::{AttemptEnd, Claim, ClaimRequest, Claimed, NewJob, NewRun, ReportKey, RunCounts, RunState, RunningJob, RunningRun};
use crate::store::Result;
use crate::store::columns::Column;
use crate::store::delegate::Ending;
use crate::store::record::{EndColumns, OwnerColumns, RunningJobColumns, RunningRunColumns, signed, storable, storable_json};

impl Postgres {
    pub(super) async fn begin_run(&self, run: &NewRun) -> Result<()> {
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "INSERT INTO etl_orch.etl_runs (id, host, boot_id, pid, pid_started, version, options, state, started_at, lease_until)
             VALUES ($1, $2, $3, $4, $5, $6, $7::text::jsonb, 'running', $8, clock_timestamp() + make_interval(secs => $9))",
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
        let rows: sqlx::Result<Vec<RunningJobColumns>> = sqlx::query_as(
            "SELECT j.id, j.run_id, j.gap_key, j.fence, j.started_at, r.host, r.boot_id, r.pid, r.pid_started
             FROM etl_orch.etl_jobs j JOIN etl_orch.etl_runs r ON r.id = j.run_id
             WHERE j.state = 'running' ORDER BY j.started_at, j.id",
        )
        .fetch_all(&mut *lease)
        .await;
        let jobs = rows.and_then(|rows| rows.into_iter().map(RunningJobColumns::job).collect());
        lease.settle("listing the running jobs", jobs)
    }

    pub(super) async fn enqueue(&self, run: RunId, jobs: &[NewJob], _by: &str, at: DateTime<Utc>) -> Result<()> {
        let texts = |text: fn(&NewJob) -> &str| jobs.iter().map(|job| storable(text(job)).into_owned()).collect::<Vec<_>>();
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "INSERT INTO etl_orch.etl_jobs
                 (run_id, state, queued_at, id, gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, forced)
             SELECT $1, 'queued', $2, j.* FROM unnest($3, $4, $5, $6, $7, $8, $9, $10, $11) AS j",
        )
        .bind(run.to_string())
        .bind(at)
        .bind(jobs.iter().map(|job| job.id.to_string()).collect::<Vec<_>>())
        .bind(texts(|job| job.gap.as_str()))
        .bind(texts(|job| &job.etl))
        .bind(texts(|job| &job.bank_key))
        .bind(jobs.iter().map(|job| job.bank_id).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| i32::from(job.period.year())).collect::<Vec<_>>())
        .bind(texts(|job| job.period.quarter().as_str()))
        .bind(jobs.iter().map(|job| signed(job.position)).collect::<Vec<_>>())
        .bind(jobs.iter().map(|job| job.forced).collect::<Vec<_>>())
        .execute(&mut *lease)
        .await;
        lease.settle("recording the planned jobs", done.map(drop))
    }

    pub(super) async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed> {
        let ClaimRequest { job, report, log, at, .. } = *request;
        let mut lease = self.connections.lease().await?;
        let claimed = self.claim_on(&mut lease, job, report, log, at).await;
        lease.settle("claiming a job", claimed)
    }

    /// The claim is durable: a child must not run on while a restarted server has forgotten it.
    async fn claim_on(
        &self,
        connection: &mut PgConnection,
        job: JobId,
        report: &ReportKey,
        log: &str,
        at: DateTime<Utc>,
    ) -> sqlx::Result<Claimed> {
        let id = job.to_string();
        let mut transaction = connection.begin_with(DURABLE).await?;
        // Who claims the same gap waits here for the row of its fence, and looks further only afterwards.
        let fence: Option<i64> = sqlx::query_scalar(
            "WITH job AS (SELECT gap_key FROM etl_orch.etl_jobs WHERE id = $1 AND state = 'queued' FOR UPDATE)
             INSERT INTO etl_orch.gap_states AS g (gap_key, fence) SELECT gap_key, 1 FROM job
             ON CONFLICT (gap_key) DO UPDATE SET fence = g.fence + 1 RETURNING g.fence",
        )
        .bind(&id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(fence) = fence else {
            transaction.rollback().await?;
            return Ok(Claimed::Gone);
        };
        let found = sqlx::query(AssertSqlSafe(format!(
            "WITH job AS (SELECT j.id, j.gap_key, NOT j.forced AND EXISTS (SELECT 1 FROM {} r WHERE {}) AS done
                          FROM etl_orch.etl_jobs j WHERE j.id = $5),
                  other AS (SELECT r.host, r.boot_id, r.pid, r.pid_started
                            FROM job JOIN etl_orch.etl_jobs j ON j.gap_key = job.gap_key AND j.state = 'running'
                                     JOIN etl_orch.etl_runs r ON r.id = j.run_id),
                  claimed AS (UPDATE etl_orch.etl_jobs j SET state = 'running', fence = $6, started_at = $7 FROM job
                              WHERE j.id = job.id AND NOT job.done AND NOT EXISTS (SELECT 1 FROM other) RETURNING j.id),
                  attempt AS (INSERT INTO etl_orch.etl_attempts (job_id, n, log, started_at) SELECT id, 1, $8, $7 FROM claimed)
             SELECT job.done, other.host, other.boot_id, other.pid, other.pid_started FROM job LEFT JOIN other ON TRUE",
            self.reports.quoted(),
            reports::BY_KEY
        )))
        .bind(report.bank_id)
        .bind(i32::from(report.period.year()))
        .bind(report.period.quarter().as_str())
        .bind(storable(&report.report_type))
        .bind(&id)
        .bind(fence)
        .bind(at)
        .bind(storable(log))
        .fetch_one(&mut *transaction)
        .await?;
        let claimed = if found.try_get("done")? {
            skip_queued(&mut transaction, &id, "the report exists", at).await?;
            Claimed::AlreadyDone
        } else if found.try_get::<Option<String>, _>("host")?.is_some() {
            let owner = OwnerColumns::from_row(&found)?.owner()?;
            skip_queued(&mut transaction, &id, &format!("process {} on {} runs it", owner.pid, owner.host), at).await?;
            Claimed::Elsewhere { owner }
        } else {
            Claimed::Yes { claim: Claim { job, fence }, memory: crate::plan::memory::Memory::default() }
        };
        transaction.commit().await?;
        Ok(claimed)
    }

    pub(super) async fn begin_attempt(
        &self,
        claim: Claim,
        attempt: u32,
        _pool: Option<&crate::plan::etl::Pool>,
        log: &str,
        at: DateTime<Utc>,
    ) -> Result<crate::plan::job::Begun> {
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "INSERT INTO etl_orch.etl_attempts (job_id, n, log, started_at)
             SELECT id, $3, $4, $5 FROM etl_orch.etl_jobs WHERE id = $1 AND state = 'running' AND fence = $2",
        )
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(i64::from(attempt))
        .bind(storable(log))
        .bind(at)
        .execute(&mut *lease)
        .await;
        lease.settle(
            "recording the start of an attempt",
            done.map(|done| if done.rows_affected() > 0 { crate::plan::job::Begun::Yes } else { crate::plan::job::Begun::ClaimLost }),
        )
    }

    pub(super) async fn attempt_spawned(&self, claim: Claim, attempt: u32, pid: u32) -> Result<bool> {
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "UPDATE etl_orch.etl_attempts SET pid = $4 WHERE job_id = $1 AND n = $3 AND outcome IS NULL
             AND EXISTS (SELECT 1 FROM etl_orch.etl_jobs WHERE id = $1 AND state = 'running' AND fence = $2)",
        )
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(i64::from(attempt))
        .bind(i64::from(pid))
        .execute(&mut *lease)
        .await;
        lease.settle("recording the process of an attempt", done.map(|done| done.rows_affected() > 0))
    }

    pub(super) async fn end_attempt(&self, claim: Claim, end: &AttemptEnd) -> Result<bool> {
        let end = EndColumns::from(end);
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "UPDATE etl_orch.etl_attempts
             SET outcome = $4, outcome_number = $5, error = $6, tail = $7, ended_at = $8, duration_ms = $9, pid = coalesce($10, pid)
             WHERE job_id = $1 AND n = $3 AND outcome IS NULL
             AND EXISTS (SELECT 1 FROM etl_orch.etl_jobs WHERE id = $1 AND state = 'running' AND fence = $2)",
        )
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(end.n)
        .bind(end.outcome)
        .bind(end.number)
        .bind(end.error)
        .bind(end.tail)
        .bind(end.ended_at)
        .bind(end.duration_ms)
        .bind(end.pid)
        .execute(&mut *lease)
        .await;
        lease.settle("recording the end of an attempt", done.map(|done| done.rows_affected() > 0))
    }

    pub(super) async fn finish(&self, claim: Claim, ending: Ending<'_>) -> Result<bool> {
        let columns = if ending.report.is_some() { self.columns().await?.written.as_slice() } else { &[] };
        let mut lease = self.connections.lease().await?;
        let done = match ending.report {
            None => finish(&mut lease, claim, ending).await,
            Some(_) => self.finish_with_report(&mut lease, claim, ending, columns).await,
        };
        lease.settle("recording the end of a job", done)
    }

    async fn finish_with_report(
        &self,
        connection: &mut PgConnection,
        claim: Claim,
        ending: Ending<'_>,
        columns: &[Column],
    ) -> sqlx::Result<bool> {
        let mut transaction = connection.begin_with(DURABLE).await?;
        if !finish(&mut transaction, claim, ending).await? {
            transaction.rollback().await?;
            return Ok(false);
        }
        if let Some(row) = ending.report {
            reports::write(&mut transaction, &self.reports, columns, row).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn drop_queued(&self, job: JobId, reason: &str, at: DateTime<Utc>) -> Result<bool> {
        let mut lease = self.connections.lease().await?;
        let done =
            sqlx::query("UPDATE etl_orch.etl_jobs SET state = 'cancelled', error = $2, ended_at = $3 WHERE id = $1 AND state = 'queued'")
                .bind(job.to_string())
                .bind(storable(reason))
                .bind(at)
                .execute(&mut *lease)
                .await;
        lease.settle("recording that a job will not start", done.map(|done| done.rows_affected() > 0))
    }

    pub(super) async fn lose(&self, claim: Claim, _memory: &crate::plan::memory::Memory, at: DateTime<Utc>) -> Result<bool> {
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query_scalar(
            "WITH job AS (UPDATE etl_orch.etl_jobs SET state = 'lost', error = 'its owner died', ended_at = $3
                          WHERE id = $1 AND state = 'running' AND fence = $2 RETURNING id),
                  attempt AS (UPDATE etl_orch.etl_attempts a SET outcome = 'lost', error = 'lost', ended_at = $3
                              FROM job WHERE a.job_id = job.id AND a.outcome IS NULL)
             SELECT EXISTS (SELECT 1 FROM job)",
        )
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(at)
        .fetch_one(&mut *lease)
        .await;
        lease.settle("recording that a job was lost", done)
    }
}

async fn skip_queued(connection: &mut PgConnection, id: &str, reason: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    sqlx::query("UPDATE etl_orch.etl_jobs SET state = 'skipped', error = $2, ended_at = $3 WHERE id = $1 AND state = 'queued'")
        .bind(id)
        .bind(storable(reason))
        .bind(at)
        .execute(connection)
        .await?;
    Ok(())
}

async fn finish(connection: &mut PgConnection, claim: Claim, ending: Ending<'_>) -> sqlx::Result<bool> {
    let end = ending.attempt.map(EndColumns::from);
    let end = end.as_ref();
    sqlx::query_scalar(
        "WITH job AS (UPDATE etl_orch.etl_jobs SET state = $3, error = $4, ended_at = $5
                      WHERE id = $1 AND state = 'running' AND fence = $2 RETURNING id),
              attempt AS (UPDATE etl_orch.etl_attempts a
                          SET outcome = $7, outcome_number = $8, error = $9, tail = $10, ended_at = $11, duration_ms = $12,
                              pid = coalesce($13, a.pid)
                          FROM job WHERE a.job_id = job.id AND a.n = $6 AND a.outcome IS NULL)
         SELECT EXISTS (SELECT 1 FROM job)",
    )
    .bind(claim.job.to_string())
    .bind(claim.fence)
    .bind(ending.state.name())
    .bind(ending.error.map(storable))
    .bind(ending.at)
    .bind(end.map(|end| end.n))
    .bind(end.map(|end| end.outcome))
    .bind(end.and_then(|end| end.number))
    .bind(end.and_then(|end| end.error.as_deref()))
    .bind(end.map(|end| end.tail.as_ref()))
    .bind(end.map(|end| end.ended_at))
    .bind(end.map(|end| end.duration_ms))
    .bind(end.and_then(|end| end.pid))
    .fetch_one(connection)
    .await
}
