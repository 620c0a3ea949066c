//! Rows of the reports table.

use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, QueryBuilder};

use super::Postgres;
use crate::plan::model::job::{ReportKey, ReportRow};
use crate::plan::model::settings::TableName;
use crate::store::Result;
use crate::store::columns::Column;
use crate::store::record::{report_columns, storable};

/// The condition that finds a report `r`: parameters 1 to 4 are its key.
pub(super) const BY_KEY: &str = "r.bank_id = $1 AND r.fiscal_year = $2 AND r.quarter = $3 AND r.report_type = $4";

impl Postgres {
    pub(super) async fn report_fingerprint(&self, report: &ReportKey) -> Result<Option<String>> {
        let mut lease = self.connections.lease().await?;
        let fingerprint = fingerprint(&mut lease, &self.reports, report).await;
        lease.settle("looking at a report", fingerprint)
    }
}

/// A text that changes when the report's row does; `None` when there is no such report.
pub(super) async fn fingerprint(connection: &mut PgConnection, table: &TableName, report: &ReportKey) -> sqlx::Result<Option<String>> {
    let query = format!(
        "SELECT encode(sha256(convert_to(string_agg(row, ',' ORDER BY row), 'UTF8')), 'hex') FROM (SELECT to_jsonb(r)::text AS row FROM {} r WHERE {BY_KEY}) f",
        table.quoted()
    );
    sqlx::query_scalar(AssertSqlSafe(query))
        .bind(report.bank_id)
        .bind(i32::from(report.period.year()))
        .bind(report.period.quarter().as_str())
        .bind(storable(&report.report_type))
        .fetch_one(connection)
        .await
}

/// Writes a report's row: into the row that is there, or else as a new one. Values go as text and are cast to what
/// the table's columns are.
pub(super) async fn write(connection: &mut PgConnection, table: &TableName, columns: &[Column], row: &ReportRow) -> sqlx::Result<()> {
    let key = &row.key;
    let year = i32::from(key.period.year());
    let quarter = key.period.quarter().as_str();
    let report_type = storable(&key.report_type);
    let values = report_columns(row, columns);

    // A table of nothing but the key still has a row to be found by the update.
    let mut update = QueryBuilder::new(format!("UPDATE {} AS r SET report_type = r.report_type", table.quoted()));
    for (column, value) in &values {
        update.push(format!(", \"{}\" = ", column.name)).push_bind(value.as_deref()).push(format!("::text::{}", column.kind));
    }
    update.push(" WHERE r.bank_id = ").push_bind(key.bank_id);
    update.push(" AND r.fiscal_year = ").push_bind(year);
    update.push(" AND r.quarter = ").push_bind(quarter);
    update.push(" AND r.report_type = ").push_bind(report_type.as_ref());
    if update.build().execute(&mut *connection).await?.rows_affected() > 0 {
        return Ok(());
    }

    let mut insert = QueryBuilder::new(format!("INSERT INTO {} (bank_id, fiscal_year, quarter, report_type", table.quoted()));
    for (column, _) in &values {
        insert.push(format!(", \"{}\"", column.name));
    }
    insert.push(") VALUES (").push_bind(key.bank_id);
    insert.push(", ").push_bind(year).push(", ").push_bind(quarter);
    insert.push(", ").push_bind(report_type.as_ref());
    for (column, value) in &values {
        insert.push(", ").push_bind(value.as_deref()).push(format!("::text::{}", column.kind));
    }
    insert.push(")");
    insert.build().execute(&mut *connection).await?;
    Ok(())
}
