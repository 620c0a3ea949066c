//! A simulated source with its queue, its collector and its clock.

use std::collections::{BTreeSet, HashMap};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use etl_orch::plan::decide::backfill::{self, SourceFacts};
use etl_orch::plan::decide::decision::Why;
use etl_orch::plan::decide::plan::{Gate, PlannedJob};
use etl_orch::plan::decide::source_plan::SourcePlan;
use etl_orch::plan::model::collection::{Collected, Collection, Seen};
use etl_orch::plan::model::cooldown::Cooldown;
use etl_orch::plan::model::gap::GapKey;
use etl_orch::plan::model::orders::SourceOrderKind;
use etl_orch::plan::model::outcome::ExitCodes;
use etl_orch::plan::model::retry::RetryPolicy;
use etl_orch::plan::model::selection::Selection;
use etl_orch::plan::model::source::{CatchUp, Source};
use etl_orch::plan::model::target::Target;
use etl_orch::plan::model::window::{Cadence, Window};
use etl_orch::plan::model::work::{CommandSpec, Work};
use etl_orch::plan::remember::failure_history::{FailureHistory, GapState};
use etl_orch::plan::remember::source_state::{GivenUp, LastSuccess, QueuedWindow, SourceState};
use etl_orch::plan::run::aftermath::{Attempted, Next};
use etl_orch::plan::run::job_end::{Artifact, JobEnd};
use etl_orch::plan::text::placeholder::Scope;
use etl_orch::plan::text::template::Template;
use proptest::prelude::*;

use crate::faults::{Fault, aftermath};

const ID: &str = "house";
/// Minutes from run to run.
pub(super) const TICK: i64 = 15;

fn source() -> Source {
    let year = Template::parse("{window_year}", Scope::ALL).unwrap();
    let command = CommandSpec {
        argv: vec![year],
        cwd: PathBuf::from("/"),
        env: Vec::new(),
        env_file: None,
        timeout: Duration::from_secs(60),
        progress: Vec::new(),
        grace: Duration::from_secs(10),
    };
    Source {
        id: ID.to_owned(),
        name: ID.to_owned(),
        cadence: Cadence { every: Duration::from_secs(6 * 3600), zone: None },
        catch_up: CatchUp::Coalesce,
        lag: Duration::ZERO,
        max_windows: 28,
        start: None,
        lookback_days: 1,
        work: Work::Command { command, exit_codes: ExitCodes::default() },
        retry: RetryPolicy::default(),
        pool: None,
        version: None,
        records: None,
        verify: None,
        freshness: None,
        warn_after: Duration::from_secs(13 * 3600),
        error_after: Duration::from_secs(25 * 3600),
    }
}

/// What happens to the world, or to its collector from now on.
#[derive(Debug, Clone, Copy)]
pub(super) enum Event {
    /// It fails so.
    Fails(Fault),
    /// Whoever runs it dies, before or after a service has begun the job.
    Killed {
        begun: bool,
    },
    Works,
    ClockSteps(i64),
    /// Nobody runs anything for so many hours.
    Off(i64),
    Every(u64),
    Lag(u64),
    Mode(CatchUp),
    /// An operator wants what was collected so many hours ago again.
    Asks(i64),
    /// An operator gives up what is missing of the hours that follow what was collected, after so many of them.
    GivesUp(i64),
}

/// What a job collected.
#[derive(Debug, Clone, Copy)]
struct Done {
    window: Window,
    /// An operator had asked for some of it.
    is_asked: bool,
    /// It came after later windows: a job that a service had begun before all that was missing, or what a run passed over.
    is_late: bool,
}

#[derive(Debug)]
pub(super) struct World {
    pub(super) now: DateTime<Utc>,
    pub(super) source: Source,
    pub(super) faults: Event,
    states: HashMap<String, SourceState>,
    queue: Vec<QueuedWindow>,
    pub(super) gaps: HashMap<GapKey, GapState>,
    /// Where the first run began.
    begin: Option<DateTime<Utc>>,
    /// In this order.
    collected: Vec<Done>,
    asked: BTreeSet<Window>,
    given_up: BTreeSet<Window>,
    /// Jobs of which the first window was collected by the job before, and others were not.
    passed_over: Vec<Window>,
    jobs: u64,
}

