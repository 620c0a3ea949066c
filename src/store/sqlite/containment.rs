//! What is remembered of gaps and of ETLs that are taken for broken, and how others watch a run.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::endings::bind_history;
use super::{Sqlite, begin_write};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::Watched;
use crate::plan::model::orders::FoundJob;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::{FailureHistory, GapState};
use crate::store::Result;
use crate::store::gap_columns::{GapStateColumns, gap_states, remember, select_gap};
use crate::store::record::{failed, rfc3339, storable, storable_json};
use crate::store::rows::{BreakerColumns, FoundJobColumns, WatchedColumns};

impl Sqlite {
    pub(super) async fn watch(&self, run: RunId) -> Result<Vec<Watched>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let rows: sqlx::Result<Vec<WatchedColumns>> = sqlx::query_as(
            "SELECT id, fence, cancel_by, cancel_reason FROM etl_jobs WHERE run_id = ?1 AND state = 'running' ORDER BY position, id",
        )
        .bind(run.to_string())
        .fetch_all(&mut *self.connection().await?)
        .await;
        rows.and_then(|rows| rows.into_iter().map(WatchedColumns::watched).collect()).map_err(failed("looking at the run's jobs"))
    }

    pub(super) async fn gap_states(&self) -> Result<Vec<GapState>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let rows: sqlx::Result<Vec<GapStateColumns>> =
            sqlx::query_as(AssertSqlSafe(format!("SELECT g.gap_key, {} FROM gap_states g WHERE g.noted ORDER BY g.gap_key", select_gap())))
                .fetch_all(&mut *self.connection().await?)
                .await;
        rows.map(gap_states).map_err(failed("looking at the past of gaps"))
    }

    pub(super) async fn open_breakers(&self) -> Result<Vec<OpenBreaker>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        let rows: sqlx::Result<Vec<BreakerColumns>> =
            sqlx::query_as("SELECT etl, opened_at, banks, etl_digest, probed, probed_at FROM breakers ORDER BY etl")
                .fetch_all(&mut *self.connection().await?)
                .await;
        rows.and_then(|rows| rows.into_iter().map(BreakerColumns::breaker).collect()).map_err(failed("looking at the open breakers"))
    }

    pub(super) async fn set_breaker(
        &self,
        etl: &str,
        breaker: Option<&OpenBreaker>,
        refunds: &[(GapKey, i64, FailureHistory)],
    ) -> Result<()> {
        let mut connection = self.connection().await?;
        set_breaker(&mut connection, etl, breaker, refunds).await.map_err(failed("recording a breaker"))
    }

    pub(super) async fn find_jobs(&self, prefix: &str, limit: u32) -> Result<Vec<FoundJob>> {
        if !self.has_history {
            return Ok(Vec::new());
        }
        // Texts compare by their bytes, so that the ids with a prefix are a range of the index.
        let condition = if prefix.is_empty() { "?1 = ''" } else { "id >= ?1 AND id < ?1 || 'g'" };
        let rows: sqlx::Result<Vec<FoundJobColumns>> = sqlx::query_as(AssertSqlSafe(format!(
            "SELECT id, run_id, gap_key, state FROM etl_jobs WHERE {condition}
             ORDER BY queued_at DESC, started_at DESC NULLS LAST, position, id LIMIT ?2"
        )))
        .bind(prefix.to_ascii_lowercase())
        .bind(i64::from(limit))
        .fetch_all(&mut *self.connection().await?)
        .await;
        rows.and_then(|rows| rows.into_iter().map(FoundJobColumns::job).collect()).map_err(failed("looking for a job"))
    }
}

async fn set_breaker(
    connection: &mut SqliteConnection,
    etl: &str,
    breaker: Option<&OpenBreaker>,
    refunds: &[(GapKey, i64, FailureHistory)],
) -> sqlx::Result<()> {
    let mut transaction = begin_write(connection).await?;
    write_breaker(&mut transaction, etl, breaker).await?;
    let gap = remember('?', 3, false);
    let statement = format!(
        "UPDATE gap_states SET {} WHERE gap_key = ?1 AND fence = ?2
         AND NOT EXISTS (SELECT 1 FROM etl_jobs WHERE gap_key = ?1 AND state = 'running')",
        gap.set
    );
    for (key, fence, history) in refunds {
        let statement = sqlx::query(AssertSqlSafe(statement.clone())).bind(key.to_string()).bind(fence);
        bind_history(statement, history).execute(&mut *transaction).await?;
    }
    transaction.commit().await
}

async fn write_breaker(connection: &mut SqliteConnection, etl: &str, breaker: Option<&OpenBreaker>) -> sqlx::Result<()> {
    let statement = match breaker {
        None => sqlx::query("DELETE FROM breakers WHERE etl = ?1").bind(storable(etl)),
        Some(breaker) => sqlx::query(
            "INSERT INTO breakers (etl, opened_at, banks, etl_digest, probed, probed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (etl) DO UPDATE SET opened_at = excluded.opened_at, banks = excluded.banks, etl_digest = excluded.etl_digest,
                 probed = excluded.probed, probed_at = excluded.probed_at",
        )
        .bind(storable(etl))
        .bind(rfc3339(breaker.since))
        .bind(storable_json(&serde_json::json!(breaker.banks)))
        .bind(storable(&breaker.etl_digest))
        .bind(breaker.probed.as_deref().map(storable))
        .bind(breaker.probed_at.map(rfc3339)),
    };
    statement.execute(connection).await?;
    Ok(())
}
