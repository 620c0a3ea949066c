//! Availability that was learnt from files.
//!
//! A bank has a tag for a period when any of its rows for that period has it. A row whose `database_names` is no array is left alone,
//! and no row is added beside it.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use super::scan::{FOUND, SAME_KEY, TAGS, as_json};
use crate::plan::model::period::Period;
use crate::plan::model::settings::{ColumnName, TableName};
use crate::store::shared::availability::versions_of;
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::scanned::text;
use crate::store::{Available, NotKept};

pub(super) async fn missing(connection: &mut SqliteConnection, table: &TableName, found: &[Available]) -> sqlx::Result<Vec<Available>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let query = format!(
        "SELECT f.place FROM (SELECT key AS place, CAST(value ->> 0 AS INTEGER) AS bank_id, CAST(value ->> 3 AS INTEGER) AS fiscal_year, \
         value ->> 4 AS quarter, value ->> 5 AS tag FROM json_each(?1)) f WHERE NOT EXISTS \
         (SELECT 1 FROM {} a WHERE {SAME_KEY} AND \
         ({TAGS} IS NULL OR EXISTS (SELECT 1 FROM json_each({TAGS}) t WHERE t.value = f.tag)))",
        table.quoted()
    );
    let places: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(query)).bind(as_json(found)).fetch_all(connection).await?;
    Ok(places.into_iter().filter_map(|place| found.get(usize::try_from(place).ok()?)).cloned().collect())
}

pub(super) async fn versions(
    connection: &mut SqliteConnection,
    table: &TableName,
    version: Option<&ColumnName>,
    of: &[(i64, Period)],
) -> sqlx::Result<Vec<((i64, Period), String)>> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let version = version.map_or_else(|| "NULL".to_owned(), |column| format!("a.\"{}\"", column.as_str()));
    let query = format!(
        "SELECT f.place, {TAGS}, CAST({version} AS TEXT) FROM (SELECT key AS place, CAST(value ->> 0 AS INTEGER) AS bank_id, \
         CAST(value ->> 1 AS INTEGER) AS fiscal_year, value ->> 2 AS quarter FROM json_each(?1)) f JOIN {} a ON {SAME_KEY}",
        table.quoted()
    );
    let keys: Vec<_> = of.iter().map(|(bank, period)| serde_json::json!([bank, period.year(), period.quarter().as_str()])).collect();
    let rows = sqlx::query(AssertSqlSafe(query)).bind(serde_json::Value::Array(keys).to_string()).fetch_all(connection).await?;
    let rows = rows.iter().map(|row| {
        // What is no array of texts has no tags.
        let tags = text(row, 1)?.and_then(|tags| serde_json::from_str(&tags).ok()).unwrap_or_default();
        Ok((row.try_get(0)?, tags, text(row, 2)?))
    });
    Ok(versions_of(of, rows.collect::<sqlx::Result<Vec<_>>>()?))
}

pub(super) async fn add(connection: &mut SqliteConnection, name: &TableName, available: &[Available]) -> sqlx::Result<u64> {
    if available.is_empty() {
        return Ok(0);
    }
    let table = name.quoted();
    let found = as_json(available);
    // The rows of one statement all see the table as it was before the statement.
    let fresh = format!(
        "WITH found AS MATERIALIZED ({FOUND}?1)), fresh AS MATERIALIZED (SELECT f.* FROM found f WHERE NOT EXISTS \
         (SELECT 1 FROM {table} a WHERE {SAME_KEY} AND EXISTS (SELECT 1 FROM json_each({TAGS}) t WHERE t.value = f.tag)))"
    );
    let mut transaction = connection.begin_write().await?;
    let changed = sqlx::query(AssertSqlSafe(format!(
        "{fresh} UPDATE {table} AS a SET database_names = (SELECT json_group_array(tag) FROM \
         (SELECT value AS tag FROM json_each({TAGS}) UNION ALL SELECT DISTINCT tag FROM fresh f WHERE {SAME_KEY})) \
         WHERE {TAGS} IS NOT NULL AND EXISTS (SELECT 1 FROM fresh f WHERE {SAME_KEY})"
    )))
    .bind(&found)
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    let added = sqlx::query(AssertSqlSafe(format!(
        "{fresh} INSERT INTO {table} (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names) \
         SELECT f.bank_id, min(f.bank_name), min(f.bank_symbol), f.fiscal_year, f.quarter, json_group_array(DISTINCT f.tag) \
         FROM fresh f WHERE NOT EXISTS (SELECT 1 FROM {table} a WHERE {SAME_KEY}) GROUP BY f.bank_id, f.fiscal_year, f.quarter"
    )))
    .bind(&found)
    .execute(&mut *transaction)
    .await?
    .rows_affected();
    if !missing(&mut transaction, name, available).await?.is_empty() {
        return Err(NotKept::error(name.to_string()));
    }
    transaction.commit().await?;
    Ok(changed + added)
}
