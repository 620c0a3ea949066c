use super::*;
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{Gate, PlannedJob};
use crate::plan::model::etl::{Etl, Pool};
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::target::Target;
use crate::plan::test_support::{etl, etl_needing, plan_of, settings};

mod containment;
mod order;
mod sources;
mod unrecorded;

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
    schedule.ended(&plan, 0, Some(Class::Success), NextStep::Succeed, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), start(1, 1), "the chain goes on before another begins");
    schedule.ended(&plan, 2, Some(Class::Success), NextStep::Succeed, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), start(3, 1));
    schedule.ended(&plan, 1, Some(Class::Success), NextStep::Succeed, ZERO);
    schedule.ended(&plan, 3, Some(Class::Success), NextStep::Succeed, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), Step::Finished);
}

#[test]
fn a_chain_that_waits_for_its_retry_holds_no_slot() {
    let plan = plan(&[&[0], &[0]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(1), false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    let delay = Duration::from_secs(5);
    schedule.ended(&plan, 0, Some(Class::Transient), NextStep::Retry(delay), ZERO);
    assert_eq!(schedule.step(&plan, ZERO), start(1, 1));
    schedule.ended(&plan, 1, Some(Class::Success), NextStep::Succeed, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), Step::Wait { until: Some(delay) });
    assert_eq!(schedule.step(&plan, delay), start(0, 2));
}

#[test]
fn a_failure_stops_no_other_chain_and_not_the_rest_of_its_own() {
    let plan = plan(&[&[0, 0], &[0]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(1), false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    schedule.ended(&plan, 0, Some(Class::Permanent), NextStep::Fail, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), start(1, 1));
}

#[test]
fn what_needs_a_failed_job_is_dropped() {
    let plan = plan(&[&[0, 1], &[0, 1]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(1), false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    schedule.ended(&plan, 0, Some(Class::Permanent), NextStep::Fail, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), Step::Drop { job: 1, reason: NotStarted::NeedUnmet(0) });
    assert_eq!(schedule.step(&plan, ZERO), start(2, 1), "another bank's need is another");
}

#[test]
fn a_configuration_error_stops_the_etl_for_everyone() {
    let plan = plan(&[&[0], &[0], &[1]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(2), false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    assert_eq!(schedule.step(&plan, ZERO), start(1, 1));
    schedule.ended(&plan, 1, Some(Class::Transient), NextStep::Retry(ZERO), ZERO);
    schedule.ended(&plan, 0, Some(Class::Configuration), NextStep::Fail, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), Step::GiveUp { job: 1, reason: NotStarted::EtlStopped(0) });
    assert_eq!(schedule.step(&plan, ZERO), start(2, 1), "other ETLs go on");
}

#[test]
fn an_etl_that_is_known_to_be_set_up_wrongly_starts_no_more_before_that_is_recorded() {
    let plan = plan(&[&[0], &[0], &[0], &[1]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(2), false);
    assert_eq!([schedule.step(&plan, ZERO), schedule.step(&plan, ZERO)], [start(0, 1), start(1, 1)]);
    assert!(schedule.stop_etl(0));
    assert!(!schedule.stop_etl(0), "it is no news");
    schedule.ended(&plan, 1, Some(Class::Success), NextStep::Succeed, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), dropped(2, NotStarted::EtlStopped(0)));
    assert_eq!(schedule.step(&plan, ZERO), start(3, 1));
    schedule.ended(&plan, 0, Some(Class::Configuration), NextStep::Fail, ZERO);
    assert_eq!(schedule.step(&plan, ZERO), Step::Wait { until: None });
}

#[test]
fn fail_fast_and_stop_start_nothing_more() {
    let plan = plan(&[&[0], &[0]]);
    let mut schedule = Schedule::new(&plan, &etls(), &settings(1), true);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    schedule.ended(&plan, 0, Some(Class::Transient), NextStep::Fail, ZERO);
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
    schedule.ended(&plan, 0, Some(Class::Transient), NextStep::Retry(ZERO), deadline);
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
        self.schedule.ended(self.plan, job, Some(class), after, self.now)
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
    driver.schedule.ended(&plan, 0, None, NextStep::Later(delay), ZERO);
    assert_eq!(driver.step(), Step::Wait { until: Some(delay) });
    driver.now = delay;
    assert_eq!(driver.step(), start(0, 1));
    driver.schedule.ended(&plan, 0, None, NextStep::Later(delay), delay);
    driver.schedule.halt(NotStarted::Stopped);
    assert_eq!(driver.step(), dropped(0, NotStarted::Stopped));

    let mut driver = Driver::new(&plan, &etls(), 1);
    driver.step();
    driver.end(0, Class::Transient, NextStep::Retry(ZERO));
    assert_eq!(driver.step(), start(0, 2));
    driver.schedule.ended(&plan, 0, None, NextStep::Later(delay), ZERO);
    driver.schedule.halt(NotStarted::Stopped);
    assert_eq!(driver.step(), Step::GiveUp { job: 0, reason: NotStarted::Stopped });
}

#[test]
fn what_could_not_begin_before_the_deadline_does_not_after_it() {
    let plan = plan(&[&[0]]);
    let deadline = Duration::from_secs(60);
    let mut schedule = Schedule::new(&plan, &etls(), &RunSettings { deadline: Some(deadline), ..settings(1) }, false);
    assert_eq!(schedule.step(&plan, ZERO), start(0, 1));
    schedule.ended(&plan, 0, None, NextStep::Later(deadline), ZERO);
    assert_eq!(schedule.step(&plan, deadline), dropped(0, NotStarted::Deadline));
}
