//! What a collection that succeeded changes of its source: queue, last success and frontier.

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;

use crate::plan::model::collection::Collected;
use crate::plan::model::job::Claim;
use crate::store::record::{rfc3339, storable};

/// Records what the claim's job collected, in the transaction that ends it.
pub(super) async fn write(connection: &mut SqliteConnection, claim: Claim, collected: &Collected, at: DateTime<Utc>) -> sqlx::Result<()> {
    // The last statement moves the frontier over windows beyond it that were collected before it came there, up to the first hole.
    sqlx::query(
        "UPDATE disclosure_queue
         SET state = 'collected', collected_at = ?5, job_id = ?4, remote_id = NULL, requested_by = NULL, requested_at = NULL
         WHERE state = 'queued' AND (job_id = ?4 OR (source = ?1 AND window_start >= ?2 AND window_end <= ?3));
         INSERT INTO sources (source, frontier, last_at, last_start, last_end, last_seen, last_records, last_message, last_job, empty)
         VALUES (?1, ?3, ?5, ?2, ?3, ?6, ?7, ?8, ?4, CASE WHEN ?7 = 0 THEN 1 ELSE 0 END)
         ON CONFLICT (source) DO UPDATE
         SET frontier = CASE WHEN frontier IS NULL OR (frontier >= ?2 AND frontier < ?3) THEN ?3 ELSE frontier END,
             last_at = ?5, last_start = ?2, last_end = ?3, last_seen = ?6, last_records = ?7, last_message = ?8, last_job = ?4,
             empty = CASE WHEN ?7 IS NULL THEN empty WHEN ?7 = 0 THEN empty + 1 ELSE 0 END;
         WITH ahead AS (SELECT q.window_start, q.window_end, s.frontier, max(q.window_end) OVER
                            (ORDER BY q.window_start, q.window_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
                        FROM sources s JOIN disclosure_queue q ON q.source = s.source
                        WHERE s.source = ?1 AND q.state = 'collected' AND q.window_end > s.frontier),
              hole AS (SELECT min(window_start) AS start FROM ahead WHERE window_start > max(frontier, coalesce(reached, frontier)))
         UPDATE sources
         SET frontier = coalesce((SELECT max(window_end) FROM ahead, hole WHERE hole.start IS NULL OR window_start < hole.start), frontier)
         WHERE source = ?1",
    )
    .bind(storable(&collected.source))
    .bind(rfc3339(collected.window.start))
    .bind(rfc3339(collected.window.end))
    .bind(claim.job.to_string())
    .bind(rfc3339(at))
    .bind(collected.seen.name())
    .bind(collected.records)
    .bind(collected.message.as_deref().map(storable))
    .execute(connection)
    .await?;
    Ok(())
}
