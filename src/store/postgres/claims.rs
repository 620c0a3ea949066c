//! The right to work on a job: claims, attempts after the first, and the pools that both may have to wait for.
//!
//! Locks are taken in one order, so that nobody waits in a circle: a pool, a job, its gap.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;

use crate::plan::model::etl::Pool;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::Claim;
use crate::plan::model::settings::TableName;
use crate::plan::remember::claim::{Begun, ClaimRequest, Claimed};
use crate::store::NotKept;
use crate::store::shared::cell::{LARGEST_FENCE, Malformed};
use crate::store::shared::claims::{Conditions, Obstacles, is_full, is_held_back, is_wanted, made_before, why_skipped};
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::gaps::{Known, group_skip, way_out};
use crate::store::shared::jobs::skip_queued;
use crate::store::shared::row::{Selected, row};
use crate::store::shared::runs::OwnerRow;
use crate::store::shared::sources::PauseRow;
use crate::store::shared::statement::Parameters;

/// Durable: a restarted server must not have forgotten a claim whose child still runs.
pub(super) async fn claim(connection: &mut PgConnection, reports: &TableName, request: &ClaimRequest<'_>) -> sqlx::Result<Claimed> {
    let mut changes = connection.begin_write().await?;
    if let Some(pool) = request.pool {
        lock_pool(&mut changes, pool).await?;
    }
    let Some(gap) = raise_fence(&mut changes, request.job).await? else {
        let claimed = made_before(&mut *changes, request).await?;
        changes.rollback().await?;
        return Ok(claimed);
    };
    let mut gap = gap.unwrap_or_else(|malformed| Known::unreadable(way_out(&malformed), request.at));
    let fence = gap.fence;
    // The plan knows the fence as it was before this claim raised it.
    gap.fence -= 1;
    if !gap.skip.as_ref().is_some_and(|order| order.holds(request.at)) {
        gap.skip = group_skip(&mut *changes, request.job, request.at).await?;
    }
    let claimed = match start(&mut changes, reports, request, fence, &gap).await? {
        Some(refusal) => refusal,
        None => Claimed::Yes { claim: Claim { job: request.job, fence }, history: gap.history },
    };
    if matches!(claimed, Claimed::Yes { .. }) {
        changes.commit().await?;
        return Ok(claimed);
    }
    // This takes the fence back, too.
    changes.rollback().await?;
    if let Some(reason) = why_skipped(&claimed, request.wanted) {
        skip_queued(connection, request.job, &reason, request.at).await?;
    }
    Ok(claimed)
}

/// Raises the fence of the gap of a job that is queued in a running run, and locks both. Another claim of the same gap waits here, and
/// sees what became of this one when it goes on.
async fn raise_fence(connection: &mut PgConnection, job: JobId) -> sqlx::Result<Option<Result<Known, Malformed>>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "WITH job AS (SELECT gap_key FROM etl_orch.etl_jobs WHERE id = {job} AND state = 'queued'
                      AND EXISTS (SELECT 1 FROM etl_orch.etl_runs r WHERE r.id = run_id AND r.state = 'running') FOR UPDATE)
         INSERT INTO etl_orch.gap_states AS g (gap_key, fence) SELECT gap_key, 1 FROM job
         ON CONFLICT (gap_key) DO UPDATE SET fence = CASE WHEN g.fence BETWEEN 0 AND {LARGEST_FENCE} THEN g.fence + 1 ELSE g.fence END
         RETURNING g.gap_key, {gap}",
        job = parameters.add(job),
        gap = Known::select_g(),
    );
    connection.fetch_optional(parameters.statement(text)).await
}

row! {
    /// What is in the way of a claim, and whether the claim was made.
    struct Asked of "etl_jobs" {
        jobs_started: i64,
        attempts_begun: i64;
        obstacles: Obstacles,
    }
}

