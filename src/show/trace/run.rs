//! The trace of a run.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::View;
use super::super::history::{JobEntry, RunEntry, came_to, run_options};
use super::super::names::by_name;
use super::super::words::{Time, Untrusted, brief, count, seconds};
use super::issues::{FindingsEntry, lines};
use super::layout::{completed, offset, page, since, took};
use super::performance::Performance;
use super::steps::bracketed;
use crate::plan::model::job::{JobState, RunCounts, RunState};
use crate::plan::remember::past::PastRun;
use crate::plan::remember::trace::JobFacts;
use crate::plan::remember::trace::chains::{Chain, chains};
use crate::plan::remember::trace::issues::findings;
use crate::plan::remember::trace::steps::{Mark, end};

/// A run with its jobs.
#[derive(Debug, Serialize)]
pub struct RunTraceView<'a> {
    timestamp: Time,
    subject: &'static str,
    run: RunEntry<'a>,
    performance: Performance<'a>,
    chains: Vec<ChainEntry<'a>>,
    #[serde(skip)]
    past: &'a PastRun,
    #[serde(skip)]
    took: Option<Duration>,
}

/// The jobs of a bank or a source.
#[derive(Debug, Serialize)]
struct ChainEntry<'a> {
    name: Untrusted<'a>,
    duration_seconds: f64,
    jobs: Vec<ChainJob<'a>>,
}

#[derive(Debug, Serialize)]
struct ChainJob<'a> {
    /// From the start of the run to that of the job.
    offset_seconds: Option<f64>,
    #[serde(serialize_with = "by_name")]
    mark: Mark,
    job: JobEntry<'a>,
    #[serde(flatten)]
    findings: FindingsEntry,
    #[serde(skip)]
    facts: &'a JobFacts,
}

impl<'a> RunTraceView<'a> {
    /// The view of a run and its jobs.
    pub fn new(run: &'a PastRun, jobs: &'a [JobFacts], now: chrono::DateTime<chrono::Utc>) -> Self {
        let chains = chains(jobs);
        let took = run.took(now);
        let parts = chains.iter().filter(|chain| chain.began().is_some()).map(|chain| (chain.name.into(), chain.took()));
        Self {
            timestamp: Time(now),
            subject: "run",
            run: RunEntry::new(run, now),
            performance: Performance::new(took, parts.collect()),
            chains: chains.iter().map(|chain| ChainEntry::new(chain, run)).collect(),
            past: run,
            took,
        }
    }

    fn info(&self) -> Vec<String> {
        let run = self.past;
        let running = run.state == RunState::Running;
        let ended = completed(run.ended_at, running, run.state == RunState::Lost);
        let mut lines =
            vec![format!("Status: {}", run.state.name()), format!("Started: {}", Time(run.started_at)), format!("Completed: {ended}")];
        let so_far = if running { " so far" } else { "" };
        lines.extend(self.took.map(|took| format!("Duration: {}{so_far}", brief(took))));
        lines.push(format!("Host: {}, process {}", Untrusted::from(run.host.as_str()).excerpt(), run.pid));
        lines.push(format!("Version: {}", Untrusted::from(run.version.as_str()).excerpt()));
        let options = run_options(&run.options);
        lines.push(format!("Command: {}", if options.is_empty() { "run" } else { &options }));
        lines.push(format!("Jobs: {}", came_to(run.state, run.counts.unwrap_or_else(|| self.so_far()))));
        lines
    }

    /// What its jobs have come to, where it has not counted them itself.
    fn so_far(&self) -> RunCounts {
        let jobs = || self.chains.iter().flat_map(|chain| &chain.jobs);
        let of = |states: &[JobState]| jobs().filter(|job| states.contains(&job.facts.job.state)).count() as u64;
        RunCounts {
            planned: jobs().count() as u64,
            succeeded: of(&[JobState::Succeeded]),
            failed: of(&[JobState::Failed, JobState::Lost]),
            skipped: of(&[JobState::Skipped]),
            cancelled: of(&[JobState::Cancelled]),
        }
    }

    fn pipeline(&self) -> Vec<String> {
        if self.chains.is_empty() {
            return vec!["no jobs".to_owned()];
        }
        let of_chain = |chain: &ChainEntry<'_>| {
            let jobs = chain.jobs.iter().map(|job| format!("  {}", job.line()));
            std::iter::once(chain.name.excerpt().into_owned()).chain(jobs).collect::<Vec<_>>()
        };
        self.chains.iter().flat_map(of_chain).collect()
    }

    /// The issues of all jobs, each with its job; what was not checked of several, once.
    fn issues(&self) -> Vec<String> {
        let jobs = || self.chains.iter().flat_map(|chain| &chain.jobs);
        let issues = jobs().flat_map(|job| job.findings.issues.iter().map(|issue| format!("{}: {}", job.name(), issue.message)));
        let mut not_checked: BTreeMap<&str, u64> = BTreeMap::new();
        for finding in jobs().flat_map(|job| &job.findings.not_checked) {
            *not_checked.entry(&finding.message).or_default() += 1;
        }
        let not_checked = not_checked.into_iter().map(|(message, jobs)| format!("{message} ({})", count(jobs, "job")));
        lines(issues, not_checked)
    }
}

impl<'a> ChainEntry<'a> {
    fn new(chain: &Chain<'a>, run: &PastRun) -> Self {
        let job = |facts: &'a JobFacts| {
            let found = findings(facts);
            ChainJob {
                offset_seconds: facts.job.started_at.map(|start| since(run.started_at, start)),
                mark: end(facts).mark,
                job: JobEntry::new(&facts.job, facts.now),
                findings: FindingsEntry::new(&found),
                facts,
            }
        };
        Self { name: chain.name.into(), duration_seconds: seconds(chain.took()), jobs: chain.jobs.iter().map(|facts| job(facts)).collect() }
    }
}

impl ChainJob<'_> {
    fn name(&self) -> String {
        let job = &self.facts.job;
        format!("{} ({})", Untrusted::from(job.gap.to_string()), job.id.short())
    }

    /// `[OK] T+0.3s RY-CA/2025Q2/key_themes (1a2b3c4d) - succeeded (1.5s)`.
    fn line(&self) -> String {
        let offset = self.offset_seconds.map(|seconds| format!("{} ", offset(seconds))).unwrap_or_default();
        let seen = self.facts.took().filter(|_| self.facts.job.state != JobState::Lost);
        format!("{} {offset}{} - {}{}", bracketed(self.mark), self.name(), self.facts.job.state.name(), took(seen))
    }
}

impl View for RunTraceView<'_> {
    fn kind(&self) -> &'static str {
        "trace"
    }

    fn text(&self) -> String {
        let sections = [
            ("Run Info", self.info()),
            ("Pipeline Trace", self.pipeline()),
            ("Performance", self.performance.lines(self.past.state == RunState::Running, self.past.state == RunState::Lost)),
            ("Issues Found", self.issues()),
        ];
        page(&format!("ETL RUN TRACE: {}", self.past.id), &sections)
    }
}
