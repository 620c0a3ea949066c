//! Which job starts next: chains in bounded parallel, retries, and what stops them. A pure state machine; the run room
//! drives it.
//!
//! ```text
//! chain:  ready --start--> running --ended--> ready | backoff | finished
//!         backoff --its time comes--> ready      (a chain that waits holds no slot)
//! ```

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::etl::{Etl, EtlIndex};
use super::outcome::Class;
use super::planner::Plan;
use super::retry::RetryPolicy;

/// Position of a job in [`Plan::jobs`].
pub type JobIndex = usize;

/// What follows from the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum After {
    /// The job is done.
    Succeed,
    /// Another attempt after this wait.
    Retry(Duration),
    /// No further attempt.
    Fail,
    /// Its input is not ready: no failure, no further attempt in this run.
    Skip,
    /// The run is stopping.
    Cancel,
}

/// What follows from an attempt's class, given how many attempts failed with this one. `random` is uniform in `0.0..1.0`.
pub fn after(class: Class, failed: u32, policy: &RetryPolicy, random: f64) -> After {
    match class {
        Class::Success => After::Succeed,
        Class::NotReady => After::Skip,
        Class::Interrupted => After::Cancel,
        Class::Permanent | Class::Configuration => After::Fail,
        Class::Transient | Class::Crash => policy.delay_after(failed, random).map_or(After::Fail, After::Retry),
    }
}

/// What the driver is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Start this attempt; tell [`Schedule::ended`] when it is over and recorded.
    Start {
        /// Which job.
        job: JobIndex,
        /// From 1.
        attempt: u32,
    },
    /// This job was not started and will not be.
    Drop {
        /// Which job.
        job: JobIndex,
        /// Why.
        reason: NotStarted,
    },
    /// This job waits for a retry that will not come.
    GiveUp {
        /// Which job.
        job: JobIndex,
        /// Why.
        reason: NotStarted,
    },
    /// Nothing to do before an attempt ends or, if given, this time comes.
    Wait {
        /// Time since the run's start.
        until: Option<Duration>,
    },
    /// Nothing is left.
    Finished,
}

/// Why a job was left alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// etl-orch was told to stop.
    Stopped,
    /// `--fail-fast`, and a job failed.
    FailFast,
    /// `run.deadline` is past.
    Deadline,
    /// Its ETL is set up wrongly, as an earlier job showed.
    EtlStopped(EtlIndex),
    /// A report that it needs was not made.
    NeedUnmet(EtlIndex),
}

/// The state of all chains of a run.
#[derive(Debug)]
pub struct Schedule {
    chains: Vec<Chain>,
    etl_of: Vec<EtlIndex>,
    unmade: Vec<Unmade>,
    needs: Vec<Vec<EtlIndex>>,
    slots: usize,
    running: usize,
    deadline: Option<Duration>,
    fail_fast: bool,
    halt: Option<NotStarted>,
    stopped_etls: BTreeSet<EtlIndex>,
}

#[derive(Debug)]
struct Chain {
    jobs: VecDeque<JobIndex>,
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Ready { attempt: u32 },
    Running,
    Backoff { until: Duration, attempt: u32 },
}

/// A job that ended without its report; what needs it in the same bank and period cannot run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Unmade {
    bank: usize,
    period: super::period::Period,
    etl: EtlIndex,
}

impl Schedule {
    /// A schedule for a plan. `slots` chains run at once (at least 1).
    pub fn new(plan: &Plan, etls: &[Etl], slots: usize, deadline: Option<Duration>, fail_fast: bool) -> Self {
        Self {
            chains: plan
                .chains
                .iter()
                .map(|jobs| Chain { jobs: jobs.iter().copied().collect(), state: State::Ready { attempt: 1 } })
                .collect(),
            etl_of: plan.jobs.iter().map(|job| job.gap.etl).collect(),
            unmade: Vec::new(),
            needs: etls.iter().map(|etl| etl.needs.clone()).collect(),
            slots: slots.max(1),
            running: 0,
            deadline,
            fail_fast,
            halt: None,
            stopped_etls: BTreeSet::new(),
        }
    }

    /// Nothing more is started. The first reason stays.
    pub fn halt(&mut self, reason: NotStarted) {
        self.halt.get_or_insert(reason);
    }

