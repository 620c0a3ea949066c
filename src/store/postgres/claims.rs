//! The right to work on a job: claims, attempts after the first, and the pools that both may have to wait for.
//!
//! Locks are taken in one order, so that nobody waits in a circle: a pool, a job, its gap.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection, FromRow, Row};

use super::{DURABLE, Postgres, SMALL, reports, sources};
use crate::plan::model::etl::Pool;
use crate::plan::model::job::{Begun, Claim, ClaimRequest, ClaimTarget, Claimed};
use crate::plan::remember::failure_history::GapState;
use crate::store::Result;
use crate::store::gap_columns::{GapStateColumns, is_held_back, select_gap, why_skipped};
use crate::store::record::storable;
use crate::store::rows::{OwnerColumns, PauseColumns};

/// How many jobs use the pool of a parameter: those of a host that died do so only until its lease ends.
const USERS: &str = "SELECT count(*) FROM etl_orch.etl_jobs p WHERE p.state = 'running' \
     AND (SELECT r.lease_until FROM etl_orch.etl_runs r WHERE r.id = p.run_id) > clock_timestamp() AND p.pool = ";

/// How a claim looks for what it wants, as parts of one statement on a job `j`; parameters 1 to 4 say what is wanted.
struct Looked {
    /// The condition that there is nothing left to do.
    done: String,
    /// The condition that somebody wants it in spite of what it failed at.
    insisted: String,
    /// The query for a pause.
    pause: &'static str,
    /// What else is changed when the job is `claimed`.
    taken: String,
}

impl Postgres {
    pub(super) async fn claim(&self, request: &ClaimRequest<'_>) -> Result<Claimed> {
        let mut lease = self.connections.lease().await?;
        let claimed = self.claim_on(&mut lease, request).await;
        lease.settle("claiming a job", claimed)
    }

