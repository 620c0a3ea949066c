//! How attempts and jobs end: each guarded by the state that it leaves and by the claim's fence, and one statement where
//! that can be. What was carried out before, with the same arguments, is not done again and counts as done.

use chrono::{DateTime, Utc};
use sqlx::postgres::{PgArguments, PgConnection};
use sqlx::query::Query;
use sqlx::{AssertSqlSafe, Connection, Postgres as Driver, Row};

use super::{DURABLE, Postgres, collected, reports};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{AttemptEnd, Claim, JobState};
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::store::Result;
use crate::store::columns::Column;
use crate::store::gap_columns::{FailureHistoryValues, remember};
use crate::store::record::{EndColumns, storable};

type Statement<'q> = Query<'q, Driver, PgArguments>;

/// What the statement that ends a job did.
enum Ended {
    /// It ended the job.
    Now,
    /// Nothing: the claim's job had ended at this time already, in this state.
    Before(JobState),
    /// Nothing: the claim is not valid any more.
    ClaimLost,
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

    pub(super) async fn finish(&self, claim: Claim, end: &JobEnd) -> Result<Finished> {
        let columns = if let Artifact::ReportRow(_) = end.artifact() { self.columns().await?.written.as_slice() } else { &[] };
        let mut lease = self.connections.lease().await?;
        let finished = if end.unverified_report().is_none() && *end.artifact() == Artifact::Report {
            end_job(&mut lease, claim, end).await.map(|ended| ended.answer(end, end.state()))
        } else {
            self.finish_in_transaction(&mut lease, claim, end, columns).await
        };
        lease.settle("recording the end of a job", finished)
    }

    /// For an end that takes more than one statement.
    async fn finish_in_transaction(
        &self,
        connection: &mut PgConnection,
        claim: Claim,
        end: &JobEnd,
        columns: &[Column],
    ) -> sqlx::Result<Finished> {
        let mut transaction = connection.begin_with(DURABLE).await?;
        let fingerprint = match end.unverified_report() {
            Some(report) => reports::fingerprint(&mut transaction, &self.reports, report).await?,
            None => None,
        };
        let resolved = end.resolved(fingerprint.as_deref());
        let ended = end_job(&mut transaction, claim, &resolved).await?;
        if let Ended::Now = ended {
            match resolved.artifact() {
                Artifact::Report => {}
                Artifact::ReportRow(row) => reports::write(&mut transaction, &self.reports, columns, row).await?,
                Artifact::Collection(collected) => collected::write(&mut transaction, claim, collected, end.at()).await?,
            }
        }
        transaction.commit().await?;
        Ok(ended.answer(end, resolved.state()))
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
}

impl Ended {
    /// The answer to a caller who asked for `end`, which led to `state` if it was recorded now.
    fn answer(&self, end: &JobEnd, state: JobState) -> Finished {
        match self {
            Self::Now => Finished::Recorded(state),
            Self::Before(before) if end.can_lead_to(*before) => Finished::Recorded(*before),
            Self::Before(_) | Self::ClaimLost => Finished::ClaimLost,
        }
    }
}

/// Ends the claim's job and its attempt, and writes the gap's failure history: one statement.
async fn end_job(connection: &mut PgConnection, claim: Claim, job_end: &JobEnd) -> sqlx::Result<Ended> {
    let (state, history) = (job_end.state(), job_end.history());
    let end = job_end.attempt().map(EndColumns::from);
    let end = end.as_ref();
    let gap = history.as_ref().map(|_| {
        let gap = remember('$', 14, state == JobState::Succeeded);
        format!(
            ", gap AS (UPDATE etl_orch.gap_states g SET {} FROM job WHERE g.gap_key = job.gap_key AND g.fence = $2 AND {})",
            gap.set, gap.is_new
        )
    });
    // Whoever records a loss does not know which attempt was under way.
    let statement = format!(
        "WITH job AS (UPDATE etl_orch.etl_jobs SET state = $3, error = $4, ended_at = $5, pool = NULL
                      WHERE id = $1 AND state = 'running' AND fence = $2 RETURNING id, gap_key),
              attempt AS (UPDATE etl_orch.etl_attempts a
                          SET outcome = $7, outcome_number = $8, error = $9, tail = $10, ended_at = $11, duration_ms = $12,
                              pid = coalesce($13, a.pid)
                          FROM job WHERE a.job_id = job.id AND (a.n = $6 OR $3 = 'lost') AND a.outcome IS NULL)
              {}
         SELECT EXISTS (SELECT 1 FROM job) AS now,
             (SELECT state FROM etl_orch.etl_jobs WHERE id = $1 AND fence = $2 AND ended_at = $5) AS before",
        gap.unwrap_or_default()
    );
    let lost = state == JobState::Lost;
    let mut statement = sqlx::query(AssertSqlSafe(statement))
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(state.name())
        .bind(job_end.error().map(storable))
        .bind(job_end.at())
        .bind(end.map(|end| end.n))
        .bind(end.map(|end| end.outcome).or(lost.then_some("lost")))
        .bind(end.and_then(|end| end.number))
        .bind(end.and_then(|end| end.error.as_deref()).or(lost.then_some("lost")))
        .bind(end.map(|end| end.tail.as_ref()))
        .bind(end.map_or_else(|| job_end.at(), |end| end.ended_at))
        .bind(end.map(|end| end.duration_ms))
        .bind(end.and_then(|end| end.pid));
    if let Some(history) = &history {
        statement = bind_history(statement, history);
    }
    let row = statement.fetch_one(connection).await?;
    if row.try_get("now")? {
        return Ok(Ended::Now);
    }
    let before: Option<String> = row.try_get("before")?;
    Ok(before.as_deref().and_then(JobState::parse).map_or(Ended::ClaimLost, Ended::Before))
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
