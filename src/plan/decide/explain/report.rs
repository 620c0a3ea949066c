//! Why a report is made or is not.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::data::data;
use super::{Explanation, Fact, Failures, Need, NeedState, Running, Turn, Verdict, What, fact, mark, told};
use crate::plan::decide::decision::{Decided, Decision};
use crate::plan::decide::mismatch::NameCount;
use crate::plan::decide::plan::{Gate, Plan};
use crate::plan::model::candidate::AvailabilityRow;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::job::JobState;
use crate::plan::model::orders::PendingOrder;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::RunSettings;
use crate::plan::remember::failure_history::{Eligibility, SkipOrder};
use crate::plan::remember::past::{PastJob, PastRun};
use crate::plan::remember::stored_state::StoredState;

/// What is known about a report.
#[derive(Debug, Clone, Copy)]
pub struct ReportFacts<'a> {
    pub catalogue: &'a Catalogue,
    pub settings: &'a RunSettings,
    /// Of a plain run.
    pub selection: &'a Selection,
    pub gap: Gap,
    /// What the planner decided on the bank's gaps, done and filtered ones too.
    pub decided: &'a BTreeMap<GapKey, Decided>,
    pub stored: &'a StoredState,
    /// The plan of everything, where it was made.
    pub plan: Option<&'a Plan>,
    /// Rows with the bank's symbols or its number.
    pub rows: &'a [AvailabilityRow],
    /// When a run saw the data first.
    pub first_seen: Option<DateTime<Utc>>,
    /// Tags of the period that files stand for and that the table does not have.
    pub from_files: &'a [String],
    /// The tags of the data, where some are missing.
    pub tags: &'a [NameCount],
    /// The symbols of the data, where the bank has no rows.
    pub symbols: &'a [NameCount],
    /// Jobs of the gap, the newest first.
    pub jobs: &'a [PastJob],
    /// Whether the report exists, where no row of data says so.
    pub exists: bool,
    pub misspelled: Option<&'a str>,
    pub order: Option<&'a PendingOrder>,
    pub last_run: Option<&'a PastRun>,
}

/// Explains what is done about a report.
#[must_use]
pub fn report(facts: &ReportFacts<'_>) -> Explanation {
    let key = facts.key(facts.gap.etl);
    let verdict = facts.verdict(&key);
    let decision = facts.decided.get(&key).map(|decided| &decided.decision);
    let data = data(facts);
    let has_data = decision.is_some_and(|decision| !matches!(decision, Decision::Invalid(_)));
    let listed = vec![
        facts.monitored(),
        fact(
            What::Selected { filter: facts.selection.excludes(facts.gap), from_year: facts.selection.from_year },
            facts.selection.excludes(facts.gap).is_none(),
        ),
        fact(What::Data(data), has_data),
        facts.report(&key),
        facts.skip(&key),
        fact(What::Spool(facts.stored.unrecorded.get(&key).cloned()), !facts.stored.unrecorded.contains_key(&key)),
        facts.running(&key),
        facts.needs(),
        facts.failures(&key),
        facts.breaker(),
        facts.turn(&key),
        told(What::LastJob(facts.jobs.first().cloned())),
        told(What::LastRun(facts.last_run.cloned())),
    ];
    let facts = mark(listed, |what| is_decisive(what, &verdict));
    Explanation { gap: key, verdict, facts }
}

/// Whether a fact is the one that a verdict is about.
fn is_decisive(what: &What, verdict: &Verdict) -> bool {
    match verdict {
        Verdict::NoData => matches!(what, What::Data(_)),
        Verdict::Capped => matches!(what, What::Turn(_)),
        Verdict::Source(_) => false,
        Verdict::Decided(decision) => match decision {
            Decision::Invalid(_) => matches!(what, What::Data(_)),
            Decision::Filtered(_) => matches!(what, What::Selected { .. }),
            Decision::Done => matches!(what, What::Report { .. }),
            Decision::Skipped(_) => matches!(what, What::Skip(_)),
            Decision::Unrecorded(_) => matches!(what, What::Spool(_)),
            Decision::Claimed(_) => matches!(what, What::Running(_)),
            Decision::Waiting(_) => matches!(what, What::Needs(_)),
            Decision::Quarantined(_) | Decision::CoolingDown(_) => matches!(what, What::Failures(_)),
            Decision::Deferred => matches!(what, What::Breaker(_)),
            Decision::Run(_) => matches!(what, What::Turn(_)),
        },
    }
}

