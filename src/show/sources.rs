//! What is said of disclosure sources: in the summary of a run, and by `etl-orch sources`.

mod json;
mod page;
#[cfg(test)]
mod tests;

pub use page::{SourceView, sources_as_json, sources_as_text};

pub(super) use json::{SourceEntry, entry};

use super::escape::{escaped, excerpt};
use super::summary::{count, last_error, quarantined, resting, skipped, time};
use crate::plan::decide::source_plan::{Lateness, SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::{Collected, Collection, Seen};
use crate::plan::model::job::JobState;
use crate::plan::model::source::Source;
use crate::plan::remember::source_state::Pause;
use crate::plan::run::summary::{JobResult, RunSummary};

/// Sources with nothing to say of them that have a line each; more share one.
const LINES: usize = 3;

/// Successes in a row without a record that are worth a warning.
const EMPTY: u32 = 3;

/// `SOURCES: 5 sources, 2 due, 1 paused, 1 overdue`.
pub(super) fn heading(plans: &[SourcePlan]) -> String {
    let of = |name: &'static str, is: fn(&SourcePlan) -> bool| (name, plans.iter().filter(|plan| is(plan)).count());
    let counts = [
        of("due", |plan| plan.standing == SourceStatus::Due),
        of("paused", |plan| plan.state.paused.is_some()),
        of("skipped", |plan| matches!(plan.standing, SourceStatus::Skipped(_))),
        of("running elsewhere", |plan| matches!(plan.standing, SourceStatus::Claimed(_))),
        of("quarantined", |plan| matches!(plan.standing, SourceStatus::Quarantined(_))),
        of("cooling down", |plan| matches!(plan.standing, SourceStatus::CoolingDown(_))),
        of("late", |plan| plan.lateness == Lateness::Late),
        of("overdue", |plan| plan.lateness == Lateness::Overdue),
        of("ahead of the clock", |plan| plan.lateness == Lateness::Ahead),
    ];
    let sources = count(plans.len() as u64, "source");
    let counted = counts.into_iter().filter(|(_, number)| *number > 0).map(|(name, number)| format!("{number} {name}"));
    let fine = plans.iter().all(is_fine).then(|| "all up to date".to_owned());
    let parts: Vec<String> = std::iter::once(sources).chain(counted).chain(fine).collect();
    format!("SOURCES: {}", parts.join(", "))
}

/// A line for each source; where many are up to date, one for all of them.
pub(super) fn lines(plans: &[SourcePlan], catalogue: &Catalogue) -> Vec<String> {
    let id = |plan: &SourcePlan| catalogue.sources[plan.source].id.as_str();
    let fine: Vec<&SourcePlan> = plans.iter().filter(|plan| is_fine(plan)).collect();
    let shared = fine.len() > LINES;
    let mut lines: Vec<String> =
        plans.iter().filter(|plan| !shared || !is_fine(plan)).map(|plan| format!("{}: {}", id(plan), standing(plan))).collect();
    if shared {
        let ids: Vec<&str> = fine.iter().map(|plan| id(plan)).collect();
        let next = fine.iter().map(|plan| plan.next_due).min().map(|due| format!("; next due {}", time(due))).unwrap_or_default();
        lines.push(format!("{}: up to date{next}", ids.join(", ")));
    }
    lines
}

/// Whether there is nothing to say of it but that.
fn is_fine(plan: &SourcePlan) -> bool {
    plan.standing == SourceStatus::UpToDate
        && plan.lateness == Lateness::OnTime
        && plan.state.frontier.is_some()
        && plan.state.paused.is_none()
}

/// What is done about a source and why, in a sentence that is safe to show.
fn standing(plan: &SourcePlan) -> String {
    let text = match &plan.standing {
        SourceStatus::UpToDate => {
            let until = plan.state.frontier.map(|until| format!("up to date, collected until {}", time(until)));
            let until = until.unwrap_or_else(|| "nothing was due yet".to_owned());
            let paused = plan.state.paused.as_ref().map(|pause| format!("; {}", paused(pause))).unwrap_or_default();
            format!("{until}; next due {}{paused}", time(plan.next_due))
        }
        SourceStatus::Paused(pause) => paused(pause) + &behind(plan),
        SourceStatus::Skipped(order) => format!("skipped {}{}", skipped(order), behind(plan)),
        SourceStatus::Claimed(owner) => format!("running elsewhere, {}{}", escaped(&owner.to_string()), behind(plan)),
        SourceStatus::Quarantined(quarantine) => {
            format!("quarantined {}{}{}", quarantined(*quarantine), last_error(plan.error.as_deref()), behind(plan))
        }
        SourceStatus::CoolingDown(rest) => format!("cooling down, {}{}", resting(*rest, plan.error.as_deref()), behind(plan)),
        SourceStatus::Due => due(plan),
    };
    text + mark(plan.lateness)
}

fn mark(lateness: Lateness) -> &'static str {
    match lateness {
        Lateness::OnTime => "",
        Lateness::Late => " (late)",
        Lateness::Overdue => " (OVERDUE)",
        Lateness::Ahead => " (ahead of the clock)",
    }
}

