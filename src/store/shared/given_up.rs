//! Windows that an operator gives up.

use chrono::{DateTime, Utc};

use super::cell::LARGEST_FENCE;
use super::collected::advance;
use super::connection::SqlConnection;
use super::gaps::{self, history_columns};
use super::sources::{self, window_rows};
use super::statement::Parameters;
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::SourceOrder;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::FailureHistory;

/// Gives windows up, in the transaction that has locked the gap of their source. A window that was collected before, and that somebody
/// asked for again, is just not asked for any more. Returns whether anything was changed.
pub(super) async fn write<C: SqlConnection>(
    connection: &mut C,
    order: &SourceOrder,
    windows: &[Window],
    begin: Option<DateTime<Utc>>,
) -> sqlx::Result<bool> {
    if windows.is_empty() {
        return Ok(false);
    }
    forget_failures(connection, &order.source, windows, &[GapKey::source(&order.source)]).await?;
    // Where windows are independent each has failures of its own.
    let of_each = |window: &Window| GapKey::Window { source: order.source.clone(), start: window.start };
    let gaps: Vec<GapKey> = windows.iter().map(of_each).collect();
    gaps::lock(connection, &gaps).await?;
    forget_failures(connection, &order.source, windows, &gaps).await?;
    let (mut parameters, own) = (Parameters::default(), C::OWN);
    // A running job goes on, and what it collects is not given up any more.
    let text = format!(
        "INSERT INTO {own}disclosure_queue AS q
             (source, window_start, window_end, state, queued_at, given_up_at, given_up_by, give_up_reason)
         SELECT {source}, w.window_start, w.window_end, 'given_up', {at}, {at}, {by}, {reason} FROM ({windows}) w WHERE TRUE
         ORDER BY w.window_start, w.window_end
         ON CONFLICT (source, window_start, window_end) DO UPDATE
         SET state = CASE WHEN q.collected_at IS NULL THEN 'given_up' ELSE 'collected' END,
             given_up_at = CASE WHEN q.collected_at IS NULL THEN {at} END, given_up_by = CASE WHEN q.collected_at IS NULL THEN {by} END,
             give_up_reason = CASE WHEN q.collected_at IS NULL THEN {reason} END,
             requested_by = NULL, requested_at = NULL, remote_id = NULL
         WHERE q.state = 'queued'",
        source = parameters.add(order.source.as_str()),
        at = parameters.add(order.at),
        by = parameters.add(order.by.as_str()),
        reason = parameters.add(order.reason.as_str()),
        windows = parameters.rows::<C>(&window_rows(windows)),
    );
    if connection.execute(parameters.statement(text)).await? == 0 {
        return Ok(false);
    }
    sources::begin(connection, &order.source, begin).await?;
    advance(connection, &order.source).await?;
    Ok(true)
}

/// Failures of windows that are given up say nothing of the others, which are free to be tried. Not where a job is running, which knows what
/// there was before it.
async fn forget_failures<C: SqlConnection>(connection: &mut C, source: &str, windows: &[Window], gaps: &[GapKey]) -> sqlx::Result<()> {
    let (mut parameters, own) = (Parameters::default(), C::OWN);
    let text = format!(
        "UPDATE {own}gap_states
         SET fence = CASE WHEN fence BETWEEN 0 AND {LARGEST_FENCE} THEN fence + 1 ELSE fence END, {forgotten},
             noted = forced_at IS NOT NULL OR skipped_at IS NOT NULL
         WHERE gap_key IN ({gaps})
         AND NOT EXISTS (SELECT 1 FROM {own}etl_jobs j WHERE j.gap_key = {own}gap_states.gap_key AND j.state = 'running')
         AND EXISTS (SELECT 1 FROM {own}disclosure_queue q JOIN ({windows}) w
                         ON q.window_start = w.window_start AND q.window_end = w.window_end
                     WHERE q.source = {source} AND q.state = 'queued' AND q.job_id IS NOT NULL)",
        forgotten = parameters.assign(history_columns(&FailureHistory::default())),
        gaps = parameters.gap_keys::<C>(gaps),
        windows = parameters.rows::<C>(&window_rows(windows)),
        source = parameters.add(source),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}