impl World {
    pub(super) fn new(start: Option<DateTime<Utc>>) -> Self {
        Self {
            now: "2025-12-28T00:07:00Z".parse().unwrap(),
            source: Source { start, ..source() },
            faults: Event::Works,
            states: HashMap::new(),
            queue: Vec::new(),
            gaps: HashMap::new(),
            begin: None,
            collected: Vec::new(),
            asked: BTreeSet::new(),
            given_up: BTreeSet::new(),
            passed_over: Vec::new(),
            jobs: 0,
        }
    }

    pub(super) fn frontier(&self) -> Option<DateTime<Utc>> {
        self.states.get(ID).and_then(|state| state.frontier)
    }

    /// When it failed last, by the clock of then.
    pub(super) fn failed_at(&self) -> Option<DateTime<Utc>> {
        let histories = self.gaps.values().map(|gap| &gap.history);
        let failed =
            histories.map(|history| history.rest.map(|rest| rest.since).max(history.quarantine.map(|quarantine| quarantine.since)));
        failed.max().flatten()
    }

    pub(super) fn plan(&self) -> SourcePlan {
        let (running, unrecorded) = (HashMap::new(), HashMap::new());
        let facts = SourceFacts {
            now: self.now,
            states: &self.states,
            queue: &self.queue,
            gaps: &self.gaps,
            unrecorded: &unrecorded,
            running: &running,
        };
        let sources = std::slice::from_ref(&self.source);
        backfill::plan(sources, &Selection::default(), &["ab".to_owned()], facts, 500).remove(0)
    }

    pub(super) fn happen(&mut self, event: Event) {
        match event {
            Event::Fails(_) | Event::Killed { .. } | Event::Works => self.faults = event,
            Event::ClockSteps(hours) | Event::Off(hours) => self.now += TimeDelta::hours(hours),
            Event::Every(hours) => self.source.cadence.every = Duration::from_secs(hours * 3600),
            Event::Lag(hours) => self.source.lag = Duration::from_secs(hours * 3600),
            // Independent windows stay so: each has a past of its own.
            Event::Mode(_) if self.source.catch_up == CatchUp::Independent => {}
            Event::Mode(mode) => self.source.catch_up = mode,
            Event::Asks(hours) => self.ask(hours),
            Event::GivesUp(hours) => self.give_up(hours),
        }
    }

    fn ask(&mut self, hours: i64) {
        let Some(frontier) = self.frontier() else { return };
        let at = frontier - TimeDelta::hours(hours);
        for window in self.source.cadence.overlapping(Window::new(at, at + TimeDelta::hours(5)).unwrap()) {
            self.asked.insert(window);
            let given_up = self.queue.iter().find(|row| row.window == window).and_then(|row| row.given_up.clone());
            self.queue.retain(|row| row.window != window);
            self.queue.push(QueuedWindow { is_requested: true, is_urgent: true, given_up, ..queued(window) });
        }
    }

    fn give_up(&mut self, hours: i64) {
        let at = self.frontier().unwrap_or(self.now - TimeDelta::hours(12)) + TimeDelta::hours(hours);
        let span = Window::new(at, at + TimeDelta::hours(9)).unwrap();
        let state = self.states.entry(ID.to_owned()).or_insert_with(|| SourceState { source: ID.to_owned(), ..SourceState::default() });
        let SourceOrderKind::GiveUp { windows, begin } = backfill::give_up(&self.source, state, &self.queue, span, self.now) else {
            unreachable!()
        };
        let was_tried = |window: &Window| self.queue.iter().any(|row| row.window == *window);
        for window in windows.iter().filter(|window| was_tried(window)) {
            self.gaps.remove(&self.source.gap_key(*window));
        }
        if self.begin.is_none() {
            self.begin = begin;
        }
        for window in windows {
            let given_up = Some(GivenUp { since: self.now, by: "ann".to_owned(), reason: "lost".to_owned() });
            self.queue.retain(|row| row.window != window);
            self.given_up.insert(window);
            self.queue.push(QueuedWindow { given_up, ..queued(window) });
        }
        backfill::move_frontier(self.states.get_mut(ID).unwrap(), &self.queue, begin);
    }

