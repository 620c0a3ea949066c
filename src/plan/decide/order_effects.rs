//! Which gaps an operator's order selects, and what it does to each of them.

use std::collections::HashMap;

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::Owner;
use crate::plan::model::orders::{GapOrder, GapOrderKind};
use crate::plan::remember::failure_history::{Eligibility, GapState, SkipOrder};
use crate::plan::remember::recorded_job::RunningJob;

/// What an order does to a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderEffect {
    /// The gap is changed as ordered.
    Ordered,
    /// The group is skipped from now on; so many jobs of it are running and go on.
    OrderedWhileSomeRun(usize),
    /// The gap is skipped from now on; this job of it is running and goes on.
    OrderedWhileRunning(JobId),
    /// The end of this job, which the database did not take, was given up; what the gap remembers is changed as ordered.
    GivenUp(JobId),
    /// The gap is not changed, because this process is working on it.
    Running(Owner),
    /// The order would change nothing.
    Nothing,
}

impl OrderEffect {
    /// Whether the gap is to be changed.
    #[must_use]
    pub fn is_ordered(&self) -> bool {
        matches!(self, Self::Ordered | Self::OrderedWhileSomeRun(_) | Self::OrderedWhileRunning(_) | Self::GivenUp(_))
    }
}

/// An order on every gap that it would change, of one bank or of all; or on the groups of these gaps.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// The key of the bank; `None` for all banks, and sources as well.
    pub bank: Option<String>,
    /// The names of the ETLs; empty for all of them.
    pub etls: Vec<String>,
}

impl Sweep {
    /// The groups of gaps that it names.
    #[must_use]
    pub fn groups(&self) -> Vec<GapKey> {
        let group = |etl: Option<&String>| GapKey::Group { bank: self.bank.clone(), etl: etl.cloned() };
        if self.etls.is_empty() { vec![group(None)] } else { self.etls.iter().map(|etl| group(Some(etl))).collect() }
    }

    /// Whether it names this gap, or all gaps of this group.
    fn names(&self, key: &GapKey) -> bool {
        let Self { bank, etls } = self;
        match key {
            GapKey::Report { bank: of, etl, .. } => bank.as_ref().is_none_or(|bank| bank == of) && (etls.is_empty() || etls.contains(etl)),
            GapKey::Group { bank: of, etl } => {
                (bank.is_none() || bank == of) && (etls.is_empty() || etl.as_ref().is_some_and(|etl| etls.contains(etl)))
            }
            // Sources are named where neither bank nor ETL is.
            GapKey::Source(_) | GapKey::Window { .. } => bank.is_none() && etls.is_empty(),
        }
    }
}

/// The gaps and groups that a sweep selects, in the order of their keys. `skip` is on groups, so that it holds for later gaps too; what has no
/// stored state has nothing to change by the other orders.
pub fn swept(order: &GapOrder, sweep: &Sweep, states: &[GapState]) -> Vec<GapKey> {
    if matches!(order.kind, GapOrderKind::Skip { .. }) {
        return sweep.groups();
    }
    let is_skipped = |state: &GapState| state.skip.as_ref().is_some_and(|skip| skip.holds(order.at));
    let is_selected = |state: &&GapState| {
        sweep.names(&state.key)
            && match order.kind {
                GapOrderKind::Unskip => is_skipped(state),
                // `retry --all` leaves alone what somebody has skipped.
                GapOrderKind::Retry if sweep.bank.is_none() => {
                    !is_skipped(state) && !matches!(state.history.eligibility(order.at, None), Eligibility::Free)
                }
                GapOrderKind::Retry => true,
                GapOrderKind::Skip { .. } => false,
            }
    };
    let mut gaps: Vec<GapKey> = states.iter().filter(is_selected).map(|state| state.key.clone()).collect();
    gaps.sort();
    gaps
}

/// These gaps; and of a source with independent windows those of its windows that the order would change.
pub fn with_windows(order: &GapOrder, mut gaps: Vec<GapKey>, states: &[GapState]) -> Vec<GapKey> {
    let is_changed = |state: &&GapState| match order.kind {
        GapOrderKind::Skip { .. } => false,
        GapOrderKind::Retry => true,
        GapOrderKind::Unskip => state.skip.is_some(),
    };
    let mut windows: Vec<GapKey> = states
        .iter()
        .filter(|state| matches!(state.key, GapKey::Window { .. }) && gaps.iter().any(|gap| gap.covers(&state.key)))
        .filter(is_changed)
        .map(|state| state.key.clone())
        .collect();
    windows.sort();
    if !windows.is_empty() {
        // The source itself remembers nothing, unless there was an order on it.
        gaps.retain(|gap| matches!(gap, GapKey::Window { .. } | GapKey::Report { .. }) || states.iter().any(|state| state.key == *gap));
    }
    gaps.extend(windows);
    gaps
}

