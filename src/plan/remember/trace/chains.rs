//! The jobs of a run, one after the other in their chains.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{JobFacts, between};
use crate::plan::model::gap::GapKey;

/// The jobs of a bank or of a source, in their order.
#[derive(Debug)]
pub struct Chain<'a> {
    /// The bank's full key, or the source's id.
    pub name: &'a str,
    pub jobs: Vec<&'a JobFacts>,
}

impl Chain<'_> {
    /// When its first job started.
    #[must_use]
    pub fn began(&self) -> Option<DateTime<Utc>> {
        self.jobs.iter().filter_map(|facts| facts.job.started_at).min()
    }

    /// From the start of its first job to the end of its last, or to now.
    #[must_use]
    pub fn took(&self) -> Duration {
        let started = || self.jobs.iter().filter(|facts| facts.job.started_at.is_some());
        let end = started().map(|facts| facts.until()).max();
        self.began().zip(end).map(|(start, end)| between(start, end)).unwrap_or_default()
    }
}

/// The chains of a run, those that started first before the others.
#[must_use]
pub fn chains(jobs: &[JobFacts]) -> Vec<Chain<'_>> {
    let mut by_name: BTreeMap<&str, Vec<&JobFacts>> = BTreeMap::new();
    for facts in jobs {
        let name = match &facts.job.gap {
            GapKey::Report { bank, .. } => bank,
            GapKey::Source(source) | GapKey::Window { source, .. } => source,
            GapKey::Group { .. } => continue,
        };
        by_name.entry(name).or_default().push(facts);
    }
    let mut chains: Vec<Chain<'_>> = by_name.into_iter().map(|(name, jobs)| Chain { name, jobs }).collect();
    // Jobs that never started come last.
    let start = |at: Option<DateTime<Utc>>| (at.is_none(), at);
    for chain in &mut chains {
        chain.jobs.sort_by_key(|facts| start(facts.job.started_at));
    }
    chains.sort_by_key(|chain| start(chain.began()));
    chains
}
