//! Rows of the reports table.

use sqlx::postgres::PgConnection;

use crate::plan::model::job::ReportKey;
use crate::plan::model::settings::TableName;
use crate::store::shared::claims::has_key;
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::data_columns::Column;
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
        "SELECT encode(sha256(convert_to(string_agg(row, ',' ORDER BY row), 'UTF8')), 'hex')
         FROM (SELECT to_jsonb(r)::text AS row FROM {} r WHERE {}) f",
        table.quoted(),
        has_key(&mut parameters, report)
    );
    let fingerprint = connection.fetch_optional::<(Option<String>,)>(parameters.statement(text)).await?;
    Ok(fingerprint.and_then(|(text,)| text))
}
