//! Disclosure sources: their records, their queue, and orders on them.
//!
//! Who changes rows of the queue that are there locks the source's gap before, so that nobody waits in a circle.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::orders::{lock_gaps, make_gaps};
use super::{DURABLE, Postgres};
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::Claim;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::model::window::Window;
use crate::plan::remember::source_state::{QueuedWindow, SourceState};
use crate::store::Result;
use crate::store::record::storable;
use crate::store::rows::{QueuedColumns, SourceColumns};

/// The condition that a window `q` is still to be collected and lies within another: parameters 1 to 3 are the source and
/// that window.
pub(super) const QUEUED: &str = "q.source = $1 AND q.state = 'queued' AND q.window_start >= $2 AND q.window_end <= $3";

/// The columns of a window `q` of the queue.
const WINDOW: &str = "q.source, q.window_start, q.window_end, q.state = 'collected' AS is_collected, \
     q.requested_at IS NOT NULL AS is_requested, \
     q.requested_at IS NOT NULL AND q.job_id IS NULL AS is_urgent, q.remote_id";

impl Postgres {
    pub(super) async fn source_states(&self) -> Result<Vec<SourceState>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let mut lease = self.connections.lease().await?;
        let rows: sqlx::Result<Vec<SourceColumns>> = sqlx::query_as(
            "SELECT source, frontier, paused_at, paused_by, pause_reason, last_at, last_start, last_end, last_seen, last_records,
                    last_message, empty
             FROM etl_orch.sources ORDER BY source",
        )
        .fetch_all(&mut *lease)
        .await;
        let rows = lease.settle("looking at the records of sources", rows)?;
        Ok(rows.into_iter().map(SourceColumns::state).collect())
    }

    pub(super) async fn queue(&self) -> Result<Vec<QueuedWindow>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let mut lease = self.connections.lease().await?;
        // Each half has its index, so that what was collected long ago is not read.
        let rows: sqlx::Result<Vec<QueuedColumns>> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT {WINDOW} FROM etl_orch.disclosure_queue q WHERE q.state = 'queued'
             UNION ALL SELECT {WINDOW} FROM etl_orch.sources s JOIN etl_orch.disclosure_queue q ON q.source = s.source
                 AND q.state = 'collected' AND q.window_end > coalesce(s.frontier, '-infinity')
             ORDER BY 1, 2, 3"
        )))
        .fetch_all(&mut *lease)
        .await;
        let rows = lease.settle("looking at the queue of the sources", rows)?;
        Ok(rows.into_iter().map(QueuedColumns::window).collect())
    }

    pub(super) async fn enqueue_windows(&self, source: &str, windows: &[Window], at: DateTime<Utc>) -> Result<()> {
        if windows.is_empty() {
            return Ok(());
        }
        let (starts, ends) = columns(windows);
        let mut lease = self.connections.lease().await?;
        let done = sqlx::query(
            "INSERT INTO etl_orch.disclosure_queue (source, window_start, window_end, queued_at)
             SELECT $1, w.*, $4 FROM unnest($2, $3) AS w (window_start, window_end) ORDER BY w.window_start, w.window_end
             ON CONFLICT DO NOTHING",
        )
        .bind(storable(source))
        .bind(starts)
        .bind(ends)
        .bind(at)
        .execute(&mut *lease)
        .await;
        lease.settle("recording the windows of a source", done.map(drop))
    }

    pub(super) async fn follow(&self, claim: Claim, attempt: u32, remote: Option<&str>) -> Result<bool> {
        let mut lease = self.connections.lease().await?;
        let done = follow(&mut lease, claim, attempt, remote).await;
        lease.settle("recording the id that a service gave to a job", done)
    }

    pub(super) async fn order_source(&self, order: &SourceOrder) -> Result<bool> {
        let mut lease = self.connections.lease().await?;
        let changed = give_order(&mut lease, order).await;
        lease.settle("recording an order on a source", changed)
    }
}

/// The windows' starts and ends.
fn columns(windows: &[Window]) -> (Vec<DateTime<Utc>>, Vec<DateTime<Utc>>) {
    windows.iter().map(|window| (window.start, window.end)).unzip()
}

