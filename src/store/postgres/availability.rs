//! Availability that was learnt from files.
//!
//! A bank has a tag for a period when any of its rows for that period has it.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, QueryBuilder, Row};

use super::scan::{SAME_KEY, push_found};
use crate::plan::model::period::Period;
use crate::plan::model::settings::{ColumnName, TableName};
use crate::store::shared::availability::{VersionRow, versions_of};
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::scanned::text;
use crate::store::{Available, NotKept};

pub(super) async fn missing(connection: &mut PgConnection, table: &TableName, found: &[Available]) -> sqlx::Result<Vec<Available>> {
    if found.is_empty() {
        return Ok(Vec::new());
    }
    let mut query = QueryBuilder::new("SELECT f.place FROM ");
    push_found(&mut query, found);
    query.push(format!(
        " f WHERE NOT EXISTS (SELECT 1 FROM {} a WHERE {SAME_KEY} AND f.tag = ANY(a.database_names)) ORDER BY f.place",
        table.quoted()
    ));
    let places: Vec<i64> = query.build_query_scalar().fetch_all(connection).await?;
    Ok(places.into_iter().filter_map(|place| found.get(usize::try_from(place).ok()?)).cloned().collect())
}

pub(super) async fn versions(
    connection: &mut PgConnection,
    table: &TableName,
    version: Option<&ColumnName>,
    of: &[(i64, Period)],
) -> sqlx::Result<Vec<((i64, Period), String)>> {
    if of.is_empty() {
        return Ok(Vec::new());
    }
    let version = version.map_or_else(|| "NULL".to_owned(), |column| format!("a.\"{}\"", column.as_str()));
    let query = format!(
        "SELECT f.place - 1, array_to_json(ARRAY(SELECT t FROM unnest(a.database_names) AS t WHERE t IS NOT NULL)::text[])::text, {version}::text \
         FROM unnest($1, $2, $3) WITH ORDINALITY AS f (bank_id, fiscal_year, quarter, place) JOIN {} a ON {SAME_KEY}",
        table.quoted()
    );
    // The statement is not kept for another use, as in the scan.
    let rows = sqlx::query(AssertSqlSafe(query))
        .bind(of.iter().map(|(bank, _)| *bank).collect::<Vec<i64>>())
        .bind(of.iter().map(|(_, period)| i32::from(period.year())).collect::<Vec<i32>>())
        .bind(of.iter().map(|(_, period)| period.quarter().as_str()).collect::<Vec<&str>>())
        .persistent(false)
        .fetch_all(connection)
        .await?;
    let rows = rows.iter().map(|row| {
        let tags = text(row, 1)?.and_then(|tags| serde_json::from_str(&tags).ok()).unwrap_or_default();
        Ok((row.try_get(0)?, tags, text(row, 2)?))
    });
    Ok(versions_of(of, rows.collect::<sqlx::Result<Vec<VersionRow>>>()?))
}

pub(super) async fn add(connection: &mut PgConnection, name: &TableName, found: &[Available]) -> sqlx::Result<u64> {
    if found.is_empty() {
        return Ok(0);
    }
    let table = name.quoted();
    let mut transaction = connection.begin_write().await?;
    // The table need not have a unique key. Without the lock, two processes that add at once could both find no row.
    sqlx::query("SELECT pg_advisory_xact_lock(hashtextextended('etl_orch: ' || $1, 0))").bind(&table).execute(&mut *transaction).await?;
    let mut query = QueryBuilder::new("WITH fresh AS MATERIALIZED (SELECT DISTINCT ON (bank_id, fiscal_year, quarter, tag) f.* FROM ");
    push_found(&mut query, found);
    // The server reads a row again that was changed in the meantime, hence the second look at its tags.
    query.push(format!(
        " f WHERE NOT EXISTS (SELECT 1 FROM {table} a WHERE {SAME_KEY} AND f.tag = ANY(a.database_names))), \
         gap AS MATERIALIZED (SELECT f.bank_id, f.fiscal_year, f.quarter, min(f.bank_name) AS bank_name, \
            min(f.bank_symbol) AS bank_symbol, array_agg(f.tag ORDER BY f.place) AS tags \
            FROM fresh f GROUP BY f.bank_id, f.fiscal_year, f.quarter), \
         changed AS (UPDATE {table} AS a SET database_names = coalesce(a.database_names::text[], '{{}}') || ARRAY \
            (SELECT t FROM unnest(f.tags) WITH ORDINALITY AS t (t, n) \
             WHERE NOT t = ANY(coalesce(a.database_names::text[], '{{}}')) ORDER BY n) \
            FROM gap f WHERE {SAME_KEY} RETURNING 1), \
         added AS (INSERT INTO {table} (bank_id, bank_name, bank_symbol, fiscal_year, quarter, database_names) \
            SELECT f.bank_id, f.bank_name, f.bank_symbol, f.fiscal_year, f.quarter, f.tags FROM gap f \
            WHERE NOT EXISTS (SELECT 1 FROM {table} a WHERE {SAME_KEY}) RETURNING 1) \
         SELECT (SELECT count(*) FROM changed) + (SELECT count(*) FROM added)"
    ));
    let rows: i64 = query.build_query_scalar().fetch_one(&mut *transaction).await?;
    if !missing(&mut transaction, name, found).await?.is_empty() {
        return Err(NotKept::error(name.to_string()));
    }
    transaction.commit().await?;
    Ok(u64::try_from(rows).unwrap_or(0))
}