/// What the order does to each of these gaps.
pub fn effects(order: &GapOrder, gaps: Vec<GapKey>, states: &[GapState], running: &[RunningJob]) -> Vec<(GapKey, OrderEffect)> {
    let states: HashMap<&GapKey, &GapState> = states.iter().map(|state| (&state.key, state)).collect();
    let running: HashMap<&GapKey, &RunningJob> = running.iter().map(|job| (&job.gap, job)).collect();
    let effect = |gap: &GapKey| match (order.kind, running.get(gap), states.get(gap)) {
        (GapOrderKind::Skip { .. }, None, _) if matches!(gap, GapKey::Group { .. }) => {
            match running.keys().filter(|job| gap.covers(job)).count() {
                0 => OrderEffect::Ordered,
                jobs => OrderEffect::OrderedWhileSomeRun(jobs),
            }
        }
        (GapOrderKind::Skip { .. }, Some(job), _) => OrderEffect::OrderedWhileRunning(job.claim.job),
        (GapOrderKind::Retry, Some(job), _) => OrderEffect::Running(job.owner.clone()),
        (GapOrderKind::Retry, None, None) | (GapOrderKind::Unskip, _, None) => OrderEffect::Nothing,
        (GapOrderKind::Unskip, _, Some(state)) if state.skip.is_none() => OrderEffect::Nothing,
        (GapOrderKind::Skip { .. } | GapOrderKind::Retry, None, _) | (GapOrderKind::Unskip, _, Some(_)) => OrderEffect::Ordered,
    };
    gaps.into_iter()
        .map(|gap| {
            let effect = effect(&gap);
            (gap, effect)
        })
        .collect()
}

