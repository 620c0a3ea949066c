//! From what is known of a source to what a run does about it: pure functions over half-open windows (specification §8).

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::collection::{QueuedWindow, SourcePlan, SourceState};
use super::fingerprint::Fingerprint;
use super::gap::GapKey;
use super::job::Owner;
use super::memory::GapState;
use super::selection::Selection;
use super::source::Source;

/// What is known when the sources are planned.
#[derive(Debug, Clone, Copy)]
pub struct SourceFacts<'a> {
    /// Wall clock.
    pub now: DateTime<Utc>,
    /// The records of sources, by id; those that never ran have none.
    pub states: &'a HashMap<String, SourceState>,
    /// The queue: every window that is not collected, and those collected beyond a frontier. By source, oldest first.
    pub queue: &'a [QueuedWindow],
    /// Gaps that have a past.
    pub gaps: &'a HashMap<GapKey, GapState>,
    /// Gaps that living owners are filling.
    pub running: &'a HashMap<GapKey, Owner>,
}

/// What a run does about the sources in its selection, in order of declaration, with at most `most` jobs in all.
#[must_use]
pub fn plan(sources: &[Source], selection: &Selection, digests: &[String], facts: SourceFacts<'_>, most: usize) -> Vec<SourcePlan> {
    let _ = (sources, selection, digests, facts, most);
    Vec::new()
}

/// What a failure of a source depends on: a window that became due since is new data (specification §9).
#[must_use]
pub fn fingerprint(source: &Source, etl_digest: &str, now: DateTime<Utc>) -> Fingerprint {
    let _ = (source, now);
    Fingerprint { sources: String::new(), etl: etl_digest.to_owned() }
}
