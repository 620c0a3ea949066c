//! Which gaps an order is on, and what there is to say of each.

use std::collections::HashMap;

use super::target::Target;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::RunningJob;
use crate::plan::model::orders::{GapOrder, GapOrderKind};
use crate::plan::remember::failure_history::{Eligibility, GapState};

/// What an order does to a gap.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum OrderEffect {
    /// What was ordered.
    Ordered,
    /// It is skipped, but a job of it is running, which goes on.
    OrderedWhileRunning {
        /// The job.
        job: String,
    },
    /// `retry`: it is running, and stays as it is.
    Running {
        /// Who runs it.
        owner: String,
    },
    /// There is nothing to forget, or to take back.
    Nothing,
}

impl OrderEffect {
    /// Whether the order is given.
    pub(super) fn is_ordered(&self) -> bool {
        matches!(self, Self::Ordered | Self::OrderedWhileRunning { .. })
    }
}

/// The gaps that have a past which an order is about.
pub(super) fn matching(order: &GapOrder, target: &Target, states: &[GapState]) -> Vec<GapKey> {
    let Target::Past { bank, etls } = target else { return Vec::new() };
    let is_skipped = |state: &GapState| state.skip.as_ref().is_some_and(|skip| skip.holds(order.at));
    let is_meant = |state: &&GapState| {
        let is_of = match &state.key {
            GapKey::Report { bank: of, etl, .. } => bank.as_ref().is_none_or(|bank| bank == of) && (etls.is_empty() || etls.contains(etl)),
            // All sources, unless a bank or an ETL is named.
            GapKey::Source(_) => bank.is_none() && etls.is_empty(),
        };
        is_of
            && match order.kind {
                GapOrderKind::Unskip => is_skipped(state),
                // Whoever means all of those that failed does not mean what somebody wants left alone.
                GapOrderKind::Retry if bank.is_none() => {
                    !is_skipped(state) && !matches!(state.history.eligibility(order.at, None), Eligibility::Free)
                }
                GapOrderKind::Retry => true,
                GapOrderKind::Skip { .. } => false,
            }
    };
    let mut gaps: Vec<GapKey> = states.iter().filter(is_meant).map(|state| state.key.clone()).collect();
    gaps.sort();
    gaps
}

/// What the order does to each of these.
pub(super) fn judge(order: &GapOrder, gaps: Vec<GapKey>, states: &[GapState], running: &[RunningJob]) -> Vec<(GapKey, OrderEffect)> {
    let states: HashMap<&GapKey, &GapState> = states.iter().map(|state| (&state.key, state)).collect();
    let running: HashMap<&GapKey, &RunningJob> = running.iter().map(|job| (&job.gap, job)).collect();
    let verdict = |gap: &GapKey| match (order.kind, running.get(gap), states.get(gap)) {
        (GapOrderKind::Skip { .. }, Some(job), _) => OrderEffect::OrderedWhileRunning { job: job.claim.job.short() },
        (GapOrderKind::Retry, Some(job), _) => OrderEffect::Running { owner: job.owner.to_string() },
        (GapOrderKind::Retry, None, None) | (GapOrderKind::Unskip, _, None) => OrderEffect::Nothing,
        (GapOrderKind::Unskip, _, Some(state)) if state.skip.is_none() => OrderEffect::Nothing,
        (GapOrderKind::Skip { .. } | GapOrderKind::Retry, None, _) | (GapOrderKind::Unskip, _, Some(_)) => OrderEffect::Ordered,
    };
    gaps.into_iter()
        .map(|gap| {
            let verdict = verdict(&gap);
            (gap, verdict)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use chrono::{DateTime, Utc};
    use uuid::Uuid;

    use super::*;
    use crate::plan::model::ids::{JobId, RunId};
    use crate::plan::model::job::{Claim, Owner};
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
        GapState { key: key(gap), fence: 1, history, skip, forced: false }
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

    fn matched(kind: GapOrderKind, bank: Option<&str>, etls: &[&str]) -> Vec<String> {
        let target = Target::Past { bank: bank.map(str::to_owned), etls: etls.iter().map(|name| (*name).to_owned()).collect() };
        matching(&order(kind), &target, &states()).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn all_are_those_that_an_order_changes_something_of() {
        assert_eq!(
            matched(GapOrderKind::Retry, None, &[]),
            ["BMO-CA/2025Q2/b", "RY-CA/2025Q2/a", "source:us_house"],
            "not what is skipped or rests no more"
        );
        assert_eq!(matched(GapOrderKind::Retry, None, &["a"]), ["RY-CA/2025Q2/a"]);
        assert_eq!(matched(GapOrderKind::Unskip, None, &[]), ["BMO-CA/2025Q1/b", "source:eu"], "not what has ended");
        assert_eq!(matched(GapOrderKind::Unskip, None, &["a"]), [""; 0]);
    }

    #[test]
    fn of_a_bank_everything_with_a_past_is_tried_again() {
        assert_eq!(matched(GapOrderKind::Retry, Some("RY-CA"), &[]), ["RY-CA/2025Q1/b", "RY-CA/2025Q2/a"]);
        assert_eq!(matched(GapOrderKind::Retry, Some("BMO-CA"), &[]), ["BMO-CA/2024Q1/b", "BMO-CA/2025Q1/b", "BMO-CA/2025Q2/b"]);
        assert_eq!(matched(GapOrderKind::Unskip, Some("BMO-CA"), &[]), ["BMO-CA/2025Q1/b"]);
    }

    #[test]
    fn what_runs_is_left_alone_by_retry_and_named_by_skip() {
        use OrderEffect::{Nothing, Ordered};

        let claim = Claim { job: JobId::parse("1a2b3c4d-0000-4000-8000-000000000000").unwrap(), fence: 2 };
        let running = RunningJob {
            claim,
            run: RunId::new(Uuid::nil()),
            gap: key("RY-CA/2025Q2/a"),
            owner: Owner { host: "h".to_owned(), boot_id: String::new(), pid: 7, pid_started: 1 },
            since: at(9),
            history: FailureHistory::default(),
            fingerprint: None,
            cancel: None,
        };
        let judged = |kind| -> Vec<OrderEffect> {
            let gaps = ["RY-CA/2025Q2/a", "RY-CA/2025Q1/b", "BMO-CA/2025Q1/b", "TD-CA/2025Q1/b"].map(key).to_vec();
            judge(&order(kind), gaps, &states(), std::slice::from_ref(&running)).into_iter().map(|(_, verdict)| verdict).collect()
        };
        let owner = OrderEffect::Running { owner: "process 7 on h".to_owned() };
        assert_eq!(judged(GapOrderKind::Retry), [owner, Ordered, Ordered, Nothing]);
        let job = OrderEffect::OrderedWhileRunning { job: "1a2b3c4d".to_owned() };
        assert_eq!(judged(GapOrderKind::Skip { until: None }), [job, Ordered, Ordered, Ordered]);
        assert_eq!(judged(GapOrderKind::Unskip), [Nothing, Nothing, Ordered, Nothing]);
    }
}
