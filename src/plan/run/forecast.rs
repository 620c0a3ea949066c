//! When jobs will have ended: the schedule of real runs, run forward in simulated time with the durations of the last successes. What cannot be
//! reckoned is not said.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, HashMap};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::schedule::{JobIndex, NextStep, Schedule, Step};
use crate::plan::decide::plan::{Gate, Plan};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::outcome::Class;
use crate::plan::model::settings::RunSettings;
use crate::plan::remember::durations::{Durations, Spread};

/// A run that is under way, or that is to come.
#[derive(Debug, Clone, Copy)]
pub struct ExpectedRun<'a> {
    /// The jobs that are not over.
    pub plan: &'a Plan,
    pub catalogue: &'a Catalogue,
    pub settings: &'a RunSettings,
    pub durations: &'a Durations,
    /// Its start.
    pub begin: Interval,
    /// The jobs that are under way, and since when; each the first of its chain.
    pub running: &'a [(JobIndex, DateTime<Utc>)],
    /// What another run will have filled before, and what is expected of that: this one finds it there.
    pub filled_before: &'a HashMap<GapKey, Prospect>,
    pub now: DateTime<Utc>,
}

/// From when to when something is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Interval {
    pub from: DateTime<Utc>,
    pub to: DateTime<Utc>,
}

impl Interval {
    /// A time that is known.
    #[must_use]
    pub fn at(time: DateTime<Utc>) -> Self {
        Self { from: time, to: time }
    }

    /// The later of two, by both ends.
    #[must_use]
    pub fn max(self, other: Self) -> Self {
        Self { from: self.from.max(other.from), to: self.to.max(other.to) }
    }
}

/// What is expected of a run.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Forecast {
    /// By the jobs' positions in the plan.
    pub jobs: Vec<Prospect>,
    /// The last end that can be reckoned.
    pub end: Option<Interval>,
}

/// What is expected of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Prospect {
    Expected(Expected),
    /// It would start after `run.deadline`.
    LeftByDeadline,
    /// It might.
    MayMissDeadline,
    Unknown(Unreckoned),
}

/// When a job will have ended, unless it fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Expected {
    pub end: Interval,
    /// How many jobs of its run start earlier.
    pub before: usize,
}

/// Why nothing is expected of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unreckoned {
    /// Its ETL or source never succeeded.
    NeverSucceeded,
    /// It takes longer than its last successes did.
    Overdue,
    /// Its ETL, or one whose report it needs, is taken for broken.
    Broken,
    /// It waits for a job that cannot be reckoned.
    Behind,
}

impl Forecast {
    /// What can be said of a run.
    pub fn of(run: &ExpectedRun<'_>) -> Self {
        let (fast, slow) = (run.simulated(Pace::Fast), run.simulated(Pace::Slow));
        let filled_before = |job: JobIndex| run.filled_before.get(&run.plan.job(job).key);
        let own = slow.iter().enumerate().filter(|(job, _)| filled_before(*job).is_none());
        let mut starts: Vec<Duration> = own.filter_map(|(_, course)| course.start).collect();
        starts.sort_unstable();
        let behind_probe = run.plan.waits_for_probe(&run.catalogue.etls);
        let prospect = |(job, (fast, slow)): (JobIndex, (&Course, &Course))| {
            if let Some(prospect) = filled_before(job) {
                return *prospect;
            }
            let is_broken = behind_probe.get(job) == Some(&true) || run.plan.job(job).gate == Gate::Probe;
            if let Err(why) = run.left_of(job).map(|left| (left, is_broken)) {
                return Prospect::Unknown(why);
            }
            if is_broken {
                return Prospect::Unknown(Unreckoned::Broken);
            }
            match (fast.is_dropped, slow.is_dropped) {
                (true, true) => return Prospect::LeftByDeadline,
                (false, false) => {}
                (true, false) | (false, true) => return Prospect::MayMissDeadline,
            }
            let at = |begin: DateTime<Utc>, course: &Course| begin.checked_add_signed(TimeDelta::from_std(course.end?).ok()?);
            let ends = at(run.begin.from, fast).zip(at(run.begin.to, slow));
            let Some(((one, other), start)) = ends.zip(slow.start) else { return Prospect::Unknown(Unreckoned::Behind) };
            // Where jobs take longer, others may have their turn earlier.
            let end = Interval { from: one.min(other), to: one.max(other) };
            Prospect::Expected(Expected { end, before: starts.partition_point(|other| *other < start) })
        };
        let jobs: Vec<Prospect> = fast.iter().zip(&slow).enumerate().map(prospect).collect();
        let ends = jobs.iter().filter_map(|job| if let Prospect::Expected(expected) = job { Some(expected.end) } else { None });
        Self { end: ends.reduce(Interval::max), jobs }
    }

