//! From facts to a plan: folds what a scan streams into the jobs of one run, holding at most `max_jobs` of them.

mod listed;
mod probe;
mod rank;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use self::listed::ByKey;
pub use self::listed::Listed;
use self::probe::{Prober, Probers, Turn};
use self::rank::{Kept, PeriodRank, Place, Rank};
use crate::plan::decide::census::{Census, DataIssues};
use crate::plan::decide::data_row;
use crate::plan::decide::decision::{Decision, Facts, Why, decide};
use crate::plan::model::candidate::{Candidate, CensusGroup};
use crate::plan::model::collection::{Collection, SourcePlan, SourceStatus};
use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::institution::Institutions;
use crate::plan::model::job::Owner;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::RunSettings;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};
use crate::plan::remember::fingerprint::Fingerprint;
use crate::plan::remember::stored_state::StoredState;

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
    /// The sources in the selection, in order of declaration.
    pub sources: Vec<SourcePlan>,
    /// Gaps left for the next run by `max_jobs`.
    pub capped: u64,
    /// Reports that exist for the data that is available, in this selection.
    pub existing: u64,
    /// What is available.
    pub census: Census,
    /// Rows and banks that a person should look at.
    pub data_issues: DataIssues,
}

impl Plan {
    /// How many of the jobs make a report.
    #[must_use]
    pub fn reports(&self) -> usize {
        self.jobs.iter().filter(|job| job.report().is_some()).count()
    }

    /// Whether it is about sources alone: nobody asked for a report.
    #[must_use]
    pub fn is_of_sources_alone(&self) -> bool {
        self.etls.is_empty() && !self.sources.is_empty()
    }

    /// How many reports are missing (with `--force`: to be made), whether this run makes them or not.
    pub fn gaps(&self) -> u64 {
        self.reports() as u64 + self.waiting.total + self.claimed.total + self.quarantined.total + self.cooling_down.total + self.capped
    }

    /// How many windows of sources are due and were not collected. As with reports, what an operator wants left alone is not
    /// missed.
    pub fn windows_behind(&self) -> u64 {
        let is_missed = |source: &&SourcePlan| match source.standing {
            SourceStatus::Paused(_) | SourceStatus::Skipped(_) => false,
            SourceStatus::UpToDate
            | SourceStatus::Claimed(_)
            | SourceStatus::Quarantined(_)
            | SourceStatus::CoolingDown(_)
            | SourceStatus::Due => true,
        };
        self.sources.iter().filter(is_missed).map(|source| source.behind).sum()
    }

    /// Whether anything is missing, or to be made again.
    pub fn has_gaps(&self) -> bool {
        self.gaps() > 0 || self.windows_behind() > 0 || !self.jobs.is_empty()
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
    pub target: Target,
    /// The gap's name.
    pub key: GapKey,
    /// Why it is made.
    pub why: Why,
    /// Whether it may start by itself.
    pub gate: Gate,
    /// The fence of the gap's latest claim, 0 if there was none.
    pub planned_fence: i64,
    /// What it is made from and how, once that was looked up.
    pub fingerprint: Option<Fingerprint>,
}

/// What a job fills.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Target {
    /// A report.
    Report {
        /// Which.
        gap: Gap,
        /// The bank's symbol as the data spells it.
        data_symbol: String,
    },
    /// Windows of a source.
    Collection(Collection),
}

impl PlannedJob {
    /// Which report it makes; `None` where it makes none.
    #[must_use]
    pub fn report(&self) -> Option<Gap> {
        match &self.target {
            Target::Report { gap, .. } => Some(*gap),
            Target::Collection(_) => None,
        }
    }

    /// What it collects; `None` where it makes a report.
    #[must_use]
    pub fn collection(&self) -> Option<&Collection> {
        match &self.target {
            Target::Report { .. } => None,
            Target::Collection(collection) => Some(collection),
        }
    }
}

