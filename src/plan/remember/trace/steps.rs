//! The way of a job, from being planned to its end.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::issues::{Findings, Issue};
use super::{JobFacts, Publication, between};
use crate::plan::model::collection::Seen;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::JobState;
use crate::plan::model::said::{Stage, StageState};
use crate::plan::remember::past::PastAttempt;
use crate::plan::remember::source_state::LastSuccess;

/// How a step went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    Ok,
    Fail,
    /// It went well, but a person should look at it.
    Warn,
    /// It was left out.
    Skip,
    /// It is under way.
    Run,
}

/// A step of a job.
#[derive(Debug, Clone, PartialEq)]
pub struct Step<'a> {
    pub mark: Mark,
    pub what: StepKind<'a>,
    /// When it began.
    pub at: DateTime<Utc>,
    /// How long it took, so far; `None` for what takes no time.
    pub took: Option<Duration>,
}

#[derive(Debug, Clone, PartialEq)]
pub enum StepKind<'a> {
    /// Planned, and put in the queue.
    Created,
    /// Claimed by its run.
    Started,
    Attempt(&'a PastAttempt),
    Stage(&'a Stage),
    /// Before the attempt of this number.
    Wait(u32),
    /// The report was looked for.
    Verification(Verification<'a>),
    /// Its report was published.
    Publication(&'a Publication),
    /// Ended in this state, or is in it.
    End(JobState),
}

/// What the look at a result showed.
#[derive(Debug, Clone, PartialEq)]
pub enum Verification<'a> {
    /// The report is there.
    ReportSeen,
    /// The collection, where its record is still there.
    Collection(Option<&'a LastSuccess>),
    /// The program or the service reported success, and this was found.
    NotThere(&'a PastAttempt),
}

/// The steps of a job, in their order.
#[must_use]
pub fn steps<'a>(facts: &'a JobFacts, findings: &Findings<'_>) -> Vec<Step<'a>> {
    let job = &facts.job;
    let mut steps = vec![Step { mark: Mark::Ok, what: StepKind::Created, at: job.queued_at, took: None }];
    steps.extend(job.started_at.map(|at| Step { mark: Mark::Ok, what: StepKind::Started, at, took: Some(between(job.queued_at, at)) }));
    let mut ended: Option<DateTime<Utc>> = None;
    for attempt in &job.attempts {
        steps.extend(ended.map(|end| wait(attempt.n, Mark::Ok, end, attempt.started_at)));
        steps.extend(of_attempt(facts, findings, attempt));
        ended = attempt.seen_end();
    }
    if let (JobState::Running, Some(end)) = (job.state, ended) {
        let next = job.attempts.last().map_or(1, |attempt| attempt.n + 1);
        steps.push(wait(next, Mark::Run, end, facts.now));
    }
    steps.extend(verification(facts));
    steps.extend(facts.publication.as_ref().map(|publication| {
        let mark = match publication {
            Publication::Done => Mark::Ok,
            Publication::UnderWay(_) => Mark::Run,
            Publication::Left(_) => Mark::Warn,
        };
        Step { mark, what: StepKind::Publication(publication), at: facts.until(), took: None }
    }));
    steps.push(end(facts));
    steps
}

fn wait<'a>(before: u32, mark: Mark, from: DateTime<Utc>, until: DateTime<Utc>) -> Step<'a> {
    Step { mark, what: StepKind::Wait(before), at: from, took: Some(between(from, until)) }
}

fn of_attempt<'a>(facts: &'a JobFacts, findings: &Findings<'_>, attempt: &'a PastAttempt) -> Vec<Step<'a>> {
    let is_warned = |stage: Option<&Stage>| findings.issues.iter().any(|issue| issue.warns_of(attempt.n, stage));
    let mark = match attempt.outcome.as_deref() {
        None if facts.is_open() => Mark::Run,
        // The program or the service reported success; what was looked for was not there.
        Some("succeeded" | "no_output") if !is_warned(None) => Mark::Ok,
        Some("succeeded" | "no_output" | "interrupted") => Mark::Warn,
        Some("not_ready") => Mark::Skip,
        None | Some(_) => Mark::Fail,
    };
    let took = Some(facts.attempt_took(attempt));
    let mut steps = vec![Step { mark, what: StepKind::Attempt(attempt), at: attempt.started_at, took }];
    for stage in facts.stages_of(attempt.n) {
        let mark = match stage.state {
            StageState::Incomplete => Mark::Fail,
            StageState::Started | StageState::Running if attempt.outcome.is_none() && facts.is_open() => Mark::Run,
            StageState::Started | StageState::Running if attempt.outcome.as_deref() != Some("succeeded") => Mark::Fail,
            StageState::Started | StageState::Running => Mark::Warn,
            StageState::Complete if is_warned(Some(stage)) => Mark::Warn,
            StageState::Complete => Mark::Ok,
        };
        steps.push(Step { mark, what: StepKind::Stage(stage), at: stage.started_at, took: Some(facts.stage_took(attempt, stage)) });
    }
    if attempt.outcome.as_deref() == Some("no_output") {
        let what = StepKind::Verification(Verification::NotThere(attempt));
        steps.push(Step { mark: Mark::Fail, what, at: attempt.ended_at.unwrap_or(attempt.started_at), took: None });
    }
    steps
}

fn verification(facts: &JobFacts) -> Option<Step<'_>> {
    if facts.job.state != JobState::Succeeded {
        return None;
    }
    let (mark, seen) = match (&facts.job.gap, &facts.collected) {
        (GapKey::Report { .. } | GapKey::Group { .. }, _) => (Mark::Ok, Verification::ReportSeen),
        (GapKey::Source(_) | GapKey::Window { .. }, Some(last)) if last.collected.seen == Seen::Verified => {
            (Mark::Ok, Verification::Collection(Some(last)))
        }
        (GapKey::Source(_) | GapKey::Window { .. }, last) => (Mark::Skip, Verification::Collection(last.as_ref())),
    };
    Some(Step { mark, what: StepKind::Verification(seen), at: facts.until(), took: None })
}

/// The last of them: how the job ended, or what it is doing.
#[must_use]
pub fn end(facts: &JobFacts) -> Step<'_> {
    let job = &facts.job;
    let mark = match job.state {
        JobState::Queued | JobState::Running => Mark::Run,
        JobState::Succeeded => Mark::Ok,
        JobState::Failed | JobState::Lost => Mark::Fail,
        JobState::Skipped | JobState::Cancelled => Mark::Skip,
    };
    let since = job.started_at.unwrap_or(job.queued_at);
    Step { mark, what: StepKind::End(job.state), at: facts.until(), took: Some(between(since, facts.until())) }
}

impl Issue<'_> {
    /// Whether it is about a stage of an attempt, or about the attempt itself.
    fn warns_of(&self, attempt: u32, stage: Option<&Stage>) -> bool {
        match self {
            Self::OverLimit { place, .. }
            | Self::Slow { place, .. }
            | Self::NoRecords { place, .. }
            | Self::Unbalanced { place, .. }
            | Self::LeftOpen { place }
            | Self::Incomplete { place } => place.attempt == attempt && place.stage == stage,
            Self::ReportedError { attempt: of, .. } => stage.is_none() && *of == attempt,
            Self::Truncated { attempt: of, .. } | Self::NoLog { attempt: of } => stage.is_none() && of.n == attempt,
            Self::NotStored { log } => stage.is_none() && log.attempt == attempt,
            Self::Ended { .. } | Self::OwnerLost | Self::Retried { .. } | Self::SucceededAllTheSame { .. } | Self::NotPlaced { .. } => {
                false
            }
        }
    }
}
