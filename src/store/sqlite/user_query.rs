//! A query of the user's: on a connection of its own, so that no other operation waits for it. That connection cannot write, and as a
//! part of a query of ours it cannot be a statement that makes other files.

use std::sync::Arc;
use std::time::{Duration, Instant};

use sqlx::sqlite::{SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Column, Connection, Row, TypeInfo};

use super::{Sqlite, failed};
use crate::store::Result;
use crate::store::shared::encoding::storable;
use crate::store::shared::scanned::text;
use crate::store::shared::user_query::{DOING, PATIENCE, explained, one_statement};

/// The clock is looked at after each so many instructions.
const INSTRUCTIONS: i32 = 10_000;

impl Sqlite {
    pub(super) async fn value_of(&self, query: &str) -> Result<Option<String>> {
        let query = storable(query);
        let query = one_statement(&query)?;
        let mut connection = self.connect_to_look().await?;
        let value = ask(&mut connection, query, PATIENCE).await;
        if let Err(error) = connection.close().await {
            // It has changed nothing.
            tracing::debug!(%error, "a connection did not end in order: {error}");
        }
        value.map_err(failed(DOING)).map_err(explained)
    }
}

/// Asks; the database gives up after `patience`, and when nobody waits for the answer any more.
async fn ask(connection: &mut SqliteConnection, query: &str, patience: Duration) -> sqlx::Result<Option<String>> {
    let asker = Arc::new(());
    let (waiting, deadline) = (Arc::downgrade(&asker), Instant::now() + patience);
    let goes_on = move || Instant::now() < deadline && waiting.strong_count() > 0;
    connection.lock_handle().await?.set_progress_handler(INSTRUCTIONS, goes_on);
    let row =
        sqlx::query(AssertSqlSafe(format!("SELECT * FROM (\n{query}\n) LIMIT 1"))).persistent(false).fetch_optional(connection).await?;
    drop(asker);
    row.map_or(Ok(None), |row| first(&row))
}

fn first(row: &SqliteRow) -> sqlx::Result<Option<String>> {
    let value = text(row, 0)?;
    // Truth is a number in SQLite. Only a column's declaration tells the two apart.
    let is_truth = row.columns().first().is_some_and(|column| column.type_info().name() == "BOOLEAN");
    Ok(value.map(|value| match value.as_str() {
        "1" if is_truth => "true".to_owned(),
        "0" if is_truth => "false".to_owned(),
        _ => value,
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_query_that_takes_too_long_is_given_up_and_may_be_asked_later() {
        let endless = "WITH RECURSIVE c (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c) SELECT count(*) FROM c";
        let mut connection = SqliteConnection::connect("sqlite::memory:").await.unwrap();
        let error = ask(&mut connection, endless, Duration::ZERO).await.map_err(failed(DOING)).map_err(explained).unwrap_err();
        assert!(error.may_pass(), "{error:?}");
        assert!(error.to_string().contains("no answer within 30 s"), "{error}");
        assert_eq!(ask(&mut connection, "SELECT 1", PATIENCE).await.unwrap().unwrap(), "1");
    }
}
