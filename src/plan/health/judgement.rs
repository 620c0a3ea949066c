//! The judgement.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::facts::{Facts, RecentRuns};
use super::issue::{Issue, Severity, Trouble};
use super::reports::{self, ReportCounts};
use super::runs;
use super::sources::{self, SourceHealth};
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::health::HealthSettings;

/// How things stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Judgement {
    /// When it was judged.
    pub at: DateTime<Utc>,
    pub status: Status,
    /// The worst first.
    pub issues: Vec<Issue>,
    /// `None` where runs were not looked at.
    pub runs: Option<RecentRuns>,
    /// The sources that were looked at, in order of declaration.
    pub sources: Vec<SourceHealth>,
    /// `None` where reports were not looked at, or no ETL is configured.
    pub reports: Option<ReportCounts>,
}

/// How things stand, in a word.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Status {
    /// Nothing is wrong that is more than a warning.
    Healthy,
    /// Something does not work.
    Unhealthy,
    /// Nothing is known to be wrong, but not everything is known.
    Unknown,
}

impl Judgement {
    fn new(at: DateTime<Utc>, mut issues: Vec<Issue>) -> Self {
        issues.sort_by_key(Issue::severity);
        let status = match issues.first().map(Issue::severity) {
            Some(Severity::Error) => Status::Unhealthy,
            Some(Severity::Unknown) => Status::Unknown,
            Some(Severity::Warning) | None => Status::Healthy,
        };
        Self { at, status, issues, runs: None, sources: Vec::new(), reports: None }
    }

    /// The source that is furthest behind: one of which nothing was ever collected, otherwise by days and then by the end of what was
    /// collected. Those that an operator wants left alone count only where there are no others.
    #[must_use]
    pub fn worst(&self) -> Option<&SourceHealth> {
        let rank = |source: &&SourceHealth| {
            (source.is_left_alone, source.last_day.is_some(), std::cmp::Reverse(source.days_behind), source.collected_until)
        };
        self.sources.iter().min_by_key(rank)
    }

    /// The last day of which the worst source has all data.
    #[must_use]
    pub fn last_data_date(&self) -> Option<NaiveDate> {
        self.worst()?.last_day
    }

    #[must_use]
    pub fn days_behind(&self) -> Option<u64> {
        self.worst()?.days_behind
    }
}

/// Judges everything.
#[must_use]
pub fn judge(facts: Facts<'_>, catalogue: &Catalogue, settings: &HealthSettings) -> Judgement {
    let mut issues = runs::issues(&facts.runs, settings.tick, facts.now);
    for plan in &facts.plan.sources {
        issues.extend(sources::issues(plan, catalogue.source(plan.source), facts.now));
    }
    issues.extend(reports::issues(&facts, catalogue));
    let unseen = facts.unseen.iter().chain(&facts.plan.data_issues.names.unseen);
    issues.extend(unseen.map(|text| Issue { trouble: Trouble::Unseen(text.clone()), since: None }));
    issues.extend(facts.warnings.iter().map(|text| Issue { trouble: Trouble::Noted(text.clone()), since: None }));
    let sources = facts.plan.sources.iter().map(|plan| SourceHealth::new(plan, catalogue.source(plan.source), facts.now)).collect();
    let reports = (!catalogue.etls.is_empty()).then(|| ReportCounts::new(&facts));
    Judgement { sources, reports, runs: Some(facts.runs), ..Judgement::new(facts.now, issues) }
}

/// Judges these sources by one question alone: is what was collected younger than `max_age`?
#[must_use]
pub fn judge_age(plans: &[&SourcePlan], catalogue: &Catalogue, max_age: Duration, now: DateTime<Utc>) -> Judgement {
    let issues = plans.iter().filter_map(|plan| sources::too_old(plan, max_age, now)).collect();
    let sources = plans.iter().map(|plan| SourceHealth::new(plan, catalogue.source(plan.source), now)).collect();
    Judgement { sources, ..Judgement::new(now, issues) }
}
