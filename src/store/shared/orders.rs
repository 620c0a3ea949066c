//! Operators' orders on gaps and jobs, `--force` among them. They are durable, as whoever gave one relies on it.

use chrono::{DateTime, Utc};

use super::cell::{Found, LARGEST_FENCE};
use super::connection::SqlConnection;
use super::gaps::{self, SAYS_SOMETHING, history_columns};
use super::jobs::CancelRow;
use super::row::{Selected, row};
use super::runs::OwnerRow;
use super::statement::{Columns, Parameters, Statement, names};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::model::orders::{CancelAnswer, Forced, ForcedWhat, GapOrder, GapOrderKind};
use crate::plan::remember::failure_history::FailureHistory;

/// What an order changes, as parts of an `UPDATE`.
struct Change {
    /// The assignments.
    set: String,
    /// The condition that they change the row.
    is_change: String,
}

/// The gaps of windows for which a service's job is to be followed, as a query: each is the gap of the job that claimed them last.
fn followed_windows<C: SqlConnection>() -> String {
    let own = C::OWN;
    format!(
        "SELECT j.gap_key FROM {own}disclosure_queue q JOIN {own}etl_jobs j ON j.id = q.job_id
         WHERE q.state = 'queued' AND q.remote_id IS NOT NULL"
    )
}

