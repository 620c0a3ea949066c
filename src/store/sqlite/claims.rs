//! The right to work on a job: claims, attempts after the first, and the pools that both may have to wait for.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;

use crate::plan::model::etl::Pool;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::Claim;
use crate::plan::model::settings::TableName;
use crate::plan::remember::claim::{Begun, ClaimRequest, Claimed};
use crate::store::shared::cell::Malformed;
use crate::store::shared::claims::{Conditions, Obstacles, is_full, is_held_back, is_wanted, made_before, why_skipped};
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::gaps::{Known, group_skip, way_out};
use crate::store::shared::jobs::skip_queued;
use crate::store::shared::row::{Selected, row};
use crate::store::shared::runs::OwnerRow;
use crate::store::shared::sources::PauseRow;
use crate::store::shared::statement::Parameters;

/// What is in the way of a claim, and what is known of its gap.
type Asked = (Obstacles, Result<Known, Malformed>);

pub(super) async fn claim(connection: &mut SqliteConnection, reports: &TableName, request: &ClaimRequest<'_>) -> sqlx::Result<Claimed> {
    let mut changes = connection.begin_write().await?;
    let Some((obstacles, gap)) = ask(&mut changes, reports, request).await? else {
        return made_before(&mut *changes, request).await;
    };
    let gap = gap.unwrap_or_else(|malformed| Known::unreadable(way_out(&malformed), request.at));
    let is_held_back = is_held_back(&gap, request);
    let skip = match gap.skip.filter(|order| order.holds(request.at)) {
        Some(order) => Some(order),
        None => group_skip(&mut *changes, request.job, request.at).await?,
    };
    let claimed = if let Some(refusal) = obstacles.refusal::<SqliteConnection>(skip, is_held_back, request.at) {
        refusal
    } else {
        let fence = gap.fence + 1;
        start(&mut changes, request, fence).await?;
        Claimed::Yes { claim: Claim { job: request.job, fence }, history: gap.history }
    };
    if let Some(reason) = why_skipped(&claimed, request.wanted) {
        skip_queued(&mut *changes, request.job, &reason, request.at).await?;
    }
    changes.commit().await?;
    Ok(claimed)
}

/// Looks at a job that is queued in a running run, in the transaction that may claim it.
async fn ask(connection: &mut SqliteConnection, reports: &TableName, request: &ClaimRequest<'_>) -> sqlx::Result<Option<Asked>> {
    let mut parameters = Parameters::default();
    let conditions = Conditions::of::<SqliteConnection>(&mut parameters, reports, request);
    let text = format!(
        "SELECT j.gap_key, {gap}, {done} AS done, {insisted} AS insisted, {is_full} AS is_full, {pause},
                o.id AS running_job, {owner}
         FROM etl_jobs j LEFT JOIN sources s ON {source} LEFT JOIN gap_states g ON g.gap_key = j.gap_key
             LEFT JOIN etl_jobs o ON o.gap_key = j.gap_key AND o.state = 'running' LEFT JOIN etl_runs other ON other.id = o.run_id
         WHERE j.id = {job} AND j.state = 'queued' AND EXISTS (SELECT 1 FROM etl_runs r WHERE r.id = j.run_id AND r.state = 'running')",
        gap = Known::select_g(),
        owner = OwnerRow::select("other"),
        done = conditions.done,
        insisted = conditions.insisted,
        is_full = conditions.is_full,
        pause = PauseRow::select("s"),
        source = conditions.source,
        job = parameters.add(request.job),
    );
    connection.fetch_optional(parameters.statement(text)).await
}

async fn start(connection: &mut SqliteConnection, request: &ClaimRequest<'_>, fence: i64) -> sqlx::Result<()> {
    let mut parameters = Parameters::default();
    let (job, fence_raised) = (parameters.add(request.job), parameters.add(fence));
    let text = format!(
        "INSERT INTO gap_states (gap_key, fence) SELECT gap_key, {fence_raised} FROM etl_jobs WHERE id = {job}
         ON CONFLICT (gap_key) DO UPDATE SET fence = excluded.fence"
    );
    connection.write(parameters.statement(text), "gap_states").await?;
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE etl_jobs SET state = 'running', fence = {fence}, started_at = {at}, pool = {pool} WHERE id = {job}",
        fence = parameters.add(fence),
        at = parameters.add(request.at),
        pool = parameters.add(request.pool.map(|pool| pool.name.as_str())),
        job = parameters.add(request.job),
    );
    connection.write(parameters.statement(text), "etl_jobs").await?;
    write_attempt(connection, request.job, 1, request.log, request.at).await?;
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE disclosure_queue AS q SET job_id = {job} WHERE {is_wanted}",
        job = parameters.add(request.job),
        is_wanted = is_wanted(&mut parameters, request.wanted),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}

async fn write_attempt(connection: &mut SqliteConnection, job: JobId, n: u32, log: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    let mut parameters = Parameters::default();
    let text = format!(
        "INSERT INTO etl_attempts (job_id, n, log, started_at) VALUES ({job}, {n}, {log}, {at})",
        job = parameters.add(job),
        n = parameters.add(n),
        log = parameters.add(log),
        at = parameters.add(at),
    );
    connection.write(parameters.statement(text), "etl_attempts").await
}

row! {
    struct AttemptAnswer of "etl_attempts" {
        is_begun: bool,
        is_full: bool,
    }
}

pub(super) async fn begin_attempt(
    connection: &mut SqliteConnection,
    claim: Claim,
    attempt: u32,
    pool: Option<&Pool>,
    log: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<Begun> {
    let mut changes = connection.begin_write().await?;
    let mut parameters = Parameters::default();
    let (job, n, started_at) = (parameters.add(claim.job), parameters.add(attempt), parameters.add(at));
    let text = format!(
        "SELECT EXISTS (SELECT 1 FROM etl_attempts a WHERE a.job_id = j.id AND a.n = {n} AND a.started_at = {started_at}) AS is_begun,
                {is_full} AS is_full
         FROM etl_jobs j WHERE j.id = {job} AND j.state = 'running' AND j.fence = {fence}",
        is_full = is_full::<SqliteConnection>(&mut parameters, pool, Some(&job)),
        fence = parameters.add(claim.fence),
    );
    match changes.fetch_optional::<AttemptAnswer>(parameters.statement(text)).await? {
        None => return Ok(Begun::ClaimLost),
        Some(AttemptAnswer { is_begun: true, .. }) => return Ok(Begun::Yes),
        Some(AttemptAnswer { is_full: true, .. }) => return Ok(Begun::PoolFull),
        Some(_) => {}
    }
    write_attempt(&mut changes, claim.job, attempt, log, at).await?;
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE etl_jobs SET pool = coalesce({pool}, pool) WHERE id = {job}",
        pool = parameters.add(pool.map(|pool| pool.name.as_str())),
        job = parameters.add(claim.job),
    );
    changes.write(parameters.statement(text), "etl_jobs").await?;
    changes.commit().await?;
    Ok(Begun::Yes)
}
