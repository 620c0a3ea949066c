//! What the availability table says of banks and periods.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::model::period::Period;

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
