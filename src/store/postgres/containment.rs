//! What is remembered of gaps and of ETLs that are taken for broken, and how others watch a run.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::endings::bind_history;
use super::orders::lock_gaps;
use super::{Postgres, SMALL};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::Watched;
use crate::plan::model::orders::FoundJob;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::{FailureHistory, GapState};
use crate::store::Result;
use crate::store::gap_columns::{GapStateColumns, gap_states, remember, select_gap};
use crate::store::record::{storable, storable_json};
use crate::store::rows::{BreakerColumns, FoundJobColumns, WatchedColumns};

impl Postgres {
    pub(super) async fn watch(&self, run: RunId) -> Result<Vec<Watched>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let mut lease = self.connections.lease().await?;
        let rows: sqlx::Result<Vec<WatchedColumns>> = sqlx::query_as(
            "SELECT id, fence, cancel_by, cancel_reason FROM etl_orch.etl_jobs WHERE run_id = $1 AND state = 'running' ORDER BY position, id",
        )
        .bind(run.to_string())
        .fetch_all(&mut *lease)
        .await;
        let jobs = rows.and_then(|rows| rows.into_iter().map(WatchedColumns::watched).collect());
        lease.settle("looking at the run's jobs", jobs)
    }

    pub(super) async fn gap_states(&self) -> Result<Vec<GapState>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let mut lease = self.connections.lease().await?;
        let rows: sqlx::Result<Vec<GapStateColumns>> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT g.gap_key, {} FROM etl_orch.gap_states g WHERE g.noted ORDER BY g.gap_key",
            select_gap()
        )))
        .fetch_all(&mut *lease)
        .await;
        let rows = lease.settle("looking at the past of gaps", rows)?;
        Ok(gap_states(rows))
    }

    pub(super) async fn open_breakers(&self) -> Result<Vec<OpenBreaker>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let mut lease = self.connections.lease().await?;
        let rows: sqlx::Result<Vec<BreakerColumns>> = sqlx::query_as(
            "SELECT etl, opened_at, banks::text AS banks, etl_digest, probed, probed_at FROM etl_orch.breakers ORDER BY etl",
        )
        .fetch_all(&mut *lease)
        .await;
        let breakers = rows.and_then(|rows| rows.into_iter().map(BreakerColumns::breaker).collect());
        lease.settle("looking at the open breakers", breakers)
    }

    pub(super) async fn set_breaker(
        &self,
        etl: &str,
        breaker: Option<&OpenBreaker>,
        refunds: &[(GapKey, i64, FailureHistory)],
    ) -> Result<()> {
        let mut lease = self.connections.lease().await?;
        let done = set_breaker(&mut lease, etl, breaker, refunds).await;
        lease.settle("recording a breaker", done)
    }

    pub(super) async fn find_jobs(&self, prefix: &str, limit: u32) -> Result<Vec<FoundJob>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let prefix = prefix.to_ascii_lowercase();
        // A whole id is found by the index.
        let condition = if JobId::parse(&prefix).is_ok_and(|id| id.to_string() == prefix) { "id = $1" } else { "starts_with(id, $1)" };
        let mut lease = self.connections.lease().await?;
        let rows: sqlx::Result<Vec<FoundJobColumns>> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT id, run_id, gap_key, state FROM etl_orch.etl_jobs WHERE {condition}
             ORDER BY queued_at DESC, started_at DESC NULLS LAST, position, id LIMIT $2"
        )))
        .bind(storable(&prefix))
        .bind(i64::from(limit))
        .fetch_all(&mut *lease)
        .await;
        let jobs = rows.and_then(|rows| rows.into_iter().map(FoundJobColumns::job).collect());
        lease.settle("looking for a job", jobs)
    }
}

async fn set_breaker(
    connection: &mut PgConnection,
    etl: &str,
    breaker: Option<&OpenBreaker>,
    refunds: &[(GapKey, i64, FailureHistory)],
) -> sqlx::Result<()> {
    if refunds.is_empty() {
        return write_breaker(connection, etl, breaker).await;
    }
    let mut transaction = connection.begin_with(SMALL).await?;
    write_breaker(&mut transaction, etl, breaker).await?;
    let keys: Vec<_> = refunds.iter().map(|(key, _, _)| storable(&key.to_string()).into_owned()).collect();
    lock_gaps(&mut transaction, &keys).await?;
    let gap = remember('$', 3, false);
    let statement = format!(
        "UPDATE etl_orch.gap_states g SET {} WHERE g.gap_key = $1 AND g.fence = $2
         AND NOT EXISTS (SELECT 1 FROM etl_orch.etl_jobs j WHERE j.gap_key = g.gap_key AND j.state = 'running')",
        gap.set
    );
    for ((_, fence, history), key) in refunds.iter().zip(&keys) {
        let statement = sqlx::query(AssertSqlSafe(statement.clone())).bind(key).bind(fence);
        bind_history(statement, history).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

async fn write_breaker(connection: &mut PgConnection, etl: &str, breaker: Option<&OpenBreaker>) -> sqlx::Result<()> {
    let statement = match breaker {
        None => sqlx::query("DELETE FROM etl_orch.breakers WHERE etl = $1").bind(storable(etl)),
        Some(breaker) => sqlx::query(
            "INSERT INTO etl_orch.breakers (etl, opened_at, banks, etl_digest, probed, probed_at)
             VALUES ($1, $2, $3::text::jsonb, $4, $5, $6)
             ON CONFLICT (etl) DO UPDATE SET opened_at = excluded.opened_at, banks = excluded.banks, etl_digest = excluded.etl_digest,
                 probed = excluded.probed, probed_at = excluded.probed_at",
        )
        .bind(storable(etl))
        .bind(breaker.since)
        .bind(storable_json(&serde_json::json!(breaker.banks)))
        .bind(storable(&breaker.etl_digest))
        .bind(breaker.probed.as_deref().map(storable))
        .bind(breaker.probed_at),
    };
    statement.execute(connection).await?;
    Ok(())
}
