//! Operators' orders, `--force` among them.

use chrono::{DateTime, Utc};
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::{Sqlite, begin_write};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::NewJob;
use crate::plan::model::orders::{CancelAnswer, GapOrder, GapOrderKind};
use crate::store::Result;
use crate::store::gap_columns::{change, why_cancelled};
use crate::store::record::{failed, rfc3339, storable};
use crate::store::rows::CancelledColumns;

impl Sqlite {
    pub(super) async fn order(&self, order: &GapOrder, gaps: &[GapKey]) -> Result<u64> {
        let mut connection = self.connection().await?;
        give_order(&mut connection, order, gaps).await.map_err(failed("recording an order"))
    }

    pub(super) async fn order_cancel(&self, job: JobId, by: &str, reason: &str, at: DateTime<Utc>) -> Result<CancelAnswer> {
        let mut connection = self.connection().await?;
        order_cancel(&mut connection, job, by, reason, at).await.map_err(failed("recording that a job is to be cancelled"))
    }
}

async fn give_order(connection: &mut SqliteConnection, order: &GapOrder, gaps: &[GapKey]) -> sqlx::Result<u64> {
    let keys: Vec<_> = gaps.iter().map(GapKey::to_string).collect();
    let keys = serde_json::Value::from(keys).to_string();
    let mut transaction = begin_write(connection).await?;
    if matches!(order.kind, GapOrderKind::Skip { .. }) {
        make_gaps(&mut transaction, &keys).await?;
    }
    let change = change(order.kind, '?');
    let asked = match order.kind {
        GapOrderKind::Retry => {
            "SELECT DISTINCT value AS gap_key FROM json_each(?1) k
             WHERE NOT EXISTS (SELECT 1 FROM etl_jobs j WHERE j.gap_key = k.value AND j.state = 'running')"
        }
        GapOrderKind::Skip { .. } | GapOrderKind::Unskip => "SELECT DISTINCT value AS gap_key FROM json_each(?1)",
    };
    let until = if let GapOrderKind::Skip { until } = order.kind { until } else { None };
    let given = format!(
        "INSERT INTO overrides (gap_key, kind, actor, reason, at, until) SELECT a.gap_key, ?6, ?2, ?3, ?4, ?5 FROM ({asked}) a
         WHERE NOT EXISTS (SELECT 1 FROM overrides o WHERE o.gap_key = a.gap_key AND o.kind = ?6 AND o.actor = ?2 AND o.reason = ?3
                           AND o.at = ?4)
         ORDER BY a.gap_key"
    );
    let changed = format!("UPDATE gap_states SET {} WHERE gap_key IN (SELECT gap_key FROM ({asked})) AND {}", change.set, change.is_change);
    let mut rows = 0;
    for statement in [given, changed] {
        rows = sqlx::query(AssertSqlSafe(statement))
            .bind(&keys)
            .bind(storable(&order.by))
            .bind(storable(&order.reason))
            .bind(rfc3339(order.at))
            .bind(until.map(rfc3339))
            .bind(order.kind.name())
            .execute(&mut *transaction)
            .await?
            .rows_affected();
    }
    transaction.commit().await?;
    Ok(rows)
}

async fn order_cancel(
    connection: &mut SqliteConnection,
    job: JobId,
    by: &str,
    reason: &str,
    at: DateTime<Utc>,
) -> sqlx::Result<CancelAnswer> {
    let (id, at) = (job.to_string(), rfc3339(at));
    let mut transaction = begin_write(connection).await?;
    let found: Option<CancelledColumns> = sqlx::query_as(
        "SELECT j.gap_key, j.state, j.cancel_by, j.cancel_reason, r.host, r.boot_id, r.pid, r.pid_started,
                coalesce(j.state = 'cancelled' AND j.fence IS NULL AND j.cancel_by = ?2 AND j.ended_at = ?3, FALSE) AS is_repeated
         FROM etl_jobs j JOIN etl_runs r ON r.id = j.run_id WHERE j.id = ?1",
    )
    .bind(&id)
    .bind(storable(by))
    .bind(&at)
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(found) = found else { return Ok(CancelAnswer::Unknown) };
    let gap = found.gap_key.clone();
    let (answer, is_new) = found.answer()?;
    if !is_new {
        return Ok(answer);
    }
    sqlx::query(
        "UPDATE etl_jobs SET cancel_by = ?2, cancel_reason = ?3 WHERE id = ?1;
         UPDATE etl_jobs SET state = 'cancelled', error = ?6, ended_at = ?4 WHERE id = ?1 AND state = 'queued';
         INSERT INTO overrides (gap_key, kind, job_id, actor, reason, at) VALUES (?5, 'cancel', ?1, ?2, ?3, ?4);
         INSERT INTO gap_states (gap_key, fence, skipped_at, skipped_by, skip_reason, noted) VALUES (?5, 0, ?4, ?2, ?3, TRUE)
         ON CONFLICT (gap_key) DO UPDATE SET skipped_at = ?4, skip_until = NULL, skipped_by = ?2, skip_reason = ?3, forced_at = NULL,
             noted = TRUE",
    )
    .bind(&id)
    .bind(storable(by))
    .bind(storable(reason))
    .bind(&at)
    .bind(&gap)
    .bind(storable(&why_cancelled(by, reason)))
    .execute(&mut *transaction)
    .await?;
    transaction.commit().await?;
    Ok(answer)
}

/// Records that jobs were forced: as orders on their gaps, where none is pending.
pub(super) async fn force(connection: &mut SqliteConnection, jobs: &[NewJob], by: &str, at: DateTime<Utc>) -> sqlx::Result<()> {
    let forced = jobs.iter().filter(|job| job.forced);
    let (keys, pairs): (Vec<_>, Vec<_>) = forced.map(|job| (job.gap.to_string(), serde_json::json!([job.gap.to_string(), job.id]))).unzip();
    let keys = serde_json::Value::from(keys).to_string();
    make_gaps(connection, &keys).await?;
    sqlx::query(
        "INSERT INTO overrides (gap_key, kind, job_id, actor, reason, at)
         SELECT f.value ->> 0, 'force', f.value ->> 1, ?3, '--force', ?4
         FROM json_each(?2) f JOIN gap_states g ON g.gap_key = f.value ->> 0 AND g.forced_at IS NULL;
         UPDATE gap_states SET forced_at = ?4, noted = TRUE WHERE gap_key IN (SELECT value FROM json_each(?1))",
    )
    .bind(&keys)
    .bind(serde_json::Value::Array(pairs).to_string())
    .bind(storable(by))
    .bind(rfc3339(at))
    .execute(connection)
    .await?;
    Ok(())
}

/// Makes the rows of gaps that have none.
async fn make_gaps(connection: &mut SqliteConnection, keys: &str) -> sqlx::Result<()> {
    sqlx::query(
        "INSERT INTO gap_states (gap_key, fence) SELECT DISTINCT value, 0 FROM json_each(?1) WHERE TRUE ON CONFLICT (gap_key) DO NOTHING",
    )
    .bind(keys)
    .execute(connection)
    .await?;
    Ok(())
}
