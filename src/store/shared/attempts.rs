//! Attempts at a job.

use chrono::{DateTime, Utc};

use super::cell::AnyText;
use super::connection::SqlConnection;
use super::gaps;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters};
use crate::plan::model::job::{AttemptEnd, Claim};
use crate::plan::model::outcome::Outcome;

/// The end of an attempt, but for its process: that is known from before, and [`assign_end`] keeps it where the end does not name it.
fn end_columns(end: &AttemptEnd) -> Columns {
    vec![
        ("outcome", end.outcome.name().into()),
        ("outcome_number", end.outcome.number().into()),
        ("error", (end.outcome != Outcome::Succeeded).then(|| end.outcome.to_string()).into()),
        ("tail", end.tail.as_str().into()),
        ("ended_at", end.ended_at.into()),
        ("duration_ms", end.duration_ms.into()),
    ]
}

/// The assignments that record the end of an attempt.
pub(in crate::store) fn assign_end(parameters: &mut Parameters, end: &AttemptEnd) -> String {
    format!("{}, pid = coalesce({}, pid)", parameters.assign(end_columns(end)), parameters.add(end.pid))
}

/// The query for the attempt of a claim, where it has just this end: then the end was recorded before. With a condition on
/// its job `j`.
pub(in crate::store) fn has_end<C: SqlConnection>(parameters: &mut Parameters, claim: Claim, end: &AttemptEnd) -> String {
    format!(
        "SELECT 1 FROM {own}etl_attempts a JOIN {own}etl_jobs j ON j.id = a.job_id
         WHERE a.job_id = {job} AND a.n = {n} AND j.fence = {fence}
         AND a.outcome = {outcome} AND a.outcome_number IS NOT DISTINCT FROM {number} AND a.ended_at = {ended_at}",
        own = C::OWN,
        job = parameters.add(claim.job),
        n = parameters.add(end.attempt),
        fence = parameters.add(claim.fence),
        outcome = parameters.add(end.outcome.name()),
        number = parameters.add(end.outcome.number()),
        ended_at = parameters.add(end.ended_at),
    )
}

pub(in crate::store) async fn spawned<C: SqlConnection>(connection: &mut C, claim: Claim, attempt: u32, pid: u32) -> sqlx::Result<bool> {
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}etl_attempts SET pid = {pid} WHERE job_id = {job} AND n = {n} AND outcome IS NULL
         AND EXISTS (SELECT 1 FROM {own}etl_jobs WHERE id = {job} AND state = 'running' AND fence = {fence})",
        own = C::OWN,
        pid = parameters.add(pid),
        job = parameters.add(claim.job),
        n = parameters.add(attempt),
        fence = parameters.add(claim.fence),
    );
    Ok(connection.execute(parameters.statement(text)).await? > 0)
}

/// Gives the attempt of a lost job the end that became known later. Only while the attempt counts as lost: a later end never
/// replaces one that was seen.
pub(in crate::store) async fn attach<C: SqlConnection>(connection: &mut C, claim: Claim, end: &AttemptEnd) -> sqlx::Result<bool> {
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}etl_attempts SET {end} WHERE job_id = {job} AND n = {n} AND outcome = 'lost'
         AND EXISTS (SELECT 1 FROM {own}etl_jobs WHERE id = {job} AND state = 'lost' AND fence = {fence})",
        own = C::OWN,
        end = assign_end(&mut parameters, end),
        job = parameters.add(claim.job),
        n = parameters.add(end.attempt),
        fence = parameters.add(claim.fence),
    );
    if connection.execute(parameters.statement(text)).await? > 0 {
        return Ok(true);
    }
    let mut parameters = Parameters::default();
    let text = format!("{} AND j.state = 'lost'", has_end::<C>(&mut parameters, claim, end));
    connection.finds(parameters.statement(text)).await
}

/// Records the id that a service gave to the job of an attempt, with the attempt and with what the job is for. Durable:
/// a job that a service runs and nobody remembers would be triggered again.
pub(in crate::store) async fn follow<C: SqlConnection>(
    connection: &mut C,
    claim: Claim,
    attempt: u32,
    remote_id: Option<&str>,
) -> sqlx::Result<bool> {
    let mut changes = connection.begin_write().await?;
    gaps::lock_of_job::<C>(&mut changes, claim.job).await?;
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT 1 FROM {own}etl_jobs WHERE id = {job} AND state = 'running' AND fence = {fence}",
        own = C::OWN,
        job = parameters.add(claim.job),
        fence = parameters.add(claim.fence),
    );
    let is_ours = changes.finds(parameters.statement(text)).await?;
    if is_ours && remote_id.is_some() {
        let mut parameters = Parameters::default();
        let text = format!(
            "UPDATE {own}etl_attempts SET remote_id = {remote_id} WHERE job_id = {job} AND n = {n}",
            own = C::OWN,
            remote_id = parameters.add(remote_id),
            job = parameters.add(claim.job),
            n = parameters.add(attempt),
        );
        changes.execute(parameters.statement(text)).await?;
    }
    if is_ours {
        let mut parameters = Parameters::default();
        let text = format!(
            "UPDATE {own}disclosure_queue SET remote_id = {remote_id} WHERE job_id = {job} AND state = 'queued'",
            own = C::OWN,
            remote_id = parameters.add(remote_id),
            job = parameters.add(claim.job),
        );
        changes.execute(parameters.statement(text)).await?;
        let mut parameters = Parameters::default();
        let text = format!(
            "UPDATE {own}gap_states SET remote_id = {remote_id}
             WHERE gap_key = (SELECT gap_key FROM {own}etl_jobs WHERE id = {job} AND window_start IS NULL)",
            own = C::OWN,
            remote_id = parameters.add(remote_id),
            job = parameters.add(claim.job),
        );
        changes.execute(parameters.statement(text)).await?;
    }
    changes.commit().await?;
    Ok(is_ours)
}

row! {
    struct StartedRow of "etl_attempts" {
        started_at: DateTime<Utc>,
    }
}

/// When the first attempt of the gap of a claimed job began that has this id of a service's job.
pub(in crate::store) async fn triggered_at<C: SqlConnection>(
    connection: &mut C,
    claim: Claim,
    remote_id: &str,
) -> sqlx::Result<Option<DateTime<Utc>>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {row} FROM {own}etl_jobs j JOIN {own}etl_jobs o ON o.gap_key = j.gap_key JOIN {own}etl_attempts a ON a.job_id = o.id
         WHERE j.id = {job} AND a.remote_id = {remote_id} ORDER BY a.started_at LIMIT 1",
        row = StartedRow::select("a"),
        own = C::OWN,
        job = parameters.add(claim.job),
        remote_id = parameters.add(remote_id),
    );
    let found: Option<StartedRow> = connection.fetch_optional(parameters.statement(text)).await?;
    Ok(found.map(|row| row.started_at))
}

row! {
    struct RemoteRow of "gap_states" {
        remote_id: Option<AnyText>,
    }
}

pub(in crate::store) async fn report_in_progress<C: SqlConnection>(connection: &mut C, claim: Claim) -> sqlx::Result<Option<String>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT g.remote_id FROM {own}etl_jobs j JOIN {own}gap_states g ON g.gap_key = j.gap_key WHERE j.id = {job}",
        own = C::OWN,
        job = parameters.add(claim.job),
    );
    let found: Option<RemoteRow> = connection.fetch_optional(parameters.statement(text)).await?;
    Ok(found.and_then(|row| row.remote_id).map(|AnyText(id)| id))
}
