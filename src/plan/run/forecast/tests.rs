use super::*;
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::PlannedJob;
use crate::plan::model::collection::Collection;
use crate::plan::model::etl::Pool;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::institution::Institutions;
use crate::plan::model::target::Target;
use crate::plan::model::window::Window;
use crate::plan::remember::durations::PastSuccess;
use crate::plan::test_support::{bank, etl, etl_needing, plan_of, settings, source};
use proptest::prelude::*;

const BANKS: usize = 6;

/// `a`, `b`, `c` which needs `a`, and `new`, which never succeeded; a source `s`.
fn catalogue() -> Catalogue {
    let etls = vec![etl("a", "A"), etl("b", "B"), etl_needing("c", "C", 0), etl("new", "New")];
    let banks = (0..BANKS).map(|id| bank(&format!("B{id}-CA"), i64::try_from(id).unwrap())).collect();
    Catalogue { institutions: Institutions::new(banks), etls, sources: vec![source("s")] }
}

fn report(catalogue: &Catalogue, bank: usize, etl: usize) -> PlannedJob {
    let gap = Gap { bank, period: "2025Q2".parse().unwrap(), etl };
    PlannedJob {
        target: Target::Report { gap, data_symbol: String::new() },
        key: GapKey::report(catalogue.institutions.get(bank), gap.period, catalogue.etl(etl)),
        why: Why::Missing,
        gate: Gate::Open,
        planned_fence: 0,
        fingerprint: None,
    }
}

/// A chain for each bank, with jobs of these ETLs; the jobs take turns.
fn plan(catalogue: &Catalogue, chains: &[Vec<usize>]) -> Plan {
    let (mut jobs, mut positions) = (Vec::new(), vec![Vec::new(); chains.len()]);
    for turn in 0..chains.iter().map(Vec::len).max().unwrap_or_default() {
        for (bank, etls) in chains.iter().enumerate() {
            if let Some(etl) = etls.get(turn) {
                positions[bank].push(jobs.len());
                jobs.push(report(catalogue, bank, *etl));
            }
        }
    }
    plan_of(jobs, positions)
}

fn at(seconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::seconds(seconds)
}

/// Every success of these ETLs took so many seconds.
fn exact(seconds: &[(&str, u64)]) -> Durations {
    spread(&seconds.iter().map(|(of, took)| (*of, vec![*took])).collect::<Vec<_>>())
}

fn spread(seconds: &[(&str, Vec<u64>)]) -> Durations {
    Durations::of(seconds.iter().flat_map(|(of, took)| {
        let bank = (*of != "s").then(|| "X-CA".to_owned());
        took.iter().map(move |took| PastSuccess { filled_by: (*of).to_owned(), bank: bank.clone(), took: Duration::from_secs(*took) })
    }))
}

struct Given {
    catalogue: Catalogue,
    plan: Plan,
    settings: RunSettings,
    durations: Durations,
    begin: Interval,
    running: Vec<(JobIndex, DateTime<Utc>)>,
    filled_before: HashMap<GapKey, Prospect>,
    now: DateTime<Utc>,
}

impl Given {
    fn new(chains: &[Vec<usize>], slots: usize, durations: Durations) -> Self {
        let catalogue = catalogue();
        let plan = plan(&catalogue, chains);
        let (settings, begin) = (settings(slots), Interval::at(at(0)));
        Self { catalogue, plan, settings, durations, begin, running: Vec::new(), filled_before: HashMap::new(), now: at(0) }
    }

    fn forecast(&self) -> Forecast {
        let Self { catalogue, plan, settings, durations, begin, running, filled_before, now } = self;
        Forecast::of(&ExpectedRun { plan, catalogue, settings, durations, begin: *begin, running, filled_before, now: *now })
    }

    /// The end of each job as `from-to`, with those before it, in seconds; `-` where nothing is expected.
    fn ends(&self) -> Vec<String> {
        let text = |prospect: &Prospect| match prospect {
            Prospect::Expected(Expected { end, before }) => {
                format!("{}-{} {before}", (end.from - at(0)).num_seconds(), (end.to - at(0)).num_seconds())
            }
            Prospect::LeftByDeadline => "left".to_owned(),
            Prospect::MayMissDeadline => "may be left".to_owned(),
            Prospect::Unknown(why) => format!("{why:?}"),
        };
        self.forecast().jobs.iter().map(text).collect()
    }
}

