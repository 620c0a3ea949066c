//! The right to work on a job: claims, attempts after the first, and the pools that both may have to wait for.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::{Sqlite, begin_write, reports, sources};
use crate::plan::model::etl::Pool;
use crate::plan::model::job::{Begun, Claim, ClaimRequest, ClaimTarget, Claimed, Owner};
use crate::store::Result;
use crate::store::gap_columns::{GapColumns, GapStateColumns, is_held_back, select_gap, why_skipped};
use crate::store::record::{failed, rfc3339, storable};
use crate::store::rows::{OwnerColumns, PauseColumns, undecodable};

/// How many jobs use the pool of a parameter: those of a host that died do so only until its lease ends.
const USERS: &str = "SELECT count(*) FROM etl_jobs p WHERE p.state = 'running' \
     AND (SELECT r.lease_until FROM etl_runs r WHERE r.id = p.run_id) > strftime('%Y-%m-%dT%H:%M:%fZ', 'now') AND p.pool = ";

/// What is in the way of a claim, and what is known of its gap.
#[derive(sqlx::FromRow)]
struct Asked {
    gap_key: String,
    /// Somebody wants it in spite of what it failed at.
    insisted: bool,
    done: bool,
    elsewhere: bool,
    is_full: bool,
    #[sqlx(flatten)]
    pause: PauseColumns,
    #[sqlx(flatten)]
    gap: GapColumns,
}

impl Sqlite {
    pub(super) async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed> {
        let mut connection = self.connection().await?;
        self.claim_on(&mut connection, request).await.map_err(failed("claiming a job"))
    }

    async fn claim_on(&self, connection: &mut SqliteConnection, request: &ClaimRequest<'_>) -> sqlx::Result<Claimed> {
        let (id, at) = (request.job.to_string(), rfc3339(request.at));
        let mut transaction = begin_write(connection).await?;
        let Some(asked) = self.ask(&mut transaction, request).await? else {
            return claimed_before(&mut transaction, request).await;
        };
        let mut gap = asked.gap.state(asked.gap_key.parse().map_err(undecodable)?);
        let skip = gap.skip.take().filter(|order| order.holds(request.at));
        let claimed = if let Some(order) = asked.pause.order().or(skip) {
            Claimed::Ordered(order)
        } else if asked.done {
            Claimed::AlreadyDone
        } else if asked.elsewhere {
            Claimed::Elsewhere { owner: owner(&mut transaction, &gap.key.to_string()).await? }
        } else if !asked.insisted && is_held_back(&gap, request.planned_fence, request.at) {
            Claimed::HeldBack
        } else if asked.is_full {
            return Ok(Claimed::PoolFull);
        } else {
            let fence: i64 = sqlx::query_scalar(
                "INSERT INTO gap_states (gap_key, fence) VALUES (?1, 1) ON CONFLICT (gap_key) DO UPDATE SET fence = fence + 1;
                 UPDATE etl_jobs SET state = 'running', fence = (SELECT fence FROM gap_states WHERE gap_key = ?1), started_at = ?3,
                     pool = ?5
                 WHERE id = ?2;
                 INSERT INTO etl_attempts (job_id, n, log, started_at) VALUES (?2, 1, ?4, ?3);
                 SELECT fence FROM gap_states WHERE gap_key = ?1",
            )
            .bind(gap.key.to_string())
            .bind(&id)
            .bind(&at)
            .bind(storable(request.log))
            .bind(request.pool.map(|pool| storable(&pool.name)))
            .fetch_one(&mut *transaction)
            .await?;
            if let ClaimTarget::Windows { source, window } = request.wanted {
                sources::take(&mut transaction, source, window, &id).await?;
            }
            Claimed::Yes { claim: Claim { job: request.job, fence }, history: gap.history }
        };
        if let Some(reason) = why_skipped(&claimed, request.wanted) {
            skip_queued(&mut transaction, &id, &reason, &at).await?;
        }
        transaction.commit().await?;
        Ok(claimed)
    }