    /// The end of the whole run; `None` where that of a job cannot be reckoned.
    #[must_use]
    pub fn end_of_all(&self) -> Option<Interval> {
        let is_known = |job: &Prospect| match job {
            Prospect::Expected(_) | Prospect::LeftByDeadline => true,
            Prospect::MayMissDeadline | Prospect::Unknown(_) => false,
        };
        self.end.filter(|_| self.jobs.iter().all(is_known))
    }

    /// What is expected of the job at a position.
    #[must_use]
    pub fn of_job(&self, job: JobIndex) -> Option<&Prospect> {
        self.jobs.get(job)
    }

    /// How many jobs cannot be reckoned.
    #[must_use]
    pub fn unknown(&self) -> usize {
        self.jobs.iter().filter(|job| matches!(job, Prospect::Unknown(_))).count()
    }
}

/// At which of the durations jobs are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Pace {
    /// A quarter of the successes was as fast. What cannot be reckoned ends at once.
    Fast,
    /// Three quarters were as fast. What cannot be reckoned never ends.
    Slow,
}

/// What became of a job in simulated time, since the start of the run.
#[derive(Debug, Clone, Copy, Default)]
struct Course {
    start: Option<Duration>,
    end: Option<Duration>,
    is_dropped: bool,
}

impl ExpectedRun<'_> {
    /// What a job still needs.
    fn left_of(&self, job: JobIndex) -> Result<Spread, Unreckoned> {
        let key = &self.plan.job(job).key;
        if self.filled_before.contains_key(key) {
            return Ok(Spread::default());
        }
        let lengths = self.durations.of_gap(key).ok_or(Unreckoned::NeverSucceeded)?;
        let since = self.running.iter().find(|(running, _)| *running == job).map(|(_, since)| *since);
        let elapsed = since.and_then(|since| (self.now - since).to_std().ok()).unwrap_or_default();
        lengths.left_after(elapsed).ok_or(Unreckoned::Overdue)
    }

    /// When a job ends that is at work now; `None` where it never does.
    fn end_of(&self, job: JobIndex, pace: Pace, now: Duration) -> Option<Duration> {
        match (self.left_of(job), pace) {
            (Ok(left), Pace::Fast) => Some(now.saturating_add(left.low)),
            (Ok(left), Pace::Slow) => Some(now.saturating_add(left.high)),
            (Err(_), Pace::Fast) => Some(now),
            (Err(_), Pace::Slow) => None,
        }
    }

    /// The broken ETLs' probes succeed where that makes more work.
    fn ended(&self, schedule: &mut Schedule, job: JobIndex, pace: Pace, now: Duration) {
        let (class, after) = match (self.plan.job(job).gate, pace) {
            (Gate::Probe, Pace::Fast) => (Class::Transient, NextStep::Fail),
            (Gate::Probe, Pace::Slow) | (Gate::Open | Gate::BehindProbe, _) => (Class::Success, NextStep::Succeed),
        };
        schedule.ended(self.plan, job, Some(class), after, now);
    }

    fn simulated(&self, pace: Pace) -> Vec<Course> {
        let begin = match pace {
            Pace::Fast => self.begin.from,
            Pace::Slow => self.begin.to,
        };
        let mut now = (self.now - begin).to_std().unwrap_or_default();
        let mut schedule = Schedule::new(self.plan, self.catalogue, self.settings, false);
        let mut courses = vec![Course::default(); self.plan.jobs.len()];
        let mut ends = BinaryHeap::new();
        let begins = |job: JobIndex, now: Duration, ends: &mut BinaryHeap<_>, courses: &mut Vec<Course>| {
            courses[job].start = Some(now);
            ends.extend(self.end_of(job, pace, now).map(|end| Reverse((end, job))));
        };
        for (job, _) in self.running {
            if schedule.resume(*job) {
                begins(*job, now, &mut ends, &mut courses);
            }
        }
        loop {
            match schedule.step(self.plan, now) {
                Step::Start { job, .. } => begins(job, now, &mut ends, &mut courses),
                Step::Drop { job, .. } | Step::GiveUp { job, .. } => courses[job].is_dropped = true,
                Step::Finished => return courses,
                Step::Wait { until } => match (ends.pop(), until) {
                    (Some(Reverse((end, job))), until) if until.is_none_or(|until| end <= until) => {
                        now = end;
                        courses[job].end = Some(now);
                        self.ended(&mut schedule, job, pace, now);
                    }
                    (end, Some(until)) => {
                        ends.extend(end);
                        now = until;
                    }
                    (Some(_) | None, None) => return courses,
                },
            }
        }
    }
}

#[cfg(test)]
mod tests;