impl ReportFacts<'_> {
    fn key(&self, etl: usize) -> GapKey {
        GapKey::report(self.catalogue.institutions.get(self.gap.bank), self.gap.period, self.catalogue.etl(etl))
    }

    fn verdict(&self, key: &GapKey) -> Verdict {
        let Some(decided) = self.decided.get(key) else {
            return match self.selection.excludes(self.gap) {
                Some(filter) => Verdict::Decided(Decision::Filtered(filter)),
                None => Verdict::NoData,
            };
        };
        let is_to_be_made = matches!(decided.decision, Decision::Run(_) | Decision::Deferred);
        let is_cut_off = |plan: &Plan| plan.capped > 0 && !plan.jobs.iter().any(|job| job.key == *key);
        match self.plan.filter(|_| is_to_be_made) {
            Some(plan) if is_cut_off(plan) => Verdict::Capped,
            Some(_) | None => Verdict::Decided(decided.decision.clone()),
        }
    }

    fn monitored(&self) -> Fact {
        let bank = self.catalogue.institutions.get(self.gap.bank);
        fact(What::Monitored { key: bank.key.clone(), name: bank.name.clone(), id: bank.id, place: bank.place.clone() }, true)
    }

    fn report(&self, key: &GapKey) -> Fact {
        let decided = self.decided.get(key);
        let exists = decided.map_or(self.exists, |decided| decided.exists);
        let made_by = self.jobs.iter().find(|job| job.state == JobState::Succeeded).filter(|_| exists).cloned();
        let what = What::Report {
            exists,
            report_type: self.catalogue.etl(self.gap.etl).report_type.clone(),
            made_by,
            misspelled: self.misspelled.filter(|_| !exists).map(str::to_owned),
            order: self.order.cloned(),
        };
        fact(what, !exists)
    }

    fn skip(&self, key: &GapKey) -> Fact {
        let own = self.stored.gaps.get(key).and_then(|state| Some((key, state.skip.as_ref()?)));
        let groups = self.stored.group_skips().into_iter().filter(|(group, _)| group.covers(key));
        let holds = |(_, order): &(&GapKey, &SkipOrder)| order.holds(self.stored.now);
        let order = own.into_iter().chain(groups).find(holds).map(|(on, order)| (on.clone(), order.clone()));
        let passes = order.is_none();
        fact(What::Skip(order), passes)
    }

    fn running(&self, key: &GapKey) -> Fact {
        let job = self.jobs.iter().find(|job| job.state == JobState::Running);
        let owner = self.stored.running.get(key);
        let running = owner.map(|owner| Running { host: owner.host.clone(), pid: owner.pid, job: job.cloned() });
        let passes = running.is_none();
        fact(What::Running(running), passes)
    }

    fn needs(&self) -> Fact {
        let own = self.decided.get(&self.key(self.gap.etl));
        let need = |etl: &usize| {
            let decision = self.decided.get(&self.key(*etl)).map(|decided| &decided.decision);
            let state = match (own.is_some_and(|own| !own.unmet.contains(etl)), decision) {
                (true, _) | (false, Some(Decision::Done)) => NeedState::Exists,
                (false, Some(Decision::Run(_) | Decision::Deferred)) => NeedState::MadeBefore,
                (false, decision) => NeedState::Missing(decision.cloned()),
            };
            Need { etl: self.catalogue.etl(*etl).name.clone(), state }
        };
        let needs: Vec<Need> = self.catalogue.etl(self.gap.etl).needs.iter().map(need).collect();
        let passes = !needs.iter().any(|need| matches!(need.state, NeedState::Missing(_)));
        fact(What::Needs(needs), passes)
    }

    fn failures(&self, key: &GapKey) -> Fact {
        let quarantine_after = self.settings.cooldown.quarantine_after;
        let Some(state) = self.stored.gaps.get(key) else {
            return fact(What::Failures(Failures { quarantine_after, ..Failures::default() }), true);
        };
        let (history, current) = (&state.history, self.stored.fingerprints.get(key));
        let failed = self.jobs.iter().filter(|job| job.state != JobState::Succeeded).find_map(|job| job.attempts.last());
        let failures = Failures {
            failed_runs: history.failed_runs,
            quarantine_after,
            not_ready: history.not_ready,
            lost: history.lost,
            rest: history.rest,
            quarantine: history.quarantine,
            has_changed: history.has_changed(current),
            error: history.error.clone(),
            log: failed.filter(|_| history.error.is_some()).map(|attempt| attempt.log.clone()),
        };
        fact(What::Failures(failures), history.eligibility(self.stored.now, current) == Eligibility::Free)
    }

    fn breaker(&self) -> Fact {
        let breaker = self.stored.breakers.get(&self.gap.etl).cloned();
        let passes = breaker.is_none();
        fact(What::Breaker(breaker), passes)
    }

    fn turn(&self, key: &GapKey) -> Fact {
        let pool = self.catalogue.etl(self.gap.etl).pool.clone();
        let Some(plan) = self.plan else {
            return told(What::Turn(Turn { max_jobs: self.settings.max_jobs, pool, ..Turn::default() }));
        };
        let position = plan.jobs.iter().position(|job| job.key == *key);
        let in_chain = |position: usize| plan.chains.iter().find_map(|chain| chain.iter().position(|job| *job == position));
        let turn = Turn {
            position: position.map(|position| position + 1),
            jobs: plan.jobs.len(),
            max_jobs: self.settings.max_jobs,
            capped: plan.capped,
            is_probe: position.is_some_and(|position| plan.job(position).gate == Gate::Probe),
            before_in_chain: position.and_then(in_chain).unwrap_or_default(),
            pool,
        };
        let passes = position.is_some() || plan.capped == 0;
        fact(What::Turn(turn), passes)
    }
}
