//! Disclosure sources: their records, their queue, and orders on them.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::{Sqlite, begin_write};
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::Claim;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::model::window::Window;
use crate::plan::remember::source_state::{QueuedWindow, SourceState};
use crate::store::Result;
use crate::store::record::{failed, rfc3339, storable};
use crate::store::rows::{QueuedColumns, SourceColumns};

/// The condition that a window of the queue is still to be collected and lies within another: parameters 1 to 3 are the
/// source and that window.
pub(super) const QUEUED: &str = "source = ?1 AND state = 'queued' AND window_start >= ?2 AND window_end <= ?3";

/// The columns of a window `q` of the queue.
const WINDOW: &str = "q.source, q.window_start, q.window_end, q.state = 'collected' AS is_collected, \
     q.requested_at IS NOT NULL AS is_requested, \
     q.requested_at IS NOT NULL AND q.job_id IS NULL AS is_urgent, q.remote_id";

impl Sqlite {
    pub(super) async fn source_states(&self) -> Result<Vec<SourceState>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let rows: sqlx::Result<Vec<SourceColumns>> = sqlx::query_as(
            "SELECT source, frontier, paused_at, paused_by, pause_reason, last_at, last_start, last_end, last_seen, last_records,
                    last_message, empty
             FROM sources ORDER BY source",
        )
        .fetch_all(&mut *self.connection().await?)
        .await;
        let rows = rows.map_err(failed("looking at the records of sources"))?;
        Ok(rows.into_iter().map(SourceColumns::state).collect())
    }

    pub(super) async fn queue(&self) -> Result<Vec<QueuedWindow>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        // Each half has its index, so that what was collected long ago is not read.
        let rows: sqlx::Result<Vec<QueuedColumns>> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT {WINDOW} FROM disclosure_queue q WHERE q.state = 'queued'
             UNION ALL SELECT {WINDOW} FROM sources s JOIN disclosure_queue q ON q.source = s.source
                 AND q.state = 'collected' AND q.window_end > coalesce(s.frontier, '')
             ORDER BY 1, 2, 3"
        )))
        .fetch_all(&mut *self.connection().await?)
        .await;
        let rows = rows.map_err(failed("looking at the queue of the sources"))?;
        Ok(rows.into_iter().map(QueuedColumns::window).collect())
    }

    pub(super) async fn enqueue_windows(&self, source: &str, windows: &[Window], at: DateTime<Utc>) -> Result<()> {
        if windows.is_empty() {
            return Ok(());
        }
        // Without a WHERE before it the ON would be read as a join's.
        let done = sqlx::query(
            "INSERT INTO disclosure_queue (source, window_start, window_end, queued_at)
             SELECT ?1, value ->> 0, value ->> 1, ?3 FROM json_each(?2) WHERE TRUE ON CONFLICT DO NOTHING",
        )
        .bind(storable(source))
        .bind(as_json(windows))
        .bind(rfc3339(at))
        .execute(&mut *self.connection().await?)
        .await;
        done.map(drop).map_err(failed("recording the windows of a source"))
    }

    pub(super) async fn follow(&self, claim: Claim, attempt: u32, remote: Option<&str>) -> Result<bool> {
        let mut connection = self.connection().await?;
        follow(&mut connection, claim, attempt, remote).await.map_err(failed("recording the id that a service gave to a job"))
    }

    pub(super) async fn order_source(&self, order: &SourceOrder) -> Result<bool> {
        let mut connection = self.connection().await?;
        give_order(&mut connection, order).await.map_err(failed("recording an order on a source"))
    }
}

/// Gives the queued windows within `window` to the job that was claimed for them.
pub(super) async fn take(connection: &mut SqliteConnection, source: &str, window: Window, job: &str) -> sqlx::Result<()> {
    sqlx::query(AssertSqlSafe(format!("UPDATE disclosure_queue SET job_id = ?4 WHERE {QUEUED}")))
        .bind(storable(source))
        .bind(rfc3339(window.start))
        .bind(rfc3339(window.end))
        .bind(job)
        .execute(connection)
        .await?;
    Ok(())
}

/// The windows' starts and ends, as one parameter.
fn as_json(windows: &[Window]) -> String {
    let rows: Vec<_> = windows.iter().map(|window| serde_json::json!([rfc3339(window.start), rfc3339(window.end)])).collect();
    serde_json::Value::Array(rows).to_string()
}

