//! Which gaps an operator's order selects, and what it does to each of them.

use std::collections::HashMap;

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::Owner;
use crate::plan::model::orders::{GapOrder, GapOrderKind};
use crate::plan::remember::failure_history::{Eligibility, GapState};
use crate::plan::remember::recorded_job::RunningJob;

/// What an order does to a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum OrderEffect {
    /// The gap is changed as ordered.
    Ordered,
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
        matches!(self, Self::Ordered | Self::OrderedWhileRunning(_) | Self::GivenUp(_))
    }
}

/// An order on every gap that it would change, of one bank or of all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sweep {
    /// The key of the bank; `None` for all banks, and sources as well.
    pub bank: Option<String>,
    /// The names of the ETLs; empty for all of them.
    pub etls: Vec<String>,
}

/// The gaps that a sweep selects, in the order of their keys. Gaps without a stored state have nothing to change.
pub fn swept(order: &GapOrder, sweep: &Sweep, states: &[GapState]) -> Vec<GapKey> {
    let Sweep { bank, etls } = sweep;
    let is_skipped = |state: &GapState| state.skip.as_ref().is_some_and(|skip| skip.holds(order.at));
    let is_selected = |state: &&GapState| {
        let is_named = match &state.key {
            GapKey::Report { bank: of, etl, .. } => bank.as_ref().is_none_or(|bank| bank == of) && (etls.is_empty() || etls.contains(etl)),
            // Sources are selected where neither bank nor ETL is named.
            GapKey::Source(_) => bank.is_none() && etls.is_empty(),
        };
        is_named
            && match order.kind {
                GapOrderKind::Unskip => is_skipped(state),
                // `retry --all` leaves alone what somebody has skipped.
                GapOrderKind::Retry if bank.is_none() => {
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

/// What the order does to each of these gaps.
pub fn effects(order: &GapOrder, gaps: Vec<GapKey>, states: &[GapState], running: &[RunningJob]) -> Vec<(GapKey, OrderEffect)> {
    let states: HashMap<&GapKey, &GapState> = states.iter().map(|state| (&state.key, state)).collect();
    let running: HashMap<&GapKey, &RunningJob> = running.iter().map(|job| (&job.gap, job)).collect();
    let effect = |gap: &GapKey| match (order.kind, running.get(gap), states.get(gap)) {
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
        assert_eq!(selected(GapOrderKind::Unskip, None, &[]), ["BMO-CA/2025Q1/b", "source:eu"], "not orders that have ended");
        assert_eq!(selected(GapOrderKind::Unskip, None, &["a"]), [""; 0]);
    }

    #[test]
    fn retry_of_a_bank_selects_every_gap_with_a_history() {
        assert_eq!(selected(GapOrderKind::Retry, Some("RY-CA"), &[]), ["RY-CA/2025Q1/b", "RY-CA/2025Q2/a"]);
        assert_eq!(selected(GapOrderKind::Retry, Some("BMO-CA"), &[]), ["BMO-CA/2024Q1/b", "BMO-CA/2025Q1/b", "BMO-CA/2025Q2/b"]);
        assert_eq!(selected(GapOrderKind::Unskip, Some("BMO-CA"), &[]), ["BMO-CA/2025Q1/b"]);
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
