//! Rows of the reports table.

use std::hash::{DefaultHasher, Hash, Hasher};

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::{Driver, Sqlite};
use crate::plan::model::job::{ReportKey, ReportRow};
use crate::plan::model::settings::TableName;
use crate::store::Result;
use crate::store::columns::Column;
use crate::store::record::{failed, report_columns, storable};

/// The condition that finds a report: parameters 1 to 4 are its key.
pub(super) const BY_KEY: &str = "bank_id = ?1 AND fiscal_year = ?2 AND quarter = ?3 AND report_type = ?4";

impl Sqlite {
    pub(super) async fn report_fingerprint(&self, report: &ReportKey) -> Result<Option<String>> {
        let columns = self.report_columns().await?;
        let mut connection = self.connection().await?;
        fingerprint(&mut connection, &self.reports, columns, report).await.map_err(failed("looking at a report"))
    }
}

/// A text that changes when the report's row does; `None` when there is no such report.
pub(super) async fn fingerprint(
    connection: &mut SqliteConnection,
    table: &TableName,
    columns: &[Column],
    report: &ReportKey,
) -> sqlx::Result<Option<String>> {
    let columns: Vec<String> = columns.iter().map(|column| format!("quote(\"{}\")", column.name)).collect();
    let query = format!("SELECT {} FROM {} WHERE {BY_KEY} ORDER BY 1", columns.join(" || ',' || "), table.quoted());
    let rows: Vec<String> = sqlx::query_scalar(AssertSqlSafe(query))
        .bind(report.bank_id)
        .bind(i64::from(report.period.year()))
        .bind(report.period.quarter().as_str())
        .bind(&report.report_type)
        .fetch_all(connection)
        .await?;
    Ok((!rows.is_empty()).then(|| {
        let mut hasher = DefaultHasher::new();
        rows.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }))
}

/// Writes a report's row: into the row that is there, or else as a new one.
pub(super) async fn write(connection: &mut SqliteConnection, table: &TableName, columns: &[Column], row: &ReportRow) -> sqlx::Result<()> {
    let key = &row.key;
    let year = i64::from(key.period.year());
    let quarter = key.period.quarter().as_str();
    let report_type = storable(&key.report_type);
    let values = report_columns(row, columns);

    // A table of nothing but the key still has a row to be found by the update.
    let mut update = QueryBuilder::<Driver>::new(format!("UPDATE {} SET report_type = report_type", table.quoted()));
    for (column, value) in &values {
        update.push(format!(", \"{}\" = ", column.name)).push_bind(value.as_deref());
    }
    update.push(" WHERE bank_id = ").push_bind(key.bank_id);
    update.push(" AND fiscal_year = ").push_bind(year);
    update.push(" AND quarter = ").push_bind(quarter);
    update.push(" AND report_type = ").push_bind(report_type.as_ref());
    if update.build().execute(&mut *connection).await?.rows_affected() > 0 {
        return Ok(());
    }

    let mut insert = QueryBuilder::<Driver>::new(format!("INSERT INTO {} (bank_id, fiscal_year, quarter, report_type", table.quoted()));
    for (column, _) in &values {
        insert.push(format!(", \"{}\"", column.name));
    }
    insert.push(") VALUES (");
    let mut list = insert.separated(", ");
    list.push_bind(key.bank_id).push_bind(year).push_bind(quarter).push_bind(report_type.as_ref());
    for (_, value) in &values {
        list.push_bind(value.as_deref());
    }
    insert.push(")");
    insert.build().execute(&mut *connection).await?;
    Ok(())
}