async fn follow(connection: &mut SqliteConnection, claim: Claim, attempt: u32, remote: Option<&str>) -> sqlx::Result<bool> {
    let id = claim.job.to_string();
    let mut transaction = begin_write(connection).await?;
    let is_ours: bool = sqlx::query_scalar("SELECT EXISTS (SELECT 1 FROM etl_jobs WHERE id = ?1 AND state = 'running' AND fence = ?2)")
        .bind(&id)
        .bind(claim.fence)
        .fetch_one(&mut *transaction)
        .await?;
    if !is_ours {
        return Ok(false);
    }
    sqlx::query(
        "UPDATE etl_attempts SET remote_id = ?3 WHERE job_id = ?1 AND n = ?2 AND ?3 IS NOT NULL;
         UPDATE disclosure_queue SET remote_id = ?3 WHERE job_id = ?1 AND state = 'queued'",
    )
    .bind(&id)
    .bind(i64::from(attempt))
    .bind(remote.map(storable))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(true)
}

async fn give_order(connection: &mut SqliteConnection, order: &SourceOrder) -> sqlx::Result<bool> {
    let gap = GapKey::source(&order.source);
    let gap = storable(&gap.to_string()).into_owned();
    let mut transaction = begin_write(connection).await?;
    let is_repeated: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM overrides WHERE gap_key = ?1 AND kind = ?2 AND actor = ?3 AND reason = ?4 AND at = ?5)",
    )
    .bind(&gap)
    .bind(order.kind.name())
    .bind(storable(&order.by))
    .bind(storable(&order.reason))
    .bind(rfc3339(order.at))
    .fetch_one(&mut *transaction)
    .await?;
    if is_repeated || !carry_out(&mut transaction, order, &gap).await? {
        return Ok(is_repeated);
    }
    sqlx::query("INSERT INTO overrides (gap_key, kind, actor, reason, at) VALUES (?1, ?2, ?3, ?4, ?5)")
        .bind(&gap)
        .bind(order.kind.name())
        .bind(storable(&order.by))
        .bind(storable(&order.reason))
        .bind(rfc3339(order.at))
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Changes what the order says, and tells whether that changed anything.
async fn carry_out(connection: &mut SqliteConnection, order: &SourceOrder, gap: &str) -> sqlx::Result<bool> {
    let (source, at) = (storable(&order.source), rfc3339(order.at));
    let statement = match &order.kind {
        SourceOrderKind::Pause => sqlx::query(
            "INSERT INTO sources (source, paused_at, paused_by, pause_reason) VALUES (?1, ?2, ?3, ?4)
             ON CONFLICT (source) DO UPDATE SET paused_at = ?2, paused_by = ?3, pause_reason = ?4 WHERE paused_at IS NULL",
        )
        .bind(source)
        .bind(at)
        .bind(storable(&order.by))
        .bind(storable(&order.reason)),
        SourceOrderKind::Resume => sqlx::query(
            "UPDATE sources SET paused_at = NULL, paused_by = NULL, pause_reason = NULL WHERE source = ?1 AND paused_at IS NOT NULL",
        )
        .bind(source),
        // What is running goes on, and is what was asked for if it succeeds.
        SourceOrderKind::Collect(windows) => sqlx::query(
            "INSERT INTO disclosure_queue (source, window_start, window_end, queued_at, requested_by, requested_at)
             SELECT ?1, value ->> 0, value ->> 1, ?3, ?4, ?3 FROM json_each(?2) WHERE TRUE
             ON CONFLICT (source, window_start, window_end) DO UPDATE
             SET state = 'queued', requested_by = ?4, requested_at = ?3, collected_at = NULL,
                 job_id = CASE WHEN job_id IN (SELECT id FROM etl_jobs WHERE gap_key = ?5 AND state = 'running') THEN job_id END,
                 remote_id = CASE WHEN state = 'queued' THEN remote_id END",
        )
        .bind(source)
        .bind(as_json(windows))
        .bind(at)
        .bind(storable(&order.by))
        .bind(gap),
    };
    Ok(statement.execute(connection).await?.rows_affected() > 0)
}
