//! Rows of the reports table.

use super::claims::has_key;
use super::connection::SqlConnection;
use super::data_columns::Column;
use super::statement::{Columns, Parameters, names};
use super::values::{rfc3339, storable_json};
use crate::plan::model::job::ReportRow;
use crate::plan::model::settings::TableName;

/// What is written of a report beyond its key, all as texts, so far as the table has a column for it.
fn report_columns(row: &ReportRow) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("report_name", Some(row.report_name.clone())),
        ("report_description", Some(row.report_description.clone())),
        ("bank_name", Some(row.bank_name.clone())),
        ("bank_symbol", Some(row.bank_symbol.clone())),
        ("local_filepath", Some(row.local_filepath.clone())),
        ("markdown_content", row.markdown_content.clone()),
        ("generation_date", Some(rfc3339(row.generation_date))),
        ("generated_by", Some(row.generated_by.clone())),
        ("execution_id", Some(row.execution_id.to_string())),
        ("metadata", Some(storable_json(&row.metadata))),
    ]
}

/// Writes a report's row: into the row that is there, or else as a new one.
pub(in crate::store) async fn write<C: SqlConnection>(
    connection: &mut C,
    table: &TableName,
    columns: &[Column],
    row: &ReportRow,
) -> sqlx::Result<()> {
    let written: Vec<(&Column, Option<String>)> = report_columns(row)
        .into_iter()
        .filter_map(|(name, value)| {
            let column = columns.iter().find(|column| column.name == name)?;
            Some((column, if column.not_null { Some(value.unwrap_or_default()) } else { value }))
        })
        .collect();

    let mut parameters = Parameters::default();
    // A table of nothing but the key still has something to update.
    let mut set = vec!["report_type = r.report_type".to_owned()];
    for (column, value) in &written {
        set.push(format!("\"{}\" = {}", column.name, C::from_text(&parameters.add(value.clone()), &column.kind)));
    }
    let text = format!("UPDATE {} AS r SET {} WHERE {}", table.quoted(), set.join(", "), has_key(&mut parameters, &row.key));
    if connection.execute(parameters.statement(text)).await? > 0 {
        return Ok(());
    }

    let key: Columns = vec![
        ("bank_id", row.key.bank_id.into()),
        ("fiscal_year", i32::from(row.key.period.year()).into()),
        ("quarter", row.key.period.quarter().as_str().into()),
        ("report_type", row.key.report_type.as_str().into()),
    ];
    let mut parameters = Parameters::default();
    let mut columns = vec![names(&key)];
    let mut values = vec![parameters.values(key)];
    for (column, value) in written {
        columns.push(format!("\"{}\"", column.name));
        values.push(C::from_text(&parameters.add(value), &column.kind));
    }
    let text = format!("INSERT INTO {} ({}) VALUES ({})", table.quoted(), columns.join(", "), values.join(", "));
    connection.execute(parameters.statement(text)).await.map(drop)
}
