//! The events of a run as spans of a trace: the run, its jobs, their attempts, and the stages of these.

mod attributes;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::path::Path;

use chrono::{DateTime, Utc};

pub use self::attributes::{Attribute, Value};

use self::attributes::{of_end, of_job, of_stage, text};
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::model::outcome::Outcome;
use crate::plan::model::said::{Stage, StageState};
use crate::plan::model::trace_context::{SpanId, TraceContext};
use crate::plan::run::event::{Event, EventKind, JobEvent, JobName, JobRef};
use crate::plan::run::schedule::JobIndex;
use crate::plan::run::told::RunEnd;
use crate::plan::text::size::shortened;

/// Most bytes of the message of a status.
const LONGEST_MESSAGE: usize = 4096;

/// Something that took time, and has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct Span {
    pub id: SpanId,
    /// `None` for the first of its trace.
    pub parent: Option<SpanId>,
    /// The same for all spans of a kind, so that they can be compared.
    pub name: String,
    pub begun_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    pub attributes: Vec<Attribute>,
    pub status: Status,
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Status {
    /// Neither well nor badly, or nobody knows.
    Unset,
    Ok,
    /// Why.
    Error(String),
}

impl Status {
    fn error(message: &str) -> Self {
        Self::Error(shortened(message, LONGEST_MESSAGE).into_owned())
    }
}

/// Makes spans from the events of a run, each when it ends.
#[derive(Debug)]
pub struct Spans {
    run: RunId,
    trace: TraceContext,
    begun_at: DateTime<Utc>,
    names: Vec<JobName>,
    open: BTreeMap<JobIndex, OpenJob>,
    ended: BTreeMap<&'static str, i64>,
}

/// A job that has begun.
#[derive(Debug)]
struct OpenJob {
    begun_at: DateTime<Utc>,
    attempts: u32,
    attempt: Option<OpenAttempt>,
    /// What its last attempt came to.
    last_end: Vec<Attribute>,
}

/// The end of a job.
struct JobEnd<'a> {
    at: DateTime<Utc>,
    state: JobState,
    reason: Option<&'a str>,
    log: Option<&'a Path>,
}

/// An attempt that has begun.
#[derive(Debug)]
struct OpenAttempt {
    begun_at: DateTime<Utc>,
    number: u32,
    /// Those that have not ended.
    stages: BTreeMap<u32, Stage>,
}

impl Spans {
    /// The spans of a run that began then.
    #[must_use]
    pub fn new(run: RunId, trace: TraceContext, begun_at: DateTime<Utc>) -> Self {
        Self { run, trace, begun_at, names: Vec::new(), open: BTreeMap::new(), ended: BTreeMap::new() }
    }

    /// The spans that end with this event, those within others first.
    pub fn event(&mut self, event: &Event) -> Vec<Span> {
        match &event.kind {
            EventKind::RunStarted { jobs, .. } => {
                self.names.clone_from(jobs);
                Vec::new()
            }
            EventKind::RunStopping { .. } => Vec::new(),
            EventKind::Job { job, event: of_job } => self.job(event.at, *job, of_job),
        }
    }

    /// The span of the run, which has ended. Jobs whose end nobody told have none. `None` where nothing was to be done, and nothing went wrong.
    #[must_use]
    pub fn run(&self, end: &RunEnd) -> Option<Span> {
        let failed = self.ended.get(JobState::Failed.name()).copied().unwrap_or_default();
        let broken = match &end.outcome {
            Err(_) => Some(end.text.trim()),
            Ok(summary) => summary.results.as_ref().and_then(|results| results.broken.as_deref()),
        };
        let status = match broken {
            Some(broken) => Status::error(broken),
            None if failed > 0 => Status::error(&format!("{failed} of {} jobs failed", self.names.len())),
            None if end.stopped_by.is_some() => Status::Unset,
            None if self.names.is_empty() => return None,
            None => Status::Ok,
        };
        let counts = JobState::ALL.into_iter().filter_map(|state| {
            let count = self.ended.get(state.name())?;
            Some(Attribute { key: format!("etl_orch.jobs.{}", state.name()).into(), value: Value::Integer(*count) })
        });
        let planned = i64::try_from(self.names.len()).unwrap_or(i64::MAX);
        let exit_code = attributes::integer("process.exit.code", i64::from(end.exit_code));
        let mut attributes = vec![text("etl_orch.run_id", &self.run.to_string()), exit_code, attributes::integer("etl_orch.jobs", planned)];
        attributes.extend(counts);
        Some(Span {
            id: SpanId::of_run(self.run),
            parent: self.trace.parent,
            name: "run".to_owned(),
            begun_at: self.begun_at,
            ended_at: end.at.max(self.begun_at),
            attributes,
            status,
        })
    }

