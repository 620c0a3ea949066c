//! Everything that is not made now, in short.

use super::{Explanation, Fact, Need, NeedState, Turn, Verdict, Weight, What};
use crate::plan::decide::decision::Decision;
use crate::plan::decide::plan::{Gate, Plan, PlannedJob};
use crate::plan::decide::source_plan::SourceStatus;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;

/// What is held back, what is to be made, and sources with something to collect or an order. Each has the facts alone that its
/// reason is made of.
#[must_use]
pub fn all(plan: &Plan, catalogue: &Catalogue) -> Vec<Explanation> {
    let to_be_made = plan.jobs.iter().filter(|job| job.report().is_some()).map(planned);
    let held_back = plan.decided.iter().filter(|(_, decided)| decided.decision != Decision::Deferred).map(|(key, decided)| {
        let needs = match &decided.decision {
            Decision::Waiting(need) => vec![Need { etl: catalogue.etl(*need).name.clone(), state: NeedState::Missing(None) }],
            _ => Vec::new(),
        };
        explanation(key, Verdict::Decided(decided.decision.clone()), What::Needs(needs))
    });
    let sources = plan.sources.iter().filter(|source| source.standing != SourceStatus::UpToDate).map(|source| {
        let key = GapKey::source(&catalogue.source(source.source).id);
        explanation(&key, Verdict::Source(source.standing.clone()), What::HeldBack(source.held_back.clone()))
    });
    let mut all: Vec<Explanation> = held_back.chain(to_be_made).chain(sources).collect();
    all.sort_by(|one, other| one.gap.cmp(&other.gap));
    all
}

fn planned(job: &PlannedJob) -> Explanation {
    let decision = if job.gate == Gate::Open { Decision::Run(job.why) } else { Decision::Deferred };
    let turn = Turn { is_probe: job.gate == Gate::Probe, ..Turn::default() };
    explanation(&job.key, Verdict::Decided(decision), What::Turn(turn))
}

fn explanation(gap: &GapKey, verdict: Verdict, what: What) -> Explanation {
    Explanation { gap: gap.clone(), verdict, facts: vec![Fact { what, weight: Weight::Decides }] }
}
