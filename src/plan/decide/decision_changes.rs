//! Which decisions of a plan go on record: those that differ from what is on record. What is to be made has a job there.

use std::collections::BTreeMap;

use crate::plan::decide::decision::Decision;
use crate::plan::decide::plan::Plan;
use crate::plan::decide::source_plan::SourceStatus;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::selection::Selection;
use crate::plan::remember::stored_decision::{DecisionChanges, StoredDecision};
use crate::plan::remember::stored_state::StoredState;

/// What this plan changes of the decisions that are in force on record.
#[must_use]
pub fn changes(
    plan: &Plan,
    stored: &StoredState,
    catalogue: &Catalogue,
    selection: &Selection,
    in_force: &BTreeMap<GapKey, StoredDecision>,
) -> DecisionChanges {
    let current = held_back(plan, stored, catalogue);
    let is_looked_at = |key: &GapKey| is_looked_at(key, catalogue, selection);
    let ended: Vec<GapKey> = in_force.keys().filter(|key| !current.contains_key(*key) && is_looked_at(key)).cloned().collect();
    let is_new = |(key, decision): &(GapKey, StoredDecision)| in_force.get(key).is_none_or(|known| !known.is_same(decision));
    DecisionChanges { new: current.into_iter().filter(is_new).collect(), ended, capped: plan.capped }
}

/// The decisions of this plan against gaps and windows.
#[must_use]
pub fn held_back(plan: &Plan, stored: &StoredState, catalogue: &Catalogue) -> BTreeMap<GapKey, StoredDecision> {
    let of_reports =
        plan.decided.iter().filter_map(|(key, decided)| Some((key.clone(), of_report(&decided.decision, stored, catalogue, key)?)));
    let mut all: BTreeMap<GapKey, StoredDecision> = of_reports.collect();
    for found in &plan.sources {
        let source = catalogue.source(found.source);
        all.extend(of_source(&found.standing).map(|decision| (GapKey::source(&source.id), decision)));
        let windows = found.held_back.iter().filter_map(|held| Some((source.gap_key(held.window), of_source(&held.status)?)));
        all.extend(windows);
    }
    all
}

fn of_report(decision: &Decision, stored: &StoredState, catalogue: &Catalogue, key: &GapKey) -> Option<StoredDecision> {
    Some(match decision {
        Decision::Filtered(_) | Decision::Done | Decision::Run(_) => return None,
        Decision::Invalid(problem) => StoredDecision::Invalid { problem: problem.to_string() },
        Decision::Skipped(order) => {
            StoredDecision::Skipped { since: order.since, until: order.until, by: order.by.clone(), reason: order.reason.clone() }
        }
        Decision::Unrecorded(end) => StoredDecision::Unrecorded { job: end.job, why: end.why.clone() },
        Decision::Claimed(owner) => StoredDecision::Claimed { host: owner.host.clone(), pid: owner.pid },
        Decision::Waiting(need) => StoredDecision::Waiting { need: catalogue.etl(*need).name.clone() },
        Decision::Quarantined(quarantine) => StoredDecision::Quarantined(*quarantine),
        Decision::CoolingDown(rest) => StoredDecision::CoolingDown(*rest),
        Decision::Deferred => {
            let breaker = stored.breakers.values().find(|breaker| breaker.etl == key.filled_by())?;
            StoredDecision::Deferred { since: breaker.since }
        }
    })
}

fn of_source(status: &SourceStatus) -> Option<StoredDecision> {
    Some(match status {
        SourceStatus::UpToDate | SourceStatus::Due => return None,
        SourceStatus::Paused(pause) => StoredDecision::Paused { since: pause.since, by: pause.by.clone(), reason: pause.reason.clone() },
        SourceStatus::Skipped(order) => {
            StoredDecision::Skipped { since: order.since, until: order.until, by: order.by.clone(), reason: order.reason.clone() }
        }
        SourceStatus::Unrecorded(end) => StoredDecision::Unrecorded { job: end.job, why: end.why.clone() },
        SourceStatus::Claimed(owner) => StoredDecision::Claimed { host: owner.host.clone(), pid: owner.pid },
        SourceStatus::Quarantined(quarantine) => StoredDecision::Quarantined(*quarantine),
        SourceStatus::CoolingDown(rest) => StoredDecision::CoolingDown(*rest),
    })
}