    fn job(&mut self, at: DateTime<Utc>, job: JobRef, event: &JobEvent) -> Vec<Span> {
        match event {
            JobEvent::AttemptStarted { attempt, of: _ } => {
                let open = self.open.entry(job.index).or_insert_with(|| OpenJob::new(at));
                open.attempts = *attempt;
                open.attempt = Some(OpenAttempt { begun_at: at, number: *attempt, stages: BTreeMap::new() });
                Vec::new()
            }
            JobEvent::Stage(stage) => {
                let attempt = self.open.get_mut(&job.index).and_then(|open| open.attempt.as_mut());
                attempt.and_then(|attempt| attempt.stage(job.id, stage)).into_iter().collect()
            }
            JobEvent::AttemptEnded { end, outcome, .. } => {
                let Some(open) = self.open.get_mut(&job.index) else { return Vec::new() };
                open.last_end = of_end(end, outcome.as_ref());
                let name = self.names.get(job.index);
                open.attempt.take().map(|attempt| attempt.end(at, job.id, name, &open.last_end, outcome.as_ref())).unwrap_or_default()
            }
            JobEvent::Ended { state, reason, log, .. } => {
                let how = JobEnd { at, state: *state, reason: reason.as_deref(), log: log.as_deref() };
                self.job_ended(job, &how)
            }
            JobEvent::WaitsForPool(_)
            | JobEvent::WaitsForService(_)
            | JobEvent::Line(_)
            | JobEvent::ProgressBar(_)
            | JobEvent::LinesOmitted(_)
            | JobEvent::Retrying { .. } => Vec::new(),
        }
    }

    fn job_ended(&mut self, job: JobRef, end: &JobEnd<'_>) -> Vec<Span> {
        *self.ended.entry(end.state.name()).or_default() += 1;
        let name = self.names.get(job.index);
        let Some(mut open) = self.open.remove(&job.index) else {
            // It was not begun. That is worth a span only where it is a failure.
            let not_begun = OpenJob::new(end.at);
            return if end.state == JobState::Failed { vec![not_begun.end(self.run, job.id, name, end)] } else { Vec::new() };
        };
        // Of an attempt that ended with its claim, or by a bug, nobody said more.
        let mut spans = open.attempt.take().map(|attempt| attempt.end(end.at, job.id, name, &[], None)).unwrap_or_default();
        spans.push(open.end(self.run, job.id, name, end));
        spans
    }
}

impl OpenJob {
    fn new(begun_at: DateTime<Utc>) -> Self {
        Self { begun_at, attempts: 0, attempt: None, last_end: Vec::new() }
    }

    fn end(self, run: RunId, id: JobId, name: Option<&JobName>, end: &JobEnd<'_>) -> Span {
        let mut attributes = of_job(id, name);
        attributes.push(text("etl_orch.state", end.state.name()));
        attributes.push(attributes::integer("etl_orch.attempts", i64::from(self.attempts)));
        attributes.extend(self.last_end);
        attributes.extend(end.log.map(|log| text("log.file.path", &log.to_string_lossy())));
        let status = match end.state {
            JobState::Succeeded => Status::Ok,
            JobState::Failed | JobState::Lost => Status::error(end.reason.unwrap_or_default()),
            JobState::Queued | JobState::Running | JobState::Skipped | JobState::Cancelled => {
                attributes.extend(end.reason.map(|reason| text("etl_orch.reason", reason)));
                Status::Unset
            }
        };
        Span {
            id: SpanId::of_job(id),
            parent: Some(SpanId::of_run(run)),
            name: name.map_or_else(|| "job".to_owned(), attributes::name_of),
            begun_at: self.begun_at,
            ended_at: end.at.max(self.begun_at),
            attributes,
            status,
        }
    }
}

impl OpenAttempt {
    /// Takes news of a stage. Returns its span if it has ended.
    fn stage(&mut self, job: JobId, stage: &Stage) -> Option<Span> {
        let Some(at) = stage.ended_at else {
            self.stages.insert(stage.n, stage.clone());
            return None;
        };
        self.stages.remove(&stage.n);
        Some(self.stage_span(job, stage, at))
    }

    /// The spans of its stages that nobody ended, and its own.
    fn end(self, at: DateTime<Utc>, job: JobId, name: Option<&JobName>, how: &[Attribute], outcome: Option<&Outcome>) -> Vec<Span> {
        let mut spans: Vec<Span> = self.stages.values().map(|stage| self.stage_span(job, stage, at)).collect();
        let mut attributes = of_job(job, name);
        attributes.push(attributes::integer("etl_orch.attempt", i64::from(self.number)));
        attributes.extend_from_slice(how);
        let status = match outcome {
            Some(Outcome::Succeeded) => Status::Ok,
            Some(Outcome::NotReady(_) | Outcome::Interrupted) | None => Status::Unset,
            Some(
                failure @ (Outcome::ExitCode(_)
                | Outcome::Signal(_)
                | Outcome::TimedOut(_)
                | Outcome::SpawnFailed { .. }
                | Outcome::NoOutput(_)
                | Outcome::Misspelled(_)
                | Outcome::ReportedError { .. }
                | Outcome::HostUnfit(_)
                | Outcome::Lost),
            ) => Status::error(&failure.to_string()),
        };
        spans.push(Span {
            id: SpanId::of_attempt(job, self.number),
            parent: Some(SpanId::of_job(job)),
            name: "attempt".to_owned(),
            begun_at: self.begun_at,
            ended_at: at.max(self.begun_at),
            attributes,
            status,
        });
        spans
    }

    fn stage_span(&self, job: JobId, stage: &Stage, ended_at: DateTime<Utc>) -> Span {
        let status = match stage.state {
            StageState::Complete => Status::Ok,
            StageState::Incomplete => Status::error("incomplete"),
            StageState::Started | StageState::Running => Status::Unset,
        };
        Span {
            id: SpanId::of_stage(job, self.number, stage.n),
            parent: Some(SpanId::of_attempt(job, self.number)),
            name: stage.name.clone(),
            begun_at: stage.started_at,
            ended_at: ended_at.max(stage.started_at),
            attributes: of_stage(stage),
            status,
        }
    }
}
