//! `--force` under `max_jobs`, one run after the other: each report that it asks for is made once.

use chrono::TimeDelta;

use super::*;
use crate::plan::model::orders::ForcedWhat;

/// What runs with `--force` and without leave behind. Each makes one report.
struct Runs {
    world: World,
    minute: i64,
    exists: BTreeSet<&'static str>,
}

const PERIODS: [&str; 3] = ["2025Q2", "2025Q1", "2024Q4"];

impl Runs {
    /// All reports of RY exist, but for these.
    fn new(missing: &[&str]) -> Self {
        let mut world = World::new();
        world.settings.max_jobs = 1;
        Self { world, minute: 0, exists: PERIODS.into_iter().filter(|period| !missing.contains(period)).collect() }
    }

    fn plan(&mut self, force: bool) -> Plan {
        self.minute += 1;
        self.world.stored.now = noon() + TimeDelta::minutes(self.minute);
        self.world.selection.force = force;
        let row = |period: &&'static str| Candidate { exists: self.exists.contains(*period), ..self.world.row("RY", period, 0, true) };
        let (existing, missing): (Vec<_>, Vec<_>) = PERIODS.iter().map(row).partition(|candidate| candidate.exists);
        let mut planner = self.world.planner();
        for candidate in missing {
            planner.candidate(candidate);
        }
        for candidate in existing {
            if force {
                planner.candidate(candidate);
            } else {
                planner.forced_candidate(candidate);
            }
        }
        planner.finish()
    }

    /// One run, which does with the report that it plans what `end` says. Returns its period.
    fn run(&mut self, force: bool, end: fn(&mut GapState, DateTime<Utc>)) -> Option<String> {
        let plan = self.plan(force);
        let now = self.world.stored.now;
        for forced in &plan.forced.order {
            let key = text(&forced.gap);
            let state = match self.world.stored.gaps.get_mut(&forced.gap) {
                Some(state) => state,
                None => self.world.remember(key, FailureHistory::default()),
            };
            let pending = PendingForce { at: now, was_missing: forced.what == ForcedWhat::Missing };
            state.forced = if forced.what == ForcedWhat::Made { state.forced } else { Some(pending) };
            self.world.stored.force_orders.entry(forced.gap.clone()).or_default().push(now);
        }
        let job = plan.jobs.first()?;
        if !self.world.stored.gaps.contains_key(&job.key) {
            self.world.remember(text(&job.key), FailureHistory::default());
        }
        end(self.world.stored.gaps.get_mut(&job.key).unwrap(), now);
        let period = PERIODS.into_iter().find(|period| text(&job.key).contains(period)).unwrap();
        if self.world.stored.gaps[&job.key].forced.is_none() {
            self.exists.insert(period);
        }
        Some(period.to_owned())
    }

    fn forced(&mut self) -> Option<String> {
        self.run(true, succeed)
    }

    fn plain(&mut self) -> Option<String> {
        self.run(false, succeed)
    }
}

fn succeed(state: &mut GapState, _: DateTime<Utc>) {
    state.forced = None;
    state.history = FailureHistory::default();
}

fn fail(state: &mut GapState, at: DateTime<Utc>) {
    let rest = Rest { since: at, until: at + TimeDelta::hours(1), why: RestReason::Failed };
    state.history = FailureHistory { rest: Some(rest), ..tried() };
}

fn nothing(_: &mut GapState, _: DateTime<Utc>) {}

#[test]
fn each_report_is_made_once_whether_the_order_is_repeated_or_not() {
    let mut runs = Runs::new(&[]);
    assert_eq!([(); 3].map(|()| runs.forced().unwrap()), PERIODS);
    assert_eq!(runs.plain(), None, "nothing is left");
    assert_eq!(runs.forced().unwrap(), PERIODS[0], "another order");
    assert_eq!([runs.plain(), runs.plain(), runs.plain()], [Some(PERIODS[1].to_owned()), Some(PERIODS[2].to_owned()), None]);
}

#[test]
fn a_report_that_was_missing_is_made_once_too() {
    for missing in [&PERIODS[..], &PERIODS[..1], &PERIODS[1..], &PERIODS[1..2]] {
        let mut runs = Runs::new(missing);
        let mut made = [(); 3].map(|()| runs.forced().unwrap());
        made.sort_unstable_by(|one, other| other.cmp(one));
        assert_eq!(made, PERIODS, "missing: {missing:?}");
        assert_eq!(runs.plain(), None);
    }
}

#[test]
fn the_order_is_recorded_once_and_says_what_was_made() {
    let mut runs = Runs::new(&["2024Q4"]);
    let plan = runs.plan(true);
    let order: Vec<(&str, ForcedWhat)> = plan.forced.order.iter().map(|forced| (text(&forced.gap), forced.what)).collect();
    let expected = [
        ("RY-CA/2024Q4/call_summary", ForcedWhat::Missing),
        ("RY-CA/2025Q1/call_summary", ForcedWhat::Existing),
        ("RY-CA/2025Q2/call_summary", ForcedWhat::Existing),
    ];
    assert_eq!((order, plan.forced.since, plan.forced.made), (expected.to_vec(), None, 0));
    runs.forced();
    let given = runs.world.stored.now;
    let plan = runs.plan(true);
    assert_eq!((plan.forced.order.len(), plan.forced.since, plan.forced.made, plan.capped), (0, Some(given), 1, 1));
}

#[test]
fn a_report_that_fails_keeps_no_other_waiting_and_is_not_tried_twice_by_one_order() {
    let mut runs = Runs::new(&[]);
    assert_eq!(runs.run(true, fail).unwrap(), PERIODS[0]);
    assert_eq!([runs.plain(), runs.plain(), runs.plain()], [Some(PERIODS[1].to_owned()), Some(PERIODS[2].to_owned()), None], "it rests");

    let mut runs = Runs::new(&[]);
    assert_eq!(runs.run(true, fail).unwrap(), PERIODS[0]);
    assert_eq!([runs.forced(), runs.forced()], [Some(PERIODS[1].to_owned()), Some(PERIODS[2].to_owned())], "what is fresh goes first");
    assert_eq!(runs.run(false, fail).unwrap(), PERIODS[0], "it was asked for again in its rest");
    assert_eq!(runs.plain(), None);
}

#[test]
fn what_a_stop_left_is_made_first() {
    let mut runs = Runs::new(&[]);
    assert_eq!(runs.run(true, nothing).unwrap(), PERIODS[0], "killed, or stopped, or not even started");
    assert_eq!([runs.forced(), runs.plain(), runs.forced()], PERIODS.map(|period| Some(period.to_owned())));
    assert_eq!(runs.plain(), None);
}

#[test]
fn another_selection_adds_to_what_is_left() {
    let mut runs = Runs::new(&[]);
    runs.world.selection.periods = PERIODS[..2].iter().map(|period| period.parse().unwrap()).collect();
    assert_eq!(runs.forced().unwrap(), PERIODS[0]);
    runs.world.selection.periods.clear();
    assert_eq!([runs.forced(), runs.forced()], [Some(PERIODS[1].to_owned()), Some(PERIODS[2].to_owned())]);
    assert_eq!(runs.plain(), None);
}

#[test]
fn what_is_withdrawn_is_not_made() {
    let mut runs = Runs::new(&[]);
    runs.forced();
    runs.world.stored.gaps.get_mut(&key("RY-CA/2025Q1/call_summary")).unwrap().forced = None;
    assert_eq!([runs.forced(), runs.plain()], [Some(PERIODS[2].to_owned()), None]);
}
