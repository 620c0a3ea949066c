//! Chains of sources.

use super::*;
use crate::plan::model::collection::Collection;
use crate::plan::model::source::SourceIndex;
use crate::plan::model::window::Window;
use crate::plan::test_support::source;

/// Adds a chain of so many windows of a source to a plan.
fn with_windows(mut plan: Plan, source: SourceIndex, windows: i64) -> Plan {
    let first = plan.jobs.len();
    let hour = |hour: i64| chrono::DateTime::UNIX_EPOCH + chrono::TimeDelta::hours(hour);
    plan.jobs.extend((0..windows).map(|n| PlannedJob {
        target: Target::Collection(Collection { source, window: Window::new(hour(n), hour(n + 1)).unwrap(), windows: 1, remote_id: None }),
        key: GapKey::source(&source.to_string()),
        why: Why::Missing,
        gate: Gate::Open,
        planned_fence: 0,
        fingerprint: None,
    }));
    plan.chains.push((first..plan.jobs.len()).collect());
    plan
}

fn with_sources() -> Catalogue {
    Catalogue { sources: vec![source("house"), source("senate")], ..etls() }
}

#[test]
fn after_a_window_that_was_not_collected_the_later_ones_of_its_source_wait_and_nobody_else() {
    for (class, after) in [
        (Some(Class::Transient), NextStep::Fail),
        (Some(Class::Permanent), NextStep::Fail),
        (Some(Class::Configuration), NextStep::Fail),
        (Some(Class::NotReady), NextStep::Skip),
        (Some(Class::Interrupted), NextStep::Cancel),
        (None, NextStep::Skip),
    ] {
        // Jobs 0 to 2 are of a bank, 3 to 5 and 6 to 7 of sources.
        let plan = with_windows(with_windows(plan(&[&[1, 1, 1]]), 0, 3), 1, 2);
        let mut driver = Driver::new(&plan, &with_sources(), 3);
        assert_eq!(driver.starts(), [0, 3, 6]);
        driver.succeed(3);
        assert_eq!(driver.step(), start(4, 1));
        assert_eq!(driver.schedule.ended(&plan, 4, class, after, ZERO), [], "a source has no breaker");
        assert_eq!(driver.step(), dropped(5, NotStarted::EarlierWindow), "{class:?}");
        assert_eq!(driver.starts(), [0; 0]);
        driver.succeed(6);
        driver.succeed(0);
        assert_eq!(driver.starts(), [1, 7]);
    }
}

#[test]
fn a_window_that_was_collected_elsewhere_is_no_hole() {
    let plan = with_windows(plan(&[]), 0, 2);
    let mut driver = Driver::new(&plan, &with_sources(), 1);
    assert_eq!(driver.starts(), [0]);
    driver.schedule.ended(&plan, 0, None, NextStep::Succeed, ZERO);
    assert_eq!(driver.starts(), [1]);
}

#[test]
fn a_window_that_is_given_up_or_dropped_is_a_hole() {
    let plan = with_windows(with_windows(plan(&[]), 0, 2), 1, 1);
    let mut driver = Driver::new(&plan, &with_sources(), 2);
    assert_eq!(driver.starts(), [0, 2]);
    driver.end(0, Class::Transient, NextStep::Retry(Duration::from_secs(5)));
    driver.step();
    assert!(driver.schedule.give_up(&plan, 0));
    assert_eq!(driver.step(), dropped(1, NotStarted::EarlierWindow));
}

/// The same plan, where the windows of its sources are independent of each other.
fn independent(mut plan: Plan) -> Plan {
    for job in &mut plan.jobs {
        if let Some(collection) = job.collection() {
            job.key = GapKey::Window { source: collection.source.to_string(), start: collection.window.start };
        }
    }
    plan
}

#[test]
fn an_independent_window_that_fails_holds_up_no_other_until_three_failed_in_a_row() {
    let plan = independent(with_windows(plan(&[]), 0, 8));
    let mut driver = Driver::new(&plan, &with_sources(), 1);
    let fails = [Some(Class::Transient), Some(Class::Permanent), None, Some(Class::Uncertain), Some(Class::Transient), Some(Class::Crash)];
    for (job, class) in fails.into_iter().enumerate() {
        assert_eq!(driver.step(), start(job, 1));
        match class {
            Some(class) => drop(driver.schedule.ended(&plan, job, Some(class), NextStep::Fail, ZERO)),
            None => drop(driver.succeed(job)),
        }
    }
    assert_eq!(driver.step(), dropped(6, NotStarted::SourceStopped));
    assert_eq!(driver.step(), dropped(7, NotStarted::SourceStopped));
}

#[test]
fn independent_windows_of_a_source_that_is_set_up_wrongly_are_not_tried() {
    let plan = independent(with_windows(plan(&[]), 0, 2));
    let mut driver = Driver::new(&plan, &with_sources(), 1);
    assert_eq!(driver.starts(), [0]);
    driver.schedule.ended(&plan, 0, Some(Class::Configuration), NextStep::Fail, ZERO);
    assert_eq!(driver.step(), dropped(1, NotStarted::SourceStopped));
}

#[test]
fn sources_and_etls_share_pools_by_name() {
    let mut catalogue = with_sources();
    let pool = |limit| Some(Pool { name: "api".to_owned(), limit });
    catalogue.sources[0].pool = pool(1);
    catalogue.sources[1].pool = pool(4);
    catalogue.etls[1].pool = pool(4);
    let plan = with_windows(with_windows(plan(&[&[1], &[0]]), 0, 2), 1, 1);
    let mut driver = Driver::new(&plan, &catalogue, 4);
    assert_eq!(driver.starts(), [0, 1], "the ETL has the pool; another needs none");
    driver.succeed(0);
    assert_eq!(driver.starts(), [2]);
    driver.succeed(2);
    assert_eq!(driver.starts(), [3], "a chain goes on before another begins");
    driver.succeed(3);
    assert_eq!(driver.starts(), [4]);
}

#[test]
fn a_source_that_waits_for_its_retry_holds_no_slot_and_keeps_its_order() {
    let plan = with_windows(with_windows(plan(&[]), 0, 2), 1, 1);
    let mut driver = Driver::new(&plan, &with_sources(), 1);
    assert_eq!(driver.starts(), [0]);
    let delay = Duration::from_secs(5);
    driver.end(0, Class::Transient, NextStep::Retry(delay));
    assert_eq!(driver.starts(), [2], "not its own later window");
    driver.succeed(2);
    assert_eq!(driver.step(), Step::Wait { until: Some(delay) });
    driver.now = delay;
    assert_eq!(driver.step(), start(0, 2));
    driver.succeed(0);
    assert_eq!(driver.starts(), [1]);
}
