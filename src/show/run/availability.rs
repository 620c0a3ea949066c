//! How much data there is to make reports from, and where these are.

use std::collections::BTreeSet;

use serde::Serialize;

use crate::plan::decide::plan::Plan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::{EtlIndex, ReportsBy};
use crate::plan::model::settings::TableName;

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

/// Where the reports of the selected ETLs are.
pub(super) fn reports_in(plan: &Plan, catalogue: &Catalogue, table: &TableName) -> Vec<String> {
    let place = |etl: &EtlIndex| match &catalogue.etl(*etl).reports {
        ReportsBy::Etl => table.to_string(),
        ReportsBy::Orchestrator { output } => output.directory(),
    };
    plan.etls.iter().map(place).collect::<BTreeSet<_>>().into_iter().collect()
}
