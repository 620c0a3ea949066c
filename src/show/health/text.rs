//! The page for people: the verdict, what is wrong and what mends it, then how everything stands.

use std::time::Duration;

use super::super::names::Named;
use super::super::terminal::page_width;
use super::super::words::{brief, count, wrapped};
use super::{HealthView, RunsView, SourceEntry};
use crate::plan::decide::source_plan::Lateness;
use crate::plan::health::issue::Severity;
use crate::plan::health::recovery::Action;

/// What stands before a command.
const COMMAND: &str = "  $ ";

pub(super) fn page(view: &HealthView<'_>) -> String {
    let width = page_width();
    let mut lines = vec![verdict(view)];
    lines.extend(view.error.iter().flat_map(|error| error.message().lines()).map(|line| format!("  {line}")));
    lines.extend(data(view));
    lines.extend(action(view.action));
    for issue in &view.issues {
        lines.push(String::new());
        lines.push(format!("{}: {}", issue.severity.name(), issue.what));
        lines.extend(issue.command.iter().map(|command| format!("{COMMAND}{command}")));
    }
    let standing: Vec<String> = standing(view).collect();
    if !standing.is_empty() {
        lines.push(String::new());
        lines.extend(standing);
    }
    // A command that is broken into two lines is two commands.
    let fitted = |line: &String| if line.starts_with(COMMAND) { line.clone() } else { wrapped(line, width).into_owned() };
    lines.iter().map(|line| fitted(line) + "\n").collect()
}

/// `UNHEALTHY: 2 errors, 1 warning (2026-…)`.
fn verdict(view: &HealthView<'_>) -> String {
    let of = |severity| view.issues.iter().filter(|issue| issue.severity == severity).count() as u64;
    let counts = [
        (of(Severity::Error), count(of(Severity::Error), "error")),
        (of(Severity::Unknown), format!("{} not known", of(Severity::Unknown))),
        (of(Severity::Warning), count(of(Severity::Warning), "warning")),
    ];
    let counts: Vec<String> = counts.into_iter().filter(|(number, _)| *number > 0).map(|(_, text)| text).collect();
    let counts = if counts.is_empty() { String::new() } else { format!(": {}", counts.join(", ")) };
    format!("{}{counts} ({})", view.status.to_uppercase(), view.timestamp)
}

/// How far the data reaches.
fn data(view: &HealthView<'_>) -> Option<String> {
    let id = view.worst_source?;
    Some(match (view.last_data_date, view.days_behind) {
        (Some(day), Some(behind)) => format!("data: all days until {day}, {} ({id})", behind_by(behind)),
        (Some(day), None) => format!("data: all days until {day} ({id})"),
        (None, _) => format!("data: none yet ({id})"),
    })
}

fn behind_by(days: u64) -> String {
    if days == 0 { "not behind".to_owned() } else { format!("{} behind", count(days, "day")) }
}

fn action(name: &str) -> Option<String> {
    let of = |action: Action| action.name() == name;
    let text = if of(Action::TriggeredCatchUp) {
        "a run was made to catch up"
    } else if of(Action::AlreadyRunning) {
        "a run is at work already"
    } else if of(Action::CatchUpSuspended) {
        "no run was made: the last recoveries did not help; `etl-orch retry` ends that"
    } else {
        return None;
    };
    Some(format!("action: {text}"))
}

/// Runs, sources and reports in a line each.
fn standing<'v>(view: &'v HealthView<'_>) -> impl Iterator<Item = String> + 'v {
    let runs = view.runs.as_ref().map(|runs| run_line(runs, view));
    let sources = view.sources.iter().map(source_line);
    let reports = view.reports.as_ref().map(|reports| {
        let parts = [
            (reports.planned, "to be made"),
            (reports.waiting, "waiting"),
            (reports.claimed, "being made"),
            (reports.unrecorded, "not on record"),
            (reports.cooling_down, "cooling down"),
            (reports.quarantined, "quarantined"),
            (reports.capped, "left for later runs"),
        ];
        let parts: Vec<String> =
            parts.into_iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{number} {what}")).collect();
        let parts = if parts.is_empty() { String::new() } else { format!(" ({})", parts.join(", ")) };
        format!("reports: {} there, {} missing{parts}", reports.existing, reports.missing)
    });
    runs.into_iter().chain(sources).chain(reports)
}

fn run_line(runs: &RunsView<'_>, view: &HealthView<'_>) -> String {
    let last = runs.last.as_ref().map_or_else(
        || "none has ended yet".to_owned(),
        |last| {
            let ago: Option<Duration> = (view.timestamp.0 - last.ended_at.0).to_std().ok();
            let ago = ago.map(|ago| format!(", {} ago", brief(ago))).unwrap_or_default();
            format!("the last {} {}{ago}", last.state.name(), last.ended_at)
        },
    );
    let active: Vec<String> = runs.active.iter().map(|run| format!("; {} is under way since {}", run.id.short(), run.started_at)).collect();
    format!("runs: {last}{}", active.concat())
}

fn source_line(source: &SourceEntry<'_>) -> String {
    let days = match (source.last_data_date, source.days_behind) {
        (Some(day), Some(behind)) => format!("all days until {day}, {}", behind_by(behind)),
        (Some(day), None) => format!("all days until {day}"),
        (None, _) => "nothing collected yet".to_owned(),
    };
    let lateness = match source.lateness {
        Lateness::OnTime => "",
        Lateness::Late => ", late",
        Lateness::Overdue => ", OVERDUE",
        Lateness::Ahead => ", ahead of the clock",
    };
    format!("{}: {}, {days}{lateness}", source.id, source.standing.name().replace('_', " "))
}
