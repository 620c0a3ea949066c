//! Rows of the reports table.

use std::hash::{DefaultHasher, Hash, Hasher};

use sqlx::sqlite::SqliteConnection;

use super::changes::{Batch, Changes};
use crate::plan::model::job::{ReportKey, ReportRow};
use crate::plan::model::settings::TableName;
use crate::store::shared::cell::{AnyText, Found};
use crate::store::shared::claims::has_key;
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::data_columns::Column;
use crate::store::shared::reports::Written;
use crate::store::shared::row::row;
use crate::store::shared::statement::Parameters;

/// A text that changes when the report's row does; `None` when there is no such report.
pub(super) async fn fingerprint(
    connection: &mut SqliteConnection,
    table: &TableName,
    columns: &[Column],
    report: &ReportKey,
) -> sqlx::Result<Option<String>> {
    let columns: Vec<String> = columns.iter().map(|column| format!("quote(r.\"{}\")", column.name)).collect();
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {} AS columns FROM {} r WHERE {} ORDER BY 1",
        columns.join(" || ',' || "),
        table.quoted(),
        has_key(&mut parameters, report)
    );
    let rows: Found<ReportText> = connection.fetch_all(parameters.statement(text)).await?;
    // The hash of the texts alone is what earlier versions recorded.
    let rows: Vec<String> = rows.rows.into_iter().map(|row| row.columns.0).collect();
    Ok((!rows.is_empty()).then(|| {
        let mut hasher = DefaultHasher::new();
        rows.hash(&mut hasher);
        format!("{:016x}", hasher.finish())
    }))
}

row! {
    struct ReportText of "reports" {
        columns: AnyText,
    }
}

/// Carries out a batch, and writes a report's row: into the row that is there, or else as a new one.
pub(super) async fn write(
    changes: &mut Changes<'_>,
    mut batch: Batch,
    table: &TableName,
    columns: &[Column],
    row: &ReportRow,
) -> sqlx::Result<()> {
    let written = Written::of(row, table, columns);
    let update = written.update::<SqliteConnection>(&mut batch.parameters);
    batch.execute(update);
    let insert = written.insert::<SqliteConnection>(&mut batch.parameters, |values| format!("SELECT {values} WHERE changes() = 0"));
    batch.execute(insert);
    let query = written.query::<SqliteConnection>(&mut batch.parameters);
    written.is_kept(changes.carry_out_and_find(batch, query).await?)
}
