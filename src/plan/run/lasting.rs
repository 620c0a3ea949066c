//! What lasts from run to run, such as a quarantine. A quiet run says it when it is new, and once a day after that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::plan::decide::data_trouble;
use crate::plan::decide::source_plan::{SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::remember::arrivals::tags_on_record;
use crate::plan::remember::daily;
use crate::plan::remember::failure_history::{Eligibility, Quarantine};
use crate::plan::remember::fingerprint::digest;
use crate::plan::run::summary::RunSummary;

/// What holds at the end of a run, and will in the next ones unless somebody does something. Each thing is a digest, the same as long as
/// that thing holds.
#[must_use]
pub fn of(summary: &RunSummary, catalogue: &Catalogue) -> BTreeSet<String> {
    let (plan, issues) = (&summary.plan, &summary.plan.data_issues);
    let etl = |index| catalogue.etl(index).name.as_str();
    let mut all = BTreeSet::new();
    let mut add = |parts: &[&str]| {
        all.insert(digest(parts.iter().copied()));
    };
    for rows in &issues.invalid.named {
        add(&["invalid", &rows.which, &rows.problem]);
    }
    for (kind, unnamed) in [("invalid", issues.invalid.unnamed()), ("quarantined", plan.quarantined.unnamed())] {
        if unnamed > 0 {
            add(&[kind, &unnamed.to_string()]);
        }
    }
    issues.without_data.iter().for_each(|bank| add(&["without data", bank]));
    for late in &issues.late_banks {
        add(&["late bank", &late.behind.bank, &late.behind.period.compact(), &tags_on_record(&late.tags)]);
    }
    issues.spelled_twice.iter().for_each(|bank| add(&["spelled twice", bank]));
    for one in &issues.names.unknown_tags {
        one.tags.iter().for_each(|tag| add(&["unknown tag", etl(one.etl), tag]));
    }
    for index in data_trouble::without_rows_alone(issues) {
        add(&["no row", etl(index)]);
    }
    issues.names.similar_types.iter().for_each(|one| add(&["similar type", etl(one.etl), &one.found.name]));
    plan.breakers.iter().for_each(|breaker| add(&["breaker", etl(breaker.etl)]));
    for (gap, owner) in &plan.claimed.named {
        add(&["claimed", &gap.to_string(), &owner.to_string()]);
    }
    for (gap, quarantine) in quarantines(summary, catalogue) {
        add(&["quarantined", &gap, quarantine.why.name()]);
    }
    for source in plan.sources.iter().filter(|source| !summary.has_caught_up(source)) {
        add(&["source", &catalogue.source(source.source).id, &format!("{:?}", source.lateness)]);
    }
    summary.warnings.iter().for_each(|warning| add(&["warning", warning]));
    all
}

/// The gaps that are in quarantine after the run.
fn quarantines(summary: &RunSummary, catalogue: &Catalogue) -> Vec<(String, Quarantine)> {
    let plan = &summary.plan;
    let reports = plan.quarantined.named.iter().map(|(gap, quarantine, _)| (gap.to_string(), *quarantine));
    let standing = |status: &SourceStatus| match status {
        SourceStatus::Quarantined(quarantine) => Some(*quarantine),
        SourceStatus::Paused(_)
        | SourceStatus::Skipped(_)
        | SourceStatus::UpToDate
        | SourceStatus::Unrecorded(_)
        | SourceStatus::Claimed(_)
        | SourceStatus::CoolingDown(_)
        | SourceStatus::Due => None,
    };
    let of_source = |plan: &SourcePlan| {
        let source = catalogue.source(plan.source);
        let whole = standing(&plan.standing).map(|quarantine| (format!("source:{}", source.id), quarantine));
        let windows = plan.held_back.iter().filter_map(|held| Some((source.gap_key(held.window).to_string(), standing(&held.status)?)));
        whole.into_iter().chain(windows).collect::<Vec<_>>()
    };
    let results = summary.results.iter().flat_map(|results| plan.jobs.iter().zip(&results.jobs));
    let new = results.filter_map(|(job, result)| match result.held {
        Eligibility::Quarantined(quarantine) => Some((job.key.to_string(), quarantine)),
        Eligibility::Free | Eligibility::Resting(_) => None,
    });
    reports.chain(plan.sources.iter().flat_map(of_source)).chain(new).collect()
}

/// What quiet runs said last, by their options.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said(BTreeMap<String, SaidBy>);

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct SaidBy {
    /// When all of it was said.
    at: DateTime<Utc>,
    lasting: BTreeSet<String>,
}

/// What a quiet run does about what lasts.
#[derive(Debug, PartialEq, Eq)]
pub struct Say {
    /// Whether it says it now.
    pub now: bool,
    /// What is to be remembered after that; `None` where nothing changes.
    pub said: Option<Said>,
}

impl Said {
    /// What lasted when runs with these options said it last, and when that was.
    #[must_use]
    pub fn last(&self, options: &str) -> Option<(DateTime<Utc>, &BTreeSet<String>)> {
        self.0.get(options).map(|said| (said.at, &said.lasting))
    }

    /// What a run with these options does at this time, where runs start every `tick`. `is_noteworthy`: it speaks in any case, and then says
    /// everything.
    #[must_use]
    pub fn next(&self, options: &str, lasting: BTreeSet<String>, is_noteworthy: bool, (now, tick): (DateTime<Utc>, Duration)) -> Say {
        let last = self.0.get(options);
        let has_new = last.map_or(!lasting.is_empty(), |last| !lasting.is_subset(&last.lasting));
        let again = last.filter(|_| !lasting.is_empty()).and_then(|last| daily::again(last.at, now, tick));
        let at = match (last, is_noteworthy || has_new) {
            (Some(last), false) => again.unwrap_or(last.at),
            (Some(_), true) | (None, _) => now,
        };
        // What other options said is old when it would be said anew anyway.
        let mut next = self.0.clone();
        next.retain(|of, said| of != options && daily::again(said.at, now, tick).is_none());
        if !lasting.is_empty() {
            next.insert(options.to_owned(), SaidBy { at, lasting });
        }
        let next = Self(next);
        Say { now: is_noteworthy || has_new || again.is_some(), said: (next != *self).then_some(next) }
    }
}

#[cfg(test)]
mod tests;