fn change<C: SqlConnection>(parameters: &mut Parameters, order: &GapOrder) -> Change {
    match order.kind {
        GapOrderKind::Retry => {
            let forgotten = parameters.assign(history_columns(&FailureHistory::default()));
            let no_skip = parameters.assign(skip_columns(None));
            Change {
                // With another fence nobody who still remembers the failures can write them back.
                set: format!(
                    "fence = CASE WHEN fence BETWEEN 0 AND {LARGEST_FENCE} THEN fence + 1 ELSE fence END, {forgotten}, {no_skip}, remote_id = NULL, noted = forced_at IS NOT NULL"
                ),
                is_change: format!(
                    "(skipped_at IS NOT NULL OR remote_id IS NOT NULL OR gap_key IN ({}) OR {SAYS_SOMETHING})",
                    followed_windows::<C>()
                ),
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
    if matches!(order.kind, GapOrderKind::Skip { .. }) {
        withdraw_forces::<C>(&mut changes, &gaps).await?;
    }
    let count = if gaps.is_empty() { 0 } else { give_locked::<C>(&mut changes, order, &gaps).await? };
    changes.commit().await?;
    Ok(count)
}

/// An order to leave a group alone withdraws what `--force` asks for in it, as one on a gap does.
async fn withdraw_forces<C: SqlConnection>(connection: &mut C, of: &[GapKey]) -> sqlx::Result<()> {
    if !of.iter().any(|gap| matches!(gap, GapKey::Group { .. })) {
        return Ok(());
    }
    let own = C::OWN;
    let query = format!("SELECT gap_key FROM {own}gap_states WHERE forced_at IS NOT NULL AND noted");
    let pending: Found<KeyRow> = connection.fetch_all(Statement::plain(query)).await?;
    let keys = pending.rows.into_iter().map(|row| row.gap_key);
    let keys: Vec<GapKey> = keys.filter(|key| of.iter().any(|group| group.covers(key))).collect();
    if keys.is_empty() {
        return Ok(());
    }
    gaps::lock::<C>(connection, &keys).await?;
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}gap_states SET forced_at = NULL, noted = skipped_at IS NOT NULL OR {SAYS_SOMETHING} WHERE gap_key IN ({keys})",
        keys = parameters.gap_keys::<C>(&keys),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
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
    let change = change::<C>(&mut parameters, order);
    let text = format!(
        "UPDATE {own}gap_states SET {set} WHERE gap_key IN ({keys}) AND {is_change}",
        own = C::OWN,
        set = change.set,
        is_change = change.is_change,
        keys = parameters.gap_keys::<C>(gaps),
    );
    let changed = connection.execute(parameters.statement(text)).await?;
    if order.kind == GapOrderKind::Retry {
        let mut parameters = Parameters::default();
        let text = format!(
            "UPDATE {own}disclosure_queue SET remote_id = NULL
             WHERE state = 'queued' AND remote_id IS NOT NULL
             AND job_id IN (SELECT j.id FROM {own}etl_jobs j WHERE j.state <> 'running' AND j.gap_key IN ({keys}))",
            own = C::OWN,
            keys = parameters.gap_keys::<C>(gaps),
        );
        connection.execute(parameters.statement(text)).await?;
    }
    Ok(changed)
}

pub(in crate::store) async fn followed<C: SqlConnection>(connection: &mut C, gaps: &[GapKey]) -> sqlx::Result<Vec<GapKey>> {
    if gaps.is_empty() {
        return Ok(Vec::new());
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT g.gap_key FROM {own}gap_states g WHERE g.remote_id IS NOT NULL AND g.gap_key IN ({keys}) UNION {followed_windows}",
        own = C::OWN,
        keys = parameters.gap_keys::<C>(gaps),
        followed_windows = followed_windows::<C>(),
    );
    let found: Found<KeyRow> = connection.fetch_all(parameters.statement(text)).await?;
    let is_named = |key: &GapKey| gaps.iter().any(|gap| gap == key || gap.covers(key));
    Ok(found.rows.into_iter().map(|row| row.gap_key).filter(is_named).collect())
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
    let change = change::<C>(&mut parameters, order);
    let text = format!("UPDATE {own}gap_states SET {} WHERE gap_key = {}", change.set, parameters.add(gap));
    connection.write(parameters.statement(text), "gap_states").await
}

/// Records an order of `--force`, once for each of its gaps. What of it is to be made is pending from then on.
pub(in crate::store) async fn force<C: SqlConnection>(
    connection: &mut C,
    order: &[Forced],
    by: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    let keys: Vec<GapKey> = order.iter().map(|forced| forced.gap.clone()).collect();
    if keys.is_empty() {
        return Ok(());
    }
    let mut changes = connection.begin_write().await?;
    gaps::make::<C>(&mut changes, &keys).await?;
    gaps::lock::<C>(&mut changes, &keys).await?;
    let mut parameters = Parameters::default();
    let text = format!(
        "INSERT INTO {own}overrides (gap_key, kind, actor, reason, at)
         SELECT f.gap_key, 'force', {by}, '--force', {at} FROM ({keys}) f
         WHERE NOT EXISTS (SELECT 1 FROM {own}overrides o WHERE o.gap_key = f.gap_key AND o.kind = 'force' AND o.actor = {by} AND o.at = {at})
         ORDER BY f.gap_key",
        own = C::OWN,
        by = parameters.add(by),
        at = parameters.add(at),
        keys = parameters.gap_keys::<C>(&keys),
    );
    changes.execute(parameters.statement(text)).await?;
    for (what, was_missing) in [(ForcedWhat::Existing, false), (ForcedWhat::Missing, true)] {
        let keys: Vec<GapKey> = order.iter().filter(|forced| forced.what == what).map(|forced| forced.gap.clone()).collect();
        if keys.is_empty() {
            continue;
        }
        let mut parameters = Parameters::default();
        let text = format!(
            "UPDATE {own}gap_states SET {pending}, noted = TRUE WHERE gap_key IN ({keys})",
            own = C::OWN,
            pending = parameters.assign(vec![("forced_at", at.into()), ("forced_missing", was_missing.into())]),
            keys = parameters.gap_keys::<C>(&keys),
        );
        changes.write(parameters.statement(text), "gap_states").await?;
    }
    changes.commit().await
}

row! {
    struct ForceRow of "overrides" {
        gap_key: GapKey,
        at: DateTime<Utc>,
    }
}

/// The orders of `--force` of which something is pending: each of their gaps, with the time of the order.
pub(in crate::store) async fn forces<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<(GapKey, DateTime<Utc>)>> {
    let (columns, own) = (ForceRow::select("o"), C::OWN);
    let query = format!(
        "SELECT {columns} FROM {own}overrides o
         WHERE o.kind = 'force' AND o.at IN (SELECT g.forced_at FROM {own}gap_states g WHERE g.forced_at IS NOT NULL AND g.noted) ORDER BY o.id"
    );
    let found: Found<ForceRow> = connection.fetch_all(Statement::plain(query)).await?;
    Ok(Found { rows: found.rows.into_iter().map(|row| (row.gap_key, row.at)).collect(), malformed: found.malformed })
}
