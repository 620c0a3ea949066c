use super::*;
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{BreakerPlan, Gate, PlannedJob};
use crate::plan::model::etl::{Etl, Pool};
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::target::Target;
use crate::plan::test_support::{etl, etl_needing, plan_of, settings};

mod sources;

const ZERO: Duration = Duration::ZERO;

/// A plan whose chains hold jobs of these ETLs; each chain is a bank.
fn plan(chains: &[&[EtlIndex]]) -> Plan {
    let mut jobs = Vec::new();
    let mut positions = Vec::new();
    for (bank, etls) in chains.iter().enumerate() {
        positions.push((jobs.len()..jobs.len() + etls.len()).collect());
        jobs.extend(etls.iter().map(|etl| PlannedJob {
            target: Target::Report { gap: Gap { bank, period: "2025Q2".parse().unwrap(), etl: *etl }, data_symbol: String::new() },
            key: GapKey::source(&format!("{bank}/{etl}")),
            why: Why::Missing,
            gate: Gate::Open,
            planned_fence: 0,
            fingerprint: None,
        }));
    }
    plan_of(jobs, positions)
}

fn etls() -> Catalogue {
    of_etls(vec![etl("a", "A"), etl_needing("b", "B", 0)])
}

fn of_etls(etls: Vec<Etl>) -> Catalogue {
    Catalogue { etls, ..Catalogue::default() }
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
    schedule.ended(&plan, 0, Some(Class::Success), NextStep::Succeed, 1, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), start(1, 1), "the chain goes on before another begins");
    schedule.ended(&plan, 2, Some(Class::Success), NextStep::Succeed, 1, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), start(3, 1));
    schedule.ended(&plan, 1, Some(Class::Success), NextStep::Succeed, 1, ZERO);
    schedule.ended(&plan, 3, Some(Class::Success), NextStep::Succeed, 1, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), Step::Finished);
}

#[test]
fn a_chain_that_waits_for_its_retry_holds_no_slot() {
    let plan = plan(&[&[0], &[0]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(1), false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    let delay = Duration::from_secs(5);
    schedule.ended(&plan, 0, Some(Class::Transient), NextStep::Retry(delay), 1, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), start(1, 1));
    schedule.ended(&plan, 1, Some(Class::Success), NextStep::Succeed, 1, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), Step::Wait { until: Some(delay) });
    assert_eq!(schedule.step(&plan, delay), start(0, 2));
}

