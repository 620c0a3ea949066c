//! What no job may rely on, as the database does not have it on record.

use super::*;
use crate::plan::decide::plan::BreakerPlan;
use crate::plan::model::collection::Collection;
use crate::plan::model::window::Window;
use crate::plan::test_support::source;

#[test]
fn what_needs_a_job_whose_end_is_not_on_record_says_so_and_so_does_what_needs_that() {
    let etls = of_etls(vec![etl("a", "A"), etl_needing("b", "B", 0), etl_needing("c", "C", 1)]);
    let plan = plan(&[&[0, 1, 2], &[0]]);
    let mut driver = Driver::new(&plan, &etls, 1);
    assert_eq!(driver.step(), start(0, 1));
    driver.end(0, Class::Success, NextStep::Unrecorded);
    let steps = [driver.step(), driver.step()];
    assert_eq!(steps, [dropped(1, NotStarted::NeedUnrecorded(0)), dropped(2, NotStarted::NeedHeldBack(1))]);
    assert_eq!(driver.step(), start(3, 1), "other banks go on");
    let words = [NotStarted::NeedUnrecorded(0), NotStarted::NeedHeldBack(1)].map(|reason| reason.explain(&etls));
    assert_eq!(words, ["it needs a, and how that ended is not on record yet", "it needs b, which waits until everything is on record"]);
}

#[test]
fn a_need_that_was_surely_not_made_is_the_reason_before_one_that_is_not_on_record() {
    let mut both = etl_needing("c", "C", 0);
    both.needs.push(1);
    let etls = of_etls(vec![etl("a", "A"), etl("b", "B"), both]);
    let plan = plan(&[&[0, 1, 2]]);
    let mut driver = Driver::new(&plan, &etls, 1);
    driver.step();
    driver.end(0, Class::Success, NextStep::Unrecorded);
    driver.step();
    driver.fail(1);
    assert_eq!(driver.step(), dropped(2, NotStarted::NeedUnmet(1)));
}

#[test]
fn what_is_behind_a_probe_whose_end_is_not_on_record_is_not_called_broken() {
    let mut plan = plan(&[&[0], &[0]]);
    (plan.jobs[0].gate, plan.jobs[1].gate) = (Gate::Probe, Gate::BehindProbe);
    plan.breakers = vec![BreakerPlan { etl: 0, since: chrono::DateTime::<chrono::Utc>::MIN_UTC, probe: Some(0), behind: 1, error: None }];
    let mut driver = Driver::new(&plan, &etls(), 1);
    driver.step();
    assert_eq!(driver.end(0, Class::Success, NextStep::Unrecorded), [], "the breaker stays open");
    assert_eq!(driver.step(), dropped(1, NotStarted::ProbeUnrecorded(0)));
}

#[test]
fn later_windows_wait_for_one_that_is_not_on_record() {
    let hour = |hour: i64| chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(hour);
    let job = |n| PlannedJob {
        target: Target::Collection(Collection {
            source: 0,
            window: Window::new(hour(n), hour(n + 1)).unwrap(),
            windows: 1,
            remote_id: None,
        }),
        key: GapKey::source("house"),
        why: Why::Missing,
        gate: Gate::Open,
        planned_fence: 0,
        fingerprint: None,
    };
    let plan = plan_of(vec![job(0), job(1)], vec![vec![0, 1]]);
    let mut driver = Driver::new(&plan, &Catalogue { sources: vec![source("house")], ..etls() }, 1);
    driver.step();
    driver.end(0, Class::Success, NextStep::Unrecorded);
    assert_eq!(driver.step(), dropped(1, NotStarted::EarlierWindowUnrecorded));
}
