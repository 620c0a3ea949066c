//! Which jobs are kept under `max_jobs`, and how they form chains.

use std::cmp::Reverse;
use std::collections::HashMap;

use crate::plan::decide::decision::Why;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::institution::BankIndex;
use crate::plan::model::period::Period;
use crate::plan::model::settings::{ChainBy, PeriodOrder, RunSettings};

use crate::plan::decide::plan::{Gate, PlannedJob};

/// A job's place when `max_jobs` cuts off the tail: first what may run, then what waits for a probe; by priority, never tried
/// before tried; then by period, bank, and order of declaration. What a gap needs ranks before it: it is declared before, and
/// a gap is neither fresher nor freer than what it needs in the same run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Rank {
    pub(super) place: Place,
    pub(super) priority: Reverse<i64>,
    pub(super) tried: bool,
    pub(super) period: PeriodRank,
    pub(super) bank: BankIndex,
    pub(super) etl: usize,
}

/// Whether a job may run by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Place {
    /// It tries for others whether their ETL works again.
    Probe,
    /// It may.
    Free,
    /// It, or what it needs, waits for a probe.
    Deferred,
}

/// A period in the run's order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PeriodRank {
    Newest(Reverse<Period>),
    Oldest(Period),
}

impl PeriodRank {
    pub(super) fn new(period: Period, order: PeriodOrder) -> Self {
        match order {
            PeriodOrder::NewestFirst => Self::Newest(Reverse(period)),
            PeriodOrder::OldestFirst => Self::Oldest(period),
        }
    }
}

/// A gap that is to be filled.
#[derive(Debug)]
pub(super) struct Kept {
    pub(super) gap: Gap,
    pub(super) key: GapKey,
    pub(super) data_symbol: String,
    pub(super) why: Why,
    pub(super) gate: Gate,
    /// Whether it runs before all others of its chain.
    pub(super) first: bool,
}

/// A chain while it is put together.
struct Chain {
    members: Vec<(Rank, Kept)>,
    period: Option<Period>,
}

/// Puts jobs into chains and chains into their order. Within a chain: by period, then by order of declaration; only a probe may
/// run before its turn. Chains with a probe come first; then by priority, by the freshest gap that was never tried (those
/// without any last), then by bank.
pub(super) fn chains(kept: Vec<(Rank, Kept)>, settings: &RunSettings) -> Vec<Vec<Kept>> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut of: HashMap<(BankIndex, Option<Period>), usize> = HashMap::new();
    for (rank, job) in kept {
        let period = match settings.chain_by {
            ChainBy::Bank => None,
            ChainBy::BankPeriod => Some(job.gap.period),
        };
        let chain = *of.entry((job.gap.bank, period)).or_insert_with(|| {
            chains.push(Chain { members: Vec::new(), period });
            chains.len() - 1
        });
        chains[chain].members.push((rank, job));
    }
    for chain in &mut chains {
        chain.members.sort_by_key(|(rank, job)| (!job.first, rank.period, rank.etl));
    }
    chains.sort_by_cached_key(|chain| {
        let probes = chain.members.iter().any(|(_, job)| job.gate == Gate::Probe);
        let fresh =
            chain.members.iter().filter(|(rank, _)| !rank.tried && rank.place != Place::Deferred).map(|(rank, _)| rank.period).min();
        let first = chain.members.first().map(|(rank, _)| (rank.priority, rank.bank, rank.period));
        let priority = first.map(|(priority, ..)| priority);
        let period = fresh.or(first.map(|(.., period)| period));
        (
            !probes,
            priority,
            fresh.is_none(),
            period,
            first.map(|(_, bank, _)| bank),
            chain.period.map(|period| PeriodRank::new(period, settings.order)),
        )
    });
    chains.into_iter().map(|chain| chain.members.into_iter().map(|(_, job)| job).collect()).collect()
}

/// The jobs of chains one after the other, and their positions by chain.
pub(super) fn numbered(chains: Vec<Vec<Kept>>, planned: impl Fn(Kept) -> PlannedJob) -> (Vec<PlannedJob>, Vec<Vec<usize>>) {
    let mut jobs = Vec::new();
    let mut positions = Vec::new();
    for chain in chains {
        positions.push((jobs.len()..jobs.len() + chain.len()).collect());
        jobs.extend(chain.into_iter().map(&planned));
    }
    (jobs, positions)
}