/// Durable: a job that a service began and nobody remembers would be begun again.
async fn follow(connection: &mut PgConnection, claim: Claim, attempt: u32, remote: Option<&str>) -> sqlx::Result<bool> {
    let mut transaction = connection.begin_with(DURABLE).await?;
    lock_gap_of(&mut transaction, claim).await?;
    let done = sqlx::query_scalar(
        "WITH job AS (SELECT id FROM etl_orch.etl_jobs WHERE id = $1 AND state = 'running' AND fence = $2),
              attempt AS (UPDATE etl_orch.etl_attempts a SET remote_id = $4 FROM job WHERE a.job_id = job.id AND a.n = $3 AND $4 IS NOT NULL),
              queue AS (UPDATE etl_orch.disclosure_queue q SET remote_id = $4 FROM job WHERE q.job_id = job.id AND q.state = 'queued')
         SELECT EXISTS (SELECT 1 FROM job)",
    )
    .bind(claim.job.to_string())
    .bind(claim.fence)
    .bind(i64::from(attempt))
    .bind(remote.map(storable))
    .fetch_one(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done)
}

/// Until the end of the transaction nobody else claims the claim's gap, or gives an order on it.
pub(super) async fn lock_gap_of(connection: &mut PgConnection, claim: Claim) -> sqlx::Result<()> {
    sqlx::query("SELECT 1 FROM etl_orch.etl_jobs j JOIN etl_orch.gap_states g ON g.gap_key = j.gap_key WHERE j.id = $1 FOR UPDATE OF g")
        .bind(claim.job.to_string())
        .execute(connection)
        .await?;
    Ok(())
}

async fn give_order(connection: &mut PgConnection, order: &SourceOrder) -> sqlx::Result<bool> {
    let keys = [storable(&GapKey::source(&order.source).to_string()).into_owned()];
    let mut transaction = connection.begin_with(DURABLE).await?;
    // Of two who give orders on a source the second sees what the first has changed.
    make_gaps(&mut transaction, &keys).await?;
    lock_gaps(&mut transaction, &keys).await?;
    let is_repeated: bool = sqlx::query_scalar(
        "SELECT EXISTS (SELECT 1 FROM etl_orch.overrides WHERE gap_key = $1 AND kind = $2 AND actor = $3 AND reason = $4 AND at = $5)",
    )
    .bind(&keys[0])
    .bind(order.kind.name())
    .bind(storable(&order.by))
    .bind(storable(&order.reason))
    .bind(order.at)
    .fetch_one(&mut *transaction)
    .await?;
    if is_repeated || !carry_out(&mut transaction, order, &keys[0]).await? {
        transaction.rollback().await?;
        return Ok(is_repeated);
    }
    sqlx::query("INSERT INTO etl_orch.overrides (gap_key, kind, actor, reason, at) VALUES ($1, $2, $3, $4, $5)")
        .bind(&keys[0])
        .bind(order.kind.name())
        .bind(storable(&order.by))
        .bind(storable(&order.reason))
        .bind(order.at)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await?;
    Ok(true)
}

/// Changes what the order says, and tells whether that changed anything.
async fn carry_out(connection: &mut PgConnection, order: &SourceOrder, gap: &str) -> sqlx::Result<bool> {
    let source = storable(&order.source);
    let statement = match &order.kind {
        SourceOrderKind::Pause => sqlx::query(
            "INSERT INTO etl_orch.sources AS s (source, paused_at, paused_by, pause_reason) VALUES ($1, $2, $3, $4)
             ON CONFLICT (source) DO UPDATE SET paused_at = $2, paused_by = $3, pause_reason = $4 WHERE s.paused_at IS NULL",
        )
        .bind(source)
        .bind(order.at)
        .bind(storable(&order.by))
        .bind(storable(&order.reason)),
        SourceOrderKind::Resume => sqlx::query(
            "UPDATE etl_orch.sources SET paused_at = NULL, paused_by = NULL, pause_reason = NULL
             WHERE source = $1 AND paused_at IS NOT NULL",
        )
        .bind(source),
        SourceOrderKind::Collect(windows) => {
            let (starts, ends) = columns(windows);
            // What is running goes on, and is what was asked for if it succeeds.
            sqlx::query(
                "INSERT INTO etl_orch.disclosure_queue AS q (source, window_start, window_end, queued_at, requested_by, requested_at)
                 SELECT $1, w.*, $4, $5, $4 FROM (SELECT DISTINCT * FROM unnest($2, $3) AS w (window_start, window_end) ORDER BY 1, 2) w
                 ON CONFLICT (source, window_start, window_end) DO UPDATE
                 SET state = 'queued', requested_by = $5, requested_at = $4, collected_at = NULL,
                     job_id = CASE WHEN q.job_id IN (SELECT id FROM etl_orch.etl_jobs WHERE gap_key = $6 AND state = 'running') THEN q.job_id END,
                     remote_id = CASE WHEN q.state = 'queued' THEN q.remote_id END",
            )
            .bind(source)
            .bind(starts)
            .bind(ends)
            .bind(order.at)
            .bind(storable(&order.by))
            .bind(gap)
        }
    };
    Ok(statement.execute(connection).await?.rows_affected() > 0)
}
