//! Log lines that say which gaps a run does not make, and why.

use crate::plan::decide::decision_changes::held_back;
use crate::plan::decide::plan::Plan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::remember::stored_state::StoredState;
use crate::plan::text::size::{count, grouped};

/// So many gaps have a line of their own.
const MOST_LINES: usize = 200;

/// Logs each gap that is not made, with the reason.
pub(super) fn log(plan: &Plan, stored: &StoredState, catalogue: &Catalogue) {
    if !tracing::enabled!(tracing::Level::DEBUG) {
        return;
    }
    let held_back = held_back(plan, stored, catalogue);
    let (jobs, not_made) = (plan.jobs.len(), held_back.len());
    tracing::debug!(
        jobs,
        not_made,
        capped = plan.capped,
        "Planned {}; not made: {}, beside {} that max_jobs leaves for later",
        count(jobs as u64, "job"),
        count(not_made as u64, "gap"),
        grouped(plan.capped)
    );
    for (gap, decision) in held_back.iter().take(MOST_LINES) {
        let reason = decision.reason(stored.now);
        tracing::debug!(
            gap = %gap,
            bank = gap.bank(),
            period = gap.period(),
            etl = gap.etl(),
            source = gap.source_id(),
            decision = decision.name(),
            reason,
            "Not made: {gap}: {reason}"
        );
    }
    if not_made > MOST_LINES {
        tracing::debug!("Not made: {} more", grouped((not_made - MOST_LINES) as u64));
    }
}
