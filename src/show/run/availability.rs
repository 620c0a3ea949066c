//! How much data there is to make reports from.

use serde::Serialize;

use crate::plan::decide::plan::Plan;
use crate::plan::model::catalogue::Catalogue;

/// How many combinations of bank and period have data with these tags.
#[derive(Debug, Serialize)]
pub(super) struct Availability {
    pub(super) tags: Vec<String>,
    pub(super) combinations: u64,
}

/// Counts of available combinations, once for each set of tags that an ETL requires.
pub(super) fn of(plan: &Plan, catalogue: &Catalogue) -> Vec<Availability> {
    let mut seen: Vec<Availability> = Vec::new();
    for index in &plan.etls {
        let mut tags = catalogue.etl(*index).requires.clone();
        tags.sort();
        if !seen.iter().any(|known| known.tags == tags) {
            seen.push(Availability { tags, combinations: plan.census.available_for(*index) });
        }
    }
    seen
}