#[test]
fn a_failure_stops_no_other_chain_and_not_the_rest_of_its_own() {
    let plan = plan(&[&[0, 0], &[0]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(1), false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    schedule.ended(&plan, 0, Some(Class::Permanent), NextStep::Fail, 1, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), start(1, 1));
}

#[test]
fn what_needs_a_failed_job_is_dropped() {
    let plan = plan(&[&[0, 1], &[0, 1]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(1), false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    schedule.ended(&plan, 0, Some(Class::Permanent), NextStep::Fail, 1, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), Step::Drop { job: 1, reason: NotStarted::NeedUnmet(0) });
    assert_eq!(schedule.step(&plan, ZERO), start(2, 1), "another bank's need is another");
}

#[test]
fn a_configuration_error_stops_the_etl_for_everyone() {
    let plan = plan(&[&[0], &[0], &[1]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(2), false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    assert_eq!(schedule.step(&plan, ZERO), start(1, 1));
    schedule.ended(&plan, 1, Some(Class::Transient), NextStep::Retry(ZERO), 1, ZERO);
    schedule.ended(&plan, 0, Some(Class::Configuration), NextStep::Fail, 1, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), Step::GiveUp { job: 1, reason: NotStarted::EtlStopped(0) });
    assert_eq!(schedule.step(&plan, ZERO), start(2, 1), "other ETLs go on");
}

#[test]
fn fail_fast_and_stop_start_nothing_more() {
    let plan = plan(&[&[0], &[0]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(1), true);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    schedule.ended(&plan, 0, Some(Class::Transient), NextStep::Fail, 3, ZERO);
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
    schedule.ended(&plan, 0, Some(Class::Transient), NextStep::Retry(ZERO), 1, deadline);
    assert_eq!(schedule.step(&plan, deadline), Step::Drop { job: 1, reason: NotStarted::Deadline });
    assert_eq!(schedule.step(&plan, deadline), start(0, 2));
}

#[test]
fn each_class_has_its_consequence() {
    let policy = RetryPolicy::default();
    for (class, first, last) in [
        (Class::Success, NextStep::Succeed, NextStep::Succeed),
        (Class::Permanent, NextStep::Fail, NextStep::Fail),
        (Class::Configuration, NextStep::Fail, NextStep::Fail),
        (Class::NotReady, NextStep::Skip, NextStep::Skip),
        (Class::Interrupted, NextStep::Cancel, NextStep::Cancel),
        (Class::Transient, NextStep::Retry(Duration::from_secs(5)), NextStep::Fail),
        (Class::Crash, NextStep::Retry(Duration::from_secs(5)), NextStep::Fail),
    ] {
        assert_eq!(next_step(class, 1, &policy, 0.5), first, "{class:?}");
        assert_eq!(next_step(class, 3, &policy, 0.5), last, "{class:?}");
    }
}

/// A plan with an open breaker of ETL 0, of which the first job of the first chain is the probe.
fn broken_plan(chains: &[&[EtlIndex]]) -> Plan {
    let mut plan = plan(chains);
    for job in plan.jobs.iter_mut().filter(|job| job.report().is_some_and(|gap| gap.etl == 0)) {
        job.gate = Gate::BehindProbe;
    }
    plan.jobs[0].gate = Gate::Probe;
    plan.breakers = vec![BreakerPlan { etl: 0, since: chrono::DateTime::<chrono::Utc>::MIN_UTC, probe: Some(0), behind: 0 }];
    plan
}

/// Drives a schedule: starts what it says, and ends attempts as told.
struct Driver<'a> {
    plan: &'a Plan,
    schedule: Schedule,
    now: Duration,
}

impl<'a> Driver<'a> {
    fn new(plan: &'a Plan, etls: &Catalogue, slots: usize) -> Self {
        Self { plan, schedule: Schedule::new(plan, etls, &settings(slots), false), now: ZERO }
    }

    fn step(&mut self) -> Step {
        self.schedule.step(self.plan, self.now)
    }

    /// Starts of first attempts, until there is none.
    fn starts(&mut self) -> Vec<JobIndex> {
        std::iter::from_fn(|| match self.step() {
            Step::Start { job, .. } => Some(job),
            Step::Drop { .. } | Step::GiveUp { .. } | Step::Wait { .. } | Step::Finished => None,
        })
        .collect()
    }

    fn end(&mut self, job: JobIndex, class: Class, after: NextStep) -> Vec<Notice> {
        self.schedule.ended(self.plan, job, Some(class), after, 1, self.now)
    }

    fn succeed(&mut self, job: JobIndex) -> Vec<Notice> {
        self.end(job, Class::Success, NextStep::Succeed)
    }

    fn fail(&mut self, job: JobIndex) -> Vec<Notice> {
        self.end(job, Class::Transient, NextStep::Fail)
    }
}

fn dropped(job: JobIndex, reason: NotStarted) -> Step {
    Step::Drop { job, reason }
}

#[test]
fn a_pool_is_never_used_by_more_than_its_limit() {
    let mut etls = etls();
    etls.etls[0].pool = Some(Pool { name: "gpu".to_owned(), limit: 1 });
    let plan = plan(&[&[0], &[0], &[1], &[0]]);
    let mut driver = Driver::new(&plan, &etls, 4);
    assert_eq!(driver.starts(), [0, 2], "a chain whose pool is full is passed over");
    driver.end(0, Class::Transient, NextStep::Retry(Duration::from_secs(5)));
    assert_eq!(driver.starts(), [1], "who waits for a retry does not use it");
    driver.now = Duration::from_secs(5);
    assert_eq!(driver.starts(), [0; 0]);
    driver.succeed(1);
    assert_eq!(driver.step(), start(0, 2));
}

#[test]
fn of_two_limits_for_a_pool_the_smaller_one_holds() {
    let mut etls = etls();
    etls.etls[0].pool = Some(Pool { name: "gpu".to_owned(), limit: 3 });
    etls.etls[1].pool = Some(Pool { name: "gpu".to_owned(), limit: 2 });
    let plan = plan(&[&[0], &[0], &[1], &[0]]);
    assert_eq!(Driver::new(&plan, &etls, 4).starts(), [0, 1]);
}

#[test]
fn what_could_not_begin_is_tried_later_with_the_same_attempt_and_was_not_started() {
    let plan = plan(&[&[0]]);
    let delay = Duration::from_secs(5);
    let mut driver = Driver::new(&plan, &etls(), 1);
    assert_eq!(driver.step(), start(0, 1));
    driver.schedule.ended(&plan, 0, None, NextStep::Later(delay), 1, ZERO);
    assert_eq!(driver.step(), Step::Wait { until: Some(delay) });
    driver.now = delay;
    assert_eq!(driver.step(), start(0, 1));
    driver.schedule.ended(&plan, 0, None, NextStep::Later(delay), 1, delay);
    driver.schedule.halt(NotStarted::Stopped);
    assert_eq!(driver.step(), dropped(0, NotStarted::Stopped));

    let mut driver = Driver::new(&plan, &etls(), 1);
    driver.step();
    driver.end(0, Class::Transient, NextStep::Retry(ZERO));
    assert_eq!(driver.step(), start(0, 2));
    driver.schedule.ended(&plan, 0, None, NextStep::Later(delay), 2, ZERO);
    driver.schedule.halt(NotStarted::Stopped);
    assert_eq!(driver.step(), Step::GiveUp { job: 0, reason: NotStarted::Stopped });
}

#[test]
fn what_could_not_begin_before_the_deadline_does_not_after_it() {
    let plan = plan(&[&[0]]);
    let deadline = Duration::from_secs(60);
    let mut schedule = Schedule::new(&plan, &etls(), &RunSettings { deadline: Some(deadline), ..settings(1) }, false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    schedule.ended(&plan, 0, None, NextStep::Later(deadline), 1, ZERO);
    assert_eq!(schedule.step(&plan, deadline), dropped(0, NotStarted::Deadline));
}

#[test]
fn jobs_behind_a_probe_start_when_it_succeeded_and_hold_no_slot_before() {
    let plan = broken_plan(&[&[0], &[0], &[1], &[0, 1]]);
    let mut driver = Driver::new(&plan, &etls(), 2);
    assert_eq!(driver.starts(), [0, 2]);
    assert_eq!(driver.succeed(0), [Notice::Closed(0)]);
    assert_eq!(driver.starts(), [1]);
    assert_eq!(driver.succeed(1), []);
    assert_eq!(driver.starts(), [3]);
}

#[test]
fn jobs_behind_a_probe_are_dropped_when_it_comes_to_nothing() {
    for (class, after) in [
        (Some(Class::Transient), NextStep::Fail),
        (Some(Class::Permanent), NextStep::Fail),
        (Some(Class::NotReady), NextStep::Skip),
        (Some(Class::Interrupted), NextStep::Cancel),
        (None, NextStep::Succeed),
        (None, NextStep::Skip),
    ] {
        let plan = broken_plan(&[&[0, 1], &[0, 1], &[1]]);
        let mut driver = Driver::new(&plan, &etls(), 1);
        assert_eq!(driver.step(), start(0, 1));
        assert_eq!(driver.schedule.ended(&plan, 0, class, after, 1, ZERO), [], "it is open already");
        if after != NextStep::Succeed {
            assert_eq!(driver.step(), dropped(1, NotStarted::NeedUnmet(0)));
        }
        let steps: Vec<Step> = std::iter::from_fn(|| Some(driver.step())).take(3).collect();
        assert!(steps.contains(&dropped(2, NotStarted::Breaker(0))), "{class:?} {steps:?}");
    }
}

#[test]
fn a_probe_that_is_tried_again_is_waited_for() {
    let plan = broken_plan(&[&[0], &[0]]);
    let mut driver = Driver::new(&plan, &etls(), 1);
    assert_eq!(driver.step(), start(0, 1));
    let delay = Duration::from_secs(5);
    driver.end(0, Class::Transient, NextStep::Retry(delay));
    assert_eq!(driver.step(), Step::Wait { until: Some(delay) });
    driver.now = delay;
    assert_eq!(driver.step(), start(0, 2));
    driver.succeed(0);
    assert_eq!(driver.step(), start(1, 1));
}

#[test]
fn what_is_behind_a_probe_that_was_dropped_is_dropped() {
    let plan = broken_plan(&[&[0], &[0]]);
    let deadline = Some(ZERO);
    let mut schedule = Schedule::new(&plan, &etls(), &RunSettings { deadline, ..settings(1) }, false);
    assert_eq!(schedule.step(&plan, ZERO), dropped(0, NotStarted::Deadline));
    assert_eq!(schedule.step(&plan, ZERO), dropped(1, NotStarted::Breaker(0)));
    assert_eq!(schedule.step(&plan, ZERO), Step::Finished);
}

#[test]
fn two_probes_that_wait_for_each_other_are_not_waited_for() {
    let mut plan = plan(&[&[0, 1], &[1, 0]]);
    plan.breakers =
        (0..2).map(|etl| BreakerPlan { etl, since: chrono::DateTime::<chrono::Utc>::MIN_UTC, probe: Some(3), behind: 1 }).collect();
    plan.jobs[0].gate = Gate::BehindProbe; // ETL 0, before the probe of 1
    plan.jobs[1].gate = Gate::Probe;
    plan.jobs[2].gate = Gate::BehindProbe; // ETL 1, before the probe of 0
    plan.jobs[3].gate = Gate::Probe;
    let apart = vec![etl("a", "A"), etl("b", "B")];
    let mut driver = Driver::new(&plan, &of_etls(apart), 2);
    assert_eq!(driver.step(), dropped(0, NotStarted::Breaker(0)));
    assert_eq!(driver.step(), dropped(2, NotStarted::Breaker(1)));
    assert_eq!(driver.starts(), [1, 3]);
    assert_eq!(driver.succeed(1), [Notice::Closed(1)]);
}

#[test]
fn forced_jobs_pass_an_open_breaker_and_their_failures_are_given_back() {
    let mut plan = broken_plan(&[&[0], &[0]]);
    plan.breakers[0].probe = None;
    for job in &mut plan.jobs {
        job.gate = Gate::Open;
    }
    let mut driver = Driver::new(&plan, &etls(), 1);
    assert_eq!(driver.starts(), [0]);
    assert_eq!(driver.fail(0), [Notice::Refund { etl: 0, job: 0 }]);
    assert_eq!(driver.starts(), [1]);
    assert_eq!(driver.succeed(1), [Notice::Closed(0)]);
}

#[test]
fn an_etl_that_fails_for_one_bank_after_the_other_is_left_alone() {
    let plan = plan(&[&[0, 1], &[0], &[0], &[0], &[1], &[0]]);
    let mut driver = Driver::new(&plan, &etls(), 5);
    driver.schedule = Schedule::new(&plan, &etls(), &RunSettings { breaker_banks: 2, ..settings(5) }, false);
    assert_eq!(driver.starts(), [0, 2, 3, 4, 5]);
    assert_eq!(driver.end(3, Class::Transient, NextStep::Retry(Duration::from_secs(5))), []);
    assert_eq!(driver.fail(0), []);
    assert_eq!(driver.step(), dropped(1, NotStarted::NeedUnmet(0)));
    assert_eq!(driver.starts(), [6]);
    assert_eq!(driver.fail(2), [Notice::Opened { etl: 0, banks: vec![0, 1], refund: vec![0, 2] }]);
    assert_eq!(driver.step(), Step::GiveUp { job: 3, reason: NotStarted::Breaker(0) });
    assert_eq!(driver.step(), Step::Wait { until: None });
    assert_eq!(driver.fail(4), [Notice::Refund { etl: 0, job: 4 }]);
    assert_eq!(driver.succeed(5), [], "another ETL");
    assert_eq!(driver.succeed(6), [Notice::Closed(0)]);
    assert_eq!(driver.step(), Step::Finished);
}

#[test]
fn a_streak_begins_anew_after_a_success() {
    let plan = plan(&[&[0], &[0], &[0], &[0], &[0]]);
    let mut driver = Driver::new(&plan, &etls(), 5);
    driver.schedule = Schedule::new(&plan, &etls(), &RunSettings { breaker_banks: 2, ..settings(5) }, false);
    driver.starts();
    assert_eq!(driver.fail(0), []);
    assert_eq!(driver.succeed(1), []);
    assert_eq!(driver.fail(2), []);
    assert_eq!(driver.end(3, Class::Permanent, NextStep::Fail), [], "says nothing of the ETL");
    assert_eq!(driver.fail(4), [Notice::Opened { etl: 0, banks: vec![2, 4], refund: vec![2, 4] }]);
}

#[test]
fn jobs_that_are_left_run_after_all_when_a_late_success_closes_the_breaker() {
    let plan = plan(&[&[0], &[0], &[0], &[0]]);
    let mut driver = Driver::new(&plan, &etls(), 3);
    driver.schedule = Schedule::new(&plan, &etls(), &RunSettings { breaker_banks: 2, ..settings(3) }, false);
    assert_eq!(driver.starts(), [0, 1, 2]);
    driver.fail(0);
    assert_eq!(driver.fail(1).len(), 1);
    assert_eq!(driver.succeed(2), [Notice::Closed(0)]);
    assert_eq!(driver.starts(), [3]);
}

/// One bank with jobs of so many periods, of ETL 0.
fn periods_of_a_bank(periods: &[&str], chains: Vec<Vec<usize>>) -> Plan {
    let mut plan = plan(&[&vec![0; periods.len()]]);
    for (job, period) in plan.jobs.iter_mut().zip(periods) {
        let Target::Report { gap, .. } = &mut job.target else { unreachable!() };
        gap.period = period.parse().unwrap();
    }
    plan.chains = chains;
    plan
}

#[test]
fn a_bank_that_fails_in_three_periods_in_a_row_is_left_for_the_next_run() {
    let plan = periods_of_a_bank(&["2025Q4", "2025Q4", "2025Q3", "2025Q2", "2025Q1", "2024Q4"], vec![(0..6).collect()]);
    let mut driver = Driver::new(&plan, &etls(), 1);
    for job in 0..3 {
        assert_eq!(driver.starts(), [job], "so far two periods");
        driver.fail(job);
    }
    assert_eq!(driver.starts(), [3]);
    driver.end(3, Class::Permanent, NextStep::Fail);
    assert_eq!(driver.step(), dropped(4, NotStarted::BankStopped));
    assert_eq!(driver.step(), dropped(5, NotStarted::BankStopped));
    assert_eq!(driver.step(), Step::Finished);
}

#[test]
fn a_success_or_a_skip_is_no_failure_of_the_bank() {
    let plan = periods_of_a_bank(&["2025Q4", "2025Q3", "2025Q2", "2025Q1", "2024Q4"], vec![(0..5).collect()]);
    for (class, after) in [(Class::Success, NextStep::Succeed), (Class::NotReady, NextStep::Skip), (Class::Configuration, NextStep::Fail)] {
        let mut driver = Driver::new(&plan, &etls(), 1);
        for job in 0..2 {
            driver.starts();
            driver.fail(job);
        }
        driver.starts();
        driver.end(2, class, after);
        assert!(!matches!(driver.step(), Step::Drop { reason: NotStarted::BankStopped, .. }), "{class:?}");
    }
}

#[test]
fn the_cut_off_counts_over_all_chains_of_the_bank_and_leaves_what_has_begun() {
    let plan = periods_of_a_bank(&["2025Q4", "2025Q3", "2025Q2", "2025Q1", "2024Q4"], (0..5).map(|job| vec![job]).collect());
    let mut driver = Driver::new(&plan, &etls(), 4);
    assert_eq!(driver.starts(), [0, 1, 2, 3]);
    driver.end(3, Class::Transient, NextStep::Retry(ZERO));
    assert_eq!(driver.step(), start(3, 2));
    for job in 0..3 {
        driver.end(job, Class::Permanent, NextStep::Fail);
    }
    assert_eq!(driver.step(), dropped(4, NotStarted::BankStopped));
    driver.schedule.ended(&plan, 3, Some(Class::Transient), NextStep::Retry(ZERO), 2, ZERO);
    assert_eq!(driver.step(), start(3, 3));
}

#[test]
fn a_claim_that_was_lost_says_nothing_of_anybody() {
    let plan = plan(&[&[0], &[0], &[0]]);
    let mut driver = Driver::new(&plan, &etls(), 3);
    driver.schedule = Schedule::new(&plan, &etls(), &RunSettings { breaker_banks: 2, ..settings(3) }, false);
    driver.starts();
    for (job, class) in [(0, Some(Class::Success)), (1, None)] {
        assert_eq!(driver.schedule.ended(&plan, job, class, NextStep::Fail, 1, ZERO), []);
    }
    assert_eq!(driver.fail(2), []);
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
                    let after = next_step(class, attempt, &policy, 0.5);
                    if !matches!(after, NextStep::Retry(_)) {
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