fn paused(pause: &Pause) -> String {
    format!("paused by {} since {}: {}", excerpt(&pause.by), time(pause.since), excerpt(&pause.reason))
}

/// `; 3 windows behind, from A to B`.
fn behind(plan: &SourcePlan) -> String {
    if plan.behind == 0 { String::new() } else { format!("; {}", backlog(plan)) }
}

fn backlog(plan: &SourcePlan) -> String {
    let span = plan.missing.map(|missing| format!(", from {} to {}", time(missing.start), time(missing.end))).unwrap_or_default();
    format!("{} behind{span}", count(plan.behind, "window"))
}

fn due(plan: &SourcePlan) -> String {
    let windows = plan.jobs.iter().map(|job| job.windows).sum();
    let what = if plan.behind == 0 { format!("{} asked for", count(windows, "window")) } else { backlog(plan) };
    let jobs = if plan.jobs.is_empty() { "none now".to_owned() } else { format!("in {}", count(plan.jobs.len() as u64, "job")) };
    let resumed = match plan.jobs.iter().filter(|job| job.remote.is_some()).count() {
        0 => String::new(),
        resumed if resumed == plan.jobs.len() => ", begun by the service before".to_owned(),
        resumed => format!(", {resumed} of them begun by the service before"),
    };
    let left = if plan.left > 0 { format!("; {} left for later runs", plan.left) } else { String::new() };
    let failed = plan.error.as_ref().map(|error| format!("; failed before: {}", excerpt(error))).unwrap_or_default();
    format!("due, {what}, {jobs}{resumed}{left}{failed}")
}

/// `17 records, reported (not verified)`, with what the collector said.
pub(super) fn collected(collected: &Collected) -> String {
    let records = collected.records.map_or("number of records unknown".to_owned(), |records| match records {
        1 => "1 record".to_owned(),
        _ => format!("{records} records"),
    });
    let seen = match collected.seen {
        Seen::Reported => "reported (not verified)",
        Seen::Verified => "verified",
    };
    let said = collected.message.as_ref().map(|message| format!(": {}", excerpt(message))).unwrap_or_default();
    format!("{records}, {seen}{said}")
}

/// What a person should look at, each in a line that is safe to show. What this run has put right is not named.
pub(super) fn warnings(report: &RunSummary, catalogue: &Catalogue) -> Vec<String> {
    let mut lines = Vec::new();
    for plan in &report.plan.sources {
        let source = &catalogue.sources[plan.source];
        let results: Vec<Option<&JobResult>> = plan.jobs.iter().map(|job| result_of(report, job)).collect();
        let is_caught_up = !results.is_empty() && plan.left == 0 && results.iter().all(|result| result.is_some_and(is_success));
        if !is_caught_up {
            let has_moved = results.iter().flatten().any(|result| is_success(result));
            lines.extend(lateness(plan, source, has_moved).map(|text| format!("{}: {text}", source.id)));
        }
        let empty = results.into_iter().flatten().filter(|result| is_success(result)).fold(plan.state.empty, |empty, result| match result
            .collected()
            .and_then(|collected| collected.records)
        {
            Some(0) => empty + 1,
            Some(_) => 0,
            None => empty,
        });
        if empty >= EMPTY {
            lines.push(format!("{}: {empty} successes in a row with 0 records", source.id));
        }
    }
    lines
}

/// Why a source is late, as this run found it; `has_moved` when it has collected something of it since.
fn lateness(plan: &SourcePlan, source: &Source, has_moved: bool) -> Option<String> {
    let collected = plan.state.frontier.map_or("nothing was collected yet".to_owned(), |at| format!("collected until {}", time(at)));
    let collected = if has_moved { format!("{collected} before this run") } else { collected };
    match plan.lateness {
        Lateness::OnTime => None,
        Lateness::Late => Some(format!("late: {collected}; warn_after is {}", humantime::format_duration(source.warn_after))),
        Lateness::Overdue => Some(format!("overdue: {collected}; error_after is {}", humantime::format_duration(source.error_after))),
        Lateness::Ahead => Some(format!("{collected}, which is in the future: the clock of this host went back, or was ahead")),
    }
}

fn is_success(result: &JobResult) -> bool {
    result.state == JobState::Succeeded
}

/// What became of a source's job in this run.
pub(super) fn result_of<'a>(report: &'a RunSummary, job: &Collection) -> Option<&'a JobResult> {
    let jobs = &report.plan.jobs;
    let is_it = |other: &Collection| other.source == job.source && other.window == job.window;
    let position = jobs.iter().position(|planned| planned.collection().is_some_and(is_it))?;
    report.results.as_ref()?.jobs.get(position)
}