    async fn ask(&self, connection: &mut SqliteConnection, request: &ClaimRequest<'_>) -> sqlx::Result<Option<Asked>> {
        let (insisted, done, pause) = match request.wanted {
            ClaimTarget::Report(_) => (
                "j.forced".to_owned(),
                format!("NOT j.forced AND EXISTS (SELECT 1 FROM {} WHERE {})", self.reports.quoted(), reports::BY_KEY),
                "SELECT NULL AS paused_at, NULL AS paused_by, NULL AS pause_reason",
            ),
            // Only three parameters say what is wanted.
            ClaimTarget::Windows { .. } => (
                format!(
                    "j.forced OR EXISTS (SELECT 1 FROM disclosure_queue WHERE {} AND requested_at IS NOT NULL AND job_id IS NULL)",
                    sources::QUEUED
                ),
                // Whoever collected the first of them meanwhile may have left others; this job would collect all again.
                format!("NOT EXISTS (SELECT 1 FROM disclosure_queue WHERE {} AND window_start = ?2)", sources::QUEUED),
                "SELECT paused_at, paused_by, pause_reason FROM sources WHERE source = ?1",
            ),
        };
        let statement = format!(
            "SELECT j.gap_key, ({insisted}) AS insisted, {done} AS done, p.paused_at, p.paused_by, p.pause_reason,
                    EXISTS (SELECT 1 FROM etl_jobs o WHERE o.gap_key = j.gap_key AND o.state = 'running') AS elsewhere,
                    ({USERS} ?6) >= ?7 AS is_full, {}
             FROM etl_jobs j LEFT JOIN ({pause}) p ON TRUE LEFT JOIN gap_states g ON g.gap_key = j.gap_key
             WHERE j.id = ?5 AND j.state = 'queued' AND EXISTS (SELECT 1 FROM etl_runs r WHERE r.id = j.run_id AND r.state = 'running')",
            select_gap()
        );
        let statement = sqlx::query_as(AssertSqlSafe(statement));
        let statement = match request.wanted {
            ClaimTarget::Report(report) => statement
                .bind(report.bank_id)
                .bind(i64::from(report.period.year()))
                .bind(report.period.quarter().as_str())
                .bind(&report.report_type),
            ClaimTarget::Windows { source, window } => {
                statement.bind(storable(source)).bind(rfc3339(window.start)).bind(rfc3339(window.end)).bind("")
            }
        };
        statement
            .bind(request.job.to_string())
            .bind(request.pool.map(|pool| storable(&pool.name)))
            .bind(limit(request.pool))
            .fetch_optional(connection)
            .await
    }

    pub(super) async fn begin_attempt(
        &self,
        claim: Claim,
        attempt: u32,
        pool: Option<&Pool>,
        log: &str,
        at: DateTime<Utc>,
    ) -> Result<Begun> {
        let mut connection = self.connection().await?;
        begin_attempt(&mut connection, claim, attempt, pool, log, at).await.map_err(failed("recording the start of an attempt"))
    }
}

/// The same for a claim that was made already by the same request; [`Claimed::Gone`] where it was not.
async fn claimed_before(connection: &mut SqliteConnection, request: &ClaimRequest<'_>) -> sqlx::Result<Claimed> {
    let gap: Option<GapStateColumns> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT g.gap_key, {} FROM etl_jobs j JOIN etl_attempts a ON a.job_id = j.id AND a.n = 1
         JOIN gap_states g ON g.gap_key = j.gap_key AND g.fence = j.fence
         WHERE j.id = ?1 AND j.state = 'running' AND j.started_at = ?2 AND a.log = ?3",
        select_gap()
    )))
    .bind(request.job.to_string())
    .bind(rfc3339(request.at))
    .bind(storable(request.log))
    .fetch_optional(connection)
    .await?;
    let gap = gap.map(GapStateColumns::state).transpose()?;
    Ok(gap.map_or(Claimed::Gone, |gap| Claimed::Yes { claim: Claim { job: request.job, fence: gap.fence }, history: gap.history }))
}

/// Who runs the gap.
async fn owner(connection: &mut SqliteConnection, gap: &str) -> sqlx::Result<Owner> {
    let other: OwnerColumns = sqlx::query_as(
        "SELECT r.host, r.boot_id, r.pid, r.pid_started FROM etl_jobs j JOIN etl_runs r ON r.id = j.run_id
         WHERE j.gap_key = ?1 AND j.state = 'running'",
    )
    .bind(gap)
    .fetch_one(connection)
    .await?;
    other.owner()
}

fn limit(pool: Option<&Pool>) -> i64 {
    pool.map_or(i64::MAX, |pool| i64::from(pool.limit))
}

async fn begin_attempt(
    connection: &mut SqliteConnection,
    claim: Claim,
    attempt: u32,
    pool: Option<&Pool>,
    log: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<Begun> {
    let (id, at) = (claim.job.to_string(), rfc3339(at));
    let mut transaction = begin_write(connection).await?;
    let found: Option<(bool, bool)> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT EXISTS (SELECT 1 FROM etl_attempts a WHERE a.job_id = j.id AND a.n = ?3 AND a.started_at = ?4),
                ({USERS} ?5 AND p.id <> ?1) >= ?6
         FROM etl_jobs j WHERE j.id = ?1 AND j.state = 'running' AND j.fence = ?2"
    )))
    .bind(&id)
    .bind(claim.fence)
    .bind(i64::from(attempt))
    .bind(&at)
    .bind(pool.map(|pool| storable(&pool.name)))
    .bind(limit(pool))
    .fetch_optional(&mut *transaction)
    .await?;
    match found {
        None => return Ok(Begun::ClaimLost),
        Some((true, _)) => return Ok(Begun::Yes),
        Some((false, true)) => return Ok(Begun::PoolFull),
        Some((false, false)) => {}
    }
    sqlx::query(
        "INSERT INTO etl_attempts (job_id, n, log, started_at) VALUES (?1, ?2, ?3, ?4);
         UPDATE etl_jobs SET pool = ?5 WHERE id = ?1 AND ?5 IS NOT NULL",
    )
    .bind(&id)
    .bind(i64::from(attempt))
    .bind(storable(log))
    .bind(&at)
    .bind(pool.map(|pool| storable(&pool.name)))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(Begun::Yes)
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
