//! How things stand: the page of `etl-orch health`, and `health.json`.

mod issue;

#[cfg(test)]
mod tests;
mod text;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::View;
use super::command_line::CommandLine;
use super::names::{Named, by_name};
use super::outcome::{Cause, Error};
use super::words::{Time, Untrusted};
use crate::plan::decide::source_plan::{Lateness, SourceStatus};
use crate::plan::health::facts::{EndedRun, OpenRun, RecentRuns};
use crate::plan::health::judgement::{Judgement, Status};
use crate::plan::health::recovery::Action;
use crate::plan::health::reports::ReportCounts;
use crate::plan::health::sources::SourceHealth;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::RunState;
use issue::IssueView;

/// How things stand. The first five keys are those that users' programs know from before.
#[derive(Debug, Serialize)]
pub struct HealthView<'a> {
    exit_code: u8,
    status: &'static str,
    last_data_date: Option<NaiveDate>,
    days_behind: Option<u64>,
    action: &'static str,
    /// When it was judged.
    timestamp: Time,
    /// The source that the date and the days are of.
    worst_source: Option<&'a str>,
    /// Why it could not be judged.
    error: Option<Error>,
    issues: Vec<IssueView<'a>>,
    runs: Option<RunsView<'a>>,
    sources: Vec<SourceEntry<'a>>,
    reports: Option<ReportsView>,
}

#[derive(Debug, Serialize)]
struct RunsView<'a> {
    last: Option<LastRun>,
    active: Vec<OpenRunView<'a>>,
    died: Vec<OpenRunView<'a>>,
}

#[derive(Debug, Serialize)]
struct LastRun {
    id: RunId,
    #[serde(serialize_with = "by_name")]
    state: RunState,
    started_at: Time,
    ended_at: Time,
}

#[derive(Debug, Serialize)]
struct OpenRunView<'a> {
    id: RunId,
    host: Untrusted<'a>,
    pid: u32,
    started_at: Time,
}

#[derive(Debug, Serialize)]
struct SourceEntry<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(serialize_with = "by_name")]
    standing: &'a SourceStatus,
    #[serde(serialize_with = "by_name")]
    lateness: Lateness,
    collected_until: Option<Time>,
    last_data_date: Option<NaiveDate>,
    days_behind: Option<u64>,
}

#[derive(Debug, Serialize)]
struct ReportsView {
    existing: u64,
    missing: u64,
    planned: u64,
    waiting: u64,
    claimed: u64,
    unrecorded: u64,
    quarantined: u64,
    cooling_down: u64,
    capped: u64,
    skipped: u64,
    oldest: Option<OldestView>,
}

/// The report that is known to be missing longest.
#[derive(Debug, Serialize)]
struct OldestView {
    gap: String,
    since: Time,
}

impl<'a> HealthView<'a> {
    /// The view of a judgement, and what was done about it. The process ends with this code; `next` is how commands are called.
    pub fn new(judgement: &'a Judgement, action: Action, catalogue: &'a Catalogue, exit_code: u8, next: &CommandLine) -> Self {
        Self {
            exit_code,
            status: judgement.status.name(),
            last_data_date: judgement.last_data_date(),
            days_behind: judgement.days_behind(),
            action: action.name(),
            timestamp: Time(judgement.at),
            worst_source: judgement.worst().map(|worst| catalogue.source(worst.source).id.as_str()),
            error: None,
            issues: judgement.issues.iter().map(|issue| IssueView::new(issue, judgement.at, catalogue, next)).collect(),
            runs: judgement.runs.as_ref().map(RunsView::from),
            sources: judgement.sources.iter().map(|source| SourceEntry::new(source, catalogue)).collect(),
            reports: judgement.reports.as_ref().map(ReportsView::from),
        }
    }

    /// The view of what could not be judged, and why. `class` is the kind of error, for programs.
    pub fn of_error(exit_code: u8, class: &'static str, message: &str, causes: Vec<Cause>, action: Action, now: DateTime<Utc>) -> Self {
        Self {
            exit_code,
            status: "error",
            last_data_date: None,
            days_behind: None,
            action: action.name(),
            timestamp: Time(now),
            worst_source: None,
            error: Some(Error::new(class, message, causes)),
            issues: Vec::new(),
            runs: None,
            sources: Vec::new(),
            reports: None,
        }
    }
}

impl View for HealthView<'_> {
    fn kind(&self) -> &'static str {
        "health"
    }

    fn text(&self) -> String {
        text::page(self)
    }
}

impl Named for Status {
    fn name(&self) -> &'static str {
        match self {
            Self::Healthy => "healthy",
            Self::Unhealthy => "unhealthy",
            Self::Unknown => "unknown",
        }
    }
}

impl<'a> From<&'a RecentRuns> for RunsView<'a> {
    fn from(runs: &'a RecentRuns) -> Self {
        Self {
            last: runs.last.as_ref().map(LastRun::from),
            active: runs.active.iter().map(OpenRunView::from).collect(),
            died: runs.dead.iter().map(OpenRunView::from).collect(),
        }
    }
}

impl From<&EndedRun> for LastRun {
    fn from(run: &EndedRun) -> Self {
        Self { id: run.id, state: run.state, started_at: Time(run.started_at), ended_at: Time(run.ended_at) }
    }
}

impl<'a> From<&'a OpenRun> for OpenRunView<'a> {
    fn from(run: &'a OpenRun) -> Self {
        Self { id: run.id, host: run.host.as_str().into(), pid: run.pid, started_at: Time(run.started_at) }
    }
}

impl<'a> SourceEntry<'a> {
    fn new(health: &'a SourceHealth, catalogue: &'a Catalogue) -> Self {
        let source = catalogue.source(health.source);
        Self {
            id: &source.id,
            name: &source.name,
            standing: &health.standing,
            lateness: health.lateness,
            collected_until: health.collected_until.map(Time),
            last_data_date: health.last_day,
            days_behind: health.days_behind,
        }
    }
}

impl From<&ReportCounts> for ReportsView {
    fn from(counts: &ReportCounts) -> Self {
        let ReportCounts { existing, missing, planned, waiting, claimed, unrecorded, quarantined, cooling_down, capped, skipped, oldest } =
            counts;
        Self {
            existing: *existing,
            missing: *missing,
            planned: *planned,
            waiting: *waiting,
            claimed: *claimed,
            unrecorded: *unrecorded,
            quarantined: *quarantined,
            cooling_down: *cooling_down,
            capped: *capped,
            skipped: *skipped,
            oldest: oldest.as_ref().map(|(gap, since)| OldestView { gap: gap.to_string(), since: Time(*since) }),
        }
    }
}
