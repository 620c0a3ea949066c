//! Looks which data has arrived since the last run, and which banks are late with theirs.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::plan_input::PlanInput;
use crate::plan::decide::late_banks::{behind, late};
use crate::plan::decide::plan::Plan;
use crate::plan::model::etl::EtlIndex;
use crate::plan::remember::arrivals::{ArrivalQuery, SeenData, tags_on_record};
use crate::store::{self, Store};

/// Compares what the plan has counted with what runs have seen before, and adds to the plan what is new and what is late. Where the
/// selection leaves out later periods, that is not known.
///
/// # Errors
/// When the database fails.
pub(super) async fn look(store: &dyn Store, input: PlanInput<'_>, plan: &mut Plan, now: DateTime<Utc>) -> store::Result<()> {
    let (catalogue, selection) = (input.catalogue, input.selection);
    if !input.has_reports() || !selection.has_latest_periods() {
        return Ok(());
    }
    let mut sets: BTreeMap<String, EtlIndex> = BTreeMap::new();
    for etl in &plan.etls {
        sets.entry(tags_on_record(&catalogue.etl(*etl).requires)).or_insert(*etl);
    }
    let mut known: BTreeMap<String, SeenData> = store.seen_data().await?.into_iter().map(|seen| (seen.tags.clone(), seen)).collect();
    for (tags, etl) in sets {
        let newest = plan.census.newest(etl, catalogue.institutions.iter().filter(|(bank, _)| selection.has_bank(*bank)));
        let seen = known.remove(&tags).unwrap_or_else(|| SeenData { tags: tags.clone(), newest: BTreeMap::new() });
        plan.newly_seen.extend(seen.after(&newest, now));
        let behind = if selection.banks.is_empty() { behind(&newest, &catalogue.institutions) } else { Vec::new() };
        if !behind.is_empty() {
            let arrivals = store.arrivals(ArrivalQuery::Tags(&tags)).await?;
            let requires = &catalogue.etl(etl).requires;
            plan.data_issues.late_banks.extend(behind.into_iter().filter_map(|bank| late(bank, requires, &arrivals, now)));
        }
    }
    Ok(())
}
