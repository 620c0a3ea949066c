//! The trace of a job.

use std::time::Duration;

use serde::Serialize;

use super::super::View;
use super::super::history::{JobEntry, run_options};
use super::super::metrics::Metrics;
use super::super::words::{Time, Untrusted, brief};
use super::data::{StageEntry, records_of};
use super::issues::FindingsEntry;
use super::layout::{completed, page};
use super::performance::Performance;
use super::steps::{EventEntry, StepEntry, timeline};
use crate::plan::model::job::JobState;
use crate::plan::remember::past::PastRun;
use crate::plan::remember::trace::JobFacts;
use crate::plan::remember::trace::issues::findings;
use crate::plan::remember::trace::parts::{Part, Timed, parts};
use crate::plan::remember::trace::steps::steps;

/// A job from planning to output.
#[derive(Debug, Serialize)]
pub struct JobTraceView<'a> {
    timestamp: Time,
    subject: &'static str,
    job: JobEntry<'a>,
    host: Option<Untrusted<'a>>,
    pipeline: Vec<StepEntry>,
    performance: Performance<'a>,
    stages: Vec<StageEntry<'a>>,
    timeline: Vec<EventEntry>,
    #[serde(flatten)]
    findings: FindingsEntry,
    #[serde(skip)]
    facts: &'a JobFacts,
    #[serde(skip)]
    run: Option<&'a PastRun>,
}

impl<'a> JobTraceView<'a> {
    /// The view of a job, and of the run that it belongs to where that is on record.
    pub fn new(facts: &'a JobFacts, run: Option<&'a PastRun>) -> Self {
        let found = findings(facts);
        let steps = steps(facts, &found);
        let of_several = facts.job.attempts.len() > 1;
        let total = facts.took();
        let parts = parts(facts).into_iter().filter(|part| is_worth_a_line(part, total.unwrap_or_default()));
        let stages = facts.job.attempts.iter().flat_map(|attempt| {
            facts.stages_of(attempt.n).map(move |stage| StageEntry::new(attempt.n, stage, facts.stage_took(attempt, stage)))
        });
        Self {
            timestamp: Time(facts.now),
            subject: "job",
            job: JobEntry::new(&facts.job, facts.now),
            host: run.map(|run| run.host.as_str().into()),
            pipeline: steps.iter().map(|step| StepEntry::new(step, facts, run)).collect(),
            performance: Performance::new(
                total.filter(|_| facts.job.state != JobState::Lost),
                parts.map(|part| (name(&part, of_several), part.took)).collect(),
            ),
            stages: stages.collect(),
            timeline: timeline(&steps, facts),
            findings: FindingsEntry::new(&found),
            facts,
            run,
        }
    }

    fn info(&self) -> Vec<String> {
        let job = &self.facts.job;
        let or = |at: Option<Time>, otherwise: &str| at.map_or_else(|| otherwise.to_owned(), |at| at.to_string());
        let running = self.facts.is_open();
        let mut lines = vec![format!("Status: {}", job.state.name()), format!("Gap: {}", Untrusted::from(job.gap.to_string()))];
        lines.extend(job.window.map(|window| format!("Window: {window}")));
        lines.push(format!("Created: {}", Time(job.queued_at)));
        lines.push(format!("Started: {}", or(job.started_at.map(Time), if running { "not yet" } else { "never" })));
        lines.push(format!("Completed: {}", completed(job.ended_at, running, job.state == JobState::Lost)));
        let duration = |took| match job.state {
            JobState::Running => format!("Duration: {} so far", brief(took)),
            JobState::Lost if took.is_zero() => "Duration: unknown, as its run died".to_owned(),
            JobState::Lost => format!("Duration: at least {}, as far as it is on record", brief(took)),
            JobState::Queued | JobState::Succeeded | JobState::Failed | JobState::Skipped | JobState::Cancelled => {
                format!("Duration: {}", brief(took))
            }
        };
        lines.extend(self.facts.took().map(duration));
        lines.push(match self.run {
            Some(run) => {
                let options = run_options(&run.options);
                let options = if options.is_empty() { String::new() } else { format!(" ({options})") };
                format!("Run: {}, on {}{options}", run.id.short(), Untrusted::from(run.host.as_str()).excerpt())
            }
            None => format!("Run: {}, no longer on record", job.run.short()),
        });
        if job.forced {
            lines.push("Forced: yes".to_owned());
        }
        if !job.metrics.is_empty() {
            lines.push(format!("Metrics: {}", Metrics::new(&job.metrics).line()));
        }
        lines.extend(job.attempts.last().map(|attempt| format!("Log: {}", Untrusted::from(attempt.log.as_str()))));
        lines
    }

    fn data_flow(&self) -> Vec<String> {
        let of_several = self.facts.job.attempts.len() > 1;
        let mut lines: Vec<String> = self.stages.iter().filter_map(|stage| stage.line(of_several)).collect();
        if lines.is_empty() {
            let records = self.facts.collected.as_ref().and_then(|last| last.collected.records);
            let collected = records.map(|records| format!("{} collected", records_of(records)));
            lines.push(collected.unwrap_or_else(|| "not told: nothing was counted".to_owned()));
        }
        lines
    }
}

/// Whether people are to read of it: what is beside stages and attempts matters only where it is a hundredth of all.
fn is_worth_a_line(part: &Part<'_>, total: Duration) -> bool {
    match part.what {
        Timed::Stage(..) | Timed::Attempt(_) | Timed::WaitBefore(_) => true,
        Timed::Unstaged(_) | Timed::Verification => !part.took.is_zero() && part.took * 100 >= total,
    }
}

fn name<'a>(part: &Part<'a>, of_several: bool) -> Untrusted<'a> {
    let attempt = |n: u32| if of_several { format!(" (attempt {n})") } else { String::new() };
    match part.what {
        Timed::Stage(n, stage) if of_several => format!("{}{}", stage.name, attempt(n)).into(),
        Timed::Stage(_, stage) => stage.name.as_str().into(),
        Timed::Attempt(n) => format!("Attempt {n}").into(),
        Timed::Unstaged(n) => format!("Outside of stages{}", attempt(n)).into(),
        Timed::Verification => "Verification and publication".into(),
        Timed::WaitBefore(n) => format!("Wait before attempt {n}").into(),
    }
}

impl View for JobTraceView<'_> {
    fn kind(&self) -> &'static str {
        "trace"
    }

    fn text(&self) -> String {
        let sections = [
            ("Job Info", self.info()),
            ("Pipeline Trace", self.pipeline.iter().map(StepEntry::line).collect()),
            ("Performance", self.performance.lines(self.facts.is_open(), self.facts.job.state == JobState::Lost)),
            ("Data Flow", self.data_flow()),
            ("Timeline", self.timeline.iter().map(EventEntry::line).collect()),
            ("Issues Found", self.findings.lines()),
        ];
        page(&format!("ETL JOB TRACE: {}", self.facts.job.id), &sections)
    }
}