#[test]
fn jobs_end_in_the_order_of_the_schedule() {
    let durations = spread(&[("a", vec![10, 20]), ("b", vec![30, 40])]);
    let given = Given::new(&[vec![0, 1], vec![0, 1], vec![0]], 2, durations);
    assert_eq!(given.ends(), ["10-20 0", "10-20 0", "20-40 2", "40-60 2", "50-80 4"]);
    let end = Some(Interval { from: at(50), to: at(80) });
    assert_eq!((given.forecast().end, given.forecast().end_of_all()), (end, end));
}

#[test]
fn what_never_succeeded_is_not_reckoned_nor_what_waits_for_it() {
    let durations = exact(&[("a", 10), ("b", 30)]);
    let given = Given::new(&[vec![3, 1], vec![0, 1]], 2, durations.clone());
    assert_eq!(given.ends(), ["NeverSucceeded", "10-10 0", "Behind", "40-40 2"]);
    assert_eq!((given.forecast().end, given.forecast().end_of_all()), (Some(Interval::at(at(40))), None));
    let given = Given::new(&[vec![3, 1], vec![0, 1]], 1, durations);
    assert_eq!(given.ends(), ["NeverSucceeded", "Behind", "Behind", "Behind"], "it may keep the only slot for ever");
    assert_eq!((given.forecast().end, given.forecast().unknown()), (None, 4));
}

#[test]
fn a_run_that_is_under_way_goes_on_from_where_it_is() {
    let mut given = Given::new(&[vec![0, 1], vec![1], vec![0]], 2, spread(&[("a", vec![100, 200, 300, 400]), ("b", vec![50])]));
    given.now = at(1000);
    given.running = vec![(0, at(850)), (2, at(900))];
    assert_eq!(given.ends(), ["1050-1250 0", "1050-1250 2", "1000-1200 0", "1100-1300 3"]);
}

#[test]
fn what_takes_longer_than_ever_is_not_reckoned() {
    let mut given = Given::new(&[vec![0], vec![0]], 2, exact(&[("a", 100)]));
    (given.now, given.running) = (at(101), vec![(0, at(0))]);
    assert_eq!(given.ends(), ["Overdue", "201-201 0"]);
}

#[test]
fn what_would_start_after_the_deadline_is_left() {
    let mut given = Given::new(&[vec![0], vec![0], vec![0], vec![0]], 1, spread(&[("a", vec![10, 10, 20, 20])]));
    given.settings.deadline = Some(Duration::from_secs(25));
    assert_eq!(given.ends(), ["10-20 0", "20-40 1", "may be left", "left"]);
}

#[test]
fn of_a_broken_etl_nothing_is_expected() {
    let mut given = Given::new(&[vec![0], vec![0, 2], vec![1]], 1, exact(&[("a", 10), ("b", 20), ("c", 5)]));
    given.plan.jobs[0].gate = Gate::Probe;
    given.plan.jobs[1].gate = Gate::BehindProbe;
    given.plan.breakers = vec![crate::plan::decide::plan::BreakerPlan { etl: 0, since: at(0), probe: Some(0), behind: 1, error: None }];
    assert_eq!(given.ends(), ["Broken", "Broken", "30-40 2", "Broken"]);
}

#[test]
fn a_run_that_begins_later_is_reckoned_from_there() {
    let mut given = Given::new(&[vec![0]], 1, exact(&[("a", 10)]));
    given.begin = Interval { from: at(-50), to: at(60) };
    assert_eq!(given.ends(), ["10-70 0"]);
}

#[test]
fn what_another_run_fills_before_is_found_there() {
    let mut given = Given::new(&[vec![0, 1], vec![0]], 1, exact(&[("a", 10), ("b", 20)]));
    let prospect = Prospect::Expected(Expected { end: Interval::at(at(-5)), before: 0 });
    given.filled_before = HashMap::from([(given.plan.jobs[0].key.clone(), prospect)]);
    assert_eq!(given.ends(), ["-5--5 0", "10-10 0", "30-30 1"]);
}

#[test]
fn sources_and_pools_have_their_part() {
    let mut given = Given::new(&[vec![0], vec![0]], 4, exact(&[("a", 10), ("s", 7)]));
    given.catalogue.etls[0].pool = Some(Pool { name: "gpu".to_owned(), limit: 1 });
    let window = Window { start: at(0), end: at(9) };
    let target = Target::Collection(Collection { source: 0, window, windows: 1, remote_id: None });
    given.plan.jobs.push(PlannedJob { target, key: GapKey::source("s"), ..report(&given.catalogue, 0, 0) });
    given.plan.chains.push(vec![2]);
    assert_eq!(given.ends(), ["10-10 0", "20-20 2", "7-7 0"]);
}

