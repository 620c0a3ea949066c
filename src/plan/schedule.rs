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
use super::institution::BankIndex;
use super::outcome::Class;
use super::planner::Plan;
use super::retry::RetryPolicy;
use super::settings::RunSettings;

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
    /// The run is stopping, or somebody wants this job stopped.
    Cancel,
    /// The attempt could not begin; it may after this wait. It does not count.
    Later(Duration),
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
    /// Its ETL failed for one bank after the other.
    Breaker(EtlIndex),
    /// Its bank failed in so many periods in a row.
    BankStopped,
}

/// What the end of a job says of an ETL's breaker, for the record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Notice {
    /// It opened. The failures of these jobs are not charged.
    Opened {
        /// Which ETL.
        etl: EtlIndex,
        /// The banks that failed in a row.
        banks: Vec<BankIndex>,
        /// The jobs of this run that did.
        refund: Vec<JobIndex>,
    },
    /// It was open already when this job failed, which is not charged either.
    Refund(JobIndex),
    /// The ETL works again.
    Closed(EtlIndex),
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
    pub fn new(plan: &Plan, etls: &[Etl], settings: &RunSettings, fail_fast: bool) -> Self {
        Self {
            chains: plan
                .chains
                .iter()
                .map(|jobs| Chain { jobs: jobs.iter().copied().collect(), state: State::Ready { attempt: 1 } })
                .collect(),
            etl_of: plan.jobs.iter().map(|job| job.gap.etl).collect(),
            unmade: Vec::new(),
            needs: etls.iter().map(|etl| etl.needs.clone()).collect(),
            slots: settings.max_parallel.max(1),
            running: 0,
            deadline: settings.deadline,
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
    pub fn ended(&mut self, plan: &Plan, job: JobIndex, class: Option<Class>, after: After, attempt: u32, now: Duration) -> Vec<Notice> {
        let Some(chain) = self.chains.iter_mut().find(|chain| chain.state == State::Running && chain.jobs.front() == Some(&job)) else {
            return Vec::new();
        };
        self.running -= 1;
        if let After::Retry(delay) = after {
            chain.state = State::Backoff { until: now + delay, attempt: attempt + 1 };
            return Vec::new();
        }
        if let After::Later(delay) = after {
            chain.state = State::Backoff { until: now + delay, attempt };
            return Vec::new();
        }
        chain.jobs.pop_front();
        chain.state = State::Ready { attempt: 1 };
        match after {
            After::Succeed | After::Retry(_) | After::Later(_) => {}
            After::Fail | After::Skip | After::Cancel => self.note_unmade(plan, job),
        }
        if class == Some(Class::Configuration) {
            self.stopped_etls.insert(self.etl_of[job]);
        }
        if after == After::Fail && self.fail_fast {
            self.halt(NotStarted::FailFast);
        }
        self.forget_finished();
        Vec::new()
    }

    /// Takes out a job that waits for its retry, which somebody does not want any more. Returns whether it did wait.
    pub fn give_up(&mut self, plan: &Plan, job: JobIndex) -> bool {
        let waits = |chain: &&mut Chain| chain.jobs.front() == Some(&job) && chain.state != State::Running;
        let Some(chain) = self.chains.iter_mut().find(waits) else { return false };
        chain.jobs.pop_front();
        chain.state = State::Ready { attempt: 1 };
        self.note_unmade(plan, job);
        self.forget_finished();
        true
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::decision::Why;
    use crate::plan::gap::{Gap, GapKey};
    use crate::plan::planner::PlannedJob;
    use crate::plan::test_support::{etl, etl_needing, plan_of, settings};

    const ZERO: Duration = Duration::ZERO;

    /// A plan whose chains hold jobs of these ETLs; each chain is a bank.
    fn plan(chains: &[&[EtlIndex]]) -> Plan {
        let mut jobs = Vec::new();
        let mut positions = Vec::new();
        for (bank, etls) in chains.iter().enumerate() {
            positions.push((jobs.len()..jobs.len() + etls.len()).collect());
            jobs.extend(etls.iter().map(|etl| PlannedJob {
                gap: Gap { bank, period: "2025Q2".parse().unwrap(), etl: *etl },
                key: GapKey::stored(format!("{bank}/{etl}")),
                data_symbol: String::new(),
                why: Why::Missing,
                gate: crate::plan::planner::Gate::Open,
                planned_fence: 0,
                fingerprint: None,
            }));
        }
        plan_of(jobs, positions)
    }

    fn etls() -> Vec<Etl> {
        vec![etl("a", "A"), etl_needing("b", "B", 0)]
    }

    fn start(job: JobIndex, attempt: u32) -> Step {
        Step::Start { job, attempt }
    }

    #[test]
    fn chains_run_in_bounded_parallel_and_each_one_in_order() {
        let plan = plan(&[&[0, 1], &[0], &[0]]);
        let mut schedule = Schedule::new(&plan, &etls(), &settings(2), false);
        assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
        assert_eq!(schedule.step(&plan, ZERO), start(2, 1));
        assert_eq!(schedule.step(&plan, ZERO), Step::Wait { until: None });
        schedule.ended(&plan, 0, Some(Class::Success), After::Succeed, 1, ZERO);
        assert_eq!(schedule.step(&plan, ZERO), start(1, 1), "the chain goes on before another begins");
        schedule.ended(&plan, 2, Some(Class::Success), After::Succeed, 1, ZERO);
        assert_eq!(schedule.step(&plan, ZERO), start(3, 1));
        schedule.ended(&plan, 1, Some(Class::Success), After::Succeed, 1, ZERO);
        schedule.ended(&plan, 3, Some(Class::Success), After::Succeed, 1, ZERO);
        assert_eq!(schedule.step(&plan, ZERO), Step::Finished);
    }

    #[test]
    fn a_chain_that_waits_for_its_retry_holds_no_slot() {
        let plan = plan(&[&[0], &[0]]);
        let mut schedule = Schedule::new(&plan, &etls(), &settings(1), false);
        assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
        let delay = Duration::from_secs(5);
        schedule.ended(&plan, 0, Some(Class::Transient), After::Retry(delay), 1, ZERO);
        assert_eq!(schedule.step(&plan, ZERO), start(1, 1));
        schedule.ended(&plan, 1, Some(Class::Success), After::Succeed, 1, ZERO);
        assert_eq!(schedule.step(&plan, ZERO), Step::Wait { until: Some(delay) });
        assert_eq!(schedule.step(&plan, delay), start(0, 2));
    }

    #[test]
    fn a_failure_stops_no_other_chain_and_not_the_rest_of_its_own() {
        let plan = plan(&[&[0, 0], &[0]]);
        let mut schedule = Schedule::new(&plan, &etls(), &settings(1), false);
        assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
        schedule.ended(&plan, 0, Some(Class::Permanent), After::Fail, 1, ZERO);
        assert_eq!(schedule.step(&plan, ZERO), start(1, 1));
    }

    #[test]
    fn what_needs_a_failed_job_is_dropped() {
        let plan = plan(&[&[0, 1], &[0, 1]]);
        let mut schedule = Schedule::new(&plan, &etls(), &settings(1), false);
        assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
        schedule.ended(&plan, 0, Some(Class::Permanent), After::Fail, 1, ZERO);
        assert_eq!(schedule.step(&plan, ZERO), Step::Drop { job: 1, reason: NotStarted::NeedUnmet(0) });
        assert_eq!(schedule.step(&plan, ZERO), start(2, 1), "another bank's need is another");
    }

    #[test]
    fn a_configuration_error_stops_the_etl_for_everyone() {
        let plan = plan(&[&[0], &[0], &[1]]);
        let mut schedule = Schedule::new(&plan, &etls(), &settings(2), false);
        assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
        assert_eq!(schedule.step(&plan, ZERO), start(1, 1));
        schedule.ended(&plan, 1, Some(Class::Transient), After::Retry(ZERO), 1, ZERO);
        schedule.ended(&plan, 0, Some(Class::Configuration), After::Fail, 1, ZERO);
        assert_eq!(schedule.step(&plan, ZERO), Step::GiveUp { job: 1, reason: NotStarted::EtlStopped(0) });
        assert_eq!(schedule.step(&plan, ZERO), start(2, 1), "other ETLs go on");
    }

    #[test]
    fn fail_fast_and_stop_start_nothing_more() {
        let plan = plan(&[&[0], &[0]]);
        let mut schedule = Schedule::new(&plan, &etls(), &settings(1), true);
        assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
        schedule.ended(&plan, 0, Some(Class::Transient), After::Fail, 3, ZERO);
        schedule.halt(NotStarted::Stopped);
        assert_eq!(schedule.step(&plan, ZERO), Step::Drop { job: 1, reason: NotStarted::FailFast }, "the first reason stays");
        assert_eq!(schedule.step(&plan, ZERO), Step::Finished);
    }

    #[test]
    fn after_the_deadline_no_job_starts_but_a_started_one_may_be_tried_again() {
        let plan = plan(&[&[0], &[0]]);
        let deadline = Duration::from_secs(60);
        let mut schedule = Schedule::new(&plan, &etls(), &RunSettings { deadline: Some(deadline), ..settings(1) }, false);
        assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
        schedule.ended(&plan, 0, Some(Class::Transient), After::Retry(ZERO), 1, deadline);
        assert_eq!(schedule.step(&plan, deadline), Step::Drop { job: 1, reason: NotStarted::Deadline });
        assert_eq!(schedule.step(&plan, deadline), start(0, 2));
    }

    #[test]
    fn each_class_has_its_consequence() {
        let policy = RetryPolicy::default();
        for (class, first, last) in [
            (Class::Success, After::Succeed, After::Succeed),
            (Class::Permanent, After::Fail, After::Fail),
            (Class::Configuration, After::Fail, After::Fail),
            (Class::NotReady, After::Skip, After::Skip),
            (Class::Interrupted, After::Cancel, After::Cancel),
            (Class::Transient, After::Retry(Duration::from_secs(5)), After::Fail),
            (Class::Crash, After::Retry(Duration::from_secs(5)), After::Fail),
        ] {
            assert_eq!(after(class, 1, &policy, 0.5), first, "{class:?}");
            assert_eq!(after(class, 3, &policy, 0.5), last, "{class:?}");
        }
    }

    proptest::proptest! {
        /// Whatever the ends, every job is started or dropped exactly once, at most `slots` run, and it finishes.
        #[test]
        fn every_job_gets_an_end(
            sizes in proptest::collection::vec(1_usize..4, 0..8),
            slots in 1_usize..4,
            ends in proptest::collection::vec(0_u8..5, 0..64),
        ) {
            let chains: Vec<Vec<EtlIndex>> = sizes.iter().map(|size| (0..*size).map(|etl| etl % 2).collect()).collect();
            let plan = plan(&chains.iter().map(Vec::as_slice).collect::<Vec<_>>());
            let mut schedule = Schedule::new(&plan, &etls(), &settings(slots), false);
            let policy = RetryPolicy::default();
            let mut ends = ends.into_iter();
            let mut running: Vec<(JobIndex, u32)> = Vec::new();
            let mut done = vec![0; plan.jobs.len()];
            let mut now = ZERO;
            loop {
                match schedule.step(&plan, now) {
                    Step::Start { job, attempt } => {
                        proptest::prop_assert!(done[job] == 0);
                        running.push((job, attempt));
                        proptest::prop_assert!(running.len() <= slots);
                    }
                    Step::Drop { job, .. } | Step::GiveUp { job, .. } => done[job] += 1,
                    Step::Finished => break,
                    Step::Wait { until } => {
                        if running.is_empty() {
                            proptest::prop_assert!(until.is_some_and(|until| until > now), "waits for nothing");
                            now = until.unwrap_or_default();
                            continue;
                        }
                        let (job, attempt) = running.swap_remove(0);
                        let class = match ends.next().unwrap_or_default() {
                            0 => Class::Success,
                            1 => Class::Transient,
                            2 => Class::Permanent,
                            3 => Class::NotReady,
                            _ => Class::Configuration,
                        };
                        let after = after(class, attempt, &policy, 0.5);
                        if !matches!(after, After::Retry(_)) {
                            done[job] += 1;
                        }
                        schedule.ended(&plan, job, Some(class), after, attempt, now);
                    }
                }
            }
            proptest::prop_assert!(running.is_empty());
            proptest::prop_assert!(done.iter().all(|times| *times == 1));
        }
    }
}