/// Takes what a scan finds, one thing at a time.
#[derive(Debug)]
pub struct Planner<'a> {
    institutions: &'a Institutions,
    etls: &'a [Etl],
    settings: &'a RunSettings,
    selection: &'a Selection,
    stored: &'a StoredState,
    kept: BTreeMap<Rank, Kept>,
    /// Where each kept gap is in `kept`.
    ranks: HashMap<Gap, Rank>,
    probers: Probers,
    /// ETLs with candidates.
    concerned: BTreeSet<EtlIndex>,
    waiting: ByKey<EtlIndex>,
    claimed: ByKey<Owner>,
    skipped: ByKey<SkipOrder>,
    quarantined: ByKey<Quarantine>,
    cooling_down: ByKey<Rest>,
    /// Gaps that would be filled if there were no `max_jobs`.
    runnable: u64,
    missing: u64,
    census: Census,
    data_issues: DataIssues,
}

impl<'a> Planner<'a> {
    /// A planner for one scan.
    pub fn new(
        institutions: &'a Institutions,
        etls: &'a [Etl],
        settings: &'a RunSettings,
        selection: &'a Selection,
        stored: &'a StoredState,
    ) -> Self {
        Self {
            institutions,
            etls,
            settings,
            selection,
            stored,
            kept: BTreeMap::new(),
            ranks: HashMap::new(),
            probers: Probers::default(),
            concerned: BTreeSet::new(),
            waiting: ByKey::default(),
            claimed: ByKey::default(),
            skipped: ByKey::default(),
            quarantined: ByKey::default(),
            cooling_down: ByKey::default(),
            runnable: 0,
            missing: 0,
            census: Census::default(),
            data_issues: DataIssues::default(),
        }
    }

    /// Counts a group of available rows.
    pub fn group(&mut self, group: &CensusGroup) {
        self.census.count(group, self.institutions, self.selection, &mut self.data_issues);
    }

    /// Notes rows whose tags cannot be read.
    pub fn not_an_array(&mut self, rows: u64, examples: Vec<String>) {
        self.data_issues.not_an_array(rows, examples);
    }

    /// Decides on a row whose report may have to be made. Bad rows were named by the census and are passed over. Rows come by
    /// ETL in order of declaration.
    pub fn candidate(&mut self, candidate: Candidate) {
        if let Some((gap, key)) = self.read(&candidate) {
            self.consider(gap, key, candidate);
        }
    }

    /// Decides on a row of a second scan, which includes existing reports: only those are looked at that an earlier `--force`
    /// still asks for.
    pub fn forced_candidate(&mut self, candidate: Candidate) {
        if !candidate.exists {
            return;
        }
        if let Some((gap, key)) = self.read(&candidate)
            && self.stored.gaps.get(&key).is_some_and(|state| state.forced)
        {
            self.consider(gap, key, candidate);
        }
    }

    fn read(&self, candidate: &Candidate) -> Option<(Gap, GapKey)> {
        let (bank, period) = data_row::check(&candidate.key, self.institutions).ok()?;
        let gap = Gap { bank, period, etl: candidate.etl };
        Some((gap, self.key(gap)))
    }

    fn key(&self, gap: Gap) -> GapKey {
        GapKey::report(self.institutions.get(gap.bank), gap.period, &self.etls[gap.etl])
    }

    fn consider(&mut self, gap: Gap, key: GapKey, candidate: Candidate) {
        let settled = self.stored.settled.contains(&key);
        let exists = candidate.exists || settled;
        let unmet = self.unmet(gap, &candidate.needs_met);
        let rank = self.rank(gap, &key, &unmet);
        let lacking = unmet.iter().copied().find(|need| !self.ranks.contains_key(&Gap { etl: *need, ..gap }));
        let state = self.stored.gaps.get(&key);
        let facts = Facts {
            gap,
            exists,
            forced: !settled && state.is_some_and(|state| state.forced),
            state,
            fingerprint: self.stored.fingerprints.get(&key),
            breaker_open: self.stored.breakers.contains_key(&gap.etl),
            now: self.stored.now,
            claimed_by: self.stored.running.get(&key),
            unmet_need: lacking.filter(|_| !self.is_beyond_cap(rank)),
        };
        let why = facts.why();
        let decision = decide(facts, self.selection);
        if !exists && !matches!(decision, Decision::Filtered(_)) {
            self.missing += 1;
        }
        if !matches!(decision, Decision::Filtered(_) | Decision::Done) {
            self.concerned.insert(gap.etl);
        }
        let data_symbol = candidate.key.bank_symbol.unwrap_or_default();
        let keep = |gate| Kept { gap, key: key.clone(), data_symbol: data_symbol.clone(), why, gate, first: false };
        match decision {
            Decision::Filtered(_) | Decision::Done => {}
            Decision::Skipped(order) => self.skipped.push(key, order),
            Decision::Claimed(owner) => self.claimed.push(key, owner),
            Decision::Waiting(need) => self.waiting.push(key, need),
            Decision::Quarantined(quarantine) => self.quarantined.push(key, quarantine),
            Decision::CoolingDown(rest) => self.cooling_down.push(key, rest),
            // The data has the row twice, under both spellings of the symbol; the census counted both.
            Decision::Deferred | Decision::Run(_) if self.ranks.contains_key(&gap) => {}
            Decision::Deferred => {
                self.keep(rank, keep(Gate::BehindProbe));
                if let Some(breaker) = self.stored.breakers.get(&gap.etl).filter(|_| unmet.is_empty()) {
                    let turn = Turn::new(gap, rank.period, breaker, self.institutions);
                    self.probers.offer(Prober::new(turn, rank, keep(Gate::Probe)));
                }
            }
            Decision::Run(_) => self.keep(rank, keep(Gate::Open)),
        }
    }

