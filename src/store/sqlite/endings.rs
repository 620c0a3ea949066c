//! How attempts and jobs end: each guarded by the state that it leaves and by the claim's fence. What was carried out
//! before, with the same arguments, is not done again and counts as done.

use sqlx::sqlite::SqliteConnection;

use super::reports;
use crate::plan::model::job::{AttemptEnd, Claim, JobState};
use crate::plan::model::settings::TableName;
use crate::plan::run::job_end::{Finished, JobEnd};
use crate::store::shared::attempts::{assign_end, has_end};
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::data_columns::Column;
use crate::store::shared::endings::{AttemptUpdate, Ended, job_end_columns, write_artifact};
use crate::store::shared::gaps::write_history;
use crate::store::shared::row::row;
use crate::store::shared::statement::Parameters;

pub(super) async fn end_attempt(connection: &mut SqliteConnection, claim: Claim, end: &AttemptEnd) -> sqlx::Result<bool> {
    let mut changes = connection.begin_write().await?;
    let mut parameters = Parameters::default();
    let (job, fence, n) = (parameters.add(claim.job), parameters.add(claim.fence), parameters.add(end.attempt));
    let text = format!(
        "UPDATE etl_attempts SET {end} WHERE job_id = {job} AND n = {n} AND outcome IS NULL
         AND EXISTS (SELECT 1 FROM etl_jobs WHERE id = {job} AND state = 'running' AND fence = {fence})",
        end = assign_end(&mut parameters, end),
    );
    if changes.execute(parameters.statement(text)).await? == 0 {
        let mut parameters = Parameters::default();
        let text = has_end::<SqliteConnection>(&mut parameters, claim, end);
        return changes.finds(parameters.statement(text)).await;
    }
    let mut parameters = Parameters::default();
    let text = format!("UPDATE etl_jobs SET pool = NULL WHERE id = {} AND pool IS NOT NULL", parameters.add(claim.job));
    changes.execute(parameters.statement(text)).await?;
    changes.commit().await?;
    Ok(true)
}

pub(super) async fn finish(
    connection: &mut SqliteConnection,
    reports: &TableName,
    columns: &[Column],
    claim: Claim,
    end: &JobEnd,
) -> sqlx::Result<Finished> {
    let mut changes = connection.begin_write().await?;
    let fingerprint = match end.unverified_report() {
        Some(report) => reports::fingerprint(&mut changes, reports, columns, report).await?,
        None => None,
    };
    let resolved = end.resolved(fingerprint.as_deref());
    let ended = end_job(&mut changes, claim, &resolved).await?;
    if let Ended::Now = ended {
        write_artifact(&mut *changes, reports, columns, claim, &resolved).await?;
    }
    changes.commit().await?;
    Ok(ended.answer(end, resolved.state()))
}

/// Ends the claim's job and its attempt, and writes the gap's failure history. The history is not written where the gap's fence is
/// another: somebody claimed it, or ordered a retry, since.
async fn end_job(connection: &mut SqliteConnection, claim: Claim, end: &JobEnd) -> sqlx::Result<Ended> {
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE etl_jobs SET {end}, pool = NULL WHERE id = {job} AND state = 'running' AND fence = {fence}",
        end = parameters.assign(job_end_columns(end)),
        job = parameters.add(claim.job),
        fence = parameters.add(claim.fence),
    );
    if connection.execute(parameters.statement(text)).await? > 0 {
        end_attempt_and_gap(connection, claim, end).await?;
        return Ok(Ended::Now);
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT state FROM etl_jobs WHERE id = {} AND fence = {} AND ended_at = {}",
        parameters.add(claim.job),
        parameters.add(claim.fence),
        parameters.add(end.at()),
    );
    let before: Option<StateRow> = connection.fetch_optional(parameters.statement(text)).await?;
    Ok(Ended::before(before.map(|row| row.state)))
}

row! {
    struct StateRow of "etl_jobs" {
        state: JobState,
    }
}

/// Writes what else follows from the end of the claim's job, which was ended in the same transaction.
async fn end_attempt_and_gap(connection: &mut SqliteConnection, claim: Claim, end: &JobEnd) -> sqlx::Result<()> {
    let mut parameters = Parameters::default();
    if let Some(AttemptUpdate { set, is_meant }) = AttemptUpdate::of(&mut parameters, end) {
        let text = format!("UPDATE etl_attempts SET {set} WHERE job_id = {} AND {is_meant}", parameters.add(claim.job));
        connection.execute(parameters.statement(text)).await?;
    }
    let Some(history) = end.history() else { return Ok(()) };
    let mut parameters = Parameters::default();
    let gap = write_history(&mut parameters, &history, end.state() == JobState::Succeeded);
    let text = format!(
        "UPDATE gap_states SET {set} WHERE gap_key = (SELECT gap_key FROM etl_jobs WHERE id = {job}) AND fence = {fence} AND {is_news}",
        set = gap.set,
        job = parameters.add(claim.job),
        fence = parameters.add(claim.fence),
        is_news = gap.is_news,
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}
