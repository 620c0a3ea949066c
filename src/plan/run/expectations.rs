//! What is expected of a run as it starts, for whoever watches it.

use chrono::{DateTime, Utc};

use super::forecast::{ExpectedRun, Forecast, Interval};
use crate::plan::remember::durations::Lengths;

/// What is expected of a run, unless something fails.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Expectations {
    /// Its end; `None` where one of its jobs cannot be reckoned.
    pub end: Option<Interval>,
    /// How long the last successes like each job took, by the jobs' positions in the plan.
    pub lengths: Vec<Option<Lengths>>,
}

impl Expectations {
    /// What can be said of a run.
    pub fn of(run: &ExpectedRun<'_>) -> Self {
        let lengths = run.plan.jobs.iter().map(|job| run.durations.of_gap(&job.key).cloned()).collect();
        Self { end: Forecast::of(run).end_of_all(), lengths }
    }

    /// Its end, unless that should have come.
    #[must_use]
    pub fn end_after(&self, now: DateTime<Utc>) -> Option<Interval> {
        self.end.filter(|end| end.to > now)
    }
}
