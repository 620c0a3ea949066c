//! What a run saw of everything that can be wrong. What it did not look at is neither wrong nor fine.

mod data;

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::plan::decide::decision::Decision;
use crate::plan::decide::decision_changes::is_looked_at;
use crate::plan::decide::plan::Plan;
use crate::plan::decide::planner::MOST_NOTED;
use crate::plan::decide::source_plan::{Lateness, SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::JobState;
use crate::plan::model::selection::Selection;
use crate::plan::remember::alert::{Alert, AlertState, Subject};
use crate::plan::remember::failure_history::{Eligibility, Rest, RestReason};
use crate::plan::run::summary::{JobResult, Results};
use data::DataLook;

/// What is so at the end of a run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Sighting {
    Wrong(Alert),
    Over(Over),
    /// The run cannot tell.
    Unknown,
}

/// Why something is not wrong any more.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// This run saw that it works.
    Recovered,
    /// It is not missing any more, or nobody wants it any more. This run had nothing to do with it.
    Gone,
    /// An operator wants it left alone.
    LeftAlone { by: String, reason: String },
}

/// What a run saw.
#[derive(Debug)]
pub struct Sightings<'a> {
    seen: BTreeMap<Subject, Sighting>,
    catalogue: &'a Catalogue,
    selection: &'a Selection,
    /// Whether each report that is missing has a job or a decision in the plan.
    has_all_reports: bool,
    /// The ETLs that are taken for broken.
    broken: BTreeSet<&'a str>,
    /// Sources of which each window that is missing has a job or is held back.
    whole_sources: BTreeSet<String>,
    /// What it can tell of the data as a whole.
    data: DataLook,
}

