//! Since when reports are missing, as far as that is on record.

use chrono::{DateTime, Utc};

use super::cell::Found;
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::Parameters;
use crate::plan::model::gap::GapKey;

row! {
    struct MissingRow of "decisions" {
        gap_key: GapKey,
        since: DateTime<Utc>,
    }
}

/// Since its last success a gap was seen to be missing by each decision not to make it, and by each job for it.
pub(in crate::store) async fn since<C: SqlConnection>(connection: &mut C, gaps: &[GapKey]) -> sqlx::Result<Found<(GapKey, DateTime<Utc>)>> {
    if gaps.is_empty() {
        return Ok(Found { rows: Vec::new(), malformed: Vec::new() });
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "WITH gaps AS ({gaps}), seen AS (
             SELECT d.gap_key, d.since FROM {own}decisions d JOIN gaps g ON g.gap_key = d.gap_key WHERE d.decision <> 'skipped'
             UNION ALL
             SELECT j.gap_key, j.queued_at FROM {own}etl_jobs j JOIN gaps g ON g.gap_key = j.gap_key WHERE j.state <> 'succeeded')
         SELECT {row} FROM (SELECT gap_key, min(since) AS since FROM seen
             WHERE NOT EXISTS (SELECT 1 FROM {own}etl_jobs s
                               WHERE s.gap_key = seen.gap_key AND s.state = 'succeeded' AND s.ended_at >= seen.since)
             GROUP BY gap_key) m",
        row = MissingRow::select("m"),
        own = C::OWN,
        gaps = parameters.gap_keys::<C>(gaps),
    );
    let found: Found<MissingRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(found.map(|row| (row.gap_key, row.since)))
}
