//! Availability that was learnt from files.
//!
//! What counts is the bank and the period: a tag is there when any row of theirs has it. A row whose
//! `database_names` is no array is left alone, and nothing is put beside it.

use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteConnection;

use super::scan::{FOUND, SAME_KEY, TAGS, as_json};
use super::{Sqlite, begin_write};
use crate::store::record::failed;
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