impl<'a> Sightings<'a> {
    /// What is so after these jobs of this plan. `is_whole`: the run looked at everything.
    #[must_use]
    pub fn new(
        plan: &Plan,
        results: &Results,
        catalogue: &'a Catalogue,
        (selection, is_whole): (&'a Selection, bool),
        now: DateTime<Utc>,
    ) -> Self {
        let mut sightings = Self {
            seen: BTreeMap::new(),
            catalogue,
            selection,
            has_all_reports: plan.capped == 0 && plan.decided.len() < MOST_NOTED,
            broken: results.open_breakers.iter().map(|etl| catalogue.etl(*etl).name.as_str()).collect(),
            whole_sources: BTreeSet::new(),
            data: DataLook::new(&plan.data_issues, is_whole),
        };
        sightings.see_data(plan, now);
        sightings.see_breakers(plan, results, now);
        sightings.see_decisions(plan);
        for source in &plan.sources {
            sightings.see_source(source);
        }
        sightings.see_jobs(plan, results, now);
        for source in &plan.sources {
            sightings.see_lateness(source);
        }
        sightings
    }

    /// What is wrong.
    pub fn wrong(&self) -> impl Iterator<Item = (&Subject, &Alert)> {
        self.seen.iter().filter_map(|(subject, sighting)| match sighting {
            Sighting::Wrong(alert) => Some((subject, alert)),
            Sighting::Over(_) | Sighting::Unknown => None,
        })
    }

    /// What is so of something that was wrong.
    #[must_use]
    pub fn of(&self, subject: &Subject) -> Sighting {
        if let Some(sighting) = self.seen.get(subject) {
            return sighting.clone();
        }
        match subject {
            // Each run knows of all breakers.
            Subject::Etl(etl) if self.catalogue.etls.iter().any(|one| one.name == *etl) => Sighting::Over(Over::Recovered),
            Subject::Etl(_) => Sighting::Over(Over::Gone),
            Subject::Lateness(source) => self.unseen(&GapKey::source(source)),
            Subject::Gap(gap) => self.unseen(gap),
            Subject::Data | Subject::Requires(_) | Subject::ReportType(_) | Subject::Bank(..) => self.unseen_of_data(subject),
        }
    }

    /// What is so of a gap that the plan does not name: it is not missing, if the plan would name it otherwise.
    fn unseen(&self, gap: &GapKey) -> Sighting {
        let is_complete = match gap {
            GapKey::Report { .. } => self.has_all_reports,
            GapKey::Source(source) | GapKey::Window { source, .. } => {
                if let Some(Sighting::Over(over @ Over::LeftAlone { .. })) = self.seen.get(&Subject::Gap(GapKey::source(source))) {
                    return Sighting::Over(over.clone());
                }
                self.whole_sources.contains(source) || self.catalogue.sources.iter().all(|one| one.id != *source)
            }
            GapKey::Group { .. } => false,
        };
        if is_complete && is_looked_at(gap, self.catalogue, self.selection) { Sighting::Over(Over::Gone) } else { Sighting::Unknown }
    }

    /// Whether the ETL of a report is taken for broken: its breaker tells of its failures.
    fn is_broken(&self, gap: &GapKey) -> bool {
        matches!(gap, GapKey::Report { etl, .. } if self.broken.contains(etl.as_str()))
    }

    fn see(&mut self, subject: Subject, sighting: Sighting) {
        self.seen.insert(subject, sighting);
    }

    fn see_breakers(&mut self, plan: &Plan, results: &Results, now: DateTime<Utc>) {
        for etl in &results.open_breakers {
            let name = &self.catalogue.etl(*etl).name;
            let before = plan.breakers.iter().find(|one| one.etl == *etl);
            let jobs = plan.jobs.iter().zip(&results.jobs);
            let failed = jobs.filter(|(job, result)| result.state == JobState::Failed && job.key.filled_by() == name);
            let error = failed.filter_map(|(_, result)| result.reason.clone()).next_back().or_else(|| before?.error.clone());
            self.see(Subject::Etl(name.clone()), wrong(AlertState::BreakerOpen, before.map_or(now, |before| before.since), error));
        }
    }

    fn see_decisions(&mut self, plan: &Plan) {
        let quarantined = plan.quarantined.named.iter().map(|(key, _, error)| (key, error));
        let errors: BTreeMap<&GapKey, &Option<String>> =
            plan.cooling_down.named.iter().map(|(key, _, error)| (key, error)).chain(quarantined).collect();
        for (key, decided) in &plan.decided {
            let error = || errors.get(key).and_then(|error| (*error).clone());
            let sighting = match &decided.decision {
                Decision::Quarantined(quarantine) => wrong(AlertState::Quarantined, quarantine.since, error()),
                Decision::CoolingDown(rest) if !self.is_broken(key) => of_rest(rest, error()),
                Decision::Skipped(order) => left_alone(&order.by, &order.reason),
                Decision::CoolingDown(_)
                | Decision::Invalid(_)
                | Decision::Unrecorded(_)
                | Decision::Claimed(_)
                | Decision::Waiting(_)
                | Decision::Deferred => Sighting::Unknown,
                // A plan has these only for who explains it.
                Decision::Filtered(_) | Decision::Done | Decision::Run(_) => continue,
            };
            self.see(Subject::Gap(key.clone()), sighting);
        }
    }

    fn see_source(&mut self, found: &SourcePlan) {
        let source = self.catalogue.source(found.source);
        if found.left == 0 {
            self.whole_sources.insert(source.id.clone());
        }
        let sighting = match &found.standing {
            SourceStatus::UpToDate => Sighting::Over(Over::Gone),
            SourceStatus::Paused(pause) => left_alone(&pause.by, &pause.reason),
            // Its jobs say more, or what holds back each of its windows.
            SourceStatus::Due => Sighting::Unknown,
            _ if !found.held_back.is_empty() => Sighting::Unknown,
            other => of_status(other, found.error.as_ref()),
        };
        self.see(Subject::Gap(GapKey::source(&source.id)), sighting);
        for held in &found.held_back {
            self.see(Subject::Gap(source.gap_key(held.window)), of_status(&held.status, held.error.as_ref()));
        }
    }

    /// Of several jobs of a source the worst counts.
    fn see_jobs(&mut self, plan: &Plan, results: &Results, now: DateTime<Utc>) {
        let mut by_gap: BTreeMap<&GapKey, Vec<Sighting>> = BTreeMap::new();
        for (job, result) in plan.jobs.iter().zip(&results.jobs) {
            by_gap.entry(&job.key).or_default().push(of_job(result, self.is_broken(&job.key), now));
        }
        for (gap, all) in by_gap {
            let find = |wanted: fn(&Sighting) -> bool| all.iter().find(|one| wanted(one)).cloned();
            let worst = find(|one| matches!(one, Sighting::Wrong(_))).or_else(|| find(|one| *one == Sighting::Unknown));
            self.see(Subject::Gap(gap.clone()), worst.unwrap_or(Sighting::Over(Over::Recovered)));
        }
    }

    /// A source that this run has collected is not late any more. To be called when its jobs were seen.
    fn see_lateness(&mut self, found: &SourcePlan) {
        let source = &self.catalogue.source(found.source).id;
        let subject = Subject::Lateness(source.clone());
        let of_gap = |gap: GapKey| self.seen.get(&Subject::Gap(gap));
        if let Some(Sighting::Over(over @ Over::LeftAlone { .. })) = of_gap(GapKey::source(source)) {
            let over = over.clone();
            return self.see(subject, Sighting::Over(over));
        }
        let is_made = |gap: GapKey| of_gap(gap) == Some(&Sighting::Over(Over::Recovered));
        let collected = found.jobs.iter().all(|job| is_made(self.catalogue.source(found.source).gap_key(job.window)));
        let is_collected = !found.jobs.is_empty() && collected;
        let state = match found.lateness {
            Lateness::OnTime => return self.see(subject, Sighting::Over(Over::Recovered)),
            Lateness::Late | Lateness::Overdue if is_collected && found.left == 0 && found.held_back.is_empty() => {
                return self.see(subject, Sighting::Over(Over::Recovered));
            }
            Lateness::Late | Lateness::Overdue if is_collected => return self.see(subject, Sighting::Unknown),
            Lateness::Late => AlertState::Late,
            Lateness::Overdue => AlertState::Overdue,
            Lateness::Ahead => AlertState::Ahead,
        };
        // Where nothing was ever collected: where it begins.
        let since = found.collected_until().or(found.missing.map(|missing| missing.start)).or(found.state.frontier);
        // What is late has one of them.
        let Some(since) = since else { return };
        self.see(subject, wrong(state, since, found.error.clone()));
    }
}

fn wrong(state: AlertState, since: DateTime<Utc>, reason: Option<String>) -> Sighting {
    Sighting::Wrong(Alert { state, since, reason, log: None })
}

fn left_alone(by: &str, reason: &str) -> Sighting {
    Sighting::Over(Over::LeftAlone { by: by.to_owned(), reason: reason.to_owned() })
}

/// A rest for want of input is no failure.
fn of_rest(rest: &Rest, error: Option<String>) -> Sighting {
    match rest.why {
        RestReason::Failed => wrong(AlertState::Failing, rest.since, error),
        RestReason::NotReady => Sighting::Unknown,
    }
}

fn of_status(status: &SourceStatus, error: Option<&String>) -> Sighting {
    match status {
        SourceStatus::Paused(pause) => left_alone(&pause.by, &pause.reason),
        SourceStatus::Skipped(order) => left_alone(&order.by, &order.reason),
        SourceStatus::Quarantined(quarantine) => wrong(AlertState::Quarantined, quarantine.since, error.cloned()),
        SourceStatus::CoolingDown(rest) => of_rest(rest, error.cloned()),
        SourceStatus::UpToDate | SourceStatus::Unrecorded(_) | SourceStatus::Claimed(_) | SourceStatus::Due => Sighting::Unknown,
    }
}

/// `is_broken`: whether its ETL is taken for that, which explains the failure.
fn of_job(result: &JobResult, is_broken: bool, now: DateTime<Utc>) -> Sighting {
    let failed = |state| Alert { state, since: now, reason: result.reason.clone(), log: result.log.clone() };
    match result.state {
        JobState::Succeeded => Sighting::Over(Over::Recovered),
        JobState::Failed if matches!(result.held, Eligibility::Quarantined(_)) => Sighting::Wrong(failed(AlertState::Quarantined)),
        JobState::Failed if !is_broken => Sighting::Wrong(failed(AlertState::Failing)),
        JobState::Failed | JobState::Queued | JobState::Running | JobState::Skipped | JobState::Cancelled | JobState::Lost => {
            Sighting::Unknown
        }
    }
}
