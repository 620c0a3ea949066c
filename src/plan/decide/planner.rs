//! From facts to a plan: folds what a scan streams into the jobs of one run, holding at most `max_jobs` of them.

mod broken;
mod by_key;
mod force;
mod names;
mod noted;
mod probe;
mod rank;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use self::by_key::ByKey;
use self::force::{Forcing, SetAside};
pub use self::noted::MOST_NOTED;
use self::noted::Noted;
use self::probe::{Prober, Probers, Turn};
use self::rank::{Kept, PeriodRank, Place, Rank};
use crate::plan::decide::census::{Census, DataIssues};
use crate::plan::decide::coverage::ReportState;
use crate::plan::decide::data_row::{self, RowRejected};
use crate::plan::decide::decision::{Decided, Decision, Facts, decide};
use crate::plan::decide::plan::{Gate, Plan, PlannedJob};
use crate::plan::model::candidate::{AvailabilityKey, Candidate, CensusGroup};
use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::institution::Institutions;
use crate::plan::model::job::Owner;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::RunSettings;
use crate::plan::model::target::Target;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};
use crate::plan::remember::stored_state::StoredState;
use crate::plan::remember::unfinished::UnrecordedEnd;

/// Takes what a scan finds, one thing at a time.
#[derive(Debug)]
pub struct Planner<'a> {
    institutions: &'a Institutions,
    etls: &'a [Etl],
    settings: &'a RunSettings,
    selection: &'a Selection,
    stored: &'a StoredState,
    /// Orders to leave whole banks or ETLs alone.
    group_skips: Vec<(&'a GapKey, &'a SkipOrder)>,
    kept: BTreeMap<Rank, Kept>,
    /// Where each kept gap is in `kept`.
    ranks: HashMap<Gap, Rank>,
    probers: Probers,
    /// ETLs with candidates.
    concerned: BTreeSet<EtlIndex>,
    waiting: ByKey<EtlIndex>,
    unrecorded: ByKey<UnrecordedEnd>,
    claimed: ByKey<Owner>,
    skipped: ByKey<SkipOrder>,
    quarantined: ByKey<Quarantine>,
    cooling_down: ByKey<Rest>,
    noted: Noted,
    /// Gaps that would be filled if there were no `max_jobs`.
    runnable: u64,
    missing: BTreeMap<EtlIndex, u64>,
    forcing: Forcing,
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
            group_skips: stored.group_skips(),
            kept: BTreeMap::new(),
            ranks: HashMap::new(),
            probers: Probers::default(),
            concerned: BTreeSet::new(),
            waiting: ByKey::default(),
            unrecorded: ByKey::default(),
            claimed: ByKey::default(),
            skipped: ByKey::default(),
            quarantined: ByKey::default(),
            cooling_down: ByKey::default(),
            noted: Noted::default(),
            runnable: 0,
            missing: BTreeMap::new(),
            forcing: Forcing::default(),
            census: Census::default(),
            data_issues: DataIssues::default(),
        }
    }

    /// From now on notes the decision on every gap, also on those that exist, are filtered, or are to be made.
    pub fn note_all(&mut self) {
        self.noted = Noted::of_all();
    }

    /// Counts a group of available rows.
    pub fn group(&mut self, group: &CensusGroup) {
        self.census.count(group, self.institutions, self.selection, &mut self.data_issues);
    }

    /// Notes rows whose tags cannot be read.
    pub fn not_an_array(&mut self, row: &AvailabilityKey, rows: u64) {
        self.data_issues.not_an_array(row, rows, self.institutions, self.selection);
    }

    /// The ETLs in the selection.
    fn selected(&self) -> impl Iterator<Item = EtlIndex> + use<'a> {
        let selection = self.selection;
        let is_selected = move |etl: &EtlIndex| selection.has_reports() && (selection.etls.is_empty() || selection.etls.contains(etl));
        (0..self.etls.len()).filter(is_selected)
    }

    /// Decides on a row whose report may have to be made. Bad rows are passed over, as the census has named them. Rows come by ETL,
    /// in order of declaration. Returns the report and its state, where that is known at once.
    pub fn candidate(&mut self, candidate: Candidate) -> Option<(Gap, ReportState)> {
        let (gap, key) = match self.read(&candidate) {
            Ok(read) => read,
            Err(RowRejected::Unmonitored(_)) => return None,
            Err(RowRejected::Invalid(problem)) => {
                if let Some(gap) = data_row::likely_gap(&candidate, self.institutions) {
                    self.noted.invalid(self.key(gap), problem, candidate.exists);
                }
                return None;
            }
        };
        let force = self.selection.force && self.selection.excludes(gap).is_none();
        let candidate = if force { self.forcing.set_aside(gap, key, candidate, self.stored) } else { Some((key, candidate)) };
        let (key, candidate) = candidate?;
        Some((gap, self.consider(gap, key, candidate)?))
    }

    /// Decides on a row of a second scan, which includes existing reports. It considers only those that an earlier `--force` still
    /// asks for.
    pub fn forced_candidate(&mut self, candidate: Candidate) {
        if !candidate.exists {
            return;
        }
        if let Ok((gap, key)) = self.read(&candidate)
            && self.stored.gaps.get(&key).is_some_and(|state| state.forced_at(true).is_some())
        {
            self.consider(gap, key, candidate);
        }
    }

    fn read(&self, candidate: &Candidate) -> Result<(Gap, GapKey), RowRejected> {
        let (bank, period) = data_row::check(&candidate.key, self.institutions)?;
        let gap = Gap { bank, period, etl: candidate.etl };
        Ok((gap, self.key(gap)))
    }

    fn key(&self, gap: Gap) -> GapKey {
        GapKey::report(self.institutions.get(gap.bank), gap.period, &self.etls[gap.etl])
    }

    fn consider(&mut self, gap: Gap, key: GapKey, candidate: Candidate) -> Option<ReportState> {
        let settled = self.stored.settled.contains(&key);
        let exists = candidate.exists || settled;
        let unmet = self.unmet(gap, &candidate.needs_met);
        let rank = self.rank(gap, &key, &unmet);
        let lacking = unmet.iter().copied().find(|need| !self.ranks.contains_key(&Gap { etl: *need, ..gap }));
        let state = self.stored.gaps.get(&key);
        let facts = Facts {
            gap,
            exists,
            forced_at: state.filter(|_| !settled).and_then(|state| state.forced_at(exists)),
            state,
            group_skip: self.group_skips.iter().find(|(group, _)| group.covers(&key)).map(|(_, order)| *order),
            fingerprint: self.stored.fingerprints.get(&key),
            breaker_open: self.stored.breakers.contains_key(&gap.etl),
            now: self.stored.now,
            unrecorded: self.stored.unrecorded.get(&key),
            claimed_by: self.stored.running.get(&key),
            unmet_need: lacking.filter(|_| !self.is_beyond_cap(rank)),
        };
        let why = facts.why();
        let decision = decide(facts, self.selection);
        let state = ReportState::of(&decision, exists);
        self.noted.note(&key, Decided { decision: decision.clone(), exists, unmet: unmet.clone() });
        if !exists && !matches!(decision, Decision::Filtered(_)) {
            *self.missing.entry(gap.etl).or_default() += 1;
        }
        if !matches!(decision, Decision::Filtered(_) | Decision::Done) {
            self.concerned.insert(gap.etl);
        }
        if self.selection.force {
            self.forcing.decided(&key, exists, &decision, self.stored);
        }
        let data_symbol = candidate.key.bank_symbol.unwrap_or_default();
        let keep = |gate| Kept { gap, key: key.clone(), data_symbol: data_symbol.clone(), why, gate, first: false };
        match decision {
            Decision::Invalid(_) | Decision::Filtered(_) | Decision::Done => {}
            Decision::Skipped(order) => self.skipped.push(key, order),
            Decision::Unrecorded(end) => self.unrecorded.push(key, end),
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
        state
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
        for SetAside { gap, key, candidate } in self.forcing.release(self.stored) {
            self.consider(gap, key, candidate);
        }
        self.choose_probes();
        let has_reports = self.selection.has_reports();
        if has_reports && !self.etls.is_empty() {
            self.data_issues.banks_without_data(self.institutions, self.selection, &self.census);
            self.data_issues.without_rows = self.without_data();
        }
        let stored = self.stored;
        let state = |key: &GapKey| stored.gaps.get(key);
        let error = |key: &GapKey| state(key).and_then(|state| state.history.error.clone());
        let (kept, chains) = rank::arranged(std::mem::take(&mut self.kept).into_iter().collect(), self.settings);
        let planned = |kept: Kept| PlannedJob {
            planned_fence: state(&kept.key).map_or(0, |state| state.fence),
            fingerprint: stored.fingerprints.get(&kept.key).cloned(),
            target: Target::Report { gap: kept.gap, data_symbol: kept.data_symbol },
            key: kept.key,
            why: kept.why,
            gate: kept.gate,
        };
        let jobs: Vec<PlannedJob> = kept.into_iter().map(planned).collect();
        Plan {
            etls: self.selected().collect(),
            breakers: broken::breakers(stored, &self.concerned, &jobs),
            sources: Vec::new(),
            orders: Vec::new(),
            capped: self.runnable.saturating_sub(jobs.len() as u64),
            forced: self.forcing.finish(),
            chains,
            jobs,
            waiting: self.waiting.listed(|key, need| (key, need)),
            unrecorded: self.unrecorded.listed(|key, end| (key, end)),
            claimed: self.claimed.listed(|key, owner| (key, owner)),
            skipped: self.skipped.listed(|key, order| (key, order)),
            quarantined: self.quarantined.listed(|key, quarantine| with_error(key, quarantine, error)),
            cooling_down: self.cooling_down.listed(|key, rest| with_error(key, rest, error)),
            decided: self.noted.finish(),
            existing: self.census.reports_possible(self.etls, self.selection).saturating_sub(self.missing.values().sum()),
            census: self.census,
            newly_seen: Vec::new(),
            data_issues: self.data_issues,
        }
    }

    /// Makes one job of each broken ETL its probe. `max_jobs` does not cut a probe off, but probes do not take the last place from
    /// other work either.
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
        let (mut place, mut tried) = self.place_of(gap, key);
        for need in unmet {
            let need = Gap { etl: *need, ..gap };
            let (need_place, need_tried) = match self.ranks.get(&need) {
                Some(rank) => (rank.place, rank.tried),
                None => self.place_with_needs(need),
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

    fn place_of(&self, gap: Gap, key: &GapKey) -> (Place, bool) {
        let deferred = !self.selection.overrides_failures() && self.stored.breakers.contains_key(&gap.etl);
        let tried = self.stored.gaps.get(key).is_some_and(|state| state.history.is_tried());
        (if deferred { Place::Deferred } else { Place::Free }, tried)
    }

    /// The same for a gap that is not kept, and for all that it may need: enough to tell whether `max_jobs` cut it off.
    fn place_with_needs(&self, gap: Gap) -> (Place, bool) {
        let needs = self.etls[gap.etl].needs.iter().map(|need| self.place_with_needs(Gap { etl: *need, ..gap }));
        needs.fold(self.place_of(gap, &self.key(gap)), |(place, tried), need| (place.max(need.0), tried || need.1))
    }

    /// Whether `max_jobs` would cut the gap off anyway. Then its need may have been cut off too.
    fn is_beyond_cap(&self, rank: Rank) -> bool {
        self.kept.len() >= self.settings.max_jobs && self.kept.last_key_value().is_none_or(|(last, _)| rank > *last)
    }
}

fn with_error<T>(key: GapKey, what: T, error: impl Fn(&GapKey) -> Option<String>) -> (GapKey, T, Option<String>) {
    let error = error(&key);
    (key, what, error)
}

#[cfg(test)]
mod tests;
