//! Operators' orders on gaps and jobs, `--force` among them. They are durable, as whoever gave one relies on it.

use chrono::{DateTime, Utc};

use super::cell::{Found, LARGEST_FENCE};
use super::connection::SqlConnection;
use super::gaps::{self, SAYS_SOMETHING, history_columns};
use super::jobs::CancelRow;
use super::row::{Selected, row};
use super::runs::OwnerRow;
use super::statement::{Columns, Parameters, names};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::model::orders::{CancelAnswer, GapOrder, GapOrderKind};
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::remember::recorded_job::NewJob;

/// What an order changes, as parts of an `UPDATE`.
struct Change {
    /// The assignments.
    set: String,
    /// The condition that they change the row.
    is_change: String,
}

fn change(parameters: &mut Parameters, order: &GapOrder) -> Change {
    match order.kind {
        GapOrderKind::Retry => {
            let forgotten = parameters.assign(history_columns(&FailureHistory::default()));
            let no_skip = parameters.assign(skip_columns(None));
            Change {
                // With another fence nobody who still remembers the failures can write them back.
                set: format!(
                    "fence = CASE WHEN fence BETWEEN 0 AND {LARGEST_FENCE} THEN fence + 1 ELSE fence END, {forgotten}, {no_skip}, noted = forced_at IS NOT NULL"
                ),
                is_change: format!("(skipped_at IS NOT NULL OR {SAYS_SOMETHING})"),
            }
        }
        GapOrderKind::Skip { .. } => Change {
            set: format!("{}, forced_at = NULL, noted = TRUE", parameters.assign(skip_columns(Some(order)))),
            is_change: "TRUE".to_owned(),
        },
        GapOrderKind::Unskip => Change {
            set: format!("{}, noted = forced_at IS NOT NULL OR {SAYS_SOMETHING}", parameters.assign(skip_columns(None))),
            is_change: "skipped_at IS NOT NULL".to_owned(),
        },
    }
}

/// An order to leave a gap alone, or that there is none.
fn skip_columns(order: Option<&GapOrder>) -> Columns {
    vec![
        ("skipped_at", order.map(|order| order.at).into()),
        ("skip_until", order.and_then(until).into()),
        ("skipped_by", order.map(|order| order.by.as_str()).into()),
        ("skip_reason", order.map(|order| order.reason.as_str()).into()),
    ]
}

/// When the order ends by itself.
fn until(order: &GapOrder) -> Option<DateTime<Utc>> {
    match order.kind {
        GapOrderKind::Skip { until } => until,
        GapOrderKind::Retry | GapOrderKind::Unskip => None,
    }
}

pub(in crate::store) async fn give<C: SqlConnection>(connection: &mut C, order: &GapOrder, gaps: &[GapKey]) -> sqlx::Result<u64> {
    if gaps.is_empty() {
        return Ok(0);
    }
    let mut changes = connection.begin_write().await?;
    if matches!(order.kind, GapOrderKind::Skip { .. }) {
        gaps::make::<C>(&mut changes, gaps).await?;
    }
    // This waits for a claim that is under way; the statements after it see what became of its job.
    gaps::lock::<C>(&mut changes, gaps).await?;
    let gaps = match order.kind {
        GapOrderKind::Retry => not_running::<C>(&mut changes, gaps).await?,
        GapOrderKind::Skip { .. } | GapOrderKind::Unskip => gaps.to_vec(),
    };
    let count = if gaps.is_empty() { 0 } else { give_locked::<C>(&mut changes, order, &gaps).await? };
    changes.commit().await?;
    Ok(count)
}

/// Those of the locked gaps that have no running job. None begins while they are locked.
async fn not_running<C: SqlConnection>(connection: &mut C, gaps: &[GapKey]) -> sqlx::Result<Vec<GapKey>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT gap_key FROM ({keys}) a
         WHERE NOT EXISTS (SELECT 1 FROM {own}etl_jobs j WHERE j.gap_key = a.gap_key AND j.state = 'running')",
        keys = parameters.gap_keys::<C>(gaps),
        own = C::OWN,
    );
    let free: Found<KeyRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(free.rows.into_iter().map(|row| row.gap_key).collect())
}

async fn give_locked<C: SqlConnection>(connection: &mut C, order: &GapOrder, gaps: &[GapKey]) -> sqlx::Result<u64> {
    let mut parameters = Parameters::default();
    // An order that was given before, by the same person at the same time, is not recorded again.
    let text = format!(
        "INSERT INTO {own}overrides (gap_key, kind, actor, reason, at, until)
         SELECT a.gap_key, {kind}, {by}, {reason}, {at}, {until} FROM ({keys}) a
         WHERE NOT EXISTS (SELECT 1 FROM {own}overrides o WHERE o.gap_key = a.gap_key AND o.kind = {kind} AND o.actor = {by}
                           AND o.reason = {reason} AND o.at = {at})
         ORDER BY a.gap_key",
        own = C::OWN,
        kind = parameters.add(order.kind.name()),
        by = parameters.add(order.by.as_str()),
        reason = parameters.add(order.reason.as_str()),
        at = parameters.add(order.at),
        until = parameters.add(until(order)),
        keys = parameters.gap_keys::<C>(gaps),
    );
    connection.execute(parameters.statement(text)).await?;
    let mut parameters = Parameters::default();
    let change = change(&mut parameters, order);
    let text = format!(
        "UPDATE {own}gap_states SET {set} WHERE gap_key IN ({keys}) AND {is_change}",
        own = C::OWN,
        set = change.set,
        is_change = change.is_change,
        keys = parameters.gap_keys::<C>(gaps),
    );
    connection.execute(parameters.statement(text)).await
}

