//! A job looked at again from planning to output: the facts on record, and what follows from them.

pub mod chains;
#[cfg(test)]
pub(crate) mod fixture;
pub mod issues;
pub mod parts;
pub mod steps;
#[cfg(test)]
mod tests;
pub mod usual;

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::model::job::JobState;
use crate::plan::model::said::Stage;
use crate::plan::remember::past::{PastAttempt, PastJob, PastLog, PastStage};
use crate::plan::remember::source_state::LastSuccess;
use usual::Usual;

/// All that the trace of a job is made from.
#[derive(Debug, Clone)]
pub struct JobFacts {
    pub job: PastJob,
    /// What its attempts said of their work, in their order.
    pub stages: Vec<PastStage>,
    /// What each attempt printed, in the order of the attempts.
    pub outputs: Vec<Output>,
    /// What of its messages is not on record, as they were too many.
    pub not_stored: Vec<PastLog>,
    /// What earlier successes of the same ETL or source were like.
    pub usual: Usual,
    /// The `warn_after` of its ETL.
    pub warn_after: Option<Duration>,
    /// What it collected, where that is on record.
    pub collected: Option<LastSuccess>,
    /// How far its report is published, where etl-orch does that.
    pub publication: Option<Publication>,
    /// When it is looked at.
    pub now: DateTime<Utc>,
}

/// How far the report of a job that succeeded is published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Publication {
    /// Its row is written, and nothing of it is left beside its place.
    Done,
    /// Its run goes on: whether its file is in its place is put on record at the end.
    UnderWay(PathBuf),
    /// Its run is over, and its file may still lie beside this place.
    Left(PathBuf),
}

/// What is known of what an attempt printed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Output {
    /// The attempt has not ended.
    UnderWay,
    /// All of it is in the log.
    Whole,
    /// It printed nothing.
    Silent,
    /// The log lacks so many bytes, as logs are limited.
    LeftOut(u64),
    /// The log lacks what came after it could not be written.
    NotWritten,
    /// It printed something, and the log is not there.
    Missing,
    /// It cannot be looked at: why.
    Unknown(String),
}

impl JobFacts {
    /// Whether the job is under way or has not begun.
    #[must_use]
    pub fn is_open(&self) -> bool {
        is_open(self.job.state)
    }

    /// When it ended; until then, now. Nobody saw the end of a job whose run died: that is when it gave its last sign of life.
    #[must_use]
    pub fn until(&self) -> DateTime<Utc> {
        if self.job.state == JobState::Lost { self.last_sign() } else { self.job.ended_at.unwrap_or(self.now) }
    }

    /// The last point in time at which something of it is on record.
    fn last_sign(&self) -> DateTime<Utc> {
        let attempts = self.job.attempts.iter().flat_map(|attempt| [Some(attempt.started_at), attempt.seen_end()]);
        let stages = self.stages.iter().flat_map(|stage| [Some(stage.stage.started_at), stage.stage.ended_at]);
        let signs = attempts.chain(stages).chain([self.job.started_at]);
        signs.flatten().max().unwrap_or(self.job.queued_at)
    }

    /// From its start to its end, or to now.
    #[must_use]
    pub fn took(&self) -> Option<Duration> {
        self.job.started_at.map(|start| between(start, self.until()))
    }

    /// The stages of an attempt.
    pub fn stages_of(&self, attempt: u32) -> impl Iterator<Item = &Stage> {
        self.stages.iter().filter(move |stage| stage.attempt == attempt).map(|stage| &stage.stage)
    }

    /// How long an attempt took, so far.
    #[must_use]
    pub fn attempt_took(&self, attempt: &PastAttempt) -> Duration {
        let measured = attempt.duration_ms.map(Duration::from_millis);
        measured.unwrap_or_else(|| between(attempt.started_at, attempt.seen_end().unwrap_or_else(|| self.until())))
    }

    /// How long a stage took, so far.
    #[must_use]
    pub fn stage_took(&self, attempt: &PastAttempt, stage: &Stage) -> Duration {
        between(stage.started_at, stage.ended_at.or(attempt.seen_end()).unwrap_or_else(|| self.until()))
    }
}

/// Whether a job in this state is under way or has not begun.
#[must_use]
pub fn is_open(state: JobState) -> bool {
    match state {
        JobState::Queued | JobState::Running => true,
        JobState::Succeeded | JobState::Failed | JobState::Skipped | JobState::Cancelled | JobState::Lost => false,
    }
}

/// The time between two points, none where a clock went back.
#[must_use]
pub fn between(start: DateTime<Utc>, end: DateTime<Utc>) -> Duration {
    (end - start).to_std().unwrap_or_default()
}

/// How many records a stage dealt with, as far as it said: written, or else read, or else what it counted by names of its own.
fn records(stage: &Stage) -> Option<u64> {
    let named = stage.counts.iter().map(|(_, number)| *number).reduce(u64::saturating_add);
    stage.records.written.or(stage.records.read).or(named)
}
