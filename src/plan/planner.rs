//! From facts to a plan: folds what a scan streams into the jobs of one run, holding at most `max_jobs` of them.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};

use chrono::{DateTime, Utc};

use super::census::{Census, Oddities};
use super::decision::{Decision, Facts, Why, decide};
use super::etl::{Etl, EtlIndex};
use super::facts::{Candidate, CensusGroup};
use super::fingerprint::Fingerprint;
use super::gap::{Gap, GapKey};
use super::institution::{BankIndex, Institutions};
use super::job::Owner;
use super::known::Known;
use super::memory::{Quarantine, Rest, SkipOrder};
use super::period::Period;
use super::row;
use super::selection::Selection;
use super::settings::{ChainBy, Order, RunSettings};

/// How many undone gaps are listed by name; the rest is only counted.
const LISTED: usize = 100;

/// What one run is to do, and what it found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// The jobs in the order in which they would run one by one.
    pub jobs: Vec<PlannedJob>,
    /// Positions in `jobs`: each chain runs one after the other, chains start in this order.
    pub chains: Vec<Vec<usize>>,
    /// The ETLs in the selection, in order of declaration.
    pub etls: Vec<EtlIndex>,
    /// Gaps that wait for a report that they need.
    pub waiting: Listed<(GapKey, EtlIndex)>,
    /// Gaps that somebody else is filling.
    pub claimed: Listed<(GapKey, Owner)>,
    /// Gaps that an operator wants left alone; they are not counted as missing.
    pub skipped: Listed<(GapKey, SkipOrder)>,
    /// Gaps in quarantine, with their last error.
    pub quarantined: Listed<(GapKey, Quarantine, Option<String>)>,
    /// Gaps that rest, with their last error.
    pub cooling_down: Listed<(GapKey, Rest, Option<String>)>,
    /// ETLs that are taken for broken. Their gaps are among the jobs: the probe, and those that wait for it.
    pub breakers: Vec<BreakerPlan>,
    /// Gaps left for the next run by `max_jobs`.
    pub capped: u64,
    /// Reports that exist for the data that is available, in this selection.
    pub existing: u64,
    /// What is available.
    pub census: Census,
    /// Rows and banks that a person should look at.
    pub oddities: Oddities,
}

impl Plan {
    /// How many reports are missing (with `--force`: to be made), whether this run makes them or not.
    pub fn gaps(&self) -> u64 {
        self.jobs.len() as u64 + self.waiting.total + self.claimed.total + self.quarantined.total + self.cooling_down.total + self.capped
    }
}

/// What a run does about an ETL that is taken for broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerPlan {
    /// Which ETL.
    pub etl: EtlIndex,
    /// Since when.
    pub since: DateTime<Utc>,
    /// The job that tries it; `None` when none of its gaps may be tried now.
    pub probe: Option<usize>,
    /// How many jobs wait for the probe.
    pub behind: u64,
}

/// Whether a job may start by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gate {
    /// It may.
    #[default]
    Open,
    /// It may, and tries for others whether its ETL works again.
    Probe,
    /// Only after the probe of its ETL succeeded.
    BehindProbe,
}

/// One job of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    /// What it fills.
    pub gap: Gap,
    /// The gap's name.
    pub key: GapKey,
    /// The bank's symbol as the data spells it.
    pub data_symbol: String,
    /// Why it is made.
    pub why: Why,
    /// Whether it may start by itself.
    pub gate: Gate,
    /// The fence of the gap's latest claim, 0 if there was none.
    pub planned_fence: i64,
    /// What it is made from and how, once that was looked up.
    pub fingerprint: Option<Fingerprint>,
}

/// A list that names only its first entries and counts them all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed<T> {
    /// The first entries.
    pub named: Vec<T>,
    /// How many there are.
    pub total: u64,
}

impl<T> Default for Listed<T> {
    fn default() -> Self {
        Self { named: Vec::new(), total: 0 }
    }
}

