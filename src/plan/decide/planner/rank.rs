//! Which jobs are kept under `max_jobs`, how they form chains, and in which order they start.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use crate::plan::decide::decision::Why;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::institution::BankIndex;
use crate::plan::model::period::Period;
use crate::plan::model::settings::{ChainBy, PeriodOrder, RunSettings};

use crate::plan::decide::plan::Gate;

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
type Chain = Vec<(Rank, Kept)>;

/// A job's turn in the run. Later jobs of a chain have later turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Turn {
    /// Whether no probe is left in its chain, from this job on.
    is_after_probe: bool,
    priority: Reverse<i64>,
    /// Whether all that is left of its chain was tried before, or waits for a probe.
    is_stale: bool,
    /// The best period of what is left of its chain and was never tried; of a stale one, the job's own.
    period: PeriodRank,
    /// How much of its chain comes after the job's period: where periods are alike the longest chain goes on, so that it does not
    /// run alone in the end.
    later: Reverse<usize>,
    bank: BankIndex,
    number: usize,
}

/// Puts jobs into chains, and all of them into the order of their turns. Within a chain: by period, then by order of declaration; only
/// a probe may run before its turn. Over all chains: first a probe, then by priority, by period, and by bank. What was tried before takes
/// the turn of what comes after it in its chain, and comes last where nothing fresh does. Returns the positions of the jobs by chain too.
pub(super) fn arranged(kept: Vec<(Rank, Kept)>, settings: &RunSettings) -> (Vec<Kept>, Vec<Vec<usize>>) {
    let mut turns: Vec<(Turn, usize, Kept)> = Vec::with_capacity(kept.len());
    for (index, chain) in chains(kept, settings.chain_by).into_iter().enumerate() {
        let of_chain = turns_in(&chain);
        turns.extend(of_chain.into_iter().zip(chain).map(|(turn, (_, job))| (turn, index, job)));
    }
    turns.sort_by_key(|(turn, ..)| *turn);
    let mut positions: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
    for (position, (_, chain, _)) in turns.iter().enumerate() {
        positions.entry(*chain).or_default().push(position);
    }
    let mut positions: Vec<Vec<usize>> = positions.into_values().collect();
    positions.sort_unstable();
    (turns.into_iter().map(|(.., job)| job).collect(), positions)
}

fn chains(kept: Vec<(Rank, Kept)>, chain_by: ChainBy) -> Vec<Chain> {
    let mut chains: Vec<Chain> = Vec::new();
    let mut of: HashMap<(BankIndex, Option<Period>), usize> = HashMap::new();
    for (rank, job) in kept {
        let period = match chain_by {
            ChainBy::Bank => None,
            ChainBy::BankPeriod => Some(job.gap.period),
        };
        let chain = *of.entry((job.gap.bank, period)).or_insert_with(|| {
            chains.push(Vec::new());
            chains.len() - 1
        });
        chains[chain].push((rank, job));
    }
    for chain in &mut chains {
        chain.sort_by_key(|(rank, job)| (!job.first, rank.period, rank.etl));
    }
    chains
}

/// The turns of a chain's jobs, which are in order. What is left of the chain decides, so it is looked at from its end.
fn turns_in(chain: &Chain) -> Vec<Turn> {
    let (mut is_after_probe, mut fresh, mut later, mut period) = (true, None, 0, None);
    let mut turns: Vec<Turn> = Vec::with_capacity(chain.len());
    for (number, (rank, job)) in chain.iter().enumerate().rev() {
        is_after_probe &= job.gate != Gate::Probe;
        if !rank.tried && rank.place != Place::Deferred {
            fresh = Some(fresh.map_or(rank.period, |fresh: PeriodRank| fresh.min(rank.period)));
        }
        if period != Some(rank.period) {
            (period, later) = (Some(rank.period), turns.len());
        }
        turns.push(Turn {
            is_after_probe,
            priority: rank.priority,
            is_stale: fresh.is_none(),
            period: fresh.unwrap_or(rank.period),
            later: Reverse(later),
            bank: rank.bank,
            number,
        });
    }
    turns.reverse();
    turns
}
