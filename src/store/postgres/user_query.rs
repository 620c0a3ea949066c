//! A query of the user's.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};

use super::Postgres;
use crate::store::Result;
use crate::store::shared::encoding::storable;
use crate::store::shared::scanned::text;
use crate::store::shared::user_query::{DOING, PATIENCE, explained, one_statement};

impl Postgres {
    pub(super) async fn value_of(&self, query: &str) -> Result<Option<String>> {
        let query = storable(query);
        let query = one_statement(&query)?;
        self.ask(query).await.map_err(explained)
    }

    async fn ask(&self, query: &str) -> Result<Option<String>> {
        let mut lease = self.lease().await?;
        let value = ask(&mut lease, query).await;
        lease.settle(DOING, value)
    }
}

/// Asks the query as part of one of ours, where only a query that reads can stand. JSON writes times as ISO 8601, and truth as a word.
async fn ask(connection: &mut PgConnection, query: &str) -> sqlx::Result<Option<String>> {
    let mut transaction = connection
        .begin_with(AssertSqlSafe(format!(
            "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SET LOCAL statement_timeout = '{} s'; SET LOCAL timezone = 'UTC'",
            PATIENCE.as_secs()
        )))
        .await?;
    // The line break ends a comment at the end of the query.
    let row = sqlx::query(AssertSqlSafe(format!("SELECT to_json(t.v) #>> '{{}}' FROM (\n{query}\n) AS t (v) LIMIT 1")))
        .persistent(false)
        .fetch_optional(&mut *transaction)
        .await?;
    // This also takes back settings that the query made.
    transaction.rollback().await?;
    row.map_or(Ok(None), |row| text(&row, 0))
}