impl<T> Listed<T> {
    /// Counts an entry, and names it while there is room.
    pub fn push(&mut self, entry: T) {
        self.total += 1;
        if self.named.len() < LISTED {
            self.named.push(entry);
        }
    }
}

/// A job's place among all: by priority, period, bank, then order of declaration. Within one chain this is the order of
/// execution, so cutting off the tail never takes a job away from before another of its chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    priority: Reverse<i64>,
    period: PeriodRank,
    bank: BankIndex,
    etl: EtlIndex,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum PeriodRank {
    Newest(Reverse<Period>),
    Oldest(Period),
}

#[derive(Debug)]
struct Kept {
    gap: Gap,
    data_symbol: String,
    why: Why,
}

/// Takes what a scan finds, one thing at a time.
#[derive(Debug)]
pub struct Planner<'a> {
    institutions: &'a Institutions,
    etls: &'a [Etl],
    settings: &'a RunSettings,
    selection: &'a Selection,
    known: &'a Known,
    kept: BTreeMap<Rank, Kept>,
    waiting: Listed<(GapKey, EtlIndex)>,
    claimed: Listed<(GapKey, Owner)>,
    capped: u64,
    missing: u64,
    census: Census,
    oddities: Oddities,
}

impl<'a> Planner<'a> {
    /// A planner for one scan.
    pub fn new(
        institutions: &'a Institutions,
        etls: &'a [Etl],
        settings: &'a RunSettings,
        selection: &'a Selection,
        known: &'a Known,
    ) -> Self {
        Self {
            institutions,
            etls,
            settings,
            selection,
            known,
            kept: BTreeMap::new(),
            waiting: Listed::default(),
            claimed: Listed::default(),
            capped: 0,
            missing: 0,
            census: Census::default(),
            oddities: Oddities::default(),
        }
    }

    /// Counts a group of available rows.
    pub fn group(&mut self, group: &CensusGroup) {
        self.census.count(group, self.institutions, self.selection, &mut self.oddities);
    }

    /// Notes rows whose tags cannot be read.
    pub fn not_an_array(&mut self, rows: u64, examples: Vec<String>) {
        self.oddities.not_an_array(rows, examples);
    }

    /// Decides on a row whose report may have to be made. Bad rows were named by the census and are passed over.
    pub fn candidate(&mut self, candidate: Candidate) {
        let Ok((bank, period)) = row::check(&candidate.key, self.institutions) else { return };
        let gap = Gap { bank, period, etl: candidate.etl };
        let rank = self.rank(gap);
        let etl = &self.etls[gap.etl];
        let key = GapKey::report(self.institutions.get(bank), period, etl);
        let unmet = etl.needs.iter().zip(&candidate.needs_met).find(|(need, met)| !**met && !self.is_made_earlier(gap, **need));
        let facts = Facts {
            gap,
            exists: candidate.exists,
            claimed_by: self.known.running.get(&key),
            unmet_need: if self.is_beyond_cap(rank) { None } else { unmet.map(|(need, _)| *need) },
        };
        let decision = decide(facts, self.selection);
        if !candidate.exists && !matches!(decision, Decision::Filtered(_)) {
            self.missing += 1;
        }
        match decision {
            Decision::Filtered(_) | Decision::Done => {}
            Decision::Skipped(_) | Decision::Quarantined(_) | Decision::CoolingDown(_) | Decision::Deferred => {}
            Decision::Claimed(owner) => self.claimed.push((key, owner)),
            Decision::Waiting(need) => self.waiting.push((key, need)),
            // The data has the row twice, under both spellings of the symbol; the census counted both.
            Decision::Run(_) if self.kept.contains_key(&rank) => {}
            Decision::Run(why) => {
                let data_symbol = candidate.key.bank_symbol.unwrap_or_default();
                self.kept.insert(rank, Kept { gap, data_symbol, why });
                if self.kept.len() > self.settings.max_jobs {
                    self.kept.pop_last();
                    self.capped += 1;
                }
            }
        }
    }

