//! How attempts and jobs end: each guarded by the state that it leaves and by the claim's fence, and one statement where
//! that can be. What was carried out before, with the same arguments, is not done again and counts as done.

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Postgres as Driver, Row};

use super::{DURABLE, Postgres, collected, reports};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{Artifact, AttemptEnd, Claim, JobState};
use crate::plan::remember::failure_history::FailureHistory;
use crate::store::Result;
use crate::store::columns::Column;
use crate::store::delegate::Ending;
use crate::store::gap_columns::{FailureHistoryValues, remember};
use crate::store::record::{EndColumns, storable};

type Statement<'q> = Query<'q, Driver, PgArguments>;

/// What became of the end of a job.
#[derive(PartialEq, Eq)]
enum Ended {
    /// It ended by this.
    Now,
    /// It had ended just so.
    Before,
    /// The claim is not ours.
    No,
}

impl Postgres {
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
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "WITH attempt AS (UPDATE etl_orch.etl_attempts a
                              SET outcome = $4, outcome_number = $5, error = $6, tail = $7, ended_at = $8, duration_ms = $9,
                                  pid = coalesce($10, a.pid)
                              FROM etl_orch.etl_jobs j
                              WHERE a.job_id = $1 AND a.n = $3 AND a.outcome IS NULL
                              AND j.id = a.job_id AND j.state = 'running' AND j.fence = $2 RETURNING a.job_id),
                  freed AS (UPDATE etl_orch.etl_jobs j SET pool = NULL FROM attempt WHERE j.id = attempt.job_id AND j.pool IS NOT NULL)
             SELECT EXISTS (SELECT 1 FROM attempt) OR EXISTS
                 (SELECT 1 FROM etl_orch.etl_attempts a JOIN etl_orch.etl_jobs j ON j.id = a.job_id
                  WHERE a.job_id = $1 AND a.n = $3 AND j.fence = $2
                  AND a.outcome = $4 AND a.outcome_number IS NOT DISTINCT FROM $5 AND a.ended_at = $8)",
        );
        let done = bind_end(done, claim, end).fetch_one(&mut *lease).await.and_then(|row| row.try_get(0));
        lease.settle("recording the end of an attempt", done)
    }

    pub(super) async fn attach(&self, claim: Claim, end: &AttemptEnd) -> Result<bool> {
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "WITH attempt AS (UPDATE etl_orch.etl_attempts a
                              SET outcome = $4, outcome_number = $5, error = $6, tail = $7, ended_at = $8, duration_ms = $9,
                                  pid = coalesce($10, a.pid)
                              FROM etl_orch.etl_jobs j
                              WHERE a.job_id = $1 AND a.n = $3 AND a.outcome = 'lost'
                              AND j.id = a.job_id AND j.state = 'lost' AND j.fence = $2 RETURNING 1)
             SELECT EXISTS (SELECT 1 FROM attempt) OR EXISTS
                 (SELECT 1 FROM etl_orch.etl_attempts a JOIN etl_orch.etl_jobs j ON j.id = a.job_id
                  WHERE a.job_id = $1 AND a.n = $3 AND j.state = 'lost' AND j.fence = $2
                  AND a.outcome = $4 AND a.outcome_number IS NOT DISTINCT FROM $5 AND a.ended_at = $8)",
        );
        let done = bind_end(done, claim, end).fetch_one(&mut *lease).await.and_then(|row| row.try_get(0));
        lease.settle("recording how a lost attempt ended", done)
    }

    pub(super) async fn finish(&self, claim: Claim, ending: Ending<'_>) -> Result<bool> {
        let columns = if let Artifact::Report(Some(_)) = ending.made { self.columns().await?.written.as_slice() } else { &[] };
        let mut lease = self.connections.lease().await?;
        let done = match ending.made {
            Artifact::Report(None) => finish(&mut lease, claim, ending).await.map(|ended| ended != Ended::No),
            Artifact::Report(Some(_)) | Artifact::Collection(_) => self.finish_with_more(&mut lease, claim, ending, columns).await,
        };
        lease.settle("recording the end of a job", done)
    }

    async fn finish_with_more(
        &self,
        connection: &mut PgConnection,
        claim: Claim,
        ending: Ending<'_>,
        columns: &[Column],
    ) -> sqlx::Result<bool> {
        let mut transaction = connection.begin_with(DURABLE).await?;
        let ended = finish(&mut transaction, claim, ending).await?;
        if ended != Ended::Now {
            transaction.rollback().await?;
            return Ok(ended == Ended::Before);
        }
        match ending.made {
            Artifact::Report(Some(row)) => reports::write(&mut transaction, &self.reports, columns, row).await?,
            Artifact::Report(None) => {}
            Artifact::Collection(made) => collected::write(&mut transaction, claim, made, ending.at).await?,
        }
        transaction.commit().await?;
        Ok(true)
    }

    pub(super) async fn drop_queued(&self, job: JobId, reason: &str, at: DateTime<Utc>) -> Result<bool> {
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query_scalar(
            "WITH job AS (UPDATE etl_orch.etl_jobs SET state = 'cancelled', error = $2, ended_at = $3
                          WHERE id = $1 AND state = 'queued' RETURNING 1)
             SELECT EXISTS (SELECT 1 FROM job) OR EXISTS
                 (SELECT 1 FROM etl_orch.etl_jobs WHERE id = $1 AND state = 'cancelled' AND fence IS NULL AND ended_at = $3)",
        )
        .bind(job.to_string())
        .bind(storable(reason))
        .bind(at)
        .fetch_one(&mut *lease)
        .await;
        lease.settle("recording that a job will not start", done)
    }

    pub(super) async fn lose(&self, claim: Claim, history: &FailureHistory, at: DateTime<Utc>) -> Result<bool> {
        let gap = remember('$', 4, false);
        let statement = format!(
            "WITH job AS (UPDATE etl_orch.etl_jobs SET state = 'lost', error = 'its owner died', ended_at = $3, pool = NULL
                          WHERE id = $1 AND state = 'running' AND fence = $2 RETURNING id, gap_key),
                  attempt AS (UPDATE etl_orch.etl_attempts a SET outcome = 'lost', error = 'lost', ended_at = $3
                              FROM job WHERE a.job_id = job.id AND a.outcome IS NULL),
                  gap AS (UPDATE etl_orch.gap_states g SET {} FROM job WHERE g.gap_key = job.gap_key AND g.fence = $2 AND {})
             SELECT EXISTS (SELECT 1 FROM job) OR EXISTS
                 (SELECT 1 FROM etl_orch.etl_jobs WHERE id = $1 AND state = 'lost' AND fence = $2 AND ended_at = $3)",
            gap.set, gap.is_new
        );
        let statement = sqlx::query(AssertSqlSafe(statement)).bind(claim.job.to_string()).bind(claim.fence).bind(at);
        let mut lease = self.connections.lease().await?;
        let done = bind_history(statement, history).fetch_one(&mut *lease).await.and_then(|row| row.try_get(0));
        lease.settle("recording that a job was lost", done)
    }
}