/// Starts the job unless something is in the way, which is returned. One statement, so that all of it is seen at one moment.
async fn start(
    connection: &mut PgConnection,
    reports: &TableName,
    request: &ClaimRequest<'_>,
    fence: i64,
    gap: &Known,
) -> sqlx::Result<Option<Claimed>> {
    let skip = gap.skip.clone().filter(|order| order.holds(request.at));
    let is_held_back = is_held_back(gap, request);
    let mut parameters = Parameters::default();
    let conditions = Conditions::of::<PgConnection>(&mut parameters, reports, request);
    let text = format!(
        "WITH job AS (SELECT j.id, j.gap_key, {done} AS done, {insisted} AS insisted, {pause}
                      FROM etl_orch.etl_jobs j LEFT JOIN etl_orch.sources s ON {source} WHERE j.id = {job}),
              other AS (SELECT j.id AS running_job, {owner}
                        FROM job JOIN etl_orch.etl_jobs j ON j.gap_key = job.gap_key AND j.state = 'running'
                                 LEFT JOIN etl_orch.etl_runs r ON r.id = j.run_id),
              pool AS (SELECT {is_full} AS is_full),
              claimed AS (UPDATE etl_orch.etl_jobs j SET {columns} FROM job, pool
                          WHERE j.id = job.id AND NOT {is_skipped} AND job.paused_at IS NULL AND NOT job.done
                          AND NOT ({is_held_back} AND NOT job.insisted) AND NOT pool.is_full AND NOT EXISTS (SELECT 1 FROM other)
                          RETURNING j.id),
              attempt AS (INSERT INTO etl_orch.etl_attempts (job_id, n, log, started_at) SELECT id, 1, {log}, {at} FROM claimed RETURNING 1),
              taken AS (UPDATE etl_orch.disclosure_queue q SET job_id = claimed.id FROM claimed WHERE {is_wanted})
         SELECT job.done, job.insisted, {found_pause}, pool.is_full, other.running_job, {found_owner},
                (SELECT count(*) FROM claimed) AS jobs_started, (SELECT count(*) FROM attempt) AS attempts_begun
         FROM job CROSS JOIN pool LEFT JOIN other ON TRUE",
        done = conditions.done,
        insisted = conditions.insisted,
        pause = PauseRow::select("s"),
        found_pause = PauseRow::select("job"),
        owner = OwnerRow::select("r"),
        found_owner = OwnerRow::select("other"),
        source = conditions.source,
        is_full = conditions.is_full,
        job = parameters.add(request.job),
        columns = parameters.assign(vec![
            ("state", "running".into()),
            ("fence", fence.into()),
            ("started_at", request.at.into()),
            ("pool", request.pool.map(|pool| pool.name.as_str()).into()),
        ]),
        is_skipped = parameters.add(skip.is_some()),
        is_held_back = parameters.add(is_held_back),
        log = parameters.add(request.log),
        at = parameters.add(request.at),
        is_wanted = is_wanted(&mut parameters, request.wanted),
    );
    let asked: Option<Asked> = connection.fetch_optional(parameters.statement(text)).await?;
    let Asked { obstacles, jobs_started, attempts_begun } = asked.ok_or(sqlx::Error::RowNotFound)?;
    match (obstacles.refusal::<PgConnection>(skip, is_held_back, request.at), jobs_started, attempts_begun) {
        (None, 0, _) => Err(NotKept::error("etl_orch.etl_jobs")),
        (None, _, 0) => Err(NotKept::error("etl_orch.etl_attempts")),
        (refusal, _, _) => Ok(refusal),
    }
}

/// Until the end of the transaction nobody else begins to use the pool.
async fn lock_pool(connection: &mut PgConnection, pool: &Pool) -> sqlx::Result<()> {
    let mut parameters = Parameters::default();
    let text = format!("SELECT pg_advisory_xact_lock(hashtextextended('etl_orch.pool.' || {}, 0))", parameters.add(pool.name.as_str()));
    connection.execute(parameters.statement(text)).await.map(drop)
}

pub(super) async fn begin_attempt(
    connection: &mut PgConnection,
    claim: Claim,
    attempt: u32,
    pool: Option<&Pool>,
    log: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<Begun> {
    let Some(used) = pool else { return insert_attempt(connection, claim, attempt, None, log, at).await };
    let mut changes = connection.begin_write().await?;
    lock_pool(&mut changes, used).await?;
    let begun = insert_attempt(&mut changes, claim, attempt, pool, log, at).await?;
    changes.commit().await?;
    Ok(begun)
}

row! {
    struct AttemptAnswer of "etl_attempts" {
        is_begun: bool,
        is_full: bool,
        begun_now: i64,
    }
}

async fn insert_attempt(
    connection: &mut PgConnection,
    claim: Claim,
    attempt: u32,
    pool: Option<&Pool>,
    log: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<Begun> {
    let mut parameters = Parameters::default();
    let job = parameters.add(claim.job);
    let text = format!(
        "WITH job AS (SELECT j.id, {is_full} AS is_full,
                             EXISTS (SELECT 1 FROM etl_orch.etl_attempts a WHERE a.job_id = j.id AND a.n = {n} AND a.started_at = {at}) AS is_begun
                      FROM etl_orch.etl_jobs j WHERE j.id = {job} AND j.state = 'running' AND j.fence = {fence} FOR UPDATE OF j),
              attempt AS (INSERT INTO etl_orch.etl_attempts (job_id, n, log, started_at)
                          SELECT id, {n}, {log}, {at} FROM job WHERE NOT is_begun AND NOT is_full RETURNING job_id),
              uses AS (UPDATE etl_orch.etl_jobs j SET pool = coalesce({pool}, pool) FROM attempt WHERE j.id = attempt.job_id)
         SELECT is_begun, is_full, (SELECT count(*) FROM attempt) AS begun_now FROM job",
        is_full = is_full::<PgConnection>(&mut parameters, pool, Some(&job)),
        n = parameters.add(attempt),
        log = parameters.add(log),
        at = parameters.add(at),
        fence = parameters.add(claim.fence),
        pool = parameters.add(pool.map(|pool| pool.name.as_str())),
    );
    let answer: Option<AttemptAnswer> = connection.fetch_optional(parameters.statement(text)).await?;
    match answer {
        None => Ok(Begun::ClaimLost),
        Some(AttemptAnswer { is_begun: true, .. }) => Ok(Begun::Yes),
        Some(AttemptAnswer { is_full: true, .. }) => Ok(Begun::PoolFull),
        Some(AttemptAnswer { begun_now: 0, .. }) => Err(NotKept::error("etl_orch.etl_attempts")),
        Some(_) => Ok(Begun::Yes),
    }
}
