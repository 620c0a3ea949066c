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

/// What is written of a report: each column that the table has for it, with its value.
pub(in crate::store) struct Written<'a> {
    table: &'a TableName,
    row: &'a ReportRow,
    columns: Vec<(&'a Column, Option<String>)>,
    execution_id: Option<&'a Column>,
}

impl<'a> Written<'a> {
    pub(in crate::store) fn of(row: &'a ReportRow, table: &'a TableName, columns: &'a [Column]) -> Self {
        let named = |name| columns.iter().find(|column| column.name == name);
        let written = report_columns(row).into_iter().filter_map(|(name, value)| {
            let column = named(name)?;
            Some((column, if column.not_null { Some(value.unwrap_or_default()) } else { value }))
        });
        Self { table, row, columns: written.collect(), execution_id: named("execution_id") }
    }

    /// The statement that writes it into the row that is there.
    pub(in crate::store) fn update<C: SqlConnection>(&self, parameters: &mut Parameters) -> String {
        // A table of nothing but the key still has something to update.
        let mut set = vec!["report_type = report_type".to_owned()];
        for (column, value) in &self.columns {
            set.push(format!("\"{}\" = {}", column.name, C::from_text(&parameters.add(value.clone()), &column.kind)));
        }
        // Without another name for the table: SQLite would not know it where the table is a view.
        format!("UPDATE {} SET {} WHERE {}", self.table.quoted(), set.join(", "), has_key_of(parameters, "", &self.row.key))
    }

    /// The statement that makes a row of it, given what makes a row of values.
    pub(in crate::store) fn insert<C: SqlConnection>(&self, parameters: &mut Parameters, of_values: impl Fn(&str) -> String) -> String {
        let key = &self.row.key;
        let key: Columns = vec![
            ("bank_id", key.bank_id.into()),
            ("fiscal_year", i32::from(key.period.year()).into()),
            ("quarter", key.period.quarter().as_str().into()),
            ("report_type", key.report_type.as_str().into()),
        ];
        let mut columns = vec![names(&key)];
        let mut values = vec![parameters.values(key)];
        for (column, value) in &self.columns {
            columns.push(format!("\"{}\"", column.name));
            values.push(C::from_text(&parameters.add(value.clone()), &column.kind));
        }
        format!("INSERT INTO {} ({}) {}", self.table.quoted(), columns.join(", "), of_values(&values.join(", ")))
    }

    /// The query for the row: its key, and the run that made it where there is a column for that. A rule, a trigger, a view or a policy may
    /// have kept it out, or kept the row of before, without an error.
    pub(in crate::store) fn query<C: SqlConnection>(&self, parameters: &mut Parameters) -> String {
        let mut condition = has_key(parameters, &self.row.key);
        if let Some(column) = self.execution_id {
            let ours = C::from_text(&parameters.add(self.row.execution_id), &column.kind);
            // Of a type that need not be comparable.
            condition = format!("{condition} AND CAST(r.execution_id AS text) = CAST({ours} AS text)");
        }
        format!("SELECT 1 FROM {} r WHERE {condition}", self.table.quoted())
    }

    /// What follows from the answer to [`Self::query`].
    ///
    /// # Errors
    /// [`NotKept`] where the table does not have the row.
    pub(in crate::store) fn is_kept(&self, found: bool) -> sqlx::Result<()> {
        if !found {
            return Err(NotKept::error(self.table.to_string()));
        }
        if self.row.markdown_content.as_deref().is_some_and(|text| !Characters::sent().have(text)) {
            tracing::warn!(
                "the encoding of the database lacks characters of {}: its markdown_content is left empty, and the file has all of it",
                self.row.local_filepath.escape_debug()
            );
        }
        Ok(())
    }
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
