//! Orders on gaps: those that no job has answered yet, and those that were given by some time.

use chrono::{DateTime, Utc};

use super::cell::{AnyText, Found};
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::Parameters;
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{PendingOrder, PendingOrderKind};
use crate::plan::remember::past::PastOrder;

row! {
    struct PendingRow of "overrides" {
        gap_key: GapKey,
        kind: PendingOrderKind,
        actor: String,
        reason: String,
        at: DateTime<Utc>,
    }
}

/// The latest pending order on each of these gaps.
pub(in crate::store) async fn find<C: SqlConnection>(connection: &mut C, gaps: &[GapKey]) -> sqlx::Result<Found<PendingOrder>> {
    if gaps.is_empty() {
        return Ok(Found { rows: Vec::new(), malformed: Vec::new() });
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {order} FROM {own}overrides o JOIN {own}gap_states g ON g.gap_key = o.gap_key
         WHERE o.gap_key IN ({gaps}) AND (
             (o.kind = 'retry' AND NOT EXISTS (SELECT 1 FROM {own}etl_jobs j WHERE j.gap_key = o.gap_key AND j.ended_at >= o.at))
             OR (o.kind = 'force' AND g.forced_at IS NOT NULL)
             OR (o.kind = 'collect' AND EXISTS (SELECT 1 FROM {own}disclosure_queue q
                                                WHERE 'source:' || q.source = o.gap_key AND q.requested_at = o.at)))
         ORDER BY o.gap_key, o.id DESC",
        order = PendingRow::select("o"),
        own = C::OWN,
        gaps = parameters.gap_keys::<C>(gaps),
    );
    let Found { mut rows, malformed } = connection.fetch_all::<PendingRow>(parameters.statement(text)).await?;
    rows.dedup_by(|later, first| later.gap_key == first.gap_key);
    let order = |row: PendingRow| PendingOrder { gap: row.gap_key, kind: row.kind, by: row.actor, reason: row.reason, at: row.at };
    Ok(Found { rows, malformed }.map(order))
}

row! {
    struct GivenRow of "overrides" {
        gap_key: GapKey,
        kind: AnyText,
        actor: AnyText,
        reason: AnyText,
        at: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
    }
}

/// So many are listed.
const MOST_LISTED: u32 = 100;

/// The orders on these gaps that were given by this time, the latest first.
pub(in crate::store) async fn given<C: SqlConnection>(
    connection: &mut C,
    gaps: &[GapKey],
    until: DateTime<Utc>,
) -> sqlx::Result<Found<PastOrder>> {
    if gaps.is_empty() {
        return Ok(Found { rows: Vec::new(), malformed: Vec::new() });
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {order} FROM {own}overrides o WHERE o.gap_key IN ({gaps}) AND o.at <= {until} ORDER BY o.at DESC, o.id DESC LIMIT {MOST_LISTED}",
        order = GivenRow::select("o"),
        own = C::OWN,
        gaps = parameters.gap_keys::<C>(gaps),
        until = parameters.add(until),
    );
    let found: Found<GivenRow> = connection.fetch_all(parameters.statement(text)).await?;
    let text = |AnyText(text): AnyText| text;
    Ok(found.map(|row| PastOrder {
        gap: row.gap_key,
        kind: text(row.kind),
        by: text(row.actor),
        reason: text(row.reason),
        at: row.at,
        until: row.until,
    }))
}
