//! The right to work on a job: claims, attempts after the first, and the pools that both may have to wait for.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;

use super::changes::{Batch, Changes};
use crate::plan::model::etl::Pool;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::Claim;
use crate::plan::model::settings::TableName;
use crate::plan::remember::claim::{Begun, ClaimRequest, ClaimTarget, Claimed};
use crate::store::shared::cell::Malformed;
use crate::store::shared::claims::{Conditions, Obstacles, is_full, is_held_back, is_wanted, made_before, why_skipped};
use crate::store::shared::gaps::{Known, group_skip, may_be_of_skipped_group, way_out};
use crate::store::shared::jobs::skip_queued;
use crate::store::shared::row::{Selected, row};
use crate::store::shared::runs::OwnerRow;
use crate::store::shared::sources::PauseRow;
use crate::store::shared::statement::{Columns, Parameters, Statement, Value, names};

row! {
    /// What is in the way of a claim, and what is known of its gap.
    struct Asked of "etl_jobs" {
        may_be_of_skipped_group: bool;
        obstacles: Obstacles,
        gap: Result<Known, Malformed>,
    }
}

pub(super) async fn claim(connection: &mut SqliteConnection, reports: &TableName, request: &ClaimRequest<'_>) -> sqlx::Result<Claimed> {
    let (mut changes, asked) = Changes::begin_with(connection, question(reports, request)).await?;
    let Some(Asked { may_be_of_skipped_group, obstacles, gap }) = asked else {
        let claimed = made_before(&mut *changes, request).await?;
        changes.commit().await?;
        return Ok(claimed);
    };
    let gap = gap.unwrap_or_else(|malformed| Known::unreadable(way_out(&malformed), request.at));
    let is_held_back = is_held_back(&gap, request);
    let skip = match gap.skip.filter(|order| order.holds(request.at)) {
        Some(order) => Some(order),
        None if may_be_of_skipped_group => group_skip(&mut *changes, request.job, request.at).await?,
        None => None,
    };
    let claimed = if let Some(refusal) = obstacles.refusal::<SqliteConnection>(skip, is_held_back, request.at) {
        refusal
    } else {
        let fence = gap.fence + 1;
        changes.carry_out(start(request, fence)).await?;
        Claimed::Yes { claim: Claim { job: request.job, fence }, history: gap.history }
    };
    if let Some(reason) = why_skipped(&claimed, request.wanted) {
        skip_queued(&mut *changes, request.job, &reason, request.at).await?;
    }
    changes.commit().await?;
    Ok(claimed)
}

/// The query for a job that is queued in a running run, to be asked in the transaction that may claim it.
fn question(reports: &TableName, request: &ClaimRequest<'_>) -> Statement {
    let mut parameters = Parameters::default();
    let conditions = Conditions::of::<SqliteConnection>(&mut parameters, reports, request);
    let text = format!(
        "SELECT j.gap_key, {may_be_of_skipped_group} AS may_be_of_skipped_group, {gap}, {done} AS done, {insisted} AS insisted,
                {is_full} AS is_full, {pause}, o.id AS running_job, {owner}
         FROM etl_jobs j LEFT JOIN sources s ON {source} LEFT JOIN gap_states g ON g.gap_key = j.gap_key
             LEFT JOIN etl_jobs o ON o.gap_key = j.gap_key AND o.state = 'running' LEFT JOIN etl_runs other ON other.id = o.run_id
         WHERE j.id = {job} AND j.state = 'queued' AND EXISTS (SELECT 1 FROM etl_runs r WHERE r.id = j.run_id AND r.state = 'running')",
        may_be_of_skipped_group = may_be_of_skipped_group::<SqliteConnection>(),
        gap = Known::select_g(),
        owner = OwnerRow::select("other"),
        done = conditions.done,
        insisted = conditions.insisted,
        is_full = conditions.is_full,
        pause = PauseRow::select("s"),
        source = conditions.source,
        job = parameters.add(request.job),
    );
    parameters.statement(text)
}

fn start(request: &ClaimRequest<'_>, fence: i64) -> Batch {
    let mut batch = Batch::default();
    let [job, fence, at] = [Value::from(request.job), fence.into(), request.at.into()].map(|value| batch.parameters.add(value));
    let pool = batch.parameters.add(request.pool.map(|pool| pool.name.as_str()));
    batch.write(
        format!(
            "INSERT INTO gap_states (gap_key, fence) SELECT gap_key, {fence} FROM etl_jobs WHERE id = {job}
             ON CONFLICT (gap_key) DO UPDATE SET fence = excluded.fence"
        ),
        "gap_states",
    );
    batch.write(
        format!("UPDATE etl_jobs SET state = 'running', fence = {fence}, started_at = {at}, pool = {pool} WHERE id = {job}"),
        "etl_jobs",
    );
    write_attempt(&mut batch, request.job, 1, request.log, request.at);
    if let ClaimTarget::Windows { .. } = request.wanted {
        let is_wanted = is_wanted(&mut batch.parameters, request.wanted);
        batch.execute(format!("UPDATE disclosure_queue AS q SET job_id = {job} WHERE {is_wanted}"));
    }
    batch
}

fn write_attempt(batch: &mut Batch, job: JobId, n: u32, log: &str, at: DateTime<Utc>) {
    let columns: Columns = vec![("job_id", job.into()), ("n", n.into()), ("log", log.into()), ("started_at", at.into())];
    let text = format!("INSERT INTO etl_attempts ({}) VALUES ({})", names(&columns), batch.parameters.values(columns));
    batch.write(text, "etl_attempts");
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
    let mut parameters = Parameters::default();
    let (job, n, started_at) = (parameters.add(claim.job), parameters.add(attempt), parameters.add(at));
    let text = format!(
        "SELECT EXISTS (SELECT 1 FROM etl_attempts a WHERE a.job_id = j.id AND a.n = {n} AND a.started_at = {started_at}) AS is_begun,
                {is_full} AS is_full
         FROM etl_jobs j WHERE j.id = {job} AND j.state = 'running' AND j.fence = {fence}",
        is_full = is_full::<SqliteConnection>(&mut parameters, pool, Some(&job)),
        fence = parameters.add(claim.fence),
    );
    let (mut changes, answer) = Changes::begin_with(connection, parameters.statement(text)).await?;
    let begun = match answer {
        None => Begun::ClaimLost,
        Some(AttemptAnswer { is_begun: true, .. }) => Begun::Yes,
        Some(AttemptAnswer { is_full: true, .. }) => Begun::PoolFull,
        Some(AttemptAnswer { is_begun: false, is_full: false }) => {
            let mut batch = Batch::default();
            write_attempt(&mut batch, claim.job, attempt, log, at);
            let (job, pool) = (batch.parameters.add(claim.job), batch.parameters.add(pool.map(|pool| pool.name.as_str())));
            batch.write(format!("UPDATE etl_jobs SET pool = coalesce({pool}, pool) WHERE id = {job}"), "etl_jobs");
            changes.carry_out(batch).await?;
            Begun::Yes
        }
    };
    changes.commit().await?;
    Ok(begun)
}
