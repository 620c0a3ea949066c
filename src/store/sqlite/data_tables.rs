//! The data tables: made in the shape of the production ones, and checked.

use sqlx::sqlite::SqliteConnection;
use sqlx::{AssertSqlSafe, Executor};

use super::Sqlite;
use crate::plan::model::settings::{ColumnName, TableName};
use crate::store::shared::data_columns::{Column, DataTable};
use crate::store::{MissingRights, Result, TableFault, TableUse};

/// Makes the data tables that are not there.
pub(super) async fn create(connection: &mut SqliteConnection, availability: &TableName, reports: &TableName) -> sqlx::Result<()> {
    connection.execute(sqlx::raw_sql(AssertSqlSafe(statements(availability, reports)))).await?;
    Ok(())
}

/// The statements that do so.
pub(super) fn statements(availability: &TableName, reports: &TableName) -> String {
    format!(
        "\
CREATE TABLE IF NOT EXISTS {availability} (
    id             INTEGER PRIMARY KEY,
    bank_id        INTEGER NOT NULL,
    bank_name      TEXT NOT NULL,
    bank_symbol    TEXT NOT NULL,
    fiscal_year    INTEGER NOT NULL,
    quarter        TEXT NOT NULL,
    database_names TEXT,
    last_updated   TEXT DEFAULT CURRENT_TIMESTAMP,
    UNIQUE (bank_id, fiscal_year, quarter)
);
CREATE TABLE IF NOT EXISTS {reports} (
    id                 INTEGER PRIMARY KEY,
    report_name        TEXT NOT NULL,
    report_description TEXT NOT NULL,
    report_type        TEXT NOT NULL,
    bank_id            INTEGER,
    bank_name          TEXT NOT NULL,
    bank_symbol        TEXT NOT NULL,
    fiscal_year        INTEGER NOT NULL,
    quarter            TEXT NOT NULL,
    local_filepath     TEXT,
    markdown_content   TEXT,
    generation_date    TEXT NOT NULL DEFAULT CURRENT_TIMESTAMP,
    generated_by       TEXT,
    execution_id       TEXT,
    metadata           TEXT,
    UNIQUE (bank_id, fiscal_year, quarter, report_type)
);
",
        availability = availability.quoted(),
        reports = reports.quoted(),
    )
}

impl Sqlite {
    pub(super) async fn table_faults(&self, writes_reports: bool, writes_availability: bool) -> Result<Vec<TableFault>> {
        let mut faults = Vec::new();
        // Names in SQLite ignore case. The columns' names are in lower case here.
        let version = self.version_column.as_ref().and_then(|version| ColumnName::parse(&version.as_str().to_ascii_lowercase()));
        for (which, name, writes) in
            [(DataTable::Availability, &self.availability, writes_availability), (DataTable::Reports, &self.reports, writes_reports)]
        {
            let columns = self.columns_of(name).await?;
            if columns.is_empty() {
                faults.push(TableFault {
                    found: format!("table {name} is missing from {}", self.target),
                    mend: format!("run `etl-orch init` to make it, or set `{}`", which.setting()),
                });
            } else {
                faults.extend(which.faults(name, &self.target, &columns, writes, version.as_ref()));
            }
        }
        Ok(faults)
    }

    /// None: the file's permissions are all there is, and whoever may not write it learns that from its first statement.
    #[expect(clippy::unused_async, reason = "one shape for both adapters")]
    pub(super) async fn missing_rights(&self, _of: TableUse) -> Result<MissingRights> {
        Ok(MissingRights::default())
    }

    /// The columns of the reports table, asked for once.
    pub(super) async fn report_columns(&self) -> Result<&[Column]> {
        self.report_columns.get_or_try_init(|| self.columns_of(&self.reports)).await.map(Vec::as_slice)
    }

    async fn columns_of(&self, table: &TableName) -> Result<Vec<Column>> {
        let mut lease = self.lease().await?;
        // A column that is the rowid fills itself.
        let rows: sqlx::Result<Vec<(String, String, bool, bool)>> = sqlx::query_as(
            "SELECT lower(name), type, \"notnull\" <> 0, dflt_value IS NOT NULL OR (pk = 1 AND upper(type) = 'INTEGER')
             FROM pragma_table_info(?1, ?2)",
        )
        .bind(table.table())
        .bind(table.schema())
        .fetch_all(&mut *lease)
        .await;
        let rows = lease.settle("looking at the columns of the data tables", rows)?;
        Ok(rows.into_iter().map(|(name, kind, not_null, has_default)| Column { name, kind, not_null, has_default }).collect())
    }
}
