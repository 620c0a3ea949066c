//! What a run saw of the data as a whole, and of how the configuration names it. Only a run that looked at all of it can tell.

use chrono::{DateTime, NaiveTime, Utc};

use super::{Over, Sighting, Sightings, wrong};
use crate::plan::decide::census::DataIssues;
use crate::plan::decide::data_trouble::{self, DataTrouble};
use crate::plan::decide::plan::Plan;
use crate::plan::decide::unmatched::WhyUnmatched;
use crate::plan::remember::alert::{AlertState, Subject};

/// What a run can tell of the data.
#[derive(Debug)]
pub(super) struct DataLook {
    is_whole: bool,
    names_are_compared: bool,
    /// Why nothing matches: then it says nothing of single banks.
    unmatched: Option<WhyUnmatched>,
}

impl DataLook {
    pub(super) fn new(issues: &DataIssues, is_whole: bool) -> Self {
        Self {
            is_whole,
            names_are_compared: issues.names.unseen.is_none(),
            unmatched: issues.unmatched.as_ref().map(|unmatched| unmatched.why),
        }
    }

    fn tells_of_banks(&self) -> bool {
        self.is_whole && self.names_are_compared && self.unmatched.is_none()
    }
}

impl Sightings<'_> {
    pub(super) fn see_data(&mut self, plan: &Plan, now: DateTime<Utc>) {
        if self.data.is_whole {
            for trouble in data_trouble::all(plan) {
                self.see_trouble(&trouble, plan, now);
            }
        }
        if self.data.tells_of_banks() {
            self.see_banks(&plan.data_issues, now);
        }
    }

    fn see_trouble(&mut self, trouble: &DataTrouble, plan: &Plan, now: DateTime<Utc>) {
        let catalogue = self.catalogue;
        let (issues, name) = (&plan.data_issues, |etl| catalogue.etl(etl).name.clone());
        let (subject, state, reason) = match trouble {
            DataTrouble::NoData | DataTrouble::NothingMatches { .. } => {
                let why = issues.unmatched.as_ref().map(|unmatched| unmatched.explain(&plan.etls, catalogue));
                (Subject::Data, AlertState::NothingMatches, why)
            }
            DataTrouble::NoRowFor { etl, .. } => {
                let of_etl = issues.names.unknown_tags.iter().filter(|one| one.etl == *etl);
                let mut why: Vec<String> = of_etl.flat_map(|one| issues.names.explain_tags(one, catalogue)).collect();
                if why.is_empty() {
                    why.push(data_trouble::explain_without_rows(catalogue.etl(*etl)));
                }
                (Subject::Requires(name(*etl)), AlertState::RequiresUnmet, Some(why.join("; ")))
            }
            DataTrouble::TypeMisspelled { etl, .. } => {
                let of_etl = issues.names.similar_types.iter().filter(|one| one.etl == *etl);
                let why: Vec<String> = of_etl.map(|one| one.explain(catalogue)).collect();
                (Subject::ReportType(name(*etl)), AlertState::TypeMisspelled, Some(why.join("; ")))
            }
        };
        self.see(subject, wrong(state, now, reason));
    }

    fn see_banks(&mut self, issues: &DataIssues, now: DateTime<Utc>) {
        for bank in &issues.without_data {
            self.see(Subject::Bank(bank.clone(), None), wrong(AlertState::BankWithoutData, now, None));
        }
        for late in &issues.late_banks {
            let subject = Subject::Bank(late.behind.bank.clone(), Some(late.behind.period));
            // It may be late with data of several kinds: the first says it.
            if !self.seen.contains_key(&subject) {
                let since = late.expected_by.and_time(NaiveTime::MIN).and_utc();
                self.see(subject, wrong(AlertState::BankLate, since, Some(late.to_string())));
            }
        }
    }

    /// What is so of a trouble of the data that the run did not see.
    pub(super) fn unseen_of_data(&self, subject: &Subject) -> Sighting {
        let is_etl = |name: &String| self.catalogue.etls.iter().any(|etl| etl.name == *name);
        let compared = self.data.names_are_compared;
        let (is_configured, can_tell) = match subject {
            Subject::Data => (!self.catalogue.etls.is_empty(), compared),
            Subject::Requires(etl) => (is_etl(etl), compared && matches!(self.data.unmatched, None | Some(WhyUnmatched::NoTags))),
            Subject::ReportType(etl) => (is_etl(etl), compared),
            Subject::Bank(bank, _) => {
                let is_monitored = self.catalogue.institutions.iter().any(|(_, one)| one.key == *bank);
                (is_monitored && !self.catalogue.etls.is_empty(), self.data.tells_of_banks())
            }
            Subject::Gap(_) | Subject::Etl(_) | Subject::Lateness(_) => return Sighting::Unknown,
        };
        match (self.data.is_whole, is_configured, can_tell) {
            (true, false, _) => Sighting::Over(Over::Gone),
            (true, true, true) => Sighting::Over(Over::Recovered),
            (false, ..) | (true, true, false) => Sighting::Unknown,
        }
    }
}