    pub fn forced_candidate(&mut self, _candidate: Candidate) {}

    /// The plan, once everything was streamed.
    pub fn finish(mut self) -> Plan {
        let jobs: Vec<PlannedJob> = std::mem::take(&mut self.kept)
            .into_values()
            .map(|kept| PlannedJob {
                key: GapKey::report(self.institutions.get(kept.gap.bank), kept.gap.period, &self.etls[kept.gap.etl]),
                gap: kept.gap,
                data_symbol: kept.data_symbol,
                why: kept.why,
                gate: Gate::Open,
                planned_fence: 0,
                fingerprint: None,
            })
            .collect();
        let chains = chains(&jobs, self.settings.chain_by);
        self.oddities.banks_without_data(self.institutions, self.selection, &self.census);
        let selected = |etl: &EtlIndex| self.selection.etls.is_empty() || self.selection.etls.contains(etl);
        Plan {
            etls: (0..self.etls.len()).filter(selected).collect(),
            chains,
            jobs,
            waiting: self.waiting,
            claimed: self.claimed,
            skipped: Listed::default(),
            quarantined: Listed::default(),
            cooling_down: Listed::default(),
            breakers: Vec::new(),
            capped: self.capped,
            existing: self.census.reports_possible(self.etls, self.selection).saturating_sub(self.missing),
            census: self.census,
            oddities: self.oddities,
        }
    }

    fn rank(&self, gap: Gap) -> Rank {
        Rank {
            priority: Reverse(self.institutions.get(gap.bank).priority),
            period: match self.settings.order {
                Order::NewestFirst => PeriodRank::Newest(Reverse(gap.period)),
                Order::OldestFirst => PeriodRank::Oldest(gap.period),
            },
            bank: gap.bank,
            etl: gap.etl,
        }
    }

    /// Whether this run makes the report of `need` before the one of `gap`. ETLs are scanned in order of declaration, and
    /// needs are declared before what needs them, so its decision has been made.
    fn is_made_earlier(&self, gap: Gap, need: EtlIndex) -> bool {
        self.kept.contains_key(&self.rank(Gap { etl: need, ..gap }))
    }

    /// Whether the gap would be cut off by `max_jobs` anyway, as then its need may have been too.
    fn is_beyond_cap(&self, rank: Rank) -> bool {
        self.kept.len() >= self.settings.max_jobs && self.kept.last_key_value().is_none_or(|(last, _)| rank > *last)
    }
}

