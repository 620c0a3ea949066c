//! Rows of the reports table.

use super::cell::{AnyText, Found};
use super::claims::{has_key, has_key_of};
use super::connection::SqlConnection;
use super::data_columns::Column;
use super::encoding::Characters;
use super::row::row;
use super::statement::{Columns, Parameters, Statement, names};
use super::values::{rfc3339, storable_json};
use crate::plan::decide::mismatch::{MOST_NAMES, NameCount, ReportSpelling};
use crate::plan::model::job::{ReportKey, ReportRow};
use crate::plan::model::settings::TableName;
use crate::store::NotKept;

/// What is written of a report beyond its key, all as texts, so far as the table has a column for it.
fn report_columns(row: &ReportRow) -> Vec<(&'static str, Option<String>)> {
    vec![
        ("report_name", Some(row.report_name.clone())),
        ("report_description", Some(row.report_description.clone())),
        ("bank_name", Some(row.bank_name.clone())),
        ("bank_symbol", Some(row.bank_symbol.clone())),
        ("local_filepath", Some(row.local_filepath.clone())),
        // Never another text than that of the file.
        ("markdown_content", row.markdown_content.clone().filter(|text| Characters::sent().have(text))),
        ("generation_date", Some(rfc3339(row.generation_date))),
        ("generated_by", Some(row.generated_by.clone())),
        ("execution_id", Some(row.execution_id.to_string())),
        ("metadata", Some(storable_json(&row.metadata))),
    ]
}

/// Writes a report's row: into the row that is there, or else as a new one. The caller's transaction is to be rolled back on an error.
///
/// # Errors
/// [`NotKept`] where the table does not have the row afterwards.
pub(in crate::store) async fn write<C: SqlConnection>(
    connection: &mut C,
    table: &TableName,
    columns: &[Column],
    row: &ReportRow,
) -> sqlx::Result<()> {
    let written: Vec<Written<'_>> = report_columns(row)
        .into_iter()
        .filter_map(|(name, value)| {
            let column = columns.iter().find(|column| column.name == name)?;
            Some((column, if column.not_null { Some(value.unwrap_or_default()) } else { value }))
        })
        .collect();

    let mut parameters = Parameters::default();
    // A table of nothing but the key still has something to update.
    let mut set = vec!["report_type = report_type".to_owned()];
    for (column, value) in &written {
        set.push(format!("\"{}\" = {}", column.name, C::from_text(&parameters.add(value.clone()), &column.kind)));
    }
    // Without another name for the table: SQLite would not know it where the table is a view.
    let text = format!("UPDATE {} SET {} WHERE {}", table.quoted(), set.join(", "), has_key_of(&mut parameters, "", &row.key));
    if connection.execute(parameters.statement(text)).await? == 0 {
        insert(connection, table, row, &written).await?;
    }
    see(connection, table, columns, row).await?;
    if row.markdown_content.as_deref().is_some_and(|text| !Characters::sent().have(text)) {
        tracing::warn!(
            "the encoding of the database lacks characters of {}: its markdown_content is left empty, and the file has all of it",
            row.local_filepath.escape_debug()
        );
    }
    Ok(())
}

/// What is written: each column of the table with its value.
type Written<'a> = (&'a Column, Option<String>);

async fn insert<C: SqlConnection>(connection: &mut C, table: &TableName, row: &ReportRow, written: &[Written<'_>]) -> sqlx::Result<()> {
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
        values.push(C::from_text(&parameters.add(value.clone()), &column.kind));
    }
    let text = format!("INSERT INTO {} ({}) VALUES ({})", table.quoted(), columns.join(", "), values.join(", "));
    connection.execute(parameters.statement(text)).await.map(drop)
}

/// Looks whether the table has the row: its key, and the run that made it where there is a column for that. A rule, a trigger, a view
/// or a policy may have kept it out, or kept the row of before, without an error.
async fn see<C: SqlConnection>(connection: &mut C, table: &TableName, columns: &[Column], row: &ReportRow) -> sqlx::Result<()> {
    let mut parameters = Parameters::default();
    let mut condition = has_key(&mut parameters, &row.key);
    if let Some(column) = columns.iter().find(|column| column.name == "execution_id") {
        let ours = C::from_text(&parameters.add(row.execution_id), &column.kind);
        // Of a type that need not be comparable.
        condition = format!("{condition} AND CAST(r.execution_id AS text) = CAST({ours} AS text)");
    }
    if connection.finds(parameters.statement(format!("SELECT 1 FROM {} r WHERE {condition}", table.quoted()))).await? {
        return Ok(());
    }
    Err(NotKept::error(table.to_string()))
}

/// The types in the table with the number of their rows; none where these lists are some and each has a type with a row.
pub(in crate::store) async fn types<C: SqlConnection>(
    connection: &mut C,
    table: &TableName,
    unless: &[Vec<String>],
) -> sqlx::Result<Vec<NameCount>> {
    let mut all_have_rows = !unless.is_empty();
    for types in unless {
        let mut parameters = Parameters::default();
        let list = types.iter().map(|one| parameters.add(one.as_str())).collect::<Vec<_>>().join(", ");
        let text = format!("SELECT 1 FROM {} r WHERE r.report_type IN ({list}) LIMIT 1", table.quoted());
        all_have_rows &= connection.finds(parameters.statement(text)).await?;
    }
    if all_have_rows {
        return Ok(Vec::new());
    }
    let text = format!(
        "SELECT CAST(r.report_type AS text) AS name, count(*) AS how_many FROM {} r GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_NAMES}",
        table.quoted()
    );
    counted(connection, Statement::plain(text)).await
}

/// Names with the number of their rows, from a query for `name` and `how_many`.
pub(in crate::store) async fn counted<C: SqlConnection>(connection: &mut C, query: Statement) -> sqlx::Result<Vec<NameCount>> {
    let found: Found<NameRow> = connection.fetch_all(query).await?;
    let named = |row: NameRow| Some(NameCount { name: row.name?.0, rows: u64::try_from(row.how_many).unwrap_or(0) });
    Ok(found.rows.into_iter().filter_map(named).collect())
}

/// Types and quarters of the rows of a report's bank and fiscal year.
pub(in crate::store) async fn beside<C: SqlConnection>(
    connection: &mut C,
    table: &TableName,
    report: &ReportKey,
) -> sqlx::Result<Vec<ReportSpelling>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT DISTINCT CAST(r.report_type AS text) AS report_type, CAST(r.quarter AS text) AS quarter FROM {} r \
         WHERE r.bank_id = CAST({} AS bigint) AND r.fiscal_year = CAST({} AS bigint) ORDER BY 1, 2 LIMIT {MOST_NAMES}",
        table.quoted(),
        parameters.add(report.bank_id),
        parameters.add(i32::from(report.period.year())),
    );
    let found: Found<SpellingRow> = connection.fetch_all(parameters.statement(text)).await?;
    let spelled = |row: SpellingRow| Some(ReportSpelling { report_type: row.report_type?.0, quarter: row.quarter?.0 });
    Ok(found.rows.into_iter().filter_map(spelled).collect())
}

row! {
    struct NameRow of "the data" {
        name: Option<AnyText>,
        how_many: i64,
    }
}

row! {
    struct SpellingRow of "reports" {
        report_type: Option<AnyText>,
        quarter: Option<AnyText>,
    }
}
