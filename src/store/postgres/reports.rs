//! Rows of the reports table.

use sqlx::postgres::PgConnection;

use crate::plan::model::job::ReportKey;
use crate::plan::model::settings::TableName;
use crate::store::shared::claims::has_key;
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::data_columns::Column;
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
