//! Where the time of a job went.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::{JobFacts, between};
use crate::plan::model::job::JobState;
use crate::plan::model::said::Stage;
use crate::plan::remember::past::PastAttempt;

/// A part of a job's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part<'a> {
    pub what: Timed<'a>,
    pub took: Duration,
}

/// What time was spent on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Timed<'a> {
    Stage(u32, &'a Stage),
    /// An attempt that named no stages.
    Attempt(u32),
    /// What is left of an attempt beside its stages.
    Unstaged(u32),
    /// The time before a further attempt.
    WaitBefore(u32),
    /// The time in which what the last attempt made was looked for, published and recorded.
    Verification,
}

/// The parts of a job's time, in their order. Stages of one attempt may overlap.
#[must_use]
pub fn parts(facts: &JobFacts) -> Vec<Part<'_>> {
    let mut parts = Vec::new();
    let mut ended: Option<DateTime<Utc>> = None;
    for attempt in &facts.job.attempts {
        parts.extend(ended.map(|end| Part { what: Timed::WaitBefore(attempt.n), took: between(end, attempt.started_at) }));
        parts.extend(of_attempt(facts, attempt));
        ended = attempt.seen_end();
    }
    parts.extend(facts.job.attempts.last().and_then(|last| verification(facts, last)));
    // The retry that is waited for.
    let waits = facts.is_open() && ended.is_some();
    let next = facts.job.attempts.last().map(|attempt| attempt.n + 1);
    if let (true, Some(end), Some(next)) = (waits, ended, next) {
        parts.push(Part { what: Timed::WaitBefore(next), took: between(end, facts.now) });
    }
    parts
}

fn of_attempt<'a>(facts: &'a JobFacts, attempt: &PastAttempt) -> Vec<Part<'a>> {
    let stages = facts.stages_of(attempt.n);
    let mut parts: Vec<Part<'_>> =
        stages.map(|stage| Part { what: Timed::Stage(attempt.n, stage), took: facts.stage_took(attempt, stage) }).collect();
    let took = facts.attempt_took(attempt);
    if parts.is_empty() && facts.job.state == JobState::Lost && attempt.seen_end().is_none() {
        // Nothing is on record of how far it got.
        return parts;
    }
    if parts.is_empty() {
        return vec![Part { what: Timed::Attempt(attempt.n), took }];
    }
    parts.push(Part { what: Timed::Unstaged(attempt.n), took: took.saturating_sub(staged(facts, attempt)) });
    parts
}

/// An attempt is over, by its own clock, before its end is on record.
fn verification<'a>(facts: &JobFacts, last: &PastAttempt) -> Option<Part<'a>> {
    let span = between(last.started_at, last.seen_end()?);
    last.duration_ms.map(|_| Part { what: Timed::Verification, took: span.saturating_sub(facts.attempt_took(last)) })
}

/// The time in which some stage of an attempt was under way.
fn staged(facts: &JobFacts, attempt: &PastAttempt) -> Duration {
    let span = |stage: &Stage| (stage.started_at, stage.started_at + facts.stage_took(attempt, stage));
    let mut spans: Vec<_> = facts.stages_of(attempt.n).map(span).collect();
    spans.sort_unstable();
    let (mut total, mut covered) = (Duration::ZERO, None);
    for (start, end) in spans {
        let start = covered.map_or(start, |covered| start.max(covered));
        total += between(start, end);
        covered = Some(covered.map_or(end, |covered| end.max(covered)));
    }
    total
}

/// The place of what took longest; `None` where there is nothing to compare.
#[must_use]
pub fn bottleneck(durations: &[Duration]) -> Option<usize> {
    let longest = durations.iter().max()?;
    (durations.len() > 1 && !longest.is_zero()).then(|| durations.iter().position(|duration| duration == longest)).flatten()
}

/// The share of a part in a whole, in percent.
#[must_use]
pub fn percent(part: Duration, whole: Duration) -> u64 {
    let whole = whole.as_millis();
    let percent = (part.as_millis() * 100 + whole / 2).checked_div(whole).unwrap_or_default();
    u64::try_from(percent).unwrap_or_default().min(100)
}