    /// One run.
    pub(super) fn tick(&mut self) -> Result<(), TestCaseError> {
        let plan = self.plan();
        if self.frontier().is_none() && !plan.jobs.is_empty() {
            self.begin = plan.missing.map(|missing| missing.start).into_iter().chain(self.begin).min();
        }
        if let Some(begin) = plan.begin {
            let state = self.states.entry(ID.to_owned()).or_insert_with(|| SourceState { source: ID.to_owned(), ..SourceState::default() });
            state.frontier.get_or_insert(begin);
        }
        for window in &plan.new {
            prop_assert!(self.queue.iter().all(|row| !row.window.overlaps(*window)), "{window} is in the queue");
            self.queue.push(queued(*window));
        }
        if self.source.catch_up != CatchUp::Coalesce {
            prop_assert!(plan.jobs.len() <= self.source.max_windows);
        }
        // Where a source has a `start:` it begins there, and with it its windows.
        let begin = self.frontier().or(self.source.start.map(|start| self.source.cadence.starting_at_or_before(start)));
        let mut failed_in_a_row = 0;
        for job in &plan.jobs {
            let is_before = begin.is_some_and(|begin| job.window.end <= begin);
            let goes_on = self.collect(job, is_before)?;
            failed_in_a_row = if goes_on { 0 } else { failed_in_a_row + 1 };
            let is_stopped = match self.source.catch_up {
                CatchUp::Coalesce | CatchUp::Each => !goes_on,
                CatchUp::Independent => failed_in_a_row >= 3 || matches!(self.faults, Event::Killed { .. }),
            };
            if is_stopped {
                break;
            }
        }
        self.now += TimeDelta::minutes(TICK);
        self.holds()
    }

    /// Runs a job, and says whether the chain goes on.
    fn collect(&mut self, job: &Collection, is_before: bool) -> Result<bool, TestCaseError> {
        let before = self.frontier();
        let is_in = |row: &&mut QueuedWindow| job.window.start <= row.window.start && row.window.end <= job.window.end;
        if !self.queue.iter().any(|row| row.is_open() && row.window.start == job.window.start) {
            // Collected by the job before, which an operator asked for in windows of another length: a claim finds nothing to do,
            // and what else the job has is left for the next run.
            if self.queue.iter_mut().filter(is_in).any(|row| row.is_open()) {
                self.passed_over.push(job.window);
            }
            return Ok(true);
        }
        if let Some(remote_id) = &job.remote_id {
            let begun = self.queue.iter().filter(|row| row.remote_id.as_ref() == Some(remote_id)).count();
            prop_assert_eq!(begun as u64, job.windows, "a job of a service is followed for exactly its windows");
        }
        self.jobs += 1;
        self.queue.iter_mut().filter(is_in).for_each(|row| row.is_urgent = false);
        let fault = match self.faults {
            Event::Fails(fault) => Some(fault).filter(|fault| fault.strikes(self.jobs)),
            Event::Works => None,
            Event::Killed { begun } => {
                if begun && job.remote_id.is_none() {
                    let remote_id = self.jobs.to_string();
                    let rows = self.queue.iter_mut().filter(is_in).filter(|row| row.is_open());
                    rows.for_each(|row| row.remote_id = Some(remote_id.clone()));
                }
                let fingerprint = backfill::fingerprint(&self.source, "ab", self.now);
                self.remember(job, self.history(job).lost(Some(&fingerprint), self.now));
                return Ok(false);
            }
            Event::ClockSteps(_)
            | Event::Off(_)
            | Event::Every(_)
            | Event::Lag(_)
            | Event::Mode(_)
            | Event::Asks(_)
            | Event::GivesUp(_) => {
                unreachable!()
            }
        };
        let end = self.job_end(job, fault);
        let Artifact::Collection(collected) = end.artifact() else {
            self.queue.iter_mut().filter(is_in).for_each(|row| row.remote_id = None);
            if let Some(history) = end.history() {
                self.remember(job, history.into_owned());
            }
            return Ok(false);
        };
        self.gaps.remove(&self.source.gap_key(job.window));
        let is_asked = self.queue.iter_mut().filter(is_in).any(|row| self.asked.contains(&row.window));
        let is_late = is_before || self.passed_over.iter().any(|passed| passed.overlaps(job.window));
        prop_assert!(is_asked || !is_before || job.remote_id.is_some(), "{} is before the frontier", job.window);
        self.collected.push(Done { window: job.window, is_asked, is_late });
        let state = self.states.entry(ID.to_owned()).or_default();
        backfill::record(state, &mut self.queue, &LastSuccess { at: self.now, collected: (**collected).clone() });
        prop_assert!(self.frontier() >= before, "a frontier never moves back");
        Ok(true)
    }