/// The orders to leave a whole bank or ETL alone that hold for some of these gaps whatever the order does to the gaps themselves, by key.
pub fn still_skipped<'a>(order: &GapOrder, effects: &[(GapKey, OrderEffect)], states: &'a [GapState]) -> Vec<(&'a GapKey, &'a SkipOrder)> {
    if matches!(order.kind, GapOrderKind::Skip { .. }) {
        return Vec::new();
    }
    let is_ended = |group: &GapKey| effects.iter().any(|(gap, effect)| gap == group && effect.is_ordered());
    let covers_some = |group: &GapKey| effects.iter().any(|(gap, _)| group.covers(gap));
    let groups = states.iter().filter(|state| covers_some(&state.key) && !is_ended(&state.key));
    let mut orders: Vec<_> = groups.filter_map(|state| Some((&state.key, state.skip.as_ref()?))).collect();
    orders.retain(|(_, skip)| skip.holds(order.at));
    orders.sort_by_key(|(group, _)| *group);
    orders
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::*;
    use crate::plan::model::ids::RunId;
    use crate::plan::model::job::Claim;
    use crate::plan::remember::failure_history::{FailureHistory, Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-11-01T{hour:02}:00:00Z").parse().unwrap()
    }

    fn order(kind: GapOrderKind) -> GapOrder {
        GapOrder { kind, by: "ann".to_owned(), reason: "why".to_owned(), at: at(10) }
    }

    fn key(text: &str) -> GapKey {
        text.parse().unwrap()
    }

    fn state(gap: &str, history: FailureHistory, skip_until: Option<u32>) -> GapState {
        let skip = skip_until.map(|hour| SkipOrder { since: at(1), until: Some(at(hour)), by: "bob".to_owned(), reason: "x".to_owned() });
        GapState { key: key(gap), fence: 1, history, skip, forced: None }
    }

    fn resting(until: u32) -> FailureHistory {
        FailureHistory {
            failed_runs: 1,
            rest: Some(Rest { since: at(9), until: at(until), why: RestReason::Failed }),
            ..FailureHistory::default()
        }
    }

    fn states() -> Vec<GapState> {
        let quarantine = Some(Quarantine { since: at(9), why: QuarantineReason::Permanent });
        vec![
            state("RY-CA/2025Q2/a", resting(11), None),
            state("RY-CA/2025Q1/b", resting(10), None),
            state("BMO-CA/2025Q2/b", FailureHistory { quarantine, ..resting(9) }, None),
            state("BMO-CA/2025Q1/b", resting(11), Some(12)),
            state("BMO-CA/2024Q1/b", FailureHistory::default(), Some(9)),
            state("TD-CA/*/*", FailureHistory::default(), Some(12)),
            state("*/*/z", FailureHistory::default(), Some(12)),
            state("TD-CA/*/z", FailureHistory::default(), Some(9)),
            state("source:eu", FailureHistory::default(), Some(12)),
            state("source:us_house", resting(11), None),
        ]
    }

    fn selected(kind: GapOrderKind, bank: Option<&str>, etls: &[&str]) -> Vec<String> {
        let sweep = Sweep { bank: bank.map(str::to_owned), etls: etls.iter().map(|name| (*name).to_owned()).collect() };
        swept(&order(kind), &sweep, &states()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_sweep_selects_what_the_order_changes() {
        assert_eq!(
            selected(GapOrderKind::Retry, None, &[]),
            ["BMO-CA/2025Q2/b", "RY-CA/2025Q2/a", "source:us_house"],
            "neither skipped gaps nor those whose rest has ended"
        );
        assert_eq!(selected(GapOrderKind::Retry, None, &["a"]), ["RY-CA/2025Q2/a"]);
        let skipped = ["BMO-CA/2025Q1/b", "source:eu", "*/*/z", "TD-CA/*/*"];
        assert_eq!(selected(GapOrderKind::Unskip, None, &[]), skipped, "not orders that have ended");
        assert_eq!(selected(GapOrderKind::Unskip, None, &["a"]), [""; 0]);
        assert_eq!(selected(GapOrderKind::Unskip, None, &["z"]), ["*/*/z"]);
        assert_eq!(selected(GapOrderKind::Unskip, Some("TD-CA"), &[]), ["TD-CA/*/*"], "the ETL of all banks is not the bank's");
    }

    #[test]
    fn retry_of_a_bank_selects_every_gap_with_a_history() {
        assert_eq!(selected(GapOrderKind::Retry, Some("RY-CA"), &[]), ["RY-CA/2025Q1/b", "RY-CA/2025Q2/a"]);
        assert_eq!(selected(GapOrderKind::Retry, Some("BMO-CA"), &[]), ["BMO-CA/2024Q1/b", "BMO-CA/2025Q1/b", "BMO-CA/2025Q2/b"]);
        assert_eq!(selected(GapOrderKind::Unskip, Some("BMO-CA"), &[]), ["BMO-CA/2025Q1/b"]);
    }

    #[test]
    fn skip_of_a_bank_or_an_etl_is_on_the_group_so_that_later_gaps_are_in_it() {
        let skip = GapOrderKind::Skip { until: None };
        assert_eq!(selected(skip, Some("RY-CA"), &[]), ["RY-CA/*/*"]);
        assert_eq!(selected(skip, None, &["a", "b"]), ["*/*/a", "*/*/b"]);
        assert_eq!(selected(skip, Some("RY-CA"), &["a"]), ["RY-CA/*/a"]);
    }

    #[test]
    fn what_a_group_keeps_skipped_is_found() {
        let found = |kind, gap: &str, effect| -> Vec<String> {
            let (order, states) = (order(kind), states());
            still_skipped(&order, &[(key(gap), effect)], &states).iter().map(|(group, _)| group.to_string()).collect()
        };
        assert_eq!(found(GapOrderKind::Retry, "TD-CA/2025Q2/z", OrderEffect::Ordered), ["*/*/z", "TD-CA/*/*"]);
        assert_eq!(found(GapOrderKind::Unskip, "RY-CA/2025Q2/z", OrderEffect::Nothing), ["*/*/z"]);
        assert_eq!(found(GapOrderKind::Unskip, "TD-CA/*/*", OrderEffect::Ordered), [""; 0]);
        assert_eq!(found(GapOrderKind::Skip { until: None }, "TD-CA/2025Q2/z", OrderEffect::Ordered), [""; 0]);
    }

    #[test]
    fn retry_leaves_running_gaps_alone_and_skip_names_their_jobs() {
        use OrderEffect::{Nothing, Ordered};

        let claim = Claim { job: JobId::parse("1a2b3c4d-0000-4000-8000-000000000000").unwrap(), fence: 2 };
        let running = RunningJob {
            claim,
            run: RunId::new(Uuid::nil()),
            gap: key("RY-CA/2025Q2/a"),
            owner: Owner { host: "h".to_owned(), machine_id: None, boot_id: String::new(), pid: 7, pid_started: 1 },
            state_dir: None,
            since: at(9),
            history: FailureHistory::default(),
            fingerprint: None,
            cancel: None,
        };
        let of_each = |kind| -> Vec<OrderEffect> {
            let gaps = ["RY-CA/2025Q2/a", "RY-CA/2025Q1/b", "BMO-CA/2025Q1/b", "TD-CA/2025Q1/b"].map(key).to_vec();
            effects(&order(kind), gaps, &states(), std::slice::from_ref(&running)).into_iter().map(|(_, effect)| effect).collect()
        };
        let owner = OrderEffect::Running(running.owner.clone());
        assert_eq!(of_each(GapOrderKind::Retry), [owner, Ordered, Ordered, Nothing]);
        let job = OrderEffect::OrderedWhileRunning(claim.job);
        assert_eq!(of_each(GapOrderKind::Skip { until: None }), [job, Ordered, Ordered, Ordered]);
        assert_eq!(of_each(GapOrderKind::Unskip), [Nothing, Nothing, Ordered, Nothing]);
    }
}
