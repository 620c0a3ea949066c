//! Operators' orders, `--force` among them. Durable: who gave one may rely on it.

use chrono::{DateTime, Utc};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::{DURABLE, Postgres};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::NewJob;
use crate::plan::model::orders::{CancelAnswer, GapOrder, GapOrderKind};
use crate::store::Result;
use crate::store::gap_columns::{change, why_cancelled};
use crate::store::record::storable;
use crate::store::rows::CancelledColumns;

impl Postgres {
    pub(super) async fn order(&self, order: &GapOrder, gaps: &[GapKey]) -> Result<u64> {
        let mut lease = self.connections.lease().await?;
        let changed = give_order(&mut lease, order, gaps).await;
        lease.settle("recording an order", changed)
    }

    pub(super) async fn order_cancel(&self, job: JobId, by: &str, reason: &str, at: DateTime<Utc>) -> Result<CancelAnswer> {
        let mut lease = self.connections.lease().await?;
        let answer = order_cancel(&mut lease, job, by, reason, at).await;
        lease.settle("recording that a job is to be cancelled", answer)
    }
}

async fn give_order(connection: &mut PgConnection, order: &GapOrder, gaps: &[GapKey]) -> sqlx::Result<u64> {
    let mut keys: Vec<_> = gaps.iter().map(|gap| storable(&gap.to_string()).into_owned()).collect();
    keys.sort_unstable();
    keys.dedup();
    let mut transaction = connection.begin_with(DURABLE).await?;
    if matches!(order.kind, GapOrderKind::Skip { .. }) {
        make_gaps(&mut transaction, &keys).await?;
    }
    // A claim that is under way is waited for here, and what it made of its job is seen by the next statement.
    lock_gaps(&mut transaction, &keys).await?;
    let change = change(order.kind, '$');
    let only_free = match order.kind {
        GapOrderKind::Retry => "WHERE NOT EXISTS (SELECT 1 FROM etl_orch.etl_jobs j WHERE j.gap_key = k AND j.state = 'running')",
        GapOrderKind::Skip { .. } | GapOrderKind::Unskip => "",
    };
    let until = if let GapOrderKind::Skip { until } = order.kind { until } else { None };
    let done = sqlx::query(AssertSqlSafe(format!(
        "WITH asked AS (SELECT k AS gap_key FROM unnest($1::text[]) AS k {only_free}),
              given AS (INSERT INTO etl_orch.overrides (gap_key, kind, actor, reason, at, until)
                        SELECT a.gap_key, $6, $2, $3, $4, $5 FROM asked a
                        WHERE NOT EXISTS (SELECT 1 FROM etl_orch.overrides o WHERE o.gap_key = a.gap_key AND o.kind = $6
                                          AND o.actor = $2 AND o.reason = $3 AND o.at = $4)
                        ORDER BY a.gap_key)
         UPDATE etl_orch.gap_states g SET {} FROM asked a WHERE g.gap_key = a.gap_key AND {}",
        change.set, change.is_change
    )))
    .bind(&keys)
    .bind(storable(&order.by))
    .bind(storable(&order.reason))
    .bind(order.at)
    .bind(until)
    .bind(order.kind.name())
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(done.rows_affected())
}

async fn order_cancel(connection: &mut PgConnection, job: JobId, by: &str, reason: &str, at: DateTime<Utc>) -> sqlx::Result<CancelAnswer> {
    let id = job.to_string();
    let mut transaction = connection.begin_with(DURABLE).await?;
    let found: Option<CancelledColumns> = sqlx::query_as(
        "SELECT j.gap_key, j.state, j.cancel_by, j.cancel_reason, r.host, r.boot_id, r.pid, r.pid_started,
                coalesce(j.state = 'cancelled' AND j.fence IS NULL AND j.cancel_by = $2 AND j.ended_at = $3, FALSE) AS is_repeated
         FROM etl_orch.etl_jobs j JOIN etl_orch.etl_runs r ON r.id = j.run_id WHERE j.id = $1 FOR UPDATE OF j",
    )
    .bind(&id)
    .bind(storable(by))
    .bind(at)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(found) = found else {
        transaction.rollback().await?;
        return Ok(CancelAnswer::Unknown);
    };
    let gap = found.gap_key.clone();
    let (answer, is_new) = found.answer()?;
    if !is_new {
        transaction.rollback().await?;
        return Ok(answer);
    }
    sqlx::query(
        "WITH asked AS (UPDATE etl_orch.etl_jobs SET cancel_by = $2, cancel_reason = $3 WHERE id = $1 AND state = 'running'),
              dropped AS (UPDATE etl_orch.etl_jobs SET state = 'cancelled', error = $6, ended_at = $4, cancel_by = $2, cancel_reason = $3
                          WHERE id = $1 AND state = 'queued'),
              given AS (INSERT INTO etl_orch.overrides (gap_key, kind, job_id, actor, reason, at) VALUES ($5, 'cancel', $1, $2, $3, $4))
         INSERT INTO etl_orch.gap_states (gap_key, fence, skipped_at, skipped_by, skip_reason, noted) VALUES ($5, 0, $4, $2, $3, TRUE)
         ON CONFLICT (gap_key) DO UPDATE SET skipped_at = $4, skip_until = NULL, skipped_by = $2, skip_reason = $3, forced_at = NULL,
             noted = TRUE",
    )
    .bind(&id)
    .bind(storable(by))
    .bind(storable(reason))
    .bind(at)
    .bind(&gap)
    .bind(storable(&why_cancelled(by, reason)))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(answer)
}

/// Records that jobs were forced: as orders on their gaps, where none is pending.
pub(super) async fn force(connection: &mut PgConnection, jobs: &[&NewJob], by: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    let keys: Vec<_> = jobs.iter().map(|job| storable(&job.gap.to_string()).into_owned()).collect();
    make_gaps(connection, &keys).await?;
    lock_gaps(connection, &keys).await?;
    sqlx::query(
        "WITH given AS (INSERT INTO etl_orch.overrides (gap_key, kind, job_id, actor, reason, at)
                        SELECT f.gap_key, 'force', f.job_id, $3, '--force', $4
                        FROM unnest($1::text[], $2::text[]) AS f (gap_key, job_id)
                             JOIN etl_orch.gap_states g ON g.gap_key = f.gap_key AND g.forced_at IS NULL)
         UPDATE etl_orch.gap_states SET forced_at = $4, noted = TRUE WHERE gap_key = ANY($1)",
    )
    .bind(&keys)
    .bind(jobs.iter().map(|job| job.id.to_string()).collect::<Vec<_>>())
    .bind(storable(by))
    .bind(at)
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes the rows of gaps that have none.
pub(super) async fn make_gaps(connection: &mut PgConnection, keys: &[String]) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO etl_orch.gap_states (gap_key, fence) SELECT k, 0 FROM (SELECT DISTINCT k FROM unnest($1::text[]) AS k) d ORDER BY k
         ON CONFLICT (gap_key) DO NOTHING",
    )
    .bind(keys)
    .execute(connection)
    .await?;
    Ok(())
}

/// Until the end of the transaction nobody else changes these gaps. Always in the same order, so that nobody waits in a circle.
pub(super) async fn lock_gaps(connection: &mut PgConnection, keys: &[String]) -> sqlx::Result<()> {
    sqlx::query("SELECT 1 FROM etl_orch.gap_states WHERE gap_key = ANY($1) ORDER BY gap_key FOR UPDATE")
        .bind(keys)
        .execute(connection)
        .await?;
    Ok(())
}
