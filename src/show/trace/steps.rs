//! The steps of a job, in words.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::names::{Named, by_name};
use super::super::words::{Time, Untrusted, brief, seconds};
use super::data::{flow, records_of};
use super::layout::{offset, since, took};
use crate::plan::model::job::JobState;
use crate::plan::remember::past::{PastAttempt, PastRun};
use crate::plan::remember::trace::steps::{Mark, Step, StepKind, Verification};
use crate::plan::remember::trace::{JobFacts, Publication};

impl Named for Mark {
    fn name(&self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Skip => "skip",
            Self::Run => "run",
        }
    }
}

/// `[OK]`.
pub(super) fn bracketed(mark: Mark) -> String {
    format!("[{}]", mark.name().to_ascii_uppercase())
}

/// A step of a job.
#[derive(Debug, Serialize)]
pub(super) struct StepEntry {
    #[serde(serialize_with = "by_name")]
    mark: Mark,
    step: String,
    detail: String,
    at: Time,
    offset_seconds: f64,
    duration_seconds: Option<f64>,
    #[serde(skip)]
    took: Option<Duration>,
}

impl StepEntry {
    pub(super) fn new(step: &Step<'_>, facts: &JobFacts, run: Option<&PastRun>) -> Self {
        let (title, detail) = words(step, facts, run);
        let shown = match step.what {
            StepKind::Attempt(attempt) if facts.job.state == JobState::Lost && attempt.seen_end().is_none() => None,
            StepKind::Attempt(_) | StepKind::Stage(_) => step.took,
            StepKind::Created
            | StepKind::Started
            | StepKind::Wait(_)
            | StepKind::Verification(_)
            | StepKind::Publication(_)
            | StepKind::End(_) => None,
        };
        Self {
            mark: step.mark,
            step: title,
            detail,
            at: Time(step.at),
            offset_seconds: since(facts.job.queued_at, step.at),
            duration_seconds: step.took.map(seconds),
            took: shown,
        }
    }

    /// `[OK] DNC Check - 594 phones checked, 45 in DNC (2.3s)`.
    pub(super) fn line(&self) -> String {
        let detail = if self.detail.is_empty() { String::new() } else { format!(" - {}", self.detail) };
        format!("{} {}{detail}{}", bracketed(self.mark), self.step, took(self.took))
    }
}

/// What a step is called, and what is to be said of it.
fn words(step: &Step<'_>, facts: &JobFacts, run: Option<&PastRun>) -> (String, String) {
    let of_several = facts.job.attempts.len() > 1;
    match &step.what {
        StepKind::Created => {
            let forced = if facts.job.forced { ", forced" } else { "" };
            ("Job Created".to_owned(), format!("planned by run {}{forced}", facts.job.run.short()))
        }
        StepKind::Started => {
            let host = run.map(|run| format!(", on {}", Untrusted::from(run.host.as_str()).excerpt())).unwrap_or_default();
            ("Job Started".to_owned(), format!("after {} in the queue{host}", brief(step.took.unwrap_or_default())))
        }
        StepKind::Attempt(attempt) => (format!("Attempt {}", attempt.n), outcome(attempt, step.mark)),
        StepKind::Stage(stage) => {
            let name = Untrusted::from(stage.name.as_str()).excerpt().into_owned();
            let problem = match step.mark {
                Mark::Run => "under way",
                Mark::Fail | Mark::Warn if stage.ended_at.is_none() => "did not end",
                Mark::Fail => "incomplete",
                Mark::Ok | Mark::Warn | Mark::Skip => "",
            };
            let told = [problem.to_owned(), flow(stage)].into_iter().filter(|text| !text.is_empty());
            (name, told.collect::<Vec<_>>().join(", "))
        }
        StepKind::Wait(attempt) => {
            let so_far = if step.mark == Mark::Run { " so far" } else { "" };
            ("Wait".to_owned(), format!("{}{so_far}, before attempt {attempt}", brief(step.took.unwrap_or_default())))
        }
        StepKind::Verification(seen) => ("Verification".to_owned(), verification(seen, of_several)),
        StepKind::Publication(publication) => ("Publication".to_owned(), self::publication(publication)),
        StepKind::End(state) => (title_of_end(*state).to_owned(), end(*state, facts, step)),
    }
}

fn outcome(attempt: &PastAttempt, mark: Mark) -> String {
    match (attempt.outcome.as_deref(), &attempt.error) {
        (None, _) if mark == Mark::Run => "under way".to_owned(),
        (None, _) => "its end is not on record".to_owned(),
        (Some("succeeded" | "no_output"), _) => "reported success".to_owned(),
        (Some(outcome), None) => Untrusted::from(outcome).excerpt().into_owned(),
        (Some(_), Some(error)) => Untrusted::from(error.as_str()).excerpt().into_owned(),
    }
}

