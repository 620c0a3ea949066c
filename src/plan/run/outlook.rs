//! What is expected of a plan, and of the runs that are under way: the one value that a dry run, `why` and others show.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::forecast::{ExpectedRun, Forecast, Interval, Prospect};
use super::recorded::RecordedRun;
use crate::plan::decide::plan::Plan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::settings::RunSettings;
use crate::plan::remember::durations::Durations;
use crate::plan::remember::rhythm::Rhythm;

/// What expectations are made from.
#[derive(Debug, Clone)]
pub struct OutlookFacts<'a> {
    pub catalogue: &'a Catalogue,
    pub settings: &'a RunSettings,
    pub durations: Durations,
    /// The runs that are under way.
    pub active: Vec<RecordedRun>,
    /// How the last runs started.
    pub rhythm: Option<Rhythm>,
    pub now: DateTime<Utc>,
}

/// When a run begins of which something is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Now, beside those that are under way.
    AtOnce,
    /// Now, or once those that are under way have ended.
    BehindTheLock,
    /// The same at the next regular start, where runs start regularly.
    Regular,
}

/// What is expected, unless something fails.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outlook {
    pub now: DateTime<Utc>,
    /// When the planned run can start: now or, where it must wait for others, when these have ended. `None` where that cannot be reckoned.
    pub begin: Option<Interval>,
    /// The planned jobs; empty where their begin cannot be reckoned.
    pub planned: Forecast,
    /// The jobs of the runs that are under way.
    pub active: HashMap<GapKey, Prospect>,
    pub rhythm: Option<Rhythm>,
}

/// When a gap is expected to be filled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expectation {
    /// By a run that is under way.
    UnderWay(Prospect),
    /// By a run that begins then: where runs start regularly that is the next one, and otherwise one that would be started now.
    Planned { begin: Interval, is_regular: bool, prospect: Prospect },
    /// It rests, and the run that is expected to start then tries it.
    TriedAt(DateTime<Utc>),
}

impl Outlook {
    /// What is expected of a run with this plan.
    pub fn of(plan: &Plan, facts: &OutlookFacts<'_>, start: Start) -> Self {
        let OutlookFacts { catalogue, settings, durations, active, rhythm, now } = facts;
        let regular = rhythm.as_ref().filter(|_| start == Start::Regular).and_then(|rhythm| rhythm.next(*now));
        let (mut begin, mut of_active, none) = (Some(Interval::at(regular.unwrap_or(*now))), HashMap::new(), HashMap::new());
        let waits = match start {
            Start::AtOnce => false,
            Start::BehindTheLock | Start::Regular => true,
        };
        for run in active {
            let settings = RunSettings { max_parallel: settings.max_parallel.max(run.running.len()), ..(*settings).clone() };
            let forecast = Forecast::of(&ExpectedRun {
                plan: &run.plan,
                catalogue,
                settings: &settings,
                durations,
                begin: Interval::at(run.started_at),
                running: &run.running,
                filled_before: &none,
                now: *now,
            });
            if waits {
                begin = begin.zip(end_of(run, &forecast, *now)).map(|(one, other)| one.max(other));
            }
            for (job, prospect) in run.plan.jobs.iter().zip(&forecast.jobs) {
                of_active.entry(job.key.clone()).or_insert(*prospect);
            }
        }
        let expected = |begin| {
            let filled_before = if waits { &of_active } else { &none };
            Forecast::of(&ExpectedRun { plan, catalogue, settings, durations, begin, running: &[], filled_before, now: *now })
        };
        let planned = begin.map_or_else(Forecast::default, expected);
        Self { now: *now, begin, planned, active: of_active, rhythm: *rhythm }
    }

    /// What is expected of a gap, or of a source, that this run plans, or that another fills now.
    #[must_use]
    pub fn of_gap(&self, plan: &Plan, gap: &GapKey) -> Option<Expectation> {
        let is_it = |key: &GapKey| key == gap || gap.covers(key);
        if let Some(key) = self.active.keys().filter(|key| is_it(key)).min() {
            return self.active.get(key).copied().map(Expectation::UnderWay);
        }
        let prospect = *self.planned.of_job(plan.jobs.iter().rposition(|job| is_it(&job.key))?)?;
        Some(Expectation::Planned { begin: self.begin?, is_regular: self.rhythm.is_some(), prospect })
    }

    /// When the first run is expected to start that is not before this time; `None` where runs do not start regularly.
    #[must_use]
    pub fn next_run(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        self.rhythm?.next(at.max(self.now))
    }
}

/// When a run has ended; `None` where that cannot be reckoned.
fn end_of(run: &RecordedRun, forecast: &Forecast, now: DateTime<Utc>) -> Option<Interval> {
    let is_known = run.is_whole && forecast.unknown() == 0;
    is_known.then(|| forecast.end.unwrap_or(Interval::at(now)))
}
