//! What a job of an ETL or a source usually is like: its last successes.

use std::collections::BTreeMap;
use std::time::Duration;

use super::records;
use crate::plan::model::job::JobState;
use crate::plan::remember::past::{PastJob, PastStage};

/// How many of the last successes count.
pub const SUCCESSES: usize = 10;

/// The last successes of an ETL or a source, at most [`SUCCESSES`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Usual {
    /// What the attempts that succeeded took, shortest first.
    attempts: Vec<Duration>,
    stages: BTreeMap<String, UsualStage>,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct UsualStage {
    /// Shortest first.
    durations: Vec<Duration>,
    /// How often it had records.
    with_records: usize,
}

/// A duration that is usual.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Median {
    pub of: Duration,
    /// Of so many successes.
    pub successes: usize,
}

/// The last of these jobs, newest first, that had succeeded when `job` ended, without itself.
pub fn earlier<'a>(jobs: &'a [PastJob], job: &PastJob) -> Vec<&'a PastJob> {
    let before = job.ended_at;
    let counts = |other: &&PastJob| {
        other.id != job.id
            && other.state == JobState::Succeeded
            && other.gap.filled_by() == job.gap.filled_by()
            && other.ended_at.is_some_and(|end| before.is_none_or(|before| end <= before))
    };
    jobs.iter().filter(counts).take(SUCCESSES).collect()
}

impl Usual {
    /// What these successes, with the stages of all of them, were like.
    #[must_use]
    pub fn new(successes: &[&PastJob], stages: &[PastStage]) -> Self {
        let mut usual = Self::default();
        for job in successes.iter().take(SUCCESSES) {
            let Some(attempt) = job.attempts.last().filter(|attempt| attempt.outcome.as_deref() == Some("succeeded")) else { continue };
            usual.attempts.extend(attempt.duration_ms.map(Duration::from_millis));
            for PastStage { stage, .. } in stages.iter().filter(|stage| stage.job == job.id && stage.attempt == attempt.n) {
                let seen = usual.stages.entry(stage.name.clone()).or_default();
                seen.durations.extend(stage.ended_at.map(|end| super::between(stage.started_at, end)));
                seen.with_records += usize::from(records(stage) > Some(0));
            }
        }
        usual.attempts.sort_unstable();
        usual.stages.values_mut().for_each(|stage| stage.durations.sort_unstable());
        usual
    }

    /// Whether there was no success.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.attempts.is_empty() && self.stages.is_empty()
    }

    /// What an attempt usually takes; `None` where there was no success.
    #[must_use]
    pub fn attempt(&self) -> Option<Median> {
        median(&self.attempts)
    }

    /// What a stage usually takes; `None` where no success had it.
    #[must_use]
    pub fn stage(&self, name: &str) -> Option<Median> {
        self.stages.get(name).and_then(|stage| median(&stage.durations))
    }

    /// In how many successes a stage had records.
    #[must_use]
    pub fn with_records(&self, name: &str) -> usize {
        self.stages.get(name).map_or(0, |stage| stage.with_records)
    }
}

/// Of an even number the lower of the two in the middle.
fn median(sorted: &[Duration]) -> Option<Median> {
    let middle = sorted.len().checked_sub(1)? / 2;
    Some(Median { of: *sorted.get(middle)?, successes: sorted.len() })
}
