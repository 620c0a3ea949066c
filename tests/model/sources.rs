//! What the frontier of a source promises, whatever happens.

mod world;

use chrono::{DateTime, TimeDelta, Utc};
use etl_orch::plan::model::source::CatchUp;
use proptest::prelude::*;

use self::world::{Event, TICK, World};
use crate::config;
use crate::faults::{Fault, any_fault};

fn any_event() -> impl Strategy<Value = Event> {
    prop_oneof![
        4 => any_fault().prop_map(Event::Fails),
        2 => (2_u64..5).prop_map(|every| Event::Fails(Fault::Flaky(every))),
        2 => any::<bool>().prop_map(|begun| Event::Killed { begun }),
        6 => Just(Event::Works),
        2 => (-60_i64..60).prop_map(Event::ClockSteps),
        2 => (1_i64..300).prop_map(Event::Off),
        3 => prop_oneof![Just(1_u64), Just(4), Just(6), Just(12), Just(5)].prop_map(Event::Every),
        1 => (0_u64..4).prop_map(Event::Lag),
        2 => prop_oneof![Just(CatchUp::Each), Just(CatchUp::Coalesce)].prop_map(Event::Mode),
        2 => (0_i64..100).prop_map(Event::Asks),
        2 => (0_i64..20).prop_map(Event::GivesUp),
    ]
}

fn any_mode() -> impl Strategy<Value = CatchUp> {
    prop_oneof![Just(CatchUp::Each), Just(CatchUp::Coalesce), Just(CatchUp::Independent)]
}

/// Lives through the events. When all faults end the source is current within the longest rest, a window, a tick, and the runs that it
/// takes to work off what is missing.
///
/// A clock that was set back comes to the time of the last failure once more, and with it to the quarantine and the rest that began
/// there: the quarantine is of windows that are the last ones due again. So the span begins at that time, if the clock is before it.
fn live(events: &[(usize, Event)], days_before: Option<i64>, mode: CatchUp) -> Result<(), TestCaseError> {
    let begin: DateTime<Utc> = "2025-12-28T00:07:00Z".parse().unwrap();
    let mut world = World::new(days_before.map(|days| begin - TimeDelta::days(days)));
    world.source.catch_up = mode;
    for (ticks, event) in events {
        world.happen(*event);
        for _ in 0..=*ticks {
            world.tick()?;
        }
    }
    world.faults = Event::Works;
    let longest_rest = TimeDelta::hours(12);
    let window = TimeDelta::from_std(world.source.cadence.every).unwrap();
    let to_work_off = i64::try_from(world.plan().behind / 28).unwrap();
    let from = Some(world.now).max(world.failed_at()).unwrap();
    let until = from + longest_rest + window + TimeDelta::minutes(TICK) * i32::try_from(to_work_off + 1).unwrap();
    while world.now < until {
        world.tick()?;
    }
    // As the last run left it: since then another window may have become due.
    world.now -= TimeDelta::minutes(TICK);
    let plan = world.plan();
    prop_assert_eq!(plan.behind, 0, "{:?} {:?}", plan.standing, world.gaps);
    prop_assert!(world.frontier().is_none_or(|frontier| frontier + TimeDelta::hours(16) > world.now));
    Ok(())
}

proptest! {
    #![proptest_config(config(64))]

    /// Whatever happened: there is no hole before the frontier, and when all faults end the source becomes current.
    #[test]
    fn a_frontier_has_no_hole_before_it_and_a_source_catches_up(
        events in proptest::collection::vec((0_usize..60, any_event()), 1..40),
        days_before in proptest::option::of(0_i64..20),
        mode in any_mode(),
    ) {
        live(&events, days_before, mode)?;
    }
}

/// It failed for good at 12:07, and 16 hours later it is 12:07 again: what was due then is in quarantine until 18:00.
#[test]
fn a_clock_that_was_set_back_comes_to_a_quarantine_again() {
    let events = [(24, Event::Works), (0, Event::Off(5)), (2, Event::Fails(Fault::Permanent)), (0, Event::ClockSteps(-16))];
    live(&events, None, CatchUp::Coalesce).unwrap();
}

/// The source begins with windows of one hour after the window of five hours that a service has begun to collect.
#[test]
fn what_a_service_has_begun_before_the_begin_of_a_source_is_followed_last() {
    let events = [(0, Event::Killed { begun: true }), (1, Event::Every(5)), (0, Event::Every(1))];
    live(&events, Some(1), CatchUp::Coalesce).unwrap();
}

/// An operator asks for 12 hours of which 6 are missing, and these 6 are the first window of a longer job: what is left of that job comes
/// after the windows of the new year.
#[test]
fn what_is_left_of_a_job_whose_first_window_was_asked_for_comes_in_the_next_run() {
    let events = [
        (70, Event::Works),
        (0, Event::Mode(CatchUp::Coalesce)),
        (0, Event::Fails(Fault::Fails)),
        (0, Event::Every(12)),
        (0, Event::Off(73)),
        (30, Event::Asks(0)),
    ];
    live(&events, None, CatchUp::Coalesce).unwrap();
}

/// A window in the middle of a service's job is given up: the job is followed once, for the windows on both sides.
#[test]
fn a_job_of_a_service_is_followed_once_around_a_window_that_was_given_up() {
    let failing = Event::Fails(Fault::Fails);
    let events =
        [(19, failing), (3, Event::Works), (12, failing), (18, Event::Off(22)), (3, Event::Killed { begun: true }), (0, Event::GivesUp(6))];
    live(&events, None, CatchUp::Coalesce).unwrap();
}