    fn keep(&mut self, rank: Rank, job: Kept) {
        self.runnable += 1;
        self.ranks.insert(job.gap, rank);
        self.kept.insert(rank, job);
        self.cut();
    }

    fn cut(&mut self) {
        while self.kept.len() > self.settings.max_jobs {
            if let Some((_, cut)) = self.kept.pop_last() {
                self.ranks.remove(&cut.gap);
            }
        }
    }

    /// The plan, once everything was streamed.
    pub fn finish(mut self) -> Plan {
        self.choose_probes();
        let has_reports = self.selection.has_reports();
        if has_reports && !self.etls.is_empty() {
            self.data_issues.banks_without_data(self.institutions, self.selection, &self.census);
        }
        let stored = self.stored;
        let state = |key: &GapKey| stored.gaps.get(key);
        let error = |key: &GapKey| state(key).and_then(|state| state.history.error.clone());
        let chains = rank::chains(std::mem::take(&mut self.kept).into_iter().collect(), self.settings);
        let (jobs, chains) = rank::numbered(chains, |kept| PlannedJob {
            planned_fence: state(&kept.key).map_or(0, |state| state.fence),
            fingerprint: stored.fingerprints.get(&kept.key).cloned(),
            target: Target::Report { gap: kept.gap, data_symbol: kept.data_symbol },
            key: kept.key,
            why: kept.why,
            gate: kept.gate,
        });
        let selected = |etl: &EtlIndex| has_reports && (self.selection.etls.is_empty() || self.selection.etls.contains(etl));
        Plan {
            etls: (0..self.etls.len()).filter(selected).collect(),
            breakers: breakers(stored, &self.concerned, &jobs),
            sources: Vec::new(),
            capped: self.runnable.saturating_sub(jobs.len() as u64),
            chains,
            jobs,
            waiting: self.waiting.listed(|key, need| (key, need)),
            claimed: self.claimed.listed(|key, owner| (key, owner)),
            skipped: self.skipped.listed(|key, order| (key, order)),
            quarantined: self.quarantined.listed(|key, quarantine| with_error(key, quarantine, error)),
            cooling_down: self.cooling_down.listed(|key, rest| with_error(key, rest, error)),
            existing: self.census.reports_possible(self.etls, self.selection).saturating_sub(self.missing),
            census: self.census,
            data_issues: self.data_issues,
        }
    }

    /// One job of each broken ETL becomes its probe. Its place is not cut off, but neither do probes take the last place from
    /// other work.
    fn choose_probes(&mut self) {
        let stored = self.stored;
        let probed_at = |etl: EtlIndex| stored.breakers.get(&etl).and_then(|breaker| breaker.probed_at);
        let mut probed = BTreeSet::new();
        for prober in std::mem::take(&mut self.probers).chosen(self.settings.max_jobs.saturating_sub(1), probed_at) {
            let (rank, mut job) = (Rank { place: Place::Probe, ..prober.rank }, prober.job);
            job.first = !self.makes_a_need(job.gap);
            probed.insert(job.gap.etl);
            if let Some(rank) = self.ranks.insert(job.gap, rank) {
                self.kept.remove(&rank);
            }
            self.kept.insert(rank, job);
        }
        self.cut();
        for (etl, breaker) in &stored.breakers {
            if probed.contains(etl) {
                continue;
            }
            let behind = self.kept.iter().filter(|(_, job)| job.gap.etl == *etl && job.gate == Gate::BehindProbe);
            let turn = |rank: &Rank, gap| (self.makes_a_need(gap), Turn::new(gap, rank.period, breaker, self.institutions));
            let next = behind.min_by_key(|(rank, job)| turn(rank, job.gap)).map(|(rank, job)| (*rank, !self.makes_a_need(job.gap)));
            if let Some((rank, first)) = next
                && let Some(job) = self.kept.get_mut(&rank)
            {
                job.gate = Gate::Probe;
                job.first = first;
            }
        }
    }

