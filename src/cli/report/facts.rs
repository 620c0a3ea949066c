//! Gathers what a report is made from.

use std::collections::BTreeSet;
use std::sync::Arc;

use chrono::{TimeDelta, Utc};

use super::super::context::Context;
use super::super::exit::Failure;
use super::super::run::args::RunArgs;
use super::super::run::request::RunRequest;
use super::super::run::survey;
use super::super::sources::listed;
use crate::os::identity::this_process;
use crate::plan::decide::coverage::{Coverage, ReportState};
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::job::{JobState, RunState};
use crate::plan::remember::past::{FailedJob, JobQuery, PastJob, RunQuery, TimeSpan};
use crate::show::report::ReportFacts;
use crate::show::sources::ListedSource;
use crate::store::Store;

/// Runs that are looked at.
const RUNS: u32 = 500;
/// Jobs of the last run that are looked at.
const JOBS: u32 = 1000;
/// Failed jobs that are looked at, and those of them whose last lines are shown.
const FAILED: u32 = 300;
const FAILURES: usize = 30;
/// Of what an attempt printed last.
const LAST_LINES: usize = 15;
/// How far back it is looked what was made.
const DAYS: TimeDelta = TimeDelta::days(30);

pub(super) async fn gather(store: Arc<dyn Store>, context: &Context<'_>) -> Result<ReportFacts, Failure> {
    let now = Utc::now();
    let catalogue = &context.config.catalogue;
    let everything = RunArgs::plain();
    let (_, coverage) = survey(store.clone(), &RunRequest::new(context.clone(), &everything)?).await?;
    let sources = listed(&*store, context).await?;
    let runs = store.runs(&RunQuery { limit: RUNS, ..RunQuery::default() }).await?;
    let has_jobs = |state: RunState, planned: Option<u64>| state == RunState::Running || planned.is_none_or(|planned| planned > 0);
    let mut last_jobs = Vec::new();
    for run in runs.iter().filter(|run| has_jobs(run.state, run.counts.map(|counts| counts.planned))) {
        last_jobs = store.jobs(&JobQuery { run: Some(run.id.to_string()), limit: JOBS, ..JobQuery::default() }).await?;
        if !last_jobs.is_empty() {
            break;
        }
    }
    let failures = failures(&*store, catalogue, &coverage, &sources).await?;
    let month = TimeSpan { since: Some(now - DAYS), until: None };
    let (work, metrics) = (store.work_per_day(month).await?, store.metrics_per_day(month).await?);
    Ok(ReportFacts { now, host: this_process().host, coverage, sources, runs, last_jobs, failures, work, metrics })
}

/// The latest failure of each gap that has not succeeded since.
async fn failures(
    store: &dyn Store,
    catalogue: &Catalogue,
    coverage: &Coverage,
    sources: &[ListedSource],
) -> Result<Vec<FailedJob>, Failure> {
    let states = vec![JobState::Failed, JobState::Lost];
    let mut seen = BTreeSet::new();
    let mut failures = Vec::new();
    for job in store.jobs(&JobQuery { states, limit: FAILED, ..JobQuery::default() }).await? {
        if failures.len() < FAILURES && seen.insert(job.gap.clone()) && is_open(&job, catalogue, coverage, sources) {
            let last_lines = match job.attempts.last() {
                Some(attempt) => store.tail(job.id, attempt.n).await?.map(|tail| last_lines(&tail)),
                None => None,
            };
            failures.push(FailedJob { job, last_lines });
        }
    }
    Ok(failures)
}

/// Whether what failed is still wanted, and was not made since.
fn is_open(job: &PastJob, catalogue: &Catalogue, coverage: &Coverage, sources: &[ListedSource]) -> bool {
    match &job.gap {
        GapKey::Report { bank, period, etl } => {
            let bank = catalogue.institutions.iter().find(|(_, known)| known.key == *bank);
            let etl = catalogue.etls.iter().position(|known| known.name == *etl);
            let gap = bank.zip(etl).map(|((bank, _), etl)| Gap { bank, period: *period, etl });
            gap.is_some_and(|gap| matches!(coverage.state(gap), state if state.is_expected() && state != ReportState::Made))
        }
        GapKey::Source(source) => plan_of(source, catalogue, sources).is_some_and(|plan| plan.failed_runs > 0),
        GapKey::Window { source, .. } => {
            let window = job.window.map(|window| window.start);
            let is_missing = |plan: &SourcePlan| plan.held_back.iter().any(|held| Some(held.window.start) == window);
            plan_of(source, catalogue, sources).is_some_and(is_missing)
        }
        GapKey::Group { .. } => false,
    }
}

fn plan_of<'s>(id: &str, catalogue: &Catalogue, sources: &'s [ListedSource]) -> Option<&'s SourcePlan> {
    sources.iter().map(|listed| &listed.plan).find(|plan| catalogue.source(plan.source).id == id)
}

fn last_lines(tail: &str) -> String {
    let lines: Vec<&str> = tail.lines().collect();
    lines.get(lines.len().saturating_sub(LAST_LINES)..).unwrap_or_default().join("\n")
}
