//! Which job starts next: chains in bounded parallel, retries, and what stops them. A pure state machine; the run room
//! drives it.
//!
//! ```text
//! chain:  ready --start--> running --ended--> ready | backoff | finished
//!         backoff --its time comes--> ready      (a chain that waits holds no slot)
//!         gated --the probe of its ETL succeeds--> ready
//! ```
//!
//! After each end a free slot goes to the first job, in the order of the plan, that is ready: the freshest of any bank that is not at work
//! now. What waits outside of this: a job whose pool is full is passed over. What ends a job before its time: a stop, a
//! broken ETL, a need that was not made, its bank's failures, the deadline.

mod chains;
mod containment;

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use self::chains::{Chains, Head};
use self::containment::{Admission, Containment};
use crate::plan::decide::plan::Plan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::Gap;
use crate::plan::model::institution::BankIndex;
use crate::plan::model::outcome::Class;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::settings::RunSettings;
use crate::plan::run::not_started::NotStarted;

/// Position of a job in [`Plan::jobs`].
pub type JobIndex = usize;

/// What follows from the end of an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NextStep {
    /// The job is done.
    Succeed,
    /// Another attempt after this wait.
    Retry(Duration),
    /// No further attempt.
    Fail,
    /// Its input is not ready: no failure, no further attempt in this run.
    Skip,
    /// The run is stopping, or somebody wants this job stopped.
    Cancel,
    /// It may well be done, but the database does not have that on record: no other job may rely on it in this run.
    Unrecorded,
    /// The attempt could not begin, and no other could: after this wait. It does not count.
    Later(Duration),
    /// The attempt could not begin, and none of its pool could: after this wait. It does not count.
    PoolFull(Duration),
}

/// What follows from an attempt's class, given how many attempts failed with this one. `random` is uniform in `0.0..1.0`.
pub fn next_step(class: Class, failed: u32, policy: &RetryPolicy, random: f64) -> NextStep {
    match class {
        Class::Success => NextStep::Succeed,
        Class::NotReady => NextStep::Skip,
        Class::Interrupted => NextStep::Cancel,
        Class::Permanent | Class::Uncertain | Class::Configuration | Class::HostUnfit => NextStep::Fail,
        Class::Transient | Class::Crash | Class::HostShort => policy.delay_after(failed, random).map_or(NextStep::Fail, NextStep::Retry),
    }
}

/// What the driver is to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    /// Start this attempt; tell [`Schedule::ended`] when it is over and recorded.
    Start {
        job: JobIndex,
        /// From 1.
        attempt: u32,
    },
    /// This job was not started and will not be.
    Drop { job: JobIndex, reason: NotStarted },
    /// This job waits for a retry that will not come.
    GiveUp { job: JobIndex, reason: NotStarted },
    /// Nothing to do before an attempt ends or, if given, this time comes.
    Wait {
        /// Time since the run's start.
        until: Option<Duration>,
    },
    /// Nothing is left.
    Finished,
}

/// What the end of a job says of an ETL's breaker, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It opened. The failures of these jobs are not charged.
    Opened {
        etl: EtlIndex,
        /// The banks that failed in a row.
        banks: Vec<BankIndex>,
        /// The jobs of this run that did.
        refund: Vec<JobIndex>,
    },
    /// It was open already when this job failed, which is not charged either.
    Refund { etl: EtlIndex, job: JobIndex },
    /// The ETL works again.
    Closed(EtlIndex),
}

impl Notice {
    /// The jobs of this run whose failures are not charged.
    #[must_use]
    pub fn refunded(&self) -> &[JobIndex] {
        match self {
            Self::Opened { refund, .. } => refund,
            Self::Refund { job, .. } => std::slice::from_ref(job),
            Self::Closed(_) => &[],
        }
    }

    /// The ETL whose breaker it is about.
    #[must_use]
    pub fn etl(&self) -> EtlIndex {
        match self {
            Self::Opened { etl, .. } | Self::Refund { etl, .. } | Self::Closed(etl) => *etl,
        }
    }
}

/// Why no other job of the run may rely on a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Unmade {
    /// It was not done.
    Not,
    /// It was not started for want of a record.
    HeldBack,
    /// It may well be done, but that is not on record.
    Unrecorded,
}

