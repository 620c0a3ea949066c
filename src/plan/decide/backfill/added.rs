//! The sources' jobs beside the reports' in a plan.

use super::{SourceFacts, fingerprint};
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{Gate, Plan, PlannedJob};
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::gap::GapKey;
use crate::plan::model::source::Source;
use crate::plan::model::target::Target;

/// Adds the sources and their jobs to a plan: one chain for each source, and chains of sources and of reports by turns, so that
/// neither keep the others waiting. `sources`, `digests` and `facts` are those of [`plan`](super::plan). The jobs that were there
/// keep their positions.
pub fn add(plan: &mut Plan, found: Vec<SourcePlan>, sources: &[Source], digests: &[String], facts: SourceFacts<'_>) {
    let mut chains = Vec::new();
    for source in &found {
        let about = &sources[source.source];
        let key = GapKey::source(&about.id);
        let digest = digests.get(source.source).map_or("", String::as_str);
        let first = plan.jobs.len();
        plan.jobs.extend(source.jobs.iter().map(|collection| PlannedJob {
            target: Target::Collection(collection.clone()),
            key: key.clone(),
            why: Why::Missing,
            gate: Gate::Open,
            planned_fence: facts.gaps.get(&key).map_or(0, |gap| gap.fence),
            fingerprint: Some(fingerprint(about, digest, facts.now)),
        }));
        if plan.jobs.len() > first {
            chains.push((first..plan.jobs.len()).collect());
        }
    }
    plan.chains = by_turns(chains, std::mem::take(&mut plan.chains));
    plan.sources = found;
}

/// One of the first, one of the second, and so on; then what is left of the longer.
fn by_turns<T>(first: Vec<T>, second: Vec<T>) -> Vec<T> {
    let mut mixed = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        let (one, other) = (first.next(), second.next());
        if one.is_none() && other.is_none() {
            return mixed;
        }
        mixed.extend(one);
        mixed.extend(other);
    }
}
