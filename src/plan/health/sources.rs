//! How each source stands.

use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::days::{days_behind, last_whole_day};
use super::issue::{Issue, SourceTrouble, Trouble};
use crate::plan::decide::source_plan::{Lateness, SourcePlan, SourceStatus};
use crate::plan::model::source::{Source, SourceIndex};
use crate::plan::remember::source_state::EMPTY_SUCCESSES;

/// How far the data of a source reaches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceHealth {
    pub source: SourceIndex,
    pub standing: SourceStatus,
    pub lateness: Lateness,
    /// The end of what was collected; `None` where nothing ever was.
    pub collected_until: Option<DateTime<Utc>>,
    /// The last day of which all was collected, in the source's own calendar.
    pub last_day: Option<NaiveDate>,
    /// How many days it is behind, those that cannot be there yet not counted.
    pub days_behind: Option<u64>,
    /// An operator has paused or skipped it.
    pub is_left_alone: bool,
}

impl SourceHealth {
    pub(super) fn new(plan: &SourcePlan, source: &Source, now: DateTime<Utc>) -> Self {
        let collected_until = plan.collected_until();
        let last_day = collected_until.and_then(|until| last_whole_day(source.cadence, until));
        Self {
            source: plan.source,
            standing: plan.standing.clone(),
            lateness: plan.lateness,
            collected_until,
            last_day,
            days_behind: last_day.and_then(|last| days_behind(source, last, now)),
            is_left_alone: is_left_alone(plan),
        }
    }
}

fn is_left_alone(plan: &SourcePlan) -> bool {
    plan.state.paused.is_some() || matches!(plan.standing, SourceStatus::Skipped(_))
}

pub(super) fn issues(plan: &SourcePlan, source: &Source, now: DateTime<Utc>) -> Vec<Issue> {
    let issue = |trouble, since| Issue { trouble: Trouble::Source { source: plan.source, trouble }, since };
    let mut issues = Vec::new();
    match &plan.standing {
        SourceStatus::Skipped(order) if order.holds(now) => {
            let trouble = SourceTrouble::Skipped { by: order.by.clone(), reason: order.reason.clone() };
            issues.push(issue(trouble, Some(order.since)));
        }
        SourceStatus::Quarantined(quarantine) => {
            let trouble = SourceTrouble::Quarantined { windows: None, error: plan.error.clone() };
            issues.push(issue(trouble, Some(quarantine.since)));
        }
        SourceStatus::CoolingDown(rest) => {
            issues.push(issue(SourceTrouble::Failing { windows: None, error: plan.error.clone() }, Some(rest.since)));
        }
        // What is not on record is told of all gaps together.
        SourceStatus::Paused(_)
        | SourceStatus::Skipped(_)
        | SourceStatus::UpToDate
        | SourceStatus::Unrecorded(_)
        | SourceStatus::Claimed(_)
        | SourceStatus::Due => {}
    }
    if let Some(pause) = &plan.state.paused {
        issues.push(issue(SourceTrouble::Paused { by: pause.by.clone(), reason: pause.reason.clone() }, Some(pause.since)));
    }
    issues.extend(of_windows(plan).into_iter().map(|(trouble, since)| issue(trouble, since)));
    if plan.lateness == Lateness::Ahead || !is_left_alone(plan) {
        issues.extend(lateness(plan, source).map(|trouble| issue(trouble, plan.collected_until())));
    }
    if plan.state.empty >= EMPTY_SUCCESSES {
        issues.push(issue(SourceTrouble::Empty { successes: plan.state.empty }, None));
    }
    issues
}

fn lateness(plan: &SourcePlan, source: &Source) -> Option<SourceTrouble> {
    let error = || plan.error.clone();
    match plan.lateness {
        Lateness::Ahead => Some(SourceTrouble::Ahead),
        Lateness::Overdue => Some(SourceTrouble::Overdue { limit: source.error_after, error: error() }),
        Lateness::Late => Some(SourceTrouble::Late { limit: source.warn_after, error: error() }),
        Lateness::OnTime if plan.collected_until().is_none() => Some(SourceTrouble::NeverCollected),
        Lateness::OnTime => None,
    }
}

/// Windows that are held back by their own past, of a source whose windows are independent.
fn of_windows(plan: &SourcePlan) -> Vec<(SourceTrouble, Option<DateTime<Utc>>)> {
    let (mut quarantined, mut failing) = (Vec::new(), Vec::new());
    for held in &plan.held_back {
        match &held.status {
            SourceStatus::Quarantined(quarantine) => quarantined.push((quarantine.since, held)),
            SourceStatus::CoolingDown(rest) => failing.push((rest.since, held)),
            SourceStatus::Paused(_)
            | SourceStatus::Skipped(_)
            | SourceStatus::UpToDate
            | SourceStatus::Unrecorded(_)
            | SourceStatus::Claimed(_)
            | SourceStatus::Due => {}
        }
    }
    let mut found = Vec::new();
    if let Some((since, held)) = quarantined.first() {
        let windows = Some(quarantined.len() as u64);
        found.push((SourceTrouble::Quarantined { windows, error: held.error.clone() }, Some(*since)));
    }
    if let Some((since, held)) = failing.first() {
        found.push((SourceTrouble::Failing { windows: Some(failing.len() as u64), error: held.error.clone() }, Some(*since)));
    }
    found
}

/// Whether what was collected of a source is younger than this.
pub(super) fn too_old(plan: &SourcePlan, max_age: Duration, now: DateTime<Utc>) -> Option<Issue> {
    let until = plan.collected_until();
    let trouble = match until.map(|until| (now - until).to_std()) {
        None => SourceTrouble::NeverCollected,
        Some(Err(_)) => SourceTrouble::Ahead,
        Some(Ok(age)) if age >= max_age => SourceTrouble::TooOld { limit: max_age },
        Some(Ok(_)) => return None,
    };
    Some(Issue { trouble: Trouble::Source { source: plan.source, trouble }, since: until })
}