    /// What to do at `now` (time since the run's start). Ask again until the answer is `Wait` or `Finished`.
    pub fn step(&mut self, plan: &Plan, now: Duration) -> Step {
        if let Some(step) = self.weed_out(plan, now) {
            return step;
        }
        for chain in &mut self.chains {
            if let State::Backoff { until, attempt } = chain.state
                && until <= now
            {
                chain.state = State::Ready { attempt };
            }
        }
        if self.running < self.slots
            && let Some(chain) = self.chains.iter_mut().find(|chain| matches!(chain.state, State::Ready { .. }))
            && let (State::Ready { attempt }, Some(job)) = (chain.state, chain.jobs.front())
        {
            chain.state = State::Running;
            self.running += 1;
            return Step::Start { job: *job, attempt };
        }
        if self.chains.is_empty() {
            return Step::Finished;
        }
        let until = self.chains.iter().filter_map(|chain| match chain.state {
            State::Backoff { until, .. } => Some(until),
            State::Ready { .. } | State::Running => None,
        });
        Step::Wait { until: until.min() }
    }

    /// An attempt of `job` is over and recorded. `class` is what it meant; `None` where there was no attempt, because
    /// the report is there already or is being made elsewhere (`after` says which of the two: succeeded or skipped).
    pub fn ended(&mut self, plan: &Plan, job: JobIndex, class: Option<Class>, after: After, attempt: u32, now: Duration) {
        let Some(chain) = self.chains.iter_mut().find(|chain| chain.state == State::Running && chain.jobs.front() == Some(&job)) else {
            return;
        };
        self.running -= 1;
        if let After::Retry(delay) = after {
            chain.state = State::Backoff { until: now + delay, attempt: attempt + 1 };
            return;
        }
        chain.jobs.pop_front();
        chain.state = State::Ready { attempt: 1 };
        match after {
            After::Succeed | After::Retry(_) => {}
            After::Fail | After::Skip | After::Cancel => self.note_unmade(plan, job),
        }
        if class == Some(Class::Configuration) {
            self.stopped_etls.insert(self.etl_of[job]);
        }
        if after == After::Fail && self.fail_fast {
            self.halt(NotStarted::FailFast);
        }
        self.forget_finished();
    }

    /// Takes out, one at a time, a job that must not be started (any more).
    fn weed_out(&mut self, plan: &Plan, now: Duration) -> Option<Step> {
        let past_deadline = self.deadline.is_some_and(|deadline| now >= deadline);
        for chain in 0..self.chains.len() {
            let (State::Ready { attempt } | State::Backoff { attempt, .. }) = self.chains[chain].state else { continue };
            let Some(&job) = self.chains[chain].jobs.front() else { continue };
            let started = attempt > 1;
            let reason = if let Some(reason) = self.halt {
                reason
            } else if self.stopped_etls.contains(&self.etl_of[job]) {
                NotStarted::EtlStopped(self.etl_of[job])
            } else if let Some(need) = self.unmet_need(plan, job) {
                NotStarted::NeedUnmet(need)
            } else if past_deadline && !started {
                NotStarted::Deadline
            } else {
                continue;
            };
            self.chains[chain].jobs.pop_front();
            self.chains[chain].state = State::Ready { attempt: 1 };
            self.note_unmade(plan, job);
            self.forget_finished();
            return Some(if started { Step::GiveUp { job, reason } } else { Step::Drop { job, reason } });
        }
        None
    }

    fn unmet_need(&self, plan: &Plan, job: JobIndex) -> Option<EtlIndex> {
        let gap = plan.jobs[job].gap;
        let unmade = |etl: EtlIndex| self.unmade.contains(&Unmade { bank: gap.bank, period: gap.period, etl });
        self.needs[gap.etl].iter().copied().find(|need| unmade(*need))
    }

    fn note_unmade(&mut self, plan: &Plan, job: JobIndex) {
        let gap = plan.jobs[job].gap;
        if self.needs.iter().any(|needs| needs.contains(&gap.etl)) {
            self.unmade.push(Unmade { bank: gap.bank, period: gap.period, etl: gap.etl });
        }
    }

    fn forget_finished(&mut self) {
        self.chains.retain(|chain| !chain.jobs.is_empty());
    }
}
