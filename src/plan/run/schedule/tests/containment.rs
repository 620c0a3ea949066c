//! Breakers, their probes, and banks that fail in one period after the other.

use super::*;
use crate::plan::decide::plan::BreakerPlan;

/// A plan with an open breaker of ETL 0, of which the first job of the first chain is the probe.
fn broken_plan(chains: &[&[EtlIndex]]) -> Plan {
    let mut plan = plan(chains);
    for job in plan.jobs.iter_mut().filter(|job| job.report().is_some_and(|gap| gap.etl == 0)) {
        job.gate = Gate::BehindProbe;
    }
    plan.jobs[0].gate = Gate::Probe;
    plan.breakers = vec![BreakerPlan { etl: 0, since: chrono::DateTime::<chrono::Utc>::MIN_UTC, probe: Some(0), behind: 0, error: None }];
    plan
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
        assert_eq!(driver.schedule.ended(&plan, 0, class, after, ZERO), [], "it is open already");
        if after != NextStep::Succeed {
            assert_eq!(driver.step(), dropped(1, NotStarted::NeedUnmet(0)));
        }
        let steps: Vec<Step> = std::iter::from_fn(|| Some(driver.step())).take(3).collect();
        assert!(steps.contains(&dropped(2, NotStarted::Breaker(0))), "{class:?} {steps:?}");
    }
}

#[test]
fn no_retry_is_announced_once_the_etl_is_deferred() {
    let plan = plan(&[&[0], &[0], &[0], &[0], &[0], &[0]]);
    let mut driver = Driver::new(&plan, &etls(), 6);
    driver.starts();
    assert!(driver.schedule.may_retry(&plan, 5));
    for job in 0..5 {
        driver.end(job, Class::Transient, NextStep::Fail);
    }
    assert!(!driver.schedule.may_retry(&plan, 5), "five banks failed in a row");
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
    plan.breakers = (0..2)
        .map(|etl| BreakerPlan { etl, since: chrono::DateTime::<chrono::Utc>::MIN_UTC, probe: Some(3), behind: 1, error: None })
        .collect();
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
fn a_host_that_is_short_of_processes_says_nothing_of_an_etl() {
    let plan = plan(&[&[0], &[0], &[0]]);
    let mut driver = Driver::new(&plan, &etls(), 3);
    driver.schedule = Schedule::new(&plan, &etls(), &RunSettings { breaker_banks: 2, ..settings(2) }, false);
    assert_eq!(driver.starts(), [0, 1]);
    for job in [0, 1] {
        assert_eq!(driver.end(job, Class::HostShort, NextStep::Fail), []);
    }
    assert_eq!(driver.starts(), [2], "the others go on");
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
    driver.schedule.ended(&plan, 3, Some(Class::Transient), NextStep::Retry(ZERO), ZERO);
    assert_eq!(driver.step(), start(3, 3));
}

#[test]
fn a_claim_that_was_lost_says_nothing_of_anybody() {
    let plan = plan(&[&[0], &[0], &[0]]);
    let mut driver = Driver::new(&plan, &etls(), 3);
    driver.schedule = Schedule::new(&plan, &etls(), &RunSettings { breaker_banks: 2, ..settings(3) }, false);
    driver.starts();
    for (job, class) in [(0, Some(Class::Success)), (1, None)] {
        assert_eq!(driver.schedule.ended(&plan, job, class, NextStep::Fail, ZERO), []);
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
                    schedule.ended(&plan, job, Some(class), after, now);
                }
            }
        }
        proptest::prop_assert!(running.is_empty());
        proptest::prop_assert!(done.iter().all(|times| *times == 1));
    }
}
