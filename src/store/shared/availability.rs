//! What the availability table says of banks and periods.

use std::collections::{BTreeMap, BTreeSet};

use super::cell::{AnyText, Found};
use super::connection::SqlConnection;
use super::reports::counted;
use super::row::row;
use super::statement::{Parameters, Statement};
use crate::plan::decide::found_data::FoundBank;
use crate::plan::decide::mismatch::{MOST_NAMES, NameCount};
use crate::plan::model::candidate::{AvailabilityKey, AvailabilityRow};
use crate::plan::model::period::Period;
use crate::plan::model::settings::{ColumnName, TableName};
use crate::store::MOST_ROWS;

/// One availability row: the place of its bank and period among those asked for, its tags, its value of the `version_column`.
pub(in crate::store) type VersionRow = (i64, Vec<String>, Option<String>);

/// The version of each bank and period that has rows: all their tags and values of the `version_column`, in one order.
pub(in crate::store) fn versions_of(of: &[(i64, Period)], rows: impl IntoIterator<Item = VersionRow>) -> Vec<((i64, Period), String)> {
    let mut found: BTreeMap<i64, (BTreeSet<String>, BTreeSet<String>)> = BTreeMap::new();
    for (place, tags, version) in rows {
        let (all_tags, versions) = found.entry(place).or_default();
        all_tags.extend(tags);
        versions.extend(version);
    }
    found
        .into_iter()
        .filter_map(|(place, found)| Some((*of.get(usize::try_from(place).ok()?)?, serde_json::json!(found).to_string())))
        .collect()
}

/// The tags in the table with the number of their rows; none where these tags are some and each has a row.
pub(in crate::store) async fn tags<C: SqlConnection>(
    connection: &mut C,
    table: &TableName,
    unless: &[String],
) -> sqlx::Result<Vec<NameCount>> {
    let each = format!("{} a, {}", table.quoted(), C::tags_of_a());
    let mut all_have_rows = !unless.is_empty();
    for tag in unless {
        let mut parameters = Parameters::default();
        let text = format!("SELECT 1 FROM {each} WHERE t.value = {} LIMIT 1", parameters.add(tag.as_str()));
        all_have_rows &= connection.finds(parameters.statement(text)).await?;
    }
    if all_have_rows {
        return Ok(Vec::new());
    }
    let text =
        format!("SELECT CAST(t.value AS text) AS name, count(*) AS how_many FROM {each} GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_NAMES}");
    counted(connection, Statement::plain(text)).await
}

/// The symbols in the table with the number of their rows.
pub(in crate::store) async fn symbols<C: SqlConnection>(connection: &mut C, table: &TableName) -> sqlx::Result<Vec<NameCount>> {
    let text = format!(
        "SELECT CAST(a.bank_symbol AS text) AS name, count(*) AS how_many FROM {} a GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT {MOST_NAMES}",
        table.quoted()
    );
    counted(connection, Statement::plain(text)).await
}

/// The banks in the table, by symbol and number.
pub(in crate::store) async fn banks<C: SqlConnection>(connection: &mut C, table: &TableName) -> sqlx::Result<Vec<FoundBank>> {
    let text = format!(
        "SELECT CAST(a.bank_symbol AS text) AS symbol, CAST(a.bank_id AS text) AS id, max(CAST(a.bank_name AS text)) AS name, \
         count(*) AS how_many FROM {} a GROUP BY 1, 2 ORDER BY 4 DESC, 1, 2 LIMIT {MOST_NAMES}",
        table.quoted()
    );
    let found: Found<BankRow> = connection.fetch_all(Statement::plain(text)).await?;
    let text = |text: Option<AnyText>| text.map(|AnyText(text)| text).unwrap_or_default();
    let bank = |row: BankRow| FoundBank {
        symbol: text(row.symbol),
        id: text(row.id),
        name: text(row.name),
        rows: u64::try_from(row.how_many).unwrap_or(0),
    };
    Ok(found.rows.into_iter().map(bank).collect())
}

row! {
    struct BankRow of "the data" {
        symbol: Option<AnyText>,
        id: Option<AnyText>,
        name: Option<AnyText>,
        how_many: i64,
    }
}

/// The rows with one of these symbols, or of this number.
pub(in crate::store) async fn rows<C: SqlConnection>(
    connection: &mut C,
    table: &TableName,
    version: Option<&ColumnName>,
    symbols: &[&str],
    bank_id: i64,
) -> sqlx::Result<Vec<AvailabilityRow>> {
    let mut parameters = Parameters::default();
    let version = version.map_or_else(|| "NULL".to_owned(), |column| format!("a.\"{}\"", column.as_str()));
    let listed = symbols.iter().map(|symbol| parameters.add(*symbol)).collect::<Vec<_>>().join(", ");
    let text = format!(
        "SELECT CAST(a.bank_id AS text) AS bank_id, CAST(a.bank_symbol AS text) AS bank_symbol, CAST(a.fiscal_year AS text) AS fiscal_year, \
         CAST(a.quarter AS text) AS quarter, {tags} AS tags, CAST({version} AS text) AS version FROM {table} a \
         WHERE CAST(a.bank_symbol AS text) IN ({listed}) OR a.bank_id = CAST({bank_id} AS bigint) \
         ORDER BY a.fiscal_year DESC, a.quarter DESC LIMIT {MOST_ROWS}",
        tags = C::tags_as_json(),
        table = table.quoted(),
        bank_id = parameters.add(bank_id),
    );
    let found: Found<DataRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(found.rows.into_iter().map(DataRow::row).collect())
}

row! {
    struct DataRow of "the data" {
        bank_id: Option<AnyText>,
        bank_symbol: Option<AnyText>,
        fiscal_year: Option<AnyText>,
        quarter: Option<AnyText>,
        tags: Option<AnyText>,
        version: Option<AnyText>,
    }
}

impl DataRow {
    fn row(self) -> AvailabilityRow {
        let text = |text: Option<AnyText>| text.map(|AnyText(text)| text);
        AvailabilityRow {
            key: AvailabilityKey {
                bank_id: text(self.bank_id),
                bank_symbol: text(self.bank_symbol),
                fiscal_year: text(self.fiscal_year),
                quarter: text(self.quarter),
                mistyped: None,
            },
            tags: text(self.tags).and_then(|tags| serde_json::from_str(&tags).ok()),
            version: text(self.version),
        }
    }
}
