//! ETLs that are taken for broken, as a plan shows them.

use std::collections::BTreeSet;

use crate::plan::decide::plan::{BreakerPlan, Gate, PlannedJob};
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::GapKey;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::stored_state::StoredState;

/// The broken ETLs that have candidates, each with its probe and the jobs behind it.
pub(super) fn breakers(stored: &StoredState, concerned: &BTreeSet<EtlIndex>, jobs: &[PlannedJob]) -> Vec<BreakerPlan> {
    let of = |etl: EtlIndex, gate: Gate| {
        jobs.iter().enumerate().filter(move |(_, job)| job.report().is_some_and(|gap| gap.etl == etl) && job.gate == gate)
    };
    let open = concerned.iter().filter_map(|etl| stored.breakers.get(etl).map(|breaker| (*etl, breaker)));
    open.map(|(etl, breaker)| BreakerPlan {
        etl,
        since: breaker.since,
        probe: of(etl, Gate::Probe).next().map(|(job, _)| job),
        behind: of(etl, Gate::BehindProbe).count() as u64,
        error: last_error(stored, breaker),
    })
    .collect()
}

/// Why it failed last, as far as that is remembered: with the bank that was probed last, or else with those that opened the breaker.
fn last_error(stored: &StoredState, breaker: &OpenBreaker) -> Option<String> {
    let mut failed: Vec<_> = (stored.gaps.values())
        .filter_map(|state| match &state.key {
            GapKey::Report { bank, period, etl } if *etl == breaker.etl => Some((bank, period, state.history.error.as_ref()?)),
            GapKey::Report { .. } | GapKey::Source(_) | GapKey::Window { .. } | GapKey::Group { .. } => None,
        })
        .collect();
    failed.sort_unstable_by_key(|(_, period, _)| *period);
    let banks = breaker.probed.iter().chain(breaker.banks.iter().rev());
    let mut errors = banks.filter_map(|bank| failed.iter().rev().find(|(of, ..)| *of == bank));
    errors.next().map(|(.., error)| (*error).clone())
}
