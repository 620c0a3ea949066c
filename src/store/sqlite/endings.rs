//! How attempts and jobs end: each guarded by the state that it leaves and by the claim's fence. What was carried out
//! before, with the same arguments, is not done again and counts as done.

use std::borrow::Cow;

use sqlx::sqlite::SqliteConnection;

use super::changes::{Batch, Changes};
use super::reports;
use crate::plan::model::job::{AttemptEnd, Claim, JobState};
use crate::plan::model::settings::TableName;
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::store::shared::attempts::{assign_end, has_end};
use crate::store::shared::collected;
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::data_columns::Column;
use crate::store::shared::endings::{AttemptUpdate, Ended, job_end_columns};
use crate::store::shared::gaps::write_history;
use crate::store::shared::row::row;
use crate::store::shared::statement::{Parameters, Statement};

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
    table: &TableName,
    columns: &[Column],
    claim: Claim,
    end: &JobEnd,
) -> sqlx::Result<Finished> {
    let (mut changes, resolved, ended_now): (_, _, Option<EndedRow>) = if let Some(report) = end.unverified_report() {
        let mut changes = Changes::begin(connection).await?;
        let fingerprint = reports::fingerprint(&mut changes, table, columns, report).await?;
        let resolved = end.resolved(fingerprint.as_deref());
        let ended_now = changes.fetch_optional(end_of_job(claim, &resolved)).await?;
        (changes, resolved, ended_now)
    } else {
        let (changes, ended_now) = Changes::begin_with(connection, end_of_job(claim, end)).await?;
        (changes, Cow::Borrowed(end), ended_now)
    };
    let ended = if ended_now.is_some() {
        follow(&mut changes, table, columns, claim, &resolved).await?;
        Ended::Now
    } else {
        Ended::before(state_since(&mut changes, claim, &resolved).await?)
    };
    changes.commit().await?;
    Ok(ended.answer(end, resolved.state()))
}

row! {
    struct EndedRow of "etl_jobs" {
        state: JobState,
    }
}

/// Ends the claim's job, and gives a row where that was still running.
fn end_of_job(claim: Claim, end: &JobEnd) -> Statement {
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE etl_jobs SET {end}, pool = NULL WHERE id = {job} AND state = 'running' AND fence = {fence} RETURNING state",
        end = parameters.assign(job_end_columns(end)),
        job = parameters.add(claim.job),
        fence = parameters.add(claim.fence),
    );
    parameters.statement(text)
}

/// The state in which the claim's job has been since this end.
async fn state_since(connection: &mut SqliteConnection, claim: Claim, end: &JobEnd) -> sqlx::Result<Option<JobState>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT state FROM etl_jobs WHERE id = {} AND fence = {} AND ended_at = {}",
        parameters.add(claim.job),
        parameters.add(claim.fence),
        parameters.add(end.at()),
    );
    let before: Option<EndedRow> = connection.fetch_optional(parameters.statement(text)).await?;
    Ok(before.map(|row| row.state))
}

/// Writes what follows from the end of the claim's job, which was ended in the same transaction: the end of its attempt, the gap's failure
/// history, and what it made. The history is not written where the gap's fence is another: somebody claimed it, or ordered a retry, since.
async fn follow(changes: &mut Changes<'_>, table: &TableName, columns: &[Column], claim: Claim, end: &JobEnd) -> sqlx::Result<()> {
    let mut batch = Batch::default();
    let (job, fence) = (batch.parameters.add(claim.job), batch.parameters.add(claim.fence));
    if let Some(AttemptUpdate { set, is_meant }) = AttemptUpdate::of(&mut batch.parameters, end) {
        batch.execute(format!("UPDATE etl_attempts SET {set} WHERE job_id = {job} AND {is_meant}"));
    }
    if let Some(history) = end.history() {
        let gap = write_history(&mut batch.parameters, &history, end.state() == JobState::Succeeded);
        batch.execute(format!(
            "UPDATE gap_states SET {} WHERE gap_key = (SELECT gap_key FROM etl_jobs WHERE id = {job}) AND fence = {fence} AND {}",
            gap.set, gap.is_news
        ));
    }
    match end.artifact() {
        Artifact::Report => changes.carry_out(batch).await,
        Artifact::ReportRow(row) => reports::write(changes, batch, table, columns, row).await,
        Artifact::Collection(made) => {
            changes.carry_out(batch).await?;
            collected::write(&mut **changes, claim, made, end.at()).await
        }
    }
}
