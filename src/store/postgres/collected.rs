//! What a collection that succeeded changes of its source: queue, last success and frontier.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;

use super::sources::lock_gap_of;
use crate::plan::model::collection::Collected;
use crate::plan::model::job::Claim;
use crate::store::record::storable;

/// Records what the claim's job collected, in the transaction that ends it.
pub(super) async fn write(connection: &mut PgConnection, claim: Claim, collected: &Collected, at: DateTime<Utc>) -> sqlx::Result<()> {
    let source = storable(&collected.source);
    lock_gap_of(connection, claim).await?;
    sqlx::query(
        "WITH queue AS (UPDATE etl_orch.disclosure_queue q
                        SET state = 'collected', collected_at = $5, job_id = $4, remote_id = NULL, requested_by = NULL, requested_at = NULL
                        WHERE q.state = 'queued' AND (q.job_id = $4 OR (q.source = $1 AND q.window_start >= $2 AND q.window_end <= $3)))
         INSERT INTO etl_orch.sources AS s
             (source, frontier, last_at, last_start, last_end, last_seen, last_records, last_message, last_job, empty)
         VALUES ($1, $3, $5, $2, $3, $6, $7, $8, $4, CASE WHEN $7 = 0 THEN 1 ELSE 0 END)
         ON CONFLICT (source) DO UPDATE
         SET frontier = CASE WHEN s.frontier IS NULL OR (s.frontier >= $2 AND s.frontier < $3) THEN $3 ELSE s.frontier END,
             last_at = $5, last_start = $2, last_end = $3, last_seen = $6, last_records = $7, last_message = $8, last_job = $4,
             empty = CASE WHEN $7 IS NULL THEN s.empty WHEN $7 = 0 THEN s.empty + 1 ELSE 0 END",
    )
    .bind(source.as_ref())
    .bind(collected.window.start)
    .bind(collected.window.end)
    .bind(claim.job.to_string())
    .bind(at)
    .bind(collected.seen.name())
    .bind(collected.records)
    .bind(collected.message.as_deref().map(storable))
    .execute(&mut *connection)
    .await?;
    advance(connection, &source).await
}

/// Moves the frontier over windows beyond it that were collected before it came there, up to the first hole.
async fn advance(connection: &mut PgConnection, source: &str) -> sqlx::Result<()> {
    sqlx::query(
        "WITH ahead AS (SELECT q.window_start, q.window_end, greatest(s.frontier, max(q.window_end) OVER
                            (ORDER BY q.window_start, q.window_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) AS reached
                        FROM etl_orch.sources s JOIN etl_orch.disclosure_queue q ON q.source = s.source
                        WHERE s.source = $1 AND q.state = 'collected' AND q.window_end > s.frontier),
              hole AS (SELECT min(window_start) AS start FROM ahead WHERE window_start > reached)
         UPDATE etl_orch.sources s
         SET frontier = greatest(s.frontier, (SELECT max(window_end) FROM ahead, hole WHERE hole.start IS NULL OR window_start < hole.start))
         WHERE s.source = $1",
    )
    .bind(source)
    .execute(connection)
    .await?;
    Ok(())
}
