//! How the reports stand.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::facts::{Facts, missing_reports};
use super::issue::{Issue, Trouble};
use crate::plan::decide::data_trouble;
use crate::plan::decide::decision::Decision;
use crate::plan::decide::plan::{BreakerPlan, Plan};
use crate::plan::decide::source_plan::SourceStatus;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::GapKey;
use crate::plan::model::listed::Listed;

/// How many reports there are, and what becomes of those that are missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportCounts {
    pub existing: u64,
    pub missing: u64,
    /// Missing reports that the next run makes, or tries to.
    pub planned: u64,
    pub waiting: u64,
    pub claimed: u64,
    pub unrecorded: u64,
    pub quarantined: u64,
    pub cooling_down: u64,
    /// Left for later runs by `max_jobs`.
    pub capped: u64,
    /// Left alone by an operator's order, and not counted as missing.
    pub skipped: u64,
    /// The report that is known to be missing longest, and since when.
    pub oldest: Option<(GapKey, DateTime<Utc>)>,
}

impl ReportCounts {
    pub(super) fn new(facts: &Facts<'_>) -> Self {
        let plan = facts.plan;
        let since = |key: &GapKey| Some((facts.missing_since.get(key).copied()?, key.clone()));
        let oldest = missing_reports(plan).into_iter().filter_map(since).min();
        Self {
            existing: plan.existing,
            missing: plan.gaps(),
            planned: plan.reports() as u64,
            waiting: plan.waiting.total,
            claimed: plan.claimed.total,
            unrecorded: plan.unrecorded.total,
            quarantined: plan.quarantined.total,
            cooling_down: plan.cooling_down.total,
            capped: plan.capped,
            skipped: plan.skipped.total,
            oldest: oldest.map(|(since, key)| (key, since)),
        }
    }
}

pub(super) fn issues(facts: &Facts<'_>, catalogue: &Catalogue) -> Vec<Issue> {
    let plan = facts.plan;
    let mut issues: Vec<Issue> =
        data_trouble::all(plan).into_iter().map(|trouble| Issue { trouble: Trouble::Data(trouble), since: None }).collect();
    let breaker = |breaker: &BreakerPlan| Issue {
        trouble: Trouble::BreakerOpen { etl: breaker.etl, error: breaker.error.clone() },
        since: Some(breaker.since),
    };
    issues.extend(plan.breakers.iter().map(breaker));
    issues.extend(held_back(plan));
    issues.extend((0..catalogue.etls.len()).flat_map(|etl| too_long(facts, catalogue, etl)));
    issues.extend(unrecorded(facts, catalogue));
    let data = &plan.data_issues;
    if data.invalid_rows > 0 {
        let first = data.invalid.named.first().map(|rows| (rows.which.clone(), rows.problem.clone()));
        issues.push(Issue { trouble: Trouble::InvalidRows { rows: data.invalid_rows, first }, since: None });
    }
    if !data.without_data.is_empty() {
        issues.push(Issue { trouble: Trouble::BanksWithoutData(data.without_data.clone()), since: None });
    }
    issues.extend(data.late_banks.iter().map(|late| Issue { trouble: Trouble::BankLate(late.clone()), since: None }));
    issues
}

/// Reports in quarantine, and reports that failed and rest.
fn held_back(plan: &Plan) -> Vec<Issue> {
    let mut issues = Vec::new();
    if let Some((_, _, error)) = plan.quarantined.named.first() {
        let gaps = plan.quarantined.named.iter().map(|(key, ..)| key.clone()).collect();
        issues.push(Issue {
            trouble: Trouble::Quarantined { gaps: Listed { named: gaps, total: plan.quarantined.total }, error: error.clone() },
            since: plan.quarantined.named.iter().map(|(_, quarantine, _)| quarantine.since).min(),
        });
    }
    if let Some((_, _, error)) = plan.cooling_down.named.first() {
        let gaps = plan.cooling_down.named.iter().map(|(key, ..)| key.clone()).collect();
        issues.push(Issue {
            trouble: Trouble::Failing { gaps: Listed { named: gaps, total: plan.cooling_down.total }, error: error.clone() },
            since: plan.cooling_down.named.iter().map(|(_, rest, _)| rest.since).min(),
        });
    }
    issues
}

/// The reports of an ETL that are missing for too long: those beyond `error_after`, and the others beyond `warn_after`. Those in quarantine
/// are told of as such.
fn too_long(facts: &Facts<'_>, catalogue: &Catalogue, etl: EtlIndex) -> Vec<Issue> {
    let configured = catalogue.etl(etl);
    let is_own = |key: &&GapKey| matches!(key, GapKey::Report { etl, .. } if *etl == configured.name);
    let is_quarantined =
        |key: &&GapKey| matches!(facts.plan.decided.get(*key), Some(decided) if matches!(decided.decision, Decision::Quarantined(_)));
    let own = missing_reports(facts.plan).into_iter().filter(is_own).filter(|key| !is_quarantined(key));
    let aged: Vec<(&GapKey, DateTime<Utc>)> = own.filter_map(|key| Some((key, *facts.missing_since.get(key)?))).collect();
    let limits = configured.gap_age;
    let is_older = |since: DateTime<Utc>, limit: Duration| facts.now - since > TimeDelta::from_std(limit).unwrap_or(TimeDelta::MAX);
    let issue = |limit, is_error, found: Vec<(&GapKey, DateTime<Utc>)>| {
        let since = found.iter().map(|(_, since)| *since).min()?;
        let gaps = found.into_iter().map(|(key, _)| key.clone()).collect();
        Some(Issue { trouble: Trouble::Missing { etl, limit, is_error, gaps }, since: Some(since) })
    };
    let (errors, others): (Vec<_>, Vec<_>) = aged.into_iter().partition(|(_, since)| is_older(*since, limits.error_after));
    let warnings = others.into_iter().filter(|(_, since)| is_older(*since, limits.warn_after)).collect();
    [issue(limits.error_after, true, errors), issue(limits.warn_after, false, warnings)].into_iter().flatten().collect()
}

/// Jobs whose end is not on record, of reports and of sources.
fn unrecorded(facts: &Facts<'_>, catalogue: &Catalogue) -> Option<Issue> {
    let plan = facts.plan;
    let left = facts.left.iter().map(|end| (end.gap.clone(), end.why.clone()));
    let of_reports = plan.unrecorded.named.iter().map(|(key, end)| (key.clone(), end.why.clone()));
    let of_sources = plan.sources.iter().filter_map(|source| match &source.standing {
        SourceStatus::Unrecorded(end) => Some((GapKey::source(&catalogue.source(source.source).id), end.why.clone())),
        SourceStatus::Paused(_)
        | SourceStatus::Skipped(_)
        | SourceStatus::UpToDate
        | SourceStatus::Claimed(_)
        | SourceStatus::Quarantined(_)
        | SourceStatus::CoolingDown(_)
        | SourceStatus::Due => None,
    });
    let mut ends: Vec<(GapKey, String)> = left.chain(of_reports).chain(of_sources).collect();
    ends.sort_by(|one, other| one.0.cmp(&other.0));
    ends.dedup_by(|one, other| one.0 == other.0);
    let why = ends.first()?.1.clone();
    let mut gaps: Listed<GapKey> = ends.into_iter().map(|(gap, _)| gap).collect();
    gaps.total = gaps.total.max(plan.unrecorded.total);
    Some(Issue { trouble: Trouble::Unrecorded { gaps, why }, since: None })
}
