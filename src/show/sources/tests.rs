//! Sources in every view.

mod json;
mod page;
mod summary;

use std::time::Duration;

use chrono::{DateTime, Utc};
use uuid::Uuid;

use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{Gate, Plan, PlannedJob};
use crate::plan::decide::source_plan::{Lateness, SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::{Collected, Collection, Seen};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{JobState, Owner};
use crate::plan::model::settings::TableName;
use crate::plan::model::source::Source;
use crate::plan::model::target::Target;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Eligibility, Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
use crate::plan::remember::source_state::{LastSuccess, Pause, SourceState};
use crate::plan::run::summary::{JobResult, Results, RunSummary};
use crate::plan::test_support::{etl, plan_of, source_called};
use crate::show::View;
use crate::show::run::RunView;

fn run_as_text(summary: &RunSummary, catalogue: &Catalogue) -> String {
    RunView::new(summary, catalogue, &TableName::parse("aegis_reports").unwrap(), 0).text()
}

fn run_as_json(summary: &RunSummary, catalogue: &Catalogue) -> String {
    RunView::new(summary, catalogue, &TableName::parse("aegis_reports").unwrap(), 0).json().unwrap()
}

fn at(time: &str) -> DateTime<Utc> {
    format!("2026-01-{time}:00:00Z").parse().unwrap()
}

fn window(start: &str, end: &str) -> Window {
    Window { start: at(start), end: at(end) }
}

fn collection(source: usize, window: Window, windows: u64) -> Collection {
    Collection { source, window, windows, remote_id: None }
}

/// Collected until midnight.
fn up_to_date(source: usize) -> SourcePlan {
    SourcePlan {
        source,
        state: SourceState { frontier: Some(at("16T00")), last: Some(last(Some(17))), ..SourceState::default() },
        standing: SourceStatus::UpToDate,
        begin: None,
        new: Vec::new(),
        again: Vec::new(),
        jobs: Vec::new(),
        behind: 0,
        missing: None,
        left: 0,
        next_due: at("16T06"),
        lateness: Lateness::OnTime,
        given_up: Vec::new(),
        held_back: Vec::new(),
        order: None,
        error: None,
        failed_runs: 0,
    }
}

fn last(records: Option<i64>) -> LastSuccess {
    let message = Some("Completed: 17\u{1b}[0m".to_owned());
    let collected = Collected { source: "source_0".to_owned(), window: window("15T18", "16T00"), seen: Seen::Reported, records, message };
    LastSuccess { at: at("16T01"), collected }
}

/// Three windows behind.
fn behind(source: usize, standing: SourceStatus) -> SourcePlan {
    SourcePlan {
        standing,
        behind: 3,
        missing: Some(window("16T00", "16T18")),
        next_due: at("17T00"),
        lateness: Lateness::Late,
        ..up_to_date(source)
    }
}

fn due(source: usize, jobs: Vec<Collection>) -> SourcePlan {
    SourcePlan { jobs, ..behind(source, SourceStatus::Due) }
}

fn pause() -> Pause {
    Pause { since: at("15T09"), by: "ann\u{202e}".to_owned(), reason: "the site \u{1b}[31mmoved\nhouse".to_owned() }
}

const HOSTILE: &str = "HTTP 500\u{1b}[2J\r\nbad";

/// Every standing once, with texts that would control a terminal.
fn all() -> Vec<SourcePlan> {
    let skip = SkipOrder { since: at("15T09"), until: Some(at("20T00")), by: "bob".to_owned(), reason: "no\u{7}".to_owned() };
    let owner = Owner { host: "h\u{1b}c".to_owned(), machine_id: None, boot_id: String::new(), pid: 7, pid_started: 1 };
    let quarantine = Quarantine { since: at("14T00"), why: QuarantineReason::Failures };
    let rest = Rest { since: at("16T17"), until: at("16T19"), why: RestReason::Failed };
    let with_error = |plan: SourcePlan| SourcePlan { error: Some(HOSTILE.to_owned()), failed_runs: 2, ..plan };
    let resumed = Collection { remote_id: Some("r-1".to_owned()), ..collection(6, window("16T06", "16T12"), 1) };
    vec![
        up_to_date(0),
        SourcePlan { state: SourceState { paused: Some(pause()), ..up_to_date(1).state }, ..behind(1, SourceStatus::Paused(pause())) },
        behind(2, SourceStatus::Skipped(skip)),
        behind(3, SourceStatus::Claimed(owner)),
        SourcePlan { lateness: Lateness::Overdue, ..with_error(behind(4, SourceStatus::Quarantined(quarantine))) },
        with_error(behind(5, SourceStatus::CoolingDown(rest))),
        SourcePlan { left: 1, ..with_error(due(6, vec![collection(6, window("16T00", "16T06"), 1), resumed])) },
        SourcePlan { behind: 0, missing: None, lateness: Lateness::OnTime, ..due(7, vec![collection(7, window("10T00", "11T00"), 4)]) },
        SourcePlan { lateness: Lateness::Ahead, ..up_to_date(8) },
    ]
}

fn catalogue(sources: usize) -> Catalogue {
    let named = |number| Source { name: "An \u{1b}[1modd name".to_owned(), ..source_called(&format!("source_{number}")) };
    Catalogue { sources: (0..sources).map(named).collect(), etls: vec![etl("call_summary", "Call Summary")], ..Catalogue::default() }
}

/// A dry run that finds these sources, and looks at no report.
fn report(sources: Vec<SourcePlan>) -> RunSummary {
    let job = |collection: &Collection| PlannedJob {
        target: Target::Collection(collection.clone()),
        key: GapKey::source(&format!("source_{}", collection.source)),
        why: Why::Missing,
        gate: Gate::Open,
        planned_fence: 0,
        fingerprint: None,
    };
    let jobs = sources.iter().flat_map(|plan| &plan.jobs).map(job).collect();
    RunSummary {
        run: None,
        started_at: at("16T18"),
        plan: Plan { sources, ..plan_of(jobs, Vec::new()) },
        outlook: None,
        results: None,
        synced: 0,
        lost: Vec::new(),
        respooled: 0,
        left: Vec::new(),
        warnings: Vec::new(),
    }
}

fn ended(state: JobState, records: Option<i64>, seen: Seen) -> JobResult {
    let collected =
        Collected { source: String::new(), window: window("16T00", "16T06"), seen, records, message: Some("said\u{1b}".to_owned()) };
    JobResult {
        id: JobId::new(Uuid::nil()),
        state,
        attempts: 1,
        exhausted: false,
        duration: Duration::from_secs(2),
        reason: (state == JobState::Failed).then(|| HOSTILE.to_owned()),
        held: Eligibility::Free,
        log: None,
        collected: (state == JobState::Succeeded).then_some(collected),
        metrics: Vec::new(),
        for_want_of_record: false,
    }
}

/// The same as a run, whose jobs ended so.
fn run(sources: Vec<SourcePlan>, jobs: Vec<JobResult>) -> RunSummary {
    let results = Results { jobs, duration: Duration::from_secs(2), ..Results::default() };
    RunSummary { run: Some(RunId::new(Uuid::nil())), results: Some(results), ..report(sources) }
}

/// No character of it controls a terminal.
fn is_safe(text: &str) -> bool {
    !text.chars().any(|character| (character.is_control() && character != '\n') || character == '\u{202e}')
}
