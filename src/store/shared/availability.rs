//! What the availability table says of banks and periods.

use std::collections::{BTreeMap, BTreeSet};

use super::connection::SqlConnection;
use super::reports::counted;
use super::statement::{Parameters, Statement};
use crate::plan::decide::mismatch::NameCount;
use crate::plan::model::period::Period;
use crate::plan::model::settings::TableName;
use crate::store::MOST_NAMES;

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

/// The tags in the table with the number of their rows; none where each of these tags has a row.
pub(in crate::store) async fn tags<C: SqlConnection>(
    connection: &mut C,
    table: &TableName,
    unless: &[String],
) -> sqlx::Result<Vec<NameCount>> {
    let each = format!("{} a, {}", table.quoted(), C::tags_of_a());
    let mut all_have_rows = true;
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