    /// The claim is durable: a child must not run on while a restarted server has forgotten it.
    async fn claim_on(&self, connection: &mut PgConnection, request: &ClaimRequest<'_>) -> sqlx::Result<Claimed> {
        let id = request.job.to_string();
        let mut transaction = connection.begin_with(DURABLE).await?;
        if let Some(pool) = request.pool {
            lock_pool(&mut transaction, pool).await?;
        }
        // Who claims the same gap waits here for the row of its fence, and looks further only afterwards.
        let gap: Option<GapStateColumns> = sqlx::query_as(AssertSqlSafe(format!(
            "WITH job AS (SELECT gap_key FROM etl_orch.etl_jobs WHERE id = $1 AND state = 'queued'
                          AND EXISTS (SELECT 1 FROM etl_orch.etl_runs r WHERE r.id = run_id AND r.state = 'running') FOR UPDATE)
             INSERT INTO etl_orch.gap_states AS g (gap_key, fence) SELECT gap_key, 1 FROM job
             ON CONFLICT (gap_key) DO UPDATE SET fence = g.fence + 1 RETURNING g.gap_key, {}",
            select_gap()
        )))
        .bind(&id)
        .fetch_optional(&mut *transaction)
        .await?;
        let Some(gap) = gap else {
            let claimed = claimed_before(&mut transaction, request).await?;
            transaction.rollback().await?;
            return Ok(claimed);
        };
        let mut gap = gap.state()?;
        let fence = gap.fence;
        gap.fence -= 1;
        let in_the_way = self.start(&mut transaction, request, fence, &gap).await?;
        let claimed = in_the_way.unwrap_or(Claimed::Yes { claim: Claim { job: request.job, fence }, history: gap.history });
        if matches!(claimed, Claimed::Yes { .. }) {
            transaction.commit().await?;
        } else {
            // The fence, too, is what it was.
            transaction.rollback().await?;
            if let Some(reason) = why_skipped(&claimed, request.wanted) {
                skip_queued(connection, &id, &reason, request.at).await?;
            }
        }
        Ok(claimed)
    }

    fn looked(&self, wanted: ClaimTarget<'_>) -> Looked {
        let queued = sources::QUEUED;
        match wanted {
            ClaimTarget::Report(_) => Looked {
                done: format!("NOT j.forced AND EXISTS (SELECT 1 FROM {} r WHERE {})", self.reports.quoted(), reports::BY_KEY),
                insisted: "j.forced".to_owned(),
                pause: "SELECT NULL::timestamptz AS paused_at, NULL::text AS paused_by, NULL::text AS pause_reason",
                taken: String::new(),
            },
            ClaimTarget::Windows { .. } => Looked {
                // Whoever collected the first of them meanwhile may have left others; this job would collect all again.
                // Every parameter is to be used somewhere.
                done: format!("$4 AND NOT EXISTS (SELECT 1 FROM etl_orch.disclosure_queue q WHERE {queued} AND q.window_start = $2)"),
                insisted: format!(
                    "(j.forced OR EXISTS (SELECT 1 FROM etl_orch.disclosure_queue q WHERE {queued} AND q.requested_at IS NOT NULL AND q.job_id IS NULL))"
                ),
                pause: "SELECT s.paused_at, s.paused_by, s.pause_reason FROM etl_orch.sources s WHERE s.source = $1",
                taken: format!(", taken AS (UPDATE etl_orch.disclosure_queue q SET job_id = c.id FROM claimed c WHERE {queued})"),
            },
        }
    }

    /// Starts the job, or says what is in the way.
    async fn start(
        &self,
        connection: &mut PgConnection,
        request: &ClaimRequest<'_>,
        fence: i64,
        gap: &GapState,
    ) -> sqlx::Result<Option<Claimed>> {
        let skip = gap.skip.clone().filter(|order| order.holds(request.at));
        let looked = self.looked(request.wanted);
        let statement = format!(
            "WITH job AS (SELECT j.id, j.gap_key, {} AS done, $9 AND NOT {} AS held_back, p.*
                          FROM etl_orch.etl_jobs j LEFT JOIN ({}) p ON TRUE WHERE j.id = $5),
                  other AS (SELECT r.host, r.boot_id, r.pid, r.pid_started
                            FROM job JOIN etl_orch.etl_jobs j ON j.gap_key = job.gap_key AND j.state = 'running'
                                     JOIN etl_orch.etl_runs r ON r.id = j.run_id),
                  pool AS (SELECT CASE WHEN $10 IS NULL THEN FALSE ELSE ({USERS} $10) >= $11 END AS is_full),
                  claimed AS (UPDATE etl_orch.etl_jobs j SET state = 'running', fence = $6, started_at = $7, pool = $10 FROM job, pool
                              WHERE j.id = job.id AND NOT $12 AND job.paused_at IS NULL AND NOT job.done AND NOT job.held_back
                              AND NOT pool.is_full AND NOT EXISTS (SELECT 1 FROM other) RETURNING j.id),
                  attempt AS (INSERT INTO etl_orch.etl_attempts (job_id, n, log, started_at) SELECT id, 1, $8, $7 FROM claimed) {}
             SELECT job.done, job.held_back, job.paused_at, job.paused_by, job.pause_reason, pool.is_full,
                    other.host, other.boot_id, other.pid, other.pid_started
             FROM job CROSS JOIN pool LEFT JOIN other ON TRUE",
            looked.done, looked.insisted, looked.pause, looked.taken
        );
        let statement = sqlx::query(AssertSqlSafe(statement));
        let statement = match request.wanted {
            ClaimTarget::Report(report) => statement
                .bind(report.bank_id)
                .bind(i32::from(report.period.year()))
                .bind(report.period.quarter().as_str())
                .bind(storable(&report.report_type)),
            // As many parameters as for a report: the last says nothing.
            ClaimTarget::Windows { source, window } => statement.bind(storable(source)).bind(window.start).bind(window.end).bind(true),
        };
        let found = statement
            .bind(request.job.to_string())
            .bind(fence)
            .bind(request.at)
            .bind(storable(request.log))
            .bind(is_held_back(gap, request.planned_fence, request.at))
            .bind(request.pool.map(|pool| storable(&pool.name)))
            .bind(limit(request.pool))
            .bind(skip.is_some())
            .fetch_one(connection)
            .await?;
        let order = PauseColumns::from_row(&found)?.order().or(skip);
        Ok(if let Some(order) = order {
            Some(Claimed::Ordered(order))
        } else if found.try_get("done")? {
            Some(Claimed::AlreadyDone)
        } else if found.try_get::<Option<String>, _>("host")?.is_some() {
            Some(Claimed::Elsewhere { owner: OwnerColumns::from_row(&found)?.owner()? })
        } else if found.try_get("held_back")? {
            Some(Claimed::HeldBack)
        } else if found.try_get("is_full")? {
            Some(Claimed::PoolFull)
        } else {
            None
        })
    }

    pub(super) async fn begin_attempt(
        &self,
        claim: Claim,
        attempt: u32,
        pool: Option<&Pool>,
        log: &str,
        at: DateTime<Utc>,
    ) -> Result<Begun> {
        let mut lease = self.connections.lease().await?;
        let begun = match pool {
            None => begin_attempt(&mut lease, claim, attempt, None, log, at).await,
            Some(pool) => begin_attempt_in(&mut lease, claim, attempt, pool, log, at).await,
        };
        lease.settle("recording the start of an attempt", begun)
    }
}