    /// How a job ends all of whose attempts have this fault.
    fn job_end(&self, job: &Collection, fault: Option<Fault>) -> JobEnd {
        let planned = PlannedJob {
            target: Target::Collection(job.clone()),
            key: self.source.gap_key(job.window),
            why: Why::Missing,
            gate: Gate::Open,
            planned_fence: 0,
            fingerprint: Some(backfill::fingerprint(&self.source, "ab", self.now)),
        };
        let collected = Collected { source: ID.to_owned(), window: job.window, seen: Seen::Reported, records: None, message: None };
        let artifact = Artifact::Collection(Box::new(collected));
        let history = self.history(job);
        let first = Attempted {
            job: &planned,
            number: 1,
            work: &self.source.work,
            retry: &self.source.retry,
            cooldown: &Cooldown::default(),
            history: &history,
            stop: None,
            at: self.now,
            random: 0.5,
        };
        let end = |number| match aftermath(&Attempted { number, ..first }, fault, artifact.clone()).next {
            Next::Retry { .. } => None,
            Next::End(end) => Some(end),
        };
        (1..).find_map(end).unwrap()
    }

    fn history(&self, job: &Collection) -> FailureHistory {
        self.gaps.get(&self.source.gap_key(job.window)).map(|gap| gap.history.clone()).unwrap_or_default()
    }

    fn remember(&mut self, job: &Collection, history: FailureHistory) {
        let key = self.source.gap_key(job.window);
        let state = GapState { key: key.clone(), fence: 0, history, skip: None, forced: None };
        self.gaps.insert(key, state);
    }

    /// No hole before the frontier; nothing was collected twice, or out of order, but what was asked for.
    fn holds(&self) -> Result<(), TestCaseError> {
        // Where a source has a `start:` it begins there, wherever another length of its windows would have had it begin.
        let mut at = self.source.start.or(self.begin);
        let mut passed = sorted(self.collected.iter());
        passed.extend(&self.given_up);
        passed.sort();
        for window in passed {
            at = at.map(|at| if window.start <= at { at.max(window.end) } else { at });
        }
        prop_assert!(self.frontier() <= at, "a hole at {at:?} before {:?}", self.frontier());
        let unasked = || self.collected.iter().filter(|done| !done.is_asked);
        // Independent windows are collected in any order, but none of them twice.
        let is_ordered = self.source.catch_up != CatchUp::Independent;
        let in_order: Vec<Window> = unasked().filter(|done| is_ordered && !done.is_late).map(|done| done.window).collect();
        for windows in [sorted(unasked()), in_order] {
            for pair in windows.windows(2) {
                prop_assert!(pair[0].end <= pair[1].start, "{} and then {}", pair[0], pair[1]);
            }
        }
        Ok(())
    }
}

/// A window that is in the queue as it became due.
fn queued(window: Window) -> QueuedWindow {
    QueuedWindow {
        source: ID.to_owned(),
        window,
        is_collected: false,
        is_requested: false,
        is_urgent: false,
        remote_id: None,
        given_up: None,
    }
}

fn sorted<'a>(done: impl Iterator<Item = &'a Done>) -> Vec<Window> {
    let mut windows: Vec<Window> = done.map(|done| done.window).collect();
    windows.sort();
    windows
}
