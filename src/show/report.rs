//! The report: coverage, sources, the last run, failures and trends, as one page of HTML, and the same facts for programs.

mod coverage;
mod failures;
mod html;
mod lines;
mod page;
mod run;
mod sources;
#[cfg(test)]
mod tests;
mod trends;

use std::collections::BTreeMap;
use std::path::PathBuf;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::View;
use super::coverage::{BankView, Counts, banks};
use super::history::{JobEntry, RunEntry};
use super::sources::{ListedSource, SourceEntry};
use super::words::{Time, Untrusted, count, grouped};
use crate::plan::decide::coverage::Coverage;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::period::Period;
use crate::plan::remember::past::{DayMetric, DayOfWork, FailedJob, PastJob, PastRun};

/// What a report is made from.
#[derive(Debug)]
pub struct ReportFacts {
    pub now: DateTime<Utc>,
    /// Where it was made.
    pub host: String,
    pub coverage: Coverage,
    pub sources: Vec<ListedSource>,
    /// The latest, newest first.
    pub runs: Vec<PastRun>,
    /// The jobs of the latest run that had any.
    pub last_jobs: Vec<PastJob>,
    /// The latest failure of each gap that has not succeeded since, newest first.
    pub failures: Vec<FailedJob>,
    /// What was made on each day of the last weeks.
    pub work: Vec<DayOfWork>,
    /// What ETLs said of themselves on each day of the last weeks.
    pub metrics: Vec<DayMetric>,
}

/// A report.
#[derive(Debug, Serialize)]
pub struct ReportView<'a> {
    timestamp: Time,
    /// Where the page was written; `None` where it was not.
    file: Option<PathBuf>,
    bytes: Option<usize>,
    host: Untrusted<'a>,
    version: &'static str,
    #[serde(flatten)]
    counts: Counts,
    etls: Vec<&'a str>,
    banks: Vec<BankView<'a>>,
    sources: Vec<SourceEntry<'a>>,
    last_run: Option<LastRun<'a>>,
    failures: Vec<Failure<'a>>,
    work: Vec<WorkView<'a>>,
    metrics: Vec<MetricView<'a>>,
    runs: Vec<RunEntry<'a>>,
    #[serde(skip)]
    periods: Vec<Period>,
    #[serde(skip)]
    facts: &'a ReportFacts,
}

/// The latest run that had jobs.
#[derive(Debug, Serialize)]
struct LastRun<'a> {
    #[serde(flatten)]
    entry: RunEntry<'a>,
    jobs: Vec<JobEntry<'a>>,
    #[serde(skip)]
    run: &'a PastRun,
}

#[derive(Debug, Serialize)]
struct Failure<'a> {
    #[serde(flatten)]
    entry: JobEntry<'a>,
    /// The last lines that it printed.
    last_lines: Option<Untrusted<'a>>,
    #[serde(skip)]
    failed: &'a FailedJob,
}

/// What an ETL or a source came to on a day of UTC.
#[derive(Debug, Serialize)]
struct WorkView<'a> {
    day: String,
    filled_by: Untrusted<'a>,
    succeeded: u64,
    mean_seconds: f64,
    longest_seconds: f64,
}

/// What ETLs said of themselves on a day of UTC, summed.
#[derive(Debug, Serialize)]
struct MetricView<'a> {
    day: String,
    name: Untrusted<'a>,
    value: f64,
}

impl<'a> ReportView<'a> {
    /// The view of these facts.
    pub fn new(facts: &'a ReportFacts, catalogue: &'a Catalogue) -> Self {
        let now = facts.now;
        let run_of_jobs = facts.last_jobs.first().map(|job| job.run);
        let last_run = facts.runs.iter().find(|run| Some(run.id) == run_of_jobs).map(|run| LastRun {
            entry: RunEntry::new(run, now),
            jobs: facts.last_jobs.iter().map(|job| JobEntry::new(job, now)).collect(),
            run,
        });
        let failure = |failed: &'a FailedJob| Failure {
            entry: JobEntry::new(&failed.job, now),
            last_lines: failed.last_lines.as_deref().map(Untrusted::from),
            failed,
        };
        let work = |day: &'a DayOfWork| WorkView {
            day: day.day.to_string(),
            filled_by: day.filled_by.as_str().into(),
            succeeded: day.succeeded,
            mean_seconds: super::words::seconds(day.mean()),
            longest_seconds: super::words::seconds(day.longest),
        };
        let metric =
            |day: &'a DayMetric| MetricView { day: day.day.to_string(), name: day.metric.name.as_str().into(), value: day.metric.value };
        Self {
            timestamp: Time(now),
            file: None,
            bytes: None,
            host: facts.host.as_str().into(),
            version: env!("CARGO_PKG_VERSION"),
            counts: Counts::new(facts.coverage.total()),
            etls: facts.coverage.etls.iter().map(|etl| catalogue.etl(*etl).name.as_str()).collect(),
            banks: banks(&facts.coverage, catalogue),
            sources: facts.sources.iter().map(|listed| SourceEntry::new(listed, catalogue, now)).collect(),
            last_run,
            failures: facts.failures.iter().map(failure).collect(),
            work: facts.work.iter().map(work).collect(),
            metrics: facts.metrics.iter().map(metric).collect(),
            runs: facts.runs.iter().map(|run| RunEntry::new(run, now)).collect(),
            periods: facts.coverage.periods().collect(),
            facts,
        }
    }

    /// The page.
    #[must_use]
    pub fn html(&self) -> String {
        page::page(self)
    }

    /// The same view, once the page was written.
    #[must_use]
    pub fn written(self, file: PathBuf, bytes: usize) -> Self {
        Self { file: Some(file), bytes: Some(bytes), ..self }
    }

    /// Where the page tells of the failure of a gap.
    fn anchors(&self) -> BTreeMap<&GapKey, String> {
        self.facts.failures.iter().map(|failed| (&failed.job.gap, failures::anchor(&failed.job))).collect()
    }
}

impl View for ReportView<'_> {
    fn kind(&self) -> &'static str {
        "report"
    }

    fn text(&self) -> String {
        let Some(file) = &self.file else { return self.html() };
        let counts = &self.counts;
        format!(
            "{}: {}, {} of {} made, {}\n",
            super::escape::escaped(&file.to_string_lossy()),
            count(self.banks.len() as u64, "bank"),
            grouped(counts.made),
            count(counts.expected, "report"),
            count(self.failures.len() as u64, "failure")
        )
    }
}