fn verification(seen: &Verification<'_>, of_several: bool) -> String {
    match seen {
        Verification::ReportSeen => "its report was seen".to_owned(),
        Verification::Collection(None) => "whether the data was seen is not on record any more".to_owned(),
        Verification::Collection(Some(last)) => {
            let records = last.collected.records.map(|records| format!(", {}", records_of(records))).unwrap_or_default();
            let message = last.collected.message.as_ref().map(|message| format!(": {}", Untrusted::from(message.as_str()).excerpt()));
            format!("{}{records}{}", last.collected.seen.name(), message.unwrap_or_default())
        }
        Verification::NotThere(attempt) => {
            let after = if of_several { format!("after attempt {}: ", attempt.n) } else { String::new() };
            let error = attempt.error.as_deref().unwrap_or("no output");
            format!("{after}{}", Untrusted::from(error).excerpt())
        }
    }
}

fn publication(publication: &Publication) -> String {
    match publication {
        Publication::Done => "its row is written, its file in its place".to_owned(),
        Publication::UnderWay(destination) => format!("to {}", Untrusted::from(destination.to_string_lossy())),
        Publication::Left(destination) => format!("not known to be at {}", Untrusted::from(destination.to_string_lossy())),
    }
}

fn title_of_end(state: JobState) -> &'static str {
    match state {
        JobState::Queued => "Job Queued",
        JobState::Running => "Job Running",
        JobState::Succeeded => "Job Complete",
        JobState::Failed => "Job Failed",
        JobState::Skipped => "Job Skipped",
        JobState::Cancelled => "Job Cancelled",
        JobState::Lost => "Job Lost",
    }
}

fn end(state: JobState, facts: &JobFacts, step: &Step<'_>) -> String {
    let so_far = brief(step.took.unwrap_or_default());
    let error = || facts.job.error.as_deref().map(|error| Untrusted::from(error).excerpt().into_owned()).unwrap_or_default();
    match state {
        JobState::Queued => format!("waits to be started, {so_far} so far"),
        JobState::Running => format!("{so_far} so far"),
        JobState::Succeeded => "Success".to_owned(),
        JobState::Failed | JobState::Skipped | JobState::Cancelled | JobState::Lost => error(),
    }
}

/// Something that happened at a point in time.
#[derive(Debug, Serialize)]
pub(super) struct EventEntry {
    offset_seconds: f64,
    at: Time,
    event: String,
}

impl EventEntry {
    /// `T+1.5s    Attempt 1 started`.
    pub(super) fn line(&self) -> String {
        format!("{:<9} {}", offset(self.offset_seconds), self.event)
    }
}

/// What happened when, from the steps of a job.
pub(super) fn timeline(steps: &[Step<'_>], facts: &JobFacts) -> Vec<EventEntry> {
    let mut events: Vec<(DateTime<Utc>, String)> = Vec::new();
    // Of an attempt whose stages follow.
    let mut end_of_attempt = None;
    for step in steps {
        if !matches!(step.what, StepKind::Stage(_)) {
            events.extend(end_of_attempt.take());
        }
        match &step.what {
            StepKind::Created => events.push((step.at, "Job created".to_owned())),
            StepKind::Started => events.push((step.at, "Job started".to_owned())),
            StepKind::Attempt(attempt) => {
                events.push((step.at, format!("Attempt {} began", attempt.n)));
                end_of_attempt = attempt.seen_end().map(|end| (end, format!("Attempt {}: {}", attempt.n, outcome(attempt, step.mark))));
            }
            StepKind::Stage(stage) => {
                let name = Untrusted::from(stage.name.as_str()).excerpt().into_owned();
                events.push((step.at, format!("{name} began")));
                let told = flow(stage);
                let told = if told.is_empty() { String::new() } else { format!(": {told}") };
                events.extend(stage.ended_at.map(|end| (end, format!("{name} ended{told}"))));
            }
            StepKind::Wait(_)
            | StepKind::Verification(_)
            | StepKind::Publication(_)
            | StepKind::End(JobState::Queued | JobState::Running) => {}
            StepKind::End(JobState::Lost) => events.push((step.at, "The last that is on record; its run died".to_owned())),
            StepKind::End(state) => events.push((step.at, format!("Job {}", state.name()))),
        }
    }
    // What happened at once stays in the order of the steps.
    events.sort_by_key(|(at, _)| *at);
    let start = facts.job.queued_at;
    events.into_iter().map(|(at, event)| EventEntry { offset_seconds: since(start, at), at: Time(at), event }).collect()
}
