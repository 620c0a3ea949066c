//! The metrics of a run.
//!
//! What a run could not look at has no metric: it is neither 0 nor what it was.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::exposition::{Exposition, Labels, value_in};
use crate::plan::decide::plan::PlannedJob;
use crate::plan::decide::source_plan::Lateness;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::job::JobState;
use crate::plan::model::target::Target;
use crate::plan::run::standing::{SourceStanding, Standing};
use crate::plan::run::summary::{JobResult, RunSummary};
use crate::plan::run::told::{RunBegin, RunEnd};

/// The time of the last success, which the file keeps over runs that fail.
const LAST_SUCCESS: &str = "etl_orch_last_success_timestamp_seconds";

/// Most sums of metrics that children named.
const MOST_SAID: usize = 200;

/// The states in which jobs of a run end; others are none of its own.
const ENDS: [JobState; 5] = [JobState::Succeeded, JobState::Failed, JobState::Skipped, JobState::Cancelled, JobState::Lost];

/// The text of the metrics of a run, given the text of the run before.
pub(super) fn text(run: &RunBegin, end: &RunEnd, before: &str) -> String {
    let mut text = Exposition::default();
    of_run(&mut text, run, end, before);
    if let Ok(summary) = &end.outcome {
        let standing = Standing::of(summary);
        of_reports(&mut text, summary, &standing, &run.catalogue);
        of_jobs(&mut text, summary, &run.catalogue);
        of_sources(&mut text, &standing.sources, &run.catalogue);
    }
    text.into_text()
}

fn of_run(text: &mut Exposition, run: &RunBegin, end: &RunEnd, before: &str) {
    let (ended, is_success) = (seconds(end.at), end.is_success);
    let took = end.at.signed_duration_since(run.at).to_std().unwrap_or_default();
    text.gauge("etl_orch_build_info", "The version of etl-orch.", [(vec![("version", env!("CARGO_PKG_VERSION"))], 1.0)]);
    text.value("etl_orch_last_run_timestamp_seconds", "When the last run ended.", ended);
    text.value("etl_orch_last_run_duration_seconds", "How long the last run took.", took.as_secs_f64());
    text.value("etl_orch_last_run_exit_code", "The exit code of the last run.", f64::from(end.exit_code));
    text.value(
        "etl_orch_last_run_success",
        "Whether the last run did what it should: exit code 0, or 5 of --detailed-exit-code.",
        f64::from(u8::from(is_success)),
    );
    let last_success = if is_success { Some(ended) } else { value_in(before, LAST_SUCCESS) };
    text.value(LAST_SUCCESS, "When the last run ended that did what it should.", last_success);
}

fn of_reports(text: &mut Exposition, summary: &RunSummary, standing: &Standing, catalogue: &Catalogue) {
    let Some(results) = &summary.results else { return };
    if !catalogue.etls.is_empty() {
        text.value("etl_orch_reports", "Reports that exist for the data that is available.", number(standing.reports));
        let gaps = standing.gaps.by_state().map(|(state, gaps)| (vec![("state", state)], number(gaps)));
        text.gauge("etl_orch_gaps", "Reports that are missing, by what keeps them from being made.", gaps);
    }
    let breakers = catalogue.etls.iter().enumerate();
    let breakers = breakers.map(|(etl, named)| (vec![("etl", named.name.as_str())], truth(results.open_breakers.contains(&etl))));
    text.gauge("etl_orch_breaker_open", "Whether an ETL is taken for broken.", breakers);
    let invalid = number(summary.plan.data_issues.invalid_rows);
    text.value("etl_orch_invalid_rows", "Rows of the availability table that cannot be read.", invalid);
    let unrecorded = number(summary.left.len() as u64 + results.spooled.len() as u64);
    text.value("etl_orch_spooled_ends", "Ends of jobs that the database has not taken yet.", unrecorded);
    text.value("etl_orch_last_run_warnings", "Warnings of the last run.", number(summary.warnings.len() as u64));
}

