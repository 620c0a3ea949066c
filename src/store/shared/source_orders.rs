//! Orders on disclosure sources.

use super::connection::SqlConnection;
use super::sources::window_rows;
use super::statement::{Columns, Parameters, names};
use super::{gaps, given_up};
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};

/// Gives an order. Returns whether it changed anything.
pub(in crate::store) async fn give_order<C: SqlConnection>(connection: &mut C, order: &SourceOrder) -> sqlx::Result<bool> {
    let gap = GapKey::source(&order.source);
    let mut changes = connection.begin_write().await?;
    // Of two who give orders on a source, the second sees what the first has changed.
    gaps::make::<C>(&mut changes, std::slice::from_ref(&gap)).await?;
    gaps::lock::<C>(&mut changes, std::slice::from_ref(&gap)).await?;
    let columns: Columns = vec![
        ("gap_key", (&gap).into()),
        ("kind", order.kind.name().into()),
        ("actor", order.by.as_str().into()),
        ("reason", order.reason.as_str().into()),
        ("at", order.at.into()),
    ];
    let is_repeated = is_recorded::<C>(&mut changes, &columns).await?;
    if is_repeated || !carry_out::<C>(&mut changes, order).await? {
        changes.rollback().await?;
        return Ok(is_repeated);
    }
    let mut parameters = Parameters::default();
    let text = format!("INSERT INTO {}overrides ({}) VALUES ({})", C::OWN, names(&columns), parameters.values(columns));
    changes.write(parameters.statement(text), "overrides").await?;
    changes.commit().await?;
    Ok(true)
}

async fn is_recorded<C: SqlConnection>(connection: &mut C, order: &Columns) -> sqlx::Result<bool> {
    let mut parameters = Parameters::default();
    let same: Vec<String> = order.iter().map(|(name, value)| format!("{name} = {}", parameters.add(value.clone()))).collect();
    let text = format!("SELECT 1 FROM {}overrides WHERE {}", C::OWN, same.join(" AND "));
    connection.finds(parameters.statement(text)).await
}

/// Makes the change that is ordered. Returns whether it changed anything.
async fn carry_out<C: SqlConnection>(connection: &mut C, order: &SourceOrder) -> sqlx::Result<bool> {
    let (mut parameters, own) = (Parameters::default(), C::OWN);
    let source = parameters.add(order.source.as_str());
    let text = match &order.kind {
        SourceOrderKind::Pause => format!(
            "INSERT INTO {own}sources AS s (source, paused_at, paused_by, pause_reason) VALUES ({source}, {at}, {by}, {reason})
             ON CONFLICT (source) DO UPDATE SET paused_at = {at}, paused_by = {by}, pause_reason = {reason} WHERE s.paused_at IS NULL",
            at = parameters.add(order.at),
            by = parameters.add(order.by.as_str()),
            reason = parameters.add(order.reason.as_str()),
        ),
        SourceOrderKind::Resume => format!(
            "UPDATE {own}sources SET paused_at = NULL, paused_by = NULL, pause_reason = NULL
             WHERE source = {source} AND paused_at IS NOT NULL"
        ),
        SourceOrderKind::GiveUp { windows, begin } => return given_up::write(connection, order, windows, *begin).await,
        SourceOrderKind::Collect(windows) if windows.is_empty() => return Ok(false),
        // A running job goes on. Its windows keep it, and its success answers the order. That a window was collected before, or given up,
        // stays on record until then.
        SourceOrderKind::Collect(windows) => format!(
            "INSERT INTO {own}disclosure_queue AS q (source, window_start, window_end, queued_at, requested_by, requested_at)
             SELECT DISTINCT {source}, w.window_start, w.window_end, {at}, {by}, {at} FROM ({windows}) w WHERE TRUE
             ORDER BY w.window_start, w.window_end
             ON CONFLICT (source, window_start, window_end) DO UPDATE
             SET state = 'queued', requested_by = {by}, requested_at = {at},
                 job_id = CASE WHEN q.job_id IN (SELECT id FROM {own}etl_jobs WHERE state = 'running') THEN q.job_id END,
                 remote_id = CASE WHEN q.state = 'queued' THEN q.remote_id END",
            at = parameters.add(order.at),
            by = parameters.add(order.by.as_str()),
            windows = parameters.rows::<C>(&window_rows(windows)),
        ),
    };
    Ok(connection.execute(parameters.statement(text)).await? > 0)
}