    /// Whether this run makes a report that the gap needs.
    fn makes_a_need(&self, gap: Gap) -> bool {
        self.etls[gap.etl].needs.iter().any(|need| self.ranks.contains_key(&Gap { etl: *need, ..gap }))
    }

    /// The needs of a gap whose reports do not exist.
    fn unmet(&self, gap: Gap, met: &[bool]) -> Vec<EtlIndex> {
        let needs = self.etls[gap.etl].needs.iter().zip(met);
        let is_settled =
            |need: EtlIndex| !self.stored.settled.is_empty() && self.stored.settled.contains(&self.key(Gap { etl: need, ..gap }));
        needs.filter(|(need, met)| !**met && !is_settled(**need)).map(|(need, _)| *need).collect()
    }

    /// The rank of a gap that lacks the reports `unmet`.
    fn rank(&self, gap: Gap, key: &GapKey, unmet: &[EtlIndex]) -> Rank {
        let (mut place, mut tried) = self.standing_of(gap, key);
        for need in unmet {
            let need = Gap { etl: *need, ..gap };
            let (need_place, need_tried) = match self.ranks.get(&need) {
                Some(rank) => (rank.place, rank.tried),
                None => self.standing_with_needs(need),
            };
            place = place.max(need_place);
            tried |= need_tried;
        }
        Rank {
            place,
            priority: Reverse(self.institutions.get(gap.bank).priority),
            tried,
            period: PeriodRank::new(gap.period, self.settings.order),
            bank: gap.bank,
            etl: gap.etl,
        }
    }

    fn standing_of(&self, gap: Gap, key: &GapKey) -> (Place, bool) {
        let deferred = !self.selection.force && self.stored.breakers.contains_key(&gap.etl);
        let tried = self.stored.gaps.get(key).is_some_and(|state| state.history.is_tried());
        (if deferred { Place::Deferred } else { Place::Free }, tried)
    }

    /// The same for a gap that is not kept, with all that it may need: enough to tell whether it was cut off.
    fn standing_with_needs(&self, gap: Gap) -> (Place, bool) {
        let needs = self.etls[gap.etl].needs.iter().map(|need| self.standing_with_needs(Gap { etl: *need, ..gap }));
        needs.fold(self.standing_of(gap, &self.key(gap)), |(place, tried), need| (place.max(need.0), tried || need.1))
    }

    /// Whether the gap would be cut off by `max_jobs` anyway, as then its need may have been too.
    fn is_beyond_cap(&self, rank: Rank) -> bool {
        self.kept.len() >= self.settings.max_jobs && self.kept.last_key_value().is_none_or(|(last, _)| rank > *last)
    }
}

fn with_error<T>(key: GapKey, what: T, error: impl Fn(&GapKey) -> Option<String>) -> (GapKey, T, Option<String>) {
    let error = error(&key);
    (key, what, error)
}

/// What the run does about each broken ETL that has candidates.
fn breakers(stored: &StoredState, concerned: &BTreeSet<EtlIndex>, jobs: &[PlannedJob]) -> Vec<BreakerPlan> {
    let of = |etl: EtlIndex, gate: Gate| {
        jobs.iter().enumerate().filter(move |(_, job)| job.report().is_some_and(|gap| gap.etl == etl) && job.gate == gate)
    };
    let open = concerned.iter().filter_map(|etl| stored.breakers.get(etl).map(|breaker| (*etl, breaker)));
    open.map(|(etl, breaker)| BreakerPlan {
        etl,
        since: breaker.since,
        probe: of(etl, Gate::Probe).next().map(|(job, _)| job),
        behind: of(etl, Gate::BehindProbe).count() as u64,
    })
    .collect()
}

#[cfg(test)]
mod tests;