impl Unmade {
    /// What it means for a job that was not started for this reason.
    fn not_started(reason: NotStarted) -> Self {
        if reason.is_for_want_of_record() { Self::HeldBack } else { Self::Not }
    }
}

/// The state of all chains of a run.
#[derive(Debug)]
pub struct Schedule {
    chains: Chains,
    containment: Containment,
    /// Jobs that ended without their report; what needs them cannot run.
    unmade: HashMap<Gap, Unmade>,
    needs: Vec<Vec<EtlIndex>>,
    slots: usize,
    deadline: Option<Duration>,
    past_deadline: bool,
    fail_fast: bool,
    halt: Option<NotStarted>,
}

impl Schedule {
    /// A schedule for a plan. `slots` chains run at once (at least 1).
    pub fn new(plan: &Plan, catalogue: &Catalogue, settings: &RunSettings, fail_fast: bool) -> Self {
        Self {
            chains: Chains::new(plan, catalogue),
            containment: Containment::new(plan, catalogue.etls.len(), settings),
            unmade: HashMap::new(),
            needs: catalogue.etls.iter().map(|etl| etl.needs.clone()).collect(),
            slots: settings.max_parallel.max(1),
            deadline: settings.deadline,
            past_deadline: false,
            fail_fast,
            halt: None,
        }
    }

    /// A job is under way already, before the first [`step`](Self::step). Returns whether that can be: it must be the first of its chain.
    pub fn resume(&mut self, job: JobIndex) -> bool {
        self.chains.resume(job)
    }

    /// Nothing more is started. The first reason stays.
    pub fn halt(&mut self, reason: NotStarted) {
        if self.halt.is_none() {
            self.halt = Some(reason);
            self.chains.look_again();
        }
    }

    /// An ETL turned out to be set up wrongly: nothing more of it is started, also before the end of the job that showed it is recorded.
    /// Returns whether that is news.
    pub fn stop_etl(&mut self, etl: EtlIndex) -> bool {
        let is_new = self.containment.stop_etl(etl);
        if is_new {
            self.chains.look_again();
        }
        is_new
    }

    /// What to do at `now` (time since the run's start). Ask again until the answer is `Wait` or `Finished`.
    pub fn step(&mut self, plan: &Plan, now: Duration) -> Step {
        if !self.past_deadline && self.deadline.is_some_and(|deadline| now >= deadline) {
            self.past_deadline = true;
            self.chains.look_again();
        }
        self.chains.wake(now);
        loop {
            if let Some(step) = self.place_chains(plan, now) {
                return step;
            }
            if self.chains.running() < self.slots
                && let Some((job, attempt)) = self.chains.start(self.slots, now)
            {
                return Step::Start { job, attempt };
            }
            if self.chains.is_empty() {
                return Step::Finished;
            }
            let until = self.chains.next_wake(now);
            if self.chains.running() > 0 || until.is_some() || !self.let_gated_go(plan) {
                return Step::Wait { until };
            }
        }
    }

    /// An attempt of `job` is over and recorded. `class` is what it meant; `None` where there was no attempt, because
    /// the report is there already or is being made elsewhere (`after` says which of the two: succeeded or skipped).
    pub fn ended(&mut self, plan: &Plan, job: JobIndex, class: Option<Class>, after: NextStep, now: Duration) -> Vec<Notice> {
        let Some((chain, attempt)) = plan.jobs.get(job).and_then(|_| self.chains.ended(job)) else {
            return Vec::new();
        };
        match after {
            NextStep::Retry(delay) => {
                self.chains.put_off(chain, now + delay, attempt + 1);
                return Vec::new();
            }
            NextStep::Later(delay) => {
                self.chains.pause_all(chain, now + delay, attempt);
                return Vec::new();
            }
            NextStep::PoolFull(delay) => {
                self.chains.pause_pool(chain, job, now + delay, attempt);
                return Vec::new();
            }
            NextStep::Succeed => {}
            NextStep::Fail | NextStep::Skip | NextStep::Cancel => self.note_unmade(plan, job, Unmade::Not),
            NextStep::Unrecorded => self.note_unmade(plan, job, Unmade::Unrecorded),
        }
        self.chains.take_out(chain);
        let (notices, concerns_others) = self.containment.ended(plan, job, class, after);
        if concerns_others {
            self.chains.look_again();
        }
        if after == NextStep::Fail && self.fail_fast {
            self.halt(NotStarted::FailFast);
        }
        notices
    }