/// Whether a run with this selection would have decided on the gap, if it were one. What is no longer configured is of no concern to
/// anybody.
#[must_use]
pub fn is_looked_at(key: &GapKey, catalogue: &Catalogue, selection: &Selection) -> bool {
    match key {
        GapKey::Report { bank, period, etl } => {
            let bank = catalogue.institutions.iter().find(|(_, one)| one.key == *bank).map(|(index, _)| index);
            let etl = catalogue.etls.iter().position(|one| one.name == *etl);
            match (bank, etl) {
                (Some(bank), Some(etl)) => selection.has_reports() && selection.excludes(Gap { bank, period: *period, etl }).is_none(),
                _ => !selection.is_narrowed(),
            }
        }
        GapKey::Source(source) | GapKey::Window { source, .. } => {
            catalogue.sources.iter().position(|one| one.id == *source).map_or(!selection.is_narrowed(), |index| selection.has_source(index))
        }
        GapKey::Group { .. } => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::decide::decision::Decided;
    use crate::plan::model::institution::Institutions;
    use crate::plan::remember::failure_history::{Rest, RestReason};
    use crate::plan::test_support::{bank, etl, plan_of};

    fn key(text: &str) -> GapKey {
        text.parse().unwrap()
    }

    fn rest(until: &str) -> Rest {
        let at = |text: &str| format!("2026-11-01T{text}:00Z").parse().unwrap();
        Rest { since: at("09:00"), until: at(until), why: RestReason::Failed }
    }

    #[test]
    fn only_what_differs_is_changed_and_only_of_what_was_looked_at() {
        let institutions = Institutions::new(vec![bank("RY-CA", 1), bank("TD-CA", 6)]);
        let catalogue = Catalogue { institutions, etls: vec![etl("a", "A")], sources: Vec::new() };
        let mut plan = plan_of(Vec::new(), Vec::new());
        let cooling = |until| Decided { decision: Decision::CoolingDown(rest(until)), exists: false, unmet: Vec::new() };
        plan.decided = BTreeMap::from([(key("RY-CA/2025Q1/a"), cooling("10:00")), (key("RY-CA/2025Q2/a"), cooling("11:00"))]);
        let known = |until| StoredDecision::CoolingDown(rest(until));
        let in_force = BTreeMap::from([
            (key("RY-CA/2025Q1/a"), known("10:00")),
            (key("RY-CA/2025Q2/a"), known("10:00")),
            (key("RY-CA/2025Q3/a"), known("10:00")),
            (key("TD-CA/2025Q3/a"), known("10:00")),
            (key("GONE/2025Q3/a"), known("10:00")),
        ]);
        let of = |selection: &Selection, in_force| changes(&plan, &StoredState::default(), &catalogue, selection, in_force);
        let one_bank = Selection { banks: std::collections::BTreeSet::from([0]), ..Selection::default() };
        let changed = of(&one_bank, &in_force);
        assert_eq!(changed.new, [(key("RY-CA/2025Q2/a"), known("11:00"))]);
        assert_eq!(changed.ended, [key("RY-CA/2025Q3/a")]);
        assert_eq!(of(&Selection::default(), &in_force).ended, ["GONE/2025Q3/a", "RY-CA/2025Q3/a", "TD-CA/2025Q3/a"].map(key));
        let same = BTreeMap::from([(key("RY-CA/2025Q1/a"), known("10:00")), (key("RY-CA/2025Q2/a"), known("11:00"))]);
        assert!(of(&Selection::default(), &same).is_empty(), "an idle run writes nothing");
    }
}
