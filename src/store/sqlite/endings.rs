//! How attempts and jobs end: each guarded by the state that it leaves and by the claim's fence. What was carried out
//! before, with the same arguments, is not done again and counts as done.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection};

use super::{Driver, Sqlite, begin_write, collected, reports};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{AttemptEnd, Claim, JobState};
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::store::Result;
use crate::store::columns::Column;
use crate::store::gap_columns::{FailureHistoryValues, remember};
use crate::store::record::{EndColumns, failed, rfc3339, storable};

type Statement<'q> = Query<'q, Driver, SqliteArguments>;

/// The job that the claim is good for; parameters 1 and 2 are the claim.
const CLAIMED: &str = "id = ?1 AND state = 'running' AND fence = ?2";

/// What an attempt's end assigns.
const END: &str = "outcome = ?4, outcome_number = ?5, error = ?6, tail = ?7, ended_at = ?8, duration_ms = ?9, pid = coalesce(?10, pid)";

/// The attempt has this end already.
const ENDED_SO: &str = "SELECT EXISTS (SELECT 1 FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id \
     WHERE a.job_id = ?1 AND j.fence = ?2 AND a.n = ?3 AND a.outcome = ?4 AND a.outcome_number IS ?5 AND a.ended_at = ?8";

impl Sqlite {
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

    pub(super) async fn attach(&self, claim: Claim, end: &AttemptEnd) -> Result<bool> {
        let mut connection = self.connection().await?;
        attach(&mut connection, claim, end).await.map_err(failed("recording how a lost attempt ended"))
    }

    pub(super) async fn finish(&self, claim: Claim, end: &JobEnd) -> Result<Finished> {
        let has_report = end.unverified_report().is_some() || matches!(end.artifact(), Artifact::ReportRow(_));
        let columns = if has_report { self.report_columns().await? } else { &[] };
        let mut connection = self.connection().await?;
        self.finish_on(&mut connection, claim, end, columns).await.map_err(failed("recording the end of a job"))
    }

    async fn finish_on(&self, connection: &mut SqliteConnection, claim: Claim, end: &JobEnd, columns: &[Column]) -> sqlx::Result<Finished> {
        let mut transaction = begin_write(connection).await?;
        let fingerprint = match end.unverified_report() {
            Some(report) => reports::fingerprint(&mut transaction, &self.reports, columns, report).await?,
            None => None,
        };
        let resolved = end.resolved(fingerprint.as_deref());
        if !end_job(&mut transaction, claim, &resolved).await? {
            let before = state_since(&mut transaction, claim, end.at()).await?;
            return Ok(before.filter(|state| end.can_lead_to(*state)).map_or(Finished::ClaimLost, Finished::Recorded));
        }
        match resolved.artifact() {
            Artifact::Report => {}
            Artifact::ReportRow(row) => reports::write(&mut transaction, &self.reports, columns, row).await?,
            Artifact::Collection(collected) => collected::write(&mut transaction, claim, collected, end.at()).await?,
        }
        transaction.commit().await?;
        Ok(Finished::Recorded(resolved.state()))
    }

    pub(super) async fn drop_queued(&self, job: JobId, reason: &str, at: DateTime<Utc>) -> Result<bool> {
        let mut connection = self.connection().await?;
        drop_queued(&mut connection, job, reason, at).await.map_err(failed("recording that a job will not start"))
    }
}

async fn end_attempt(connection: &mut SqliteConnection, claim: Claim, end: &AttemptEnd) -> sqlx::Result<bool> {
    let mut transaction = begin_write(connection).await?;
    // The pool first: once the attempt has ended nothing says any more that it was this that ended it.
    let statements = format!(
        "UPDATE etl_jobs SET pool = NULL WHERE {CLAIMED} AND pool IS NOT NULL
         AND EXISTS (SELECT 1 FROM etl_attempts WHERE job_id = ?1 AND n = ?3 AND outcome IS NULL);
         UPDATE etl_attempts SET {END} WHERE job_id = ?1 AND n = ?3 AND outcome IS NULL
         AND EXISTS (SELECT 1 FROM etl_jobs WHERE {CLAIMED})"
    );
    let done = bind_end(sqlx::query(AssertSqlSafe(statements)), claim, end).execute(&mut *transaction).await?;
    if done.rows_affected() == 0 {
        return is_true(bind_end(sqlx::query(AssertSqlSafe(format!("{ENDED_SO})"))), claim, end), &mut transaction).await;
    }
    transaction.commit().await?;
    Ok(true)
}

async fn attach(connection: &mut SqliteConnection, claim: Claim, end: &AttemptEnd) -> sqlx::Result<bool> {
    let mut transaction = begin_write(connection).await?;
    let statement = format!(
        "UPDATE etl_attempts SET {END} WHERE job_id = ?1 AND n = ?3 AND outcome = 'lost'
         AND EXISTS (SELECT 1 FROM etl_jobs WHERE id = ?1 AND state = 'lost' AND fence = ?2)"
    );
    let done = bind_end(sqlx::query(AssertSqlSafe(statement)), claim, end).execute(&mut *transaction).await?;
    if done.rows_affected() == 0 {
        let statement = sqlx::query(AssertSqlSafe(format!("{ENDED_SO} AND j.state = 'lost')")));
        return is_true(bind_end(statement, claim, end), &mut transaction).await;
    }
    transaction.commit().await?;
    Ok(true)
}