    /// Whether a job of which an attempt failed may be tried again, as far as that is known by now.
    pub fn may_retry(&self, plan: &Plan, job: JobIndex) -> bool {
        !matches!(self.admit(plan, job, true), Admission::Refused(_))
    }

    /// The jobs that would start at `now` if their pools had room.
    pub fn waiting_for_pools(&self, now: Duration) -> BTreeSet<JobIndex> {
        if self.chains.running() < self.slots { self.chains.without_room(now).collect() } else { BTreeSet::new() }
    }

    /// Takes out a job that is waited with, as somebody does not want it any more. Returns whether it was.
    pub fn give_up(&mut self, plan: &Plan, job: JobIndex) -> bool {
        let Some(chain) = self.chains.waits(job) else { return false };
        self.chains.look_again();
        self.chains.take_out(chain);
        self.note_unmade(plan, job, Unmade::Not);
        self.containment.over(plan, job, false);
        true
    }

    /// Finds the place of each chain that has none, until one of them has a job that must not be started (any more).
    fn place_chains(&mut self, plan: &Plan, now: Duration) -> Option<Step> {
        while let Some(head) = self.chains.unplaced() {
            match self.admit(plan, head.job, head.begun) {
                Admission::Granted => self.chains.place(head, false, now),
                Admission::Gated => self.chains.place(head, true, now),
                Admission::Refused(reason) => return Some(self.refuse(plan, head, reason)),
            }
        }
        None
    }

    fn admit(&self, plan: &Plan, job: JobIndex, begun: bool) -> Admission {
        if let Some(reason) = self.halt {
            return Admission::Refused(reason);
        }
        if let Some(need) = self.unmet_need(plan, job) {
            return Admission::Refused(need);
        }
        match self.containment.admit(plan, job, begun) {
            Admission::Granted | Admission::Gated if self.past_deadline && !begun => Admission::Refused(NotStarted::Deadline),
            admission @ (Admission::Granted | Admission::Gated | Admission::Refused(_)) => admission,
        }
    }

    fn refuse(&mut self, plan: &Plan, head: Head, reason: NotStarted) -> Step {
        let Head { chain, job, begun } = head;
        self.chains.take_out(chain);
        self.note_unmade(plan, job, Unmade::not_started(reason));
        if self.containment.over(plan, job, reason.is_for_want_of_record()) {
            self.chains.look_again();
        }
        if begun { Step::GiveUp { job, reason } } else { Step::Drop { job, reason } }
    }

    /// Nothing else is left: the jobs behind probes that never get their turn are not waited for. Whether there are any.
    fn let_gated_go(&mut self, plan: &Plan) -> bool {
        let etls: BTreeSet<EtlIndex> = self.chains.gated().filter_map(|job| plan.jobs[job].report()).map(|gap| gap.etl).collect();
        let mut any = false;
        for etl in etls {
            any |= self.containment.give_up_probe(etl, false);
        }
        self.chains.look_again();
        any
    }

    fn unmet_need(&self, plan: &Plan, job: JobIndex) -> Option<NotStarted> {
        let gap = plan.jobs[job].report()?;
        let needs = self.needs[gap.etl].iter();
        let unmade: Vec<_> = needs.filter_map(|need| Some((*need, *self.unmade.get(&Gap { etl: *need, ..gap })?))).collect();
        // One that was surely not made says more.
        let (need, why) = *unmade.iter().find(|(_, why)| *why == Unmade::Not).or(unmade.first())?;
        Some(match why {
            Unmade::Not => NotStarted::NeedUnmet(need),
            Unmade::HeldBack => NotStarted::NeedHeldBack(need),
            Unmade::Unrecorded => NotStarted::NeedUnrecorded(need),
        })
    }

    fn note_unmade(&mut self, plan: &Plan, job: JobIndex, why: Unmade) {
        let Some(gap) = plan.jobs[job].report() else { return };
        if self.needs.iter().any(|needs| needs.contains(&gap.etl)) {
            self.unmade.insert(gap, why);
        }
    }
}

#[cfg(test)]
mod tests;