/// The same for a claim that was made already by the same request; [`Claimed::Gone`] where it was not.
async fn claimed_before(connection: &mut PgConnection, request: &ClaimRequest<'_>) -> sqlx::Result<Claimed> {
    let gap: Option<GapStateColumns> = sqlx::query_as(AssertSqlSafe(format!(
        "SELECT g.gap_key, {} FROM etl_orch.etl_jobs j JOIN etl_orch.etl_attempts a ON a.job_id = j.id AND a.n = 1
         JOIN etl_orch.gap_states g ON g.gap_key = j.gap_key AND g.fence = j.fence
         WHERE j.id = $1 AND j.state = 'running' AND j.started_at = $2 AND a.log = $3",
        select_gap()
    )))
    .bind(request.job.to_string())
    .bind(request.at)
    .bind(storable(request.log))
    .fetch_optional(connection)
    .await?;
    let gap = gap.map(GapStateColumns::state).transpose()?;
    Ok(gap.map_or(Claimed::Gone, |gap| Claimed::Yes { claim: Claim { job: request.job, fence: gap.fence }, history: gap.history }))
}

/// Until the end of the transaction nobody else begins to use the pool.
async fn lock_pool(connection: &mut PgConnection, pool: &Pool) -> sqlx::Result<()> {
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('etl_orch.pool.' || $1, 0))")
        .bind(storable(&pool.name))
        .execute(connection)
        .await?;
    Ok(())
}

fn limit(pool: Option<&Pool>) -> i64 {
    pool.map_or(i64::MAX, |pool| i64::from(pool.limit))
}

async fn begin_attempt_in(
    connection: &mut PgConnection,
    claim: Claim,
    attempt: u32,
    pool: &Pool,
    log: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<Begun> {
    let mut transaction = connection.begin_with(SMALL).await?;
    lock_pool(&mut transaction, pool).await?;
    let begun = begin_attempt(&mut transaction, claim, attempt, Some(pool), log, at).await?;
    transaction.commit().await?;
    Ok(begun)
}

async fn begin_attempt(
    connection: &mut PgConnection,
    claim: Claim,
    attempt: u32,
    pool: Option<&Pool>,
    log: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<Begun> {
    let found: Option<(bool, bool)> = sqlx::query_as(AssertSqlSafe(format!(
        "WITH job AS (SELECT j.id, CASE WHEN $6 IS NULL THEN FALSE ELSE ({USERS} $6 AND p.id <> $1) >= $7 END AS is_full,
                             EXISTS (SELECT 1 FROM etl_orch.etl_attempts a WHERE a.job_id = j.id AND a.n = $3 AND a.started_at = $5) AS begun
                      FROM etl_orch.etl_jobs j WHERE j.id = $1 AND j.state = 'running' AND j.fence = $2 FOR UPDATE OF j),
              attempt AS (INSERT INTO etl_orch.etl_attempts (job_id, n, log, started_at)
                          SELECT id, $3, $4, $5 FROM job WHERE NOT begun AND NOT is_full RETURNING job_id),
              uses AS (UPDATE etl_orch.etl_jobs j SET pool = $6 FROM attempt WHERE j.id = attempt.job_id AND $6 IS NOT NULL)
         SELECT begun, is_full FROM job"
    )))
    .bind(claim.job.to_string())
    .bind(claim.fence)
    .bind(i64::from(attempt))
    .bind(storable(log))
    .bind(at)
    .bind(pool.map(|pool| storable(&pool.name)))
    .bind(limit(pool))
    .fetch_optional(connection)
    .await?;
    Ok(match found {
        None => Begun::ClaimLost,
        Some((false, true)) => Begun::PoolFull,
        Some(_) => Begun::Yes,
    })
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
