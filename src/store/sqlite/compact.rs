//! Gives the disk back what the file has free. Otherwise it is used again, and the file stays as long as it ever was.

use sqlx::sqlite::SqliteConnection;

use super::Sqlite;
use crate::plan::decide::retention::Compacted;
use crate::store::Result;
use crate::store::operation::operation;

/// The file is written anew where at least one part of so many is free.
const WORTH_IT: i64 = 4;

impl Sqlite {
    pub(super) async fn compact(&self) -> Result<Option<Compacted>> {
        operation!(self, "giving free space back", compact)
    }
}

async fn compact(connection: &mut SqliteConnection) -> sqlx::Result<Option<Compacted>> {
    let page: i64 = sqlx::query_scalar("PRAGMA page_size").fetch_one(&mut *connection).await?;
    let free: i64 = sqlx::query_scalar("PRAGMA freelist_count").fetch_one(&mut *connection).await?;
    let before = pages(connection).await?;
    if free == 0 || free.saturating_mul(WORTH_IT) < before {
        return Ok(None);
    }
    sqlx::query("VACUUM").execute(&mut *connection).await?;
    let bytes = |pages: i64| u64::try_from(pages.saturating_mul(page)).unwrap_or_default();
    Ok(Some(Compacted { before: bytes(before), after: bytes(pages(connection).await?) }))
}

async fn pages(connection: &mut SqliteConnection) -> sqlx::Result<i64> {
    sqlx::query_scalar("PRAGMA page_count").fetch_one(connection).await
}