async fn finish(connection: &mut PgConnection, claim: Claim, ending: Ending<'_>) -> sqlx::Result<Ended> {
    let end = ending.attempt.map(EndColumns::from);
    let end = end.as_ref();
    let gap = ending.history.map(|_| {
        let gap = remember('$', 14, ending.state == JobState::Succeeded);
        format!(
            ", gap AS (UPDATE etl_orch.gap_states g SET {} FROM job WHERE g.gap_key = job.gap_key AND g.fence = $2 AND {})",
            gap.set, gap.is_new
        )
    });
    let statement = format!(
        "WITH job AS (UPDATE etl_orch.etl_jobs SET state = $3, error = $4, ended_at = $5, pool = NULL
                      WHERE id = $1 AND state = 'running' AND fence = $2 RETURNING id, gap_key),
              attempt AS (UPDATE etl_orch.etl_attempts a
                          SET outcome = $7, outcome_number = $8, error = $9, tail = $10, ended_at = $11, duration_ms = $12,
                              pid = coalesce($13, a.pid)
                          FROM job WHERE a.job_id = job.id AND a.n = $6 AND a.outcome IS NULL)
              {}
         SELECT EXISTS (SELECT 1 FROM job) AS now, EXISTS
             (SELECT 1 FROM etl_orch.etl_jobs WHERE id = $1 AND state = $3 AND fence = $2 AND ended_at = $5) AS before",
        gap.unwrap_or_default()
    );
    let mut statement = sqlx::query(AssertSqlSafe(statement))
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
        .bind(end.and_then(|end| end.pid));
    if let Some(history) = ending.history {
        statement = bind_history(statement, history);
    }
    let row = statement.fetch_one(connection).await?;
    Ok(if row.try_get("now")? {
        Ended::Now
    } else if row.try_get("before")? {
        Ended::Before
    } else {
        Ended::No
    })
}

/// Binds the claim and the attempt's end, as parameters 1 to 10.
fn bind_end<'q>(statement: Statement<'q>, claim: Claim, end: &AttemptEnd) -> Statement<'q> {
    let end = EndColumns::from(end);
    statement
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
}

/// Binds a memory as the parameters of [`remember`].
pub(super) fn bind_history<'q>(statement: Statement<'q>, history: &FailureHistory) -> Statement<'q> {
    let history = FailureHistoryValues::from(history);
    statement
        .bind(history.failed_runs)
        .bind(history.probes)
        .bind(history.refunded)
        .bind(history.not_ready)
        .bind(history.lost)
        .bind(history.rest.map(|rest| rest.since))
        .bind(history.rest.map(|rest| rest.until))
        .bind(history.rest.map(|rest| rest.why.name()))
        .bind(history.quarantine.map(|quarantine| quarantine.since))
        .bind(history.quarantine.map(|quarantine| quarantine.why.name()))
        .bind(history.released)
        .bind(history.fingerprint)
        .bind(history.error)
        .bind(history.noted)
}