/// When each job ends in a run of which every second is looked at.
fn second_by_second(given: &Given, took: u64) -> Vec<Option<i64>> {
    let mut schedule = Schedule::new(&given.plan, &given.catalogue, &given.settings, false);
    let (mut running, mut ends) = (std::collections::BTreeMap::new(), vec![None; given.plan.jobs.len()]);
    let mut second = 0;
    loop {
        let now = Duration::from_secs(second);
        loop {
            match schedule.step(&given.plan, now) {
                Step::Start { job, .. } => drop(running.insert(job, second + took)),
                Step::Drop { .. } | Step::GiveUp { .. } => {}
                Step::Finished => return ends,
                Step::Wait { .. } => match running.iter().find(|(_, end)| **end == second).map(|(job, _)| *job) {
                    Some(job) => {
                        running.remove(&job);
                        ends[job] = i64::try_from(second).ok();
                        schedule.ended(&given.plan, job, Some(Class::Success), NextStep::Succeed, now);
                    }
                    None => break,
                },
            }
        }
        second += 1;
    }
}

/// Chains of `a`, `b` and `c`, in the order of declaration.
fn any_chains() -> impl Strategy<Value = Vec<Vec<usize>>> {
    prop::collection::vec(prop::sample::subsequence(vec![0, 1, 2], 0..=3), 1..=BANKS)
}

fn expected(forecast: &Forecast) -> Vec<Expected> {
    let expected = |job: &Prospect| if let Prospect::Expected(expected) = job { Some(*expected) } else { None };
    forecast.jobs.iter().map(|job| expected(job).expect("it can be reckoned")).collect()
}

proptest! {
    #[test]
    fn a_forecast_by_exact_durations_is_what_happens(chains in any_chains(), slots in 1_usize..4, took in 1_u64..20) {
        let given = Given::new(&chains, slots, exact(&[("a", took), ("b", took), ("c", took)]));
        let happened = second_by_second(&given, took);
        for (expected, happened) in expected(&given.forecast()).iter().zip(happened) {
            prop_assert_eq!(expected.end, Interval::at(at(happened.unwrap())));
        }
    }

    #[test]
    fn nothing_ends_before_now_or_before_what_it_needs(
        chains in any_chains(),
        slots in 1_usize..4,
        (a, b, c) in (1_u64..50, 1_u64..50, 1_u64..50),
        (begin, now) in (-100_i64..100, -100_i64..100),
    ) {
        let mut given = Given::new(&chains, slots, spread(&[("a", vec![a, 2 * a]), ("b", vec![b, 3 * b]), ("c", vec![c])]));
        (given.begin, given.now) = (Interval::at(at(begin)), at(now));
        let ends = expected(&given.forecast());
        for chain in &given.plan.chains {
            for job in chain {
                prop_assert!(ends[*job].end.from > at(now.max(begin)) && ends[*job].end.to >= ends[*job].end.from);
            }
            for pair in chain.windows(2) {
                prop_assert!(ends[pair[0]].end.from < ends[pair[1]].end.from && ends[pair[0]].end.to < ends[pair[1]].end.to);
                prop_assert!(ends[pair[0]].before <= ends[pair[1]].before);
            }
        }
    }

    #[test]
    fn all_that_takes_longer_ends_later(chains in any_chains(), slots in 1_usize..4, (a, b, c) in (1_u64..50, 1_u64..50, 1_u64..50)) {
        let of = |factor: u64| expected(&Given::new(&chains, slots, exact(&[("a", a * factor), ("b", b * factor), ("c", c * factor)])).forecast());
        for (once, twice) in of(1).iter().zip(of(2)) {
            prop_assert_eq!((once.end.to - at(0)) * 2, twice.end.to - at(0));
            prop_assert_eq!(once.before, twice.before);
        }
        let alone = |b: u64| expected(&Given::new(&chains, 1, exact(&[("a", a), ("b", b), ("c", c)])).forecast());
        for (shorter, longer) in alone(b).iter().zip(alone(b + 1)) {
            prop_assert!(shorter.end.to <= longer.end.to);
        }
    }
}
