//! Which job tries whether a broken ETL works again.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::Gap;
use crate::plan::model::institution::Institutions;
use crate::plan::remember::breaker::OpenBreaker;

use super::rank::{Kept, PeriodRank, Rank};

/// A job's turn as a probe: the bank after the one that was probed last comes first, and in a bank what its chain has first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Turn {
    distance: usize,
    period: PeriodRank,
}

impl Turn {
    pub(super) fn new(gap: Gap, period: PeriodRank, breaker: &OpenBreaker, institutions: &Institutions) -> Self {
        let banks = institutions.len().max(1);
        let last = breaker.probed.as_deref().and_then(|probed| institutions.iter().find(|(_, bank)| bank.key == probed));
        let first = last.map_or(0, |(last, _)| last + 1);
        Self { distance: (gap.bank + banks - first % banks) % banks, period }
    }
}

/// A gap that may be its ETL's probe.
#[derive(Debug)]
pub(super) struct Prober {
    turn: Turn,
    pub(super) rank: Rank,
    pub(super) job: Kept,
}

impl Prober {
    pub(super) fn new(turn: Turn, rank: Rank, job: Kept) -> Self {
        Self { turn, rank, job }
    }
}

/// For each broken ETL the gap whose turn it is, of those whose needs exist. Held apart from the jobs, as `max_jobs` must not
/// cut it off: then nobody would learn that the ETL works again.
#[derive(Debug, Default)]
pub(super) struct Probers {
    best: BTreeMap<EtlIndex, Prober>,
}

impl Probers {
    pub(super) fn offer(&mut self, prober: Prober) {
        let is_better = self.best.get(&prober.job.gap.etl).is_none_or(|best| prober.turn < best.turn);
        if is_better {
            self.best.insert(prober.job.gap.etl, prober);
        }
    }

    /// At most `most` of them, those whose ETL was probed longest ago.
    pub(super) fn chosen(self, most: usize, probed_at: impl Fn(EtlIndex) -> Option<DateTime<Utc>>) -> Vec<Prober> {
        let mut probers: Vec<Prober> = self.best.into_values().collect();
        probers.sort_by_key(|prober| probed_at(prober.job.gap.etl));
        probers.truncate(most);
        probers
    }
}
