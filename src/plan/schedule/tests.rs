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
