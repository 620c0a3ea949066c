//! The sources' jobs beside the reports' in a plan.

use std::collections::BTreeMap;

use super::{SourceFacts, fingerprint};
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{Gate, Plan, PlannedJob};
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::source::{Source, SourceIndex};
use crate::plan::model::target::Target;

/// Adds the sources and their jobs to a plan: one chain for each source. Jobs of sources and of reports take turns, so that neither keep
/// the others waiting; and so do sources among themselves. `sources`, `digests` and `facts` are those of [`plan`](super::plan).
pub fn add(plan: &mut Plan, found: Vec<SourcePlan>, sources: &[Source], digests: &[String], facts: SourceFacts<'_>) {
    let rounds = found.iter().map(|source| source.jobs.len()).max().unwrap_or_default();
    let turns = (0..rounds).flat_map(|round| found.iter().filter_map(move |source| Some((source.source, source.jobs.get(round)?))));
    let of_sources = turns.map(|(index, collection)| {
        let about = &sources[index];
        let key = about.gap_key(collection.window);
        let digest = digests.get(index).map_or("", String::as_str);
        let job = PlannedJob {
            target: Target::Collection(collection.clone()),
            planned_fence: facts.gaps.get(&key).map_or(0, |gap| gap.fence),
            key,
            why: Why::Missing,
            gate: Gate::Open,
            fingerprint: Some(fingerprint(about, digest, facts.now)),
        };
        (Some(index), job)
    });
    let of_reports = std::mem::take(&mut plan.jobs).into_iter().map(|job| (None, job));
    let (of_source, jobs): (Vec<Option<SourceIndex>>, Vec<PlannedJob>) =
        by_turns(of_sources.collect(), of_reports.collect()).into_iter().unzip();
    let mut chains: BTreeMap<SourceIndex, Vec<usize>> = BTreeMap::new();
    let mut moved_to = Vec::new();
    for (position, source) in of_source.into_iter().enumerate() {
        match source {
            Some(source) => chains.entry(source).or_default().push(position),
            None => moved_to.push(position),
        }
    }
    for position in plan.chains.iter_mut().flatten().chain(plan.breakers.iter_mut().filter_map(|breaker| breaker.probe.as_mut())) {
        *position = moved_to[*position];
    }
    plan.chains.extend(chains.into_values());
    plan.chains.sort_unstable();
    plan.jobs = jobs;
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