/// Ends the claim's job and its attempt, and writes the gap's failure history: one round trip.
async fn end_job(connection: &mut SqliteConnection, claim: Claim, job_end: &JobEnd) -> sqlx::Result<bool> {
    let (state, history) = (job_end.state(), job_end.history());
    let end = job_end.attempt().map(EndColumns::from);
    let end = end.as_ref();
    let gap = history.as_ref().map(|_| remember_of(14, state == JobState::Succeeded)).unwrap_or_default();
    // Whoever records a loss does not know which attempt was under way.
    let statements = format!(
        "UPDATE etl_attempts SET {END} WHERE job_id = ?1 AND (n = ?3 OR ?11 = 'lost') AND outcome IS NULL
         AND EXISTS (SELECT 1 FROM etl_jobs WHERE {CLAIMED});
         {gap}
         UPDATE etl_jobs SET state = ?11, error = ?12, ended_at = ?13, pool = NULL WHERE {CLAIMED}"
    );
    let lost = state == JobState::Lost;
    let mut statements = sqlx::query(AssertSqlSafe(statements))
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(end.map(|end| end.n))
        .bind(end.map(|end| end.outcome).or(lost.then_some("lost")))
        .bind(end.and_then(|end| end.number))
        .bind(end.and_then(|end| end.error.as_deref()).or(lost.then_some("lost")))
        .bind(end.map(|end| end.tail.as_ref()))
        .bind(rfc3339(end.map_or_else(|| job_end.at(), |end| end.ended_at)))
        .bind(end.map(|end| end.duration_ms))
        .bind(end.and_then(|end| end.pid))
        .bind(state.name())
        .bind(job_end.error().map(storable))
        .bind(rfc3339(job_end.at()));
    if let Some(history) = &history {
        statements = bind_history(statements, history);
    }
    // Where the job is not the claim's none of the statements finds a row.
    Ok(statements.execute(connection).await?.rows_affected() > 0)
}

/// The state that the claim's job has been in since `at`.
async fn state_since(connection: &mut SqliteConnection, claim: Claim, at: DateTime<Utc>) -> sqlx::Result<Option<JobState>> {
    let state: Option<String> = sqlx::query_scalar("SELECT state FROM etl_jobs WHERE id = ?1 AND fence = ?2 AND ended_at = ?3")
        .bind(claim.job.to_string())
        .bind(claim.fence)
        .bind(rfc3339(at))
        .fetch_optional(connection)
        .await?;
    Ok(state.as_deref().and_then(JobState::parse))
}

async fn drop_queued(connection: &mut SqliteConnection, job: JobId, reason: &str, at: DateTime<Utc>) -> sqlx::Result<bool> {
    let (id, at) = (job.to_string(), rfc3339(at));
    let done = sqlx::query("UPDATE etl_jobs SET state = 'cancelled', error = ?2, ended_at = ?3 WHERE id = ?1 AND state = 'queued'")
        .bind(&id)
        .bind(storable(reason))
        .bind(&at)
        .execute(&mut *connection)
        .await?;
    if done.rows_affected() > 0 {
        return Ok(true);
    }
    sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM etl_jobs WHERE id = ?1 AND state = 'cancelled' AND fence IS NULL AND ended_at = ?2)")
        .bind(&id)
        .bind(&at)
        .fetch_one(connection)
        .await
}

/// Writes the memory of the gap of the job that the claim is good for.
fn remember_of(first: usize, succeeded: bool) -> String {
    let gap = remember('?', first, succeeded);
    format!(
        "UPDATE gap_states SET {} WHERE gap_key = (SELECT gap_key FROM etl_jobs WHERE {CLAIMED}) AND fence = ?2 AND {};",
        gap.set, gap.is_new
    )
}

async fn is_true(question: Statement<'_>, connection: &mut SqliteConnection) -> sqlx::Result<bool> {
    sqlx::Row::try_get(&question.fetch_one(connection).await?, 0)
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
        .bind(end.tail.into_owned())
        .bind(rfc3339(end.ended_at))
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
        .bind(history.rest.map(|rest| rfc3339(rest.since)))
        .bind(history.rest.map(|rest| rfc3339(rest.until)))
        .bind(history.rest.map(|rest| rest.why.name()))
        .bind(history.quarantine.map(|quarantine| rfc3339(quarantine.since)))
        .bind(history.quarantine.map(|quarantine| quarantine.why.name()))
        .bind(history.released)
        .bind(history.fingerprint)
        .bind(history.error.map(std::borrow::Cow::into_owned))
        .bind(history.noted)
}
