//! What a person should look at in the sources of a run.

use super::super::words::Time;
use crate::plan::decide::source_plan::{Lateness, SourcePlan};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::job::JobState;
use crate::plan::model::source::Source;
use crate::plan::remember::source_state::EMPTY_SUCCESSES;
use crate::plan::run::summary::{JobResult, RunSummary};
use crate::plan::text::span;

/// Each in a line that is safe to show. What this run has caught up on is not named.
pub(in crate::show) fn warnings(summary: &RunSummary, catalogue: &Catalogue) -> Vec<String> {
    let mut lines = Vec::new();
    for plan in &summary.plan.sources {
        let source = catalogue.source(plan.source);
        let results = plan.jobs.iter().filter_map(|job| summary.result_of(job));
        let successes: Vec<&JobResult> = results.filter(|result| result.state == JobState::Succeeded).collect();
        if !summary.has_caught_up(plan) {
            lines.extend(lateness(plan, source, !successes.is_empty()).map(|text| format!("{}: {text}", source.id)));
        }
        let empty = empty_in_a_row(plan.state.empty, &successes);
        if empty >= EMPTY_SUCCESSES {
            lines.push(format!("{}: {empty} successes in a row with 0 records", source.id));
        }
    }
    lines
}

/// Successes in a row with 0 records, after those of earlier runs. A success of unknown size neither counts nor ends the row.
fn empty_in_a_row(before: u32, successes: &[&JobResult]) -> u32 {
    successes.iter().fold(before, |empty, result| match result.collected().and_then(|collected| collected.records) {
        Some(0) => empty + 1,
        Some(_) => 0,
        None => empty,
    })
}

/// Why a source is late, as this run found it; `has_moved` when the run has collected something of it since.
fn lateness(plan: &SourcePlan, source: &Source, has_moved: bool) -> Option<String> {
    let collected = plan.collected_until().map_or("nothing was collected yet".to_owned(), |at| format!("collected until {}", Time(at)));
    let collected = if has_moved { format!("{collected} before this run") } else { collected };
    match plan.lateness {
        Lateness::OnTime => None,
        Lateness::Late => Some(format!("late: {collected}; warn_after is {}", span::exact(source.warn_after))),
        Lateness::Overdue => Some(format!("overdue: {collected}; error_after is {}", span::exact(source.error_after))),
        Lateness::Ahead => Some(format!("{collected}, which is in the future: the clock of this host went back, or was ahead")),
    }
}
