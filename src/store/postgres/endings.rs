//! How attempts and jobs end: each guarded by the state that it leaves and by the claim's fence, and in one statement where
//! that can be. What was carried out before, with the same arguments, is not done again and counts as done.

use sqlx::postgres::PgConnection;

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
use crate::store::shared::statement::Parameters;

pub(super) async fn end_attempt(connection: &mut PgConnection, claim: Claim, end: &AttemptEnd) -> sqlx::Result<bool> {
    let mut parameters = Parameters::default();
    let text = format!(
        "WITH attempt AS (UPDATE etl_orch.etl_attempts a SET {end} FROM etl_orch.etl_jobs j
                          WHERE a.job_id = {job} AND a.n = {n} AND a.outcome IS NULL
                          AND j.id = a.job_id AND j.state = 'running' AND j.fence = {fence} RETURNING a.job_id),
              freed AS (UPDATE etl_orch.etl_jobs j SET pool = NULL FROM attempt WHERE j.id = attempt.job_id AND j.pool IS NOT NULL)
         SELECT 1 WHERE EXISTS (SELECT 1 FROM attempt) OR EXISTS ({ended_before})",
        end = assign_end(&mut parameters, end),
        job = parameters.add(claim.job),
        n = parameters.add(end.attempt),
        fence = parameters.add(claim.fence),
        ended_before = has_end::<PgConnection>(&mut parameters, claim, end),
    );
    connection.finds(parameters.statement(text)).await
}

pub(super) async fn finish(
    connection: &mut PgConnection,
    reports: &TableName,
    columns: &[Column],
    claim: Claim,
    end: &JobEnd,
) -> sqlx::Result<Finished> {
    if end.unverified_report().is_none() && *end.artifact() == Artifact::Report {
        return Ok(end_job(connection, claim, end).await?.answer(end, end.state()));
    }
    let mut changes = connection.begin_write().await?;
    let fingerprint = match end.unverified_report() {
        Some(report) => reports::fingerprint(&mut changes, reports, columns, report).await?,
        None => None,
    };
    let resolved = end.resolved(fingerprint.as_deref());
    let ended = end_job(&mut changes, claim, &resolved).await?;
    if let Ended::Now = ended {
        match resolved.artifact() {
            Artifact::Report => {}
            Artifact::ReportRow(row) => reports::write(&mut changes, reports, columns, row).await?,
            Artifact::Collection(made) => collected::write(&mut *changes, claim, made, resolved.at()).await?,
        }
    }
    changes.commit().await?;
    Ok(ended.answer(end, resolved.state()))
}

row! {
    struct EndRow of "etl_jobs" {
        is_ended_now: bool,
        state_before: Option<JobState>,
    }
}

/// Ends the claim's job and its attempt, and writes the gap's failure history: one statement. The history is not written where the
/// gap's fence is another: somebody claimed it, or ordered a retry, since.
async fn end_job(connection: &mut PgConnection, claim: Claim, end: &JobEnd) -> sqlx::Result<Ended> {
    let mut parameters = Parameters::default();
    let (job, fence) = (parameters.add(claim.job), parameters.add(claim.fence));
    let attempt = AttemptUpdate::of(&mut parameters, end).map(|AttemptUpdate { set, is_meant }| {
        format!(", attempt AS (UPDATE etl_orch.etl_attempts a SET {set} FROM job WHERE a.job_id = job.id AND {is_meant})")
    });
    let gap = end.history().map(|history| {
        let gap = write_history(&mut parameters, &history, end.state() == JobState::Succeeded);
        format!(
            ", gap AS (UPDATE etl_orch.gap_states g SET {} FROM job WHERE g.gap_key = job.gap_key AND g.fence = {fence} AND {})",
            gap.set, gap.is_news
        )
    });
    let text = format!(
        "WITH job AS (UPDATE etl_orch.etl_jobs SET {end}, pool = NULL WHERE id = {job} AND state = 'running' AND fence = {fence}
                      RETURNING id, gap_key) {attempt} {gap}
         SELECT EXISTS (SELECT 1 FROM job) AS is_ended_now,
                (SELECT state FROM etl_orch.etl_jobs WHERE id = {job} AND fence = {fence} AND ended_at = {at}) AS state_before",
        attempt = attempt.unwrap_or_default(),
        gap = gap.unwrap_or_default(),
        at = parameters.add(end.at()),
        end = parameters.assign(job_end_columns(end)),
    );
    let row: Option<EndRow> = connection.fetch_optional(parameters.statement(text)).await?;
    let EndRow { is_ended_now, state_before } = row.ok_or(sqlx::Error::RowNotFound)?;
    Ok(if is_ended_now { Ended::Now } else { Ended::before(state_before) })
}