fn of_jobs(text: &mut Exposition, summary: &RunSummary, catalogue: &Catalogue) {
    let Some(results) = &summary.results else { return };
    let jobs: Vec<(&PlannedJob, &JobResult)> = summary.plan.jobs.iter().zip(&results.jobs).collect();
    let etls = catalogue.etls.iter().enumerate().map(|(etl, named)| ("etl", named.name.as_str(), Owner::Etl(etl)));
    let sources = catalogue.sources.iter().enumerate().map(|(source, named)| ("source", named.id.as_str(), Owner::Source(source)));
    let owners: Vec<(&'static str, &str, Owner)> = etls.chain(sources).collect();
    for (label, name, help) in [
        ("etl", "etl_orch_last_run_jobs", "Jobs of the last run that make reports, by how they ended."),
        ("source", "etl_orch_last_run_collections", "Jobs of the last run that collect sources, by how they ended."),
    ] {
        let of_kind = owners.iter().filter(|(kind, ..)| *kind == label);
        let samples = of_kind.flat_map(|(_, owner, index)| {
            let states = jobs.iter().filter(|(job, _)| Owner::of(job) == *index).map(|(_, result)| ended(result.state));
            let states: Vec<JobState> = states.collect();
            ENDS.map(|state| {
                let jobs = states.iter().filter(|ended| **ended == state).count() as u64;
                (vec![(label, *owner), ("state", state.name())], number(jobs))
            })
        });
        text.gauge(name, help, samples);
    }
    let mut said: BTreeMap<(&'static str, &str, &str), f64> = BTreeMap::new();
    for (job, result) in &jobs {
        let Some((label, owner, _)) = owners.iter().find(|(.., index)| *index == Owner::of(job)) else { continue };
        for metric in &result.metrics {
            *said.entry((*label, *owner, metric.name.as_str())).or_default() += metric.value;
        }
    }
    let said = said.iter().take(MOST_SAID).map(|((label, owner, metric), sum)| (vec![(*label, *owner), ("metric", *metric)], *sum));
    text.gauge("etl_orch_last_run_metric", "Sums of what the jobs of the last run said, such as llm_cost_usd.", said);
}

fn of_sources(text: &mut Exposition, sources: &[SourceStanding], catalogue: &Catalogue) {
    let mut gauge = |name: &str, help: &str, value: &dyn Fn(&SourceStanding) -> Option<f64>| {
        let id = |source: &SourceStanding| catalogue.source(source.source).id.as_str();
        let samples: Vec<(Labels<'_>, f64)> =
            sources.iter().filter_map(|source| Some((vec![("source", id(source))], value(source)?))).collect();
        text.gauge(name, help, samples);
    };
    let until = |source: &SourceStanding| source.collected_until.map(seconds);
    gauge("etl_orch_source_collected_until_timestamp_seconds", "The end of what was collected of a source without a hole.", &until);
    gauge("etl_orch_source_windows_behind", "Windows of a source that are due and not collected.", &|source| Some(number(source.behind)));
    let is = |lateness: Lateness| move |source: &SourceStanding| Some(truth(source.lateness == lateness));
    gauge("etl_orch_source_late", "Whether a source is behind for longer than warn_after, but not than error_after.", &is(Lateness::Late));
    gauge("etl_orch_source_overdue", "Whether a source is behind for longer than error_after.", &is(Lateness::Overdue));
    gauge("etl_orch_source_ahead", "Whether what was collected of a source ends in the future.", &is(Lateness::Ahead));
    gauge("etl_orch_source_paused", "Whether an operator has paused a source.", &|source| Some(truth(source.is_paused)));
}

/// What a job is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Owner {
    Etl(usize),
    Source(usize),
}

impl Owner {
    fn of(job: &PlannedJob) -> Self {
        match &job.target {
            Target::Report { gap, .. } => Self::Etl(gap.etl),
            Target::Collection(collection) => Self::Source(collection.source),
        }
    }
}

/// A job that never came to start was cancelled.
fn ended(state: JobState) -> JobState {
    if state == JobState::Queued { JobState::Cancelled } else { state }
}

fn seconds(at: DateTime<Utc>) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact for 285 years from 1970 on")]
    let micros = at.timestamp_micros() as f64;
    (micros / 1e3).round() / 1e3
}

fn number(count: u64) -> f64 {
    #[expect(clippy::cast_precision_loss, reason = "exact up to 9 quadrillion")]
    let number = count as f64;
    number
}

fn truth(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}
