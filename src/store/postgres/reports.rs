//! Rows of the reports table.

use sqlx::postgres::PgConnection;

use crate::plan::model::job::{ReportKey, ReportRow};
use crate::plan::model::settings::TableName;
use crate::store::shared::claims::has_key;
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::data_columns::Column;
use crate::store::shared::reports::Written;
use crate::store::shared::row::row;
use crate::store::shared::statement::Parameters;

/// A text that changes when the report's row does; `None` when there is no such report. The server knows the columns by itself.
pub(super) async fn fingerprint(
    connection: &mut PgConnection,
    table: &TableName,
    _columns: &[Column],
    report: &ReportKey,
) -> sqlx::Result<Option<String>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT encode(sha256(convert_to(string_agg(row, ',' ORDER BY row), getdatabaseencoding())), 'hex') AS fingerprint
         FROM (SELECT to_jsonb(r)::text AS row FROM {} r WHERE {}) f",
        table.quoted(),
        has_key(&mut parameters, report)
    );
    let row: Option<FingerprintRow> = connection.fetch_optional(parameters.statement(text)).await?;
    Ok(row.and_then(|row| row.fingerprint))
}

row! {
    struct FingerprintRow of "reports" {
        fingerprint: Option<String>,
    }
}

/// Writes a report's row: into the row that is there, or else as a new one. The caller's transaction is to be rolled back on an error.
pub(super) async fn write(connection: &mut PgConnection, table: &TableName, columns: &[Column], row: &ReportRow) -> sqlx::Result<()> {
    let written = Written::of(row, table, columns);
    let mut parameters = Parameters::default();
    let update = written.update::<PgConnection>(&mut parameters);
    if connection.execute(parameters.statement(update)).await? == 0 {
        let mut parameters = Parameters::default();
        let insert = written.insert::<PgConnection>(&mut parameters, |values| format!("VALUES ({values})"));
        connection.execute(parameters.statement(insert)).await?;
    }
    let mut parameters = Parameters::default();
    let query = written.query::<PgConnection>(&mut parameters);
    written.is_kept(connection.finds(parameters.statement(query)).await?)
}