row! {
    struct KeyRow of "gap_states" {
        gap_key: GapKey,
    }
}

row! {
    /// A job that is to be cancelled.
    struct CancelledRow of "etl_jobs" {
        gap_key: GapKey,
        state: JobState,
        has_fence: bool = "{row}.fence IS NOT NULL",
        ended_at: Option<DateTime<Utc>>;
        cancel: CancelRow,
        owner: OwnerRow,
    }
}

pub(in crate::store) async fn cancel<C: SqlConnection>(
    connection: &mut C,
    job: JobId,
    by: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<CancelAnswer> {
    let mut changes = connection.begin_write().await?;
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {row}, {cancel}, {owner} FROM {own}etl_jobs j JOIN {own}etl_runs r ON r.id = j.run_id WHERE j.id = {job} {lock}",
        row = CancelledRow::select("j"),
        cancel = CancelRow::select("j"),
        owner = OwnerRow::select("r"),
        own = C::OWN,
        job = parameters.add(job),
        lock = if C::HAS_ROW_LOCKS { "FOR UPDATE OF j" } else { "" },
    );
    let found: Option<CancelledRow> = changes.fetch_optional(parameters.statement(text)).await?;
    let Some(found) = found else {
        changes.rollback().await?;
        return Ok(CancelAnswer::Unknown);
    };
    let cancelled_before = found.cancel.request();
    let (answer, is_new) = match found.state {
        JobState::Running => (CancelAnswer::Asked(found.owner.owner()), cancelled_before.is_none()),
        JobState::Queued => (CancelAnswer::Dropped, true),
        // The same order, given again.
        JobState::Cancelled if !found.has_fence && found.ended_at == Some(at) && cancelled_before.is_some_and(|cancel| cancel.by == by) => {
            (CancelAnswer::Dropped, false)
        }
        ended => (CancelAnswer::Ended(ended), false),
    };
    if !is_new {
        changes.rollback().await?;
        return Ok(answer);
    }
    record_cancel::<C>(
        &mut changes,
        job,
        &GapOrder { kind: GapOrderKind::Skip { until: None }, by: by.to_owned(), reason: reason.to_owned(), at },
        &found.gap_key,
    )
    .await?;
    changes.commit().await?;
    Ok(answer)
}

/// Records the request with the job, which is locked, ends the job if it is still queued, and has its gap skipped.
async fn record_cancel<C: SqlConnection>(connection: &mut C, job: JobId, order: &GapOrder, gap: &GapKey) -> sqlx::Result<()> {
    let own = C::OWN;
    let (by, reason, at) = (order.by.as_str(), order.reason.as_str(), order.at);

    let mut parameters = Parameters::default();
    let ended = format!("{by} cancelled it: {reason}");
    let text = format!(
        "UPDATE {own}etl_jobs SET {asked}, error = CASE state WHEN 'queued' THEN {error} ELSE error END,
             ended_at = CASE state WHEN 'queued' THEN {at} ELSE ended_at END,
             state = CASE state WHEN 'queued' THEN 'cancelled' ELSE state END
         WHERE id = {job}",
        asked = parameters.assign(vec![("cancel_by", by.into()), ("cancel_reason", reason.into())]),
        error = parameters.add(ended),
        at = parameters.add(at),
        job = parameters.add(job),
    );
    connection.write(parameters.statement(text), "etl_jobs").await?;

    let columns: Columns = vec![
        ("gap_key", gap.into()),
        ("kind", "cancel".into()),
        ("job_id", job.into()),
        ("actor", by.into()),
        ("reason", reason.into()),
        ("at", at.into()),
    ];
    let mut parameters = Parameters::default();
    let text = format!("INSERT INTO {own}overrides ({}) VALUES ({})", names(&columns), parameters.values(columns));
    connection.write(parameters.statement(text), "overrides").await?;

    gaps::make(connection, std::slice::from_ref(gap)).await?;
    let mut parameters = Parameters::default();
    let change = change(&mut parameters, order);
    let text = format!("UPDATE {own}gap_states SET {} WHERE gap_key = {}", change.set, parameters.add(gap));
    connection.write(parameters.statement(text), "gap_states").await
}

/// Records that jobs were forced, as orders on their gaps, where none is pending.
pub(super) async fn force<C: SqlConnection>(connection: &mut C, jobs: &[&NewJob], by: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    let keys: Vec<GapKey> = jobs.iter().map(|job| job.gap.clone()).collect();
    gaps::make(connection, &keys).await?;
    gaps::lock(connection, &keys).await?;
    let rows: Vec<Columns> = jobs.iter().map(|job| vec![("gap_key", (&job.gap).into()), ("job_id", job.id.into())]).collect();
    let mut parameters = Parameters::default();
    let text = format!(
        "INSERT INTO {own}overrides (gap_key, kind, job_id, actor, reason, at)
         SELECT f.gap_key, 'force', f.job_id, {by}, '--force', {at}
         FROM ({rows}) f JOIN {own}gap_states g ON g.gap_key = f.gap_key AND g.forced_at IS NULL",
        own = C::OWN,
        by = parameters.add(by),
        at = parameters.add(at),
        rows = parameters.rows::<C>(&rows),
    );
    connection.execute(parameters.statement(text)).await?;
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}gap_states SET forced_at = {at}, noted = TRUE WHERE gap_key IN ({keys})",
        own = C::OWN,
        at = parameters.add(at),
        keys = parameters.gap_keys::<C>(&keys),
    );
    connection.write(parameters.statement(text), "gap_states").await
}