/// Groups jobs that are in rank order into chains. A chain starts where its first job ranks.
fn chains(jobs: &[PlannedJob], by: ChainBy) -> Vec<Vec<usize>> {
    let mut chains: Vec<Vec<usize>> = Vec::new();
    let mut of: HashMap<(BankIndex, Option<Period>), usize> = HashMap::new();
    for (position, job) in jobs.iter().enumerate() {
        let period = match by {
            ChainBy::Bank => None,
            ChainBy::BankPeriod => Some(job.gap.period),
        };
        let chain = *of.entry((job.gap.bank, period)).or_insert_with(|| {
            chains.push(Vec::new());
            chains.len() - 1
        });
        chains[chain].push(position);
    }
    chains
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::facts::AvailabilityKey;
    use crate::plan::test_support::{bank, etl, etl_needing, settings};

    struct World {
        institutions: Institutions,
        etls: Vec<Etl>,
        settings: RunSettings,
        selection: Selection,
        known: Known,
    }

    impl World {
        fn new() -> Self {
            Self {
                institutions: Institutions::new(vec![bank("RY-CA", 1), bank("BMO-CA", 2), bank("TD-CA", 6)]),
                etls: vec![etl("call_summary", "Call Summary"), etl("key_themes", "Key Themes")],
                settings: settings(4),
                selection: Selection::default(),
                known: Known::default(),
            }
        }

        /// Rows as `symbol period etl`, with `needs_met` for an ETL that has a need.
        fn plan(&self, rows: &[(&str, &str, EtlIndex)]) -> Plan {
            let mut planner = Planner::new(&self.institutions, &self.etls, &self.settings, &self.selection, &self.known);
            for (symbol, period, etl) in rows {
                planner.candidate(self.row(symbol, period, *etl, false));
            }
            planner.finish()
        }

        fn row(&self, symbol: &str, period: &str, etl: EtlIndex, met: bool) -> Candidate {
            let period: Period = period.parse().unwrap();
            let id = self.institutions.by_data_symbol(symbol).map(|bank| self.institutions.get(bank).id.to_string());
            Candidate {
                etl,
                key: AvailabilityKey {
                    bank_id: id,
                    bank_symbol: Some(symbol.to_owned()),
                    fiscal_year: Some(period.year().to_string()),
                    quarter: Some(period.quarter().as_str().to_owned()),
                },
                exists: false,
                needs_met: self.etls[etl].needs.iter().map(|_| met).collect(),
            }
        }
    }

    fn keys(plan: &Plan) -> Vec<&str> {
        plan.jobs.iter().map(|job| job.key.as_str()).collect()
    }

    #[test]
    fn a_chain_is_a_bank_with_its_periods_newest_first_and_etls_in_order() {
        let world = World::new();
        let plan = world.plan(&[("RY", "2025Q1", 0), ("BMO", "2025Q2", 0), ("RY", "2025Q2", 0), ("RY", "2025Q2", 1), ("RY", "2025Q1", 1)]);
        let chains: Vec<Vec<&str>> =
            plan.chains.iter().map(|chain| chain.iter().map(|job| plan.jobs[*job].key.as_str()).collect()).collect();
        assert_eq!(
            chains,
            [
                vec!["RY-CA/2025Q2/call_summary", "RY-CA/2025Q2/key_themes", "RY-CA/2025Q1/call_summary", "RY-CA/2025Q1/key_themes"],
                vec!["BMO-CA/2025Q2/call_summary"],
            ]
        );
    }

    #[test]
    fn oldest_first_turns_the_periods_round_and_bank_period_cuts_the_chains() {
        let mut world = World::new();
        world.settings.order = Order::OldestFirst;
        world.settings.chain_by = ChainBy::BankPeriod;
        let plan = world.plan(&[("RY", "2025Q2", 0), ("RY", "2025Q1", 0), ("RY", "2025Q1", 1)]);
        assert_eq!(keys(&plan), ["RY-CA/2025Q1/call_summary", "RY-CA/2025Q1/key_themes", "RY-CA/2025Q2/call_summary"]);
        assert_eq!(plan.chains, [vec![0, 1], vec![2]]);
    }

    #[test]
    fn chains_of_a_higher_priority_come_first() {
        let mut world = World::new();
        let mut td = bank("TD-CA", 6);
        td.priority = 10;
        world.institutions = Institutions::new(vec![bank("RY-CA", 1), td]);
        let plan = world.plan(&[("RY", "2025Q2", 0), ("TD", "2024Q1", 0)]);
        assert_eq!(keys(&plan), ["TD-CA/2024Q1/call_summary", "RY-CA/2025Q2/call_summary"]);
    }

    #[test]
    fn the_cap_keeps_the_best_ranked_whatever_their_order_of_arrival() {
        let mut world = World::new();
        world.settings.max_jobs = 2;
        let rows = [("RY", "2024Q1", 0), ("RY", "2025Q2", 0), ("BMO", "2025Q2", 0), ("RY", "2025Q2", 1), ("BMO", "2025Q1", 1)];
        let plan = world.plan(&rows);
        assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary", "RY-CA/2025Q2/key_themes"]);
        assert_eq!((plan.capped, plan.gaps()), (3, 5));
    }

    #[test]
    fn a_row_under_both_spellings_is_one_gap() {
        let plan = World::new().plan(&[("RY", "2025Q2", 0), ("RY-CA", "2025Q2", 0)]);
        assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary"]);
    }

    #[test]
    fn a_need_is_met_by_a_report_or_by_an_earlier_job_of_the_chain() {
        let mut world = World::new();
        world.etls[1] = etl_needing("key_themes", "Key Themes", 0);
        let mut planner = Planner::new(&world.institutions, &world.etls, &world.settings, &world.selection, &world.known);
        planner.candidate(world.row("RY", "2025Q2", 0, false));
        planner.candidate(world.row("RY", "2025Q2", 1, false)); // its summary is made in this run
        planner.candidate(world.row("BMO", "2025Q2", 1, true)); // its summary exists
        planner.candidate(world.row("TD", "2025Q2", 1, false)); // neither
        let plan = planner.finish();
        assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary", "RY-CA/2025Q2/key_themes", "BMO-CA/2025Q2/key_themes"]);
        assert_eq!(plan.waiting.named, [(GapKey::stored("TD-CA/2025Q2/key_themes".to_owned()), 0)]);
    }

    #[test]
    fn what_needs_a_job_that_the_cap_left_is_left_too() {
        let mut world = World::new();
        world.etls[1] = etl_needing("key_themes", "Key Themes", 0);
        world.settings.max_jobs = 1;
        let plan = world.plan(&[("RY", "2025Q2", 0), ("BMO", "2025Q2", 0), ("BMO", "2025Q2", 1)]);
        assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary"]);
        assert_eq!((plan.capped, plan.waiting.total), (2, 0));
    }

    #[test]
    fn a_gap_that_somebody_fills_is_not_planned() {
        let mut world = World::new();
        let owner = Owner { host: "other".to_owned(), boot_id: String::new(), pid: 7, pid_started: 0 };
        world.known.running.insert(GapKey::stored("RY-CA/2025Q2/call_summary".to_owned()), owner);
        let plan = world.plan(&[("RY", "2025Q2", 0), ("RY", "2025Q2", 1)]);
        assert_eq!(keys(&plan), ["RY-CA/2025Q2/key_themes"]);
        assert_eq!(plan.claimed.total, 1);
    }

    #[test]
    fn bad_rows_are_named_once_and_stop_nobody_else() {
        let world = World::new();
        let group = |symbol: &str, id: &str, quarter: &str| CensusGroup {
            etls: vec![0, 1],
            bank_id: Some(id.to_owned()),
            bank_symbol: Some(symbol.to_owned()),
            quarter: Some(quarter.to_owned()),
            min_year: Some("2025".to_owned()),
            max_year: Some("2025".to_owned()),
            rows: 1,
        };
        let mut planner = Planner::new(&world.institutions, &world.etls, &world.settings, &world.selection, &world.known);
        for group in
            [group("RY", "1", "Q2"), group("RY", "1", "Q5"), group("--help", "1", "Q1"), group("XX", "99", "Q1"), group("TD", "1", "Q1")]
        {
            planner.group(&group);
        }
        planner.candidate(world.row("RY", "2025Q2", 0, false));
        let plan = planner.finish();
        assert_eq!(keys(&plan), ["RY-CA/2025Q2/call_summary"]);
        assert_eq!(plan.census.available_for(0), 1);
        assert_eq!(plan.existing, 1, "of two possible reports one is missing");
        let named: Vec<&str> = plan.oddities.invalid.named.iter().map(|rows| rows.which.as_str()).collect();
        assert_eq!(named, ["RY 2025 Q5", "--help 2025 Q1", "TD 2025 Q1"]);
        assert_eq!(plan.oddities.unmonitored.iter().collect::<Vec<_>>(), ["XX"]);
        assert_eq!(plan.oddities.without_data, ["BMO-CA", "TD-CA"]);
    }
}
