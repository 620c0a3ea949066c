//! Availability that was learnt from files.
//!
//! What counts is the bank and the period: a tag is there when any row of theirs has it. A row whose
//! `database_names` is no array is left alone, and nothing is put beside it.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Row};

use super::scan::{FOUND, SAME_KEY, TAGS, as_json};
use super::{Sqlite, begin_write};
use crate::plan::model::period::Period;
use crate::store::record::{failed, text};
use crate::store::rows::sources;
use crate::store::{Available, Result};

impl Sqlite {
    pub(super) async fn not_yet_available(&self, found: &[Available]) -> Result<Vec<Available>> {
        if found.is_empty() {
            return Ok(Vec::new());
        }
        let query = format!(
            "SELECT f.place FROM (SELECT key AS place, value ->> 0 AS bank_id, value ->> 3 AS fiscal_year, \
             value ->> 4 AS quarter, value ->> 5 AS tag FROM json_each(?1)) f WHERE NOT EXISTS \
             (SELECT 1 FROM {} a WHERE {SAME_KEY} AND \
             ({TAGS} IS NULL OR EXISTS (SELECT 1 FROM json_each({TAGS}) t WHERE t.value = f.tag)))",
            self.availability.quoted()
        );
        let places: Vec<i64> = sqlx::query_scalar(AssertSqlSafe(query))
            .bind(as_json(found))
            .fetch_all(&mut *self.connection().await?)
            .await
            .map_err(failed("comparing files with the availability table"))?;
        Ok(places.into_iter().filter_map(|place| found.get(usize::try_from(place).ok()?)).cloned().collect())
    }

    pub(super) async fn add_availability(&self, found: &[Available]) -> Result<u64> {
        if found.is_empty() {
            return Ok(0);
        }
        let mut connection = self.connection().await?;
        self.add_availability_on(&mut connection, found).await.map_err(failed("adding to the availability table"))
    }

    pub(super) async fn sources(&self, of: &[(i64, Period)]) -> Result<Vec<((i64, Period), String)>> {
        if of.is_empty() {
            return Ok(Vec::new());
        }
        let version = self.version_column.as_ref().map_or_else(|| "NULL".to_owned(), |column| format!("a.\"{}\"", column.as_str()));
        let query = format!(
            "SELECT f.place, {TAGS}, CAST({version} AS TEXT) FROM (SELECT key AS place, value ->> 0 AS bank_id, \
             value ->> 1 AS fiscal_year, value ->> 2 AS quarter FROM json_each(?1)) f JOIN {} a ON {SAME_KEY}",
            self.availability.quoted()
        );
        let keys: Vec<_> = of.iter().map(|(bank, period)| serde_json::json!([bank, period.year(), period.quarter().as_str()])).collect();
        let doing = "looking at the sources of gaps";
        let rows = sqlx::query(AssertSqlSafe(query))
            .bind(serde_json::Value::Array(keys).to_string())
            .fetch_all(&mut *self.connection().await?)
            .await
            .map_err(failed(doing))?;
        let rows = rows.iter().map(|row| {
            // What is no array of texts has no tags.
            let tags = text(row, 1)?.and_then(|tags| serde_json::from_str(&tags).ok()).unwrap_or_default();
            Ok((row.try_get(0)?, tags, text(row, 2)?))
        });
        Ok(sources(of, rows.collect::<sqlx::Result<Vec<_>>>().map_err(failed(doing))?))
    }

    async fn add_availability_on(&self, connection: &mut SqliteConnection, found: &[Available]) -> sqlx::Result<u64> {
        let table = self.availability.quoted();
        let found = as_json(found);
        // The rows of one statement all see the table as it was before the statement.
        let fresh = format!(
            "WITH found AS MATERIALIZED ({FOUND}?1)), fresh AS MATERIALIZED (SELECT f.* FROM found f WHERE NOT EXISTS \
             (SELECT 1 FROM {table} a WHERE {SAME_KEY} AND EXISTS (SELECT 1 FROM json_each({TAGS}) t WHERE t.value = f.tag)))"
        );
        let mut transaction = begin_write(connection).await?;
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
        transaction.commit().await?;
        Ok(changed + added)
    }
}
