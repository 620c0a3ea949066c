//! Thousands of runs in a simulated world with simulated time: what containment promises, whatever happens.

#![expect(clippy::unwrap_used, reason = "a world that cannot be built fails the test")]

mod events;
mod faults;
mod simulation;
mod sources;
mod world;

use std::collections::BTreeSet;
use std::time::Duration;

use etl_orch::plan::model::gap::Gap;
use etl_orch::plan::model::settings::{ChainBy, PeriodOrder};
use proptest::prelude::*;

use self::events::{Event, any_end, any_event};
use self::faults::{Fault, any_fault};
use self::world::{BANKS, End, TICK, World, period};

const TWO_DAYS: i64 = 48 * 60;

/// The most charged runs of a gap in any 48 hours.
fn most_in_two_days(charged: &[i64]) -> usize {
    let window = |from: i64| charged.iter().filter(|at| (from..from + TWO_DAYS).contains(*at)).count();
    charged.iter().map(|from| window(*from)).max().unwrap_or_default()
}

/// The periods that arrive in a case, oldest first.
fn quarters() -> Vec<etl_orch::plan::model::period::Period> {
    (2020..2026).flat_map(|year| (1..=4).map(move |quarter| period(&format!("{year}Q{quarter}")))).collect()
}

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Lets time pass while data for all banks arrives now and then; all banks but the bad ones must be current within `ticks`.
fn live_with(world: &mut World, bad: &BTreeSet<usize>, days: usize, every: usize, within: usize) -> Result<(), TestCaseError> {
    let mut quarters = quarters().into_iter();
    let mut behind = 0;
    for tick in 0..days * 96 {
        if tick % every == every - 1
            && let Some(quarter) = quarters.next()
        {
            world.new_period(quarter);
        }
        world.tick(End::Natural);
        let is_behind = world.missing().iter().any(|gap| !bad.contains(&gap.bank));
        behind = if is_behind { behind + 1 } else { 0 };
        prop_assert!(behind < within, "behind for {behind} ticks at tick {tick}: {:?}", world.missing());
    }
    Ok(())
}

proptest! {
    #![proptest_config(config(8))]

    /// a) One bank that always fails is charged at most 8 runs per gap, and holds up nobody.
    #[test]
    fn one_bank_that_always_fails_is_left_alone_and_holds_up_nobody(
        bank in 0..BANKS,
        etl in 0_usize..2,
        fault in prop_oneof![Just(Fault::Fails), Just(Fault::Permanent)],
        every in 20_usize..60,
    ) {
        let mut world = World::new(&["2019Q4"]);
        world.bank_faults.insert((etl, bank), fault);
        live_with(&mut world, &BTreeSet::from([bank]), 4, every, 1)?;
        let allowed = if fault == Fault::Permanent { 1 } else { 8 };
        for (gap, charged) in &world.charged {
            prop_assert!(charged.len() <= allowed, "{gap:?} {charged:?}");
        }
        prop_assert!(!world.charged.is_empty());
    }

    /// b) Several such banks may open the breaker: then there are at most 16 charged runs per gap, 8 of them given back, for
    /// ever; and the other banks wait for their turn as probe at the most.
    #[test]
    fn several_banks_that_always_fail_are_left_alone_and_hold_up_the_others_for_a_few_runs(
        bad in proptest::collection::btree_set(0..BANKS, 2..5),
        etl in 0_usize..2,
        every in 80_usize..160,
    ) {
        let mut world = World::new(&["2019Q4"]);
        for bank in &bad {
            world.bank_faults.insert((etl, *bank), Fault::Fails);
        }
        live_with(&mut world, &bad, 4, every, bad.len() + 2)?;
        for (gap, charged) in &world.charged {
            prop_assert!(charged.len() <= 16, "{gap:?} {charged:?}");
        }
        // Long after, everything is quarantined, and nothing is tried any more.
        world.ticks(96 * 6);
        let quarantined = world.missing().iter().filter(|gap| gap.etl == etl).all(|gap| world.history(*gap).quarantine.is_some());
        prop_assert!(quarantined);
        let plan = world.plan();
        prop_assert!(plan.jobs.is_empty() && plan.breakers.iter().all(|breaker| breaker.probe.is_none()));
    }

    /// c) An ETL that fails for everybody for 3 hours is tried by one bank after the other; then all is made up for.
    #[test]
    fn an_outage_costs_one_probe_per_run_and_nothing_afterwards(
        etl in 0_usize..2,
        start in 1_usize..40,
        periods in 1_usize..4,
        fault in prop_oneof![Just(Fault::Fails)],
    ) {
        let mut world = World::new(&["2019Q4"]);
        world.ticks(start);
        prop_assert!(world.missing().is_empty());
        world.etl_faults.insert(etl, fault);
        for quarter in quarters().into_iter().take(periods) {
            world.new_period(quarter);
        }
        let mut probed = Vec::new();
        for _ in 0..12 {
            let tick = world.tick(End::Natural);
            if tick.open[&etl].0 {
                prop_assert_eq!(tick.probes.len(), 1);
                let of_etl: Vec<&Gap> = tick.started.iter().filter(|gap| gap.etl == etl).collect();
                prop_assert_eq!(of_etl.len(), 1, "only the probe tries it");
                probed.push(tick.probes[0].bank);
            }
            prop_assert!(world.missing().iter().all(|gap| world.history(*gap).quarantine.is_none()));
        }
        prop_assert_eq!(probed.len(), 11);
        prop_assert_eq!(probed.iter().collect::<BTreeSet<_>>().len(), 11, "each time another bank");
        world.etl_faults.clear();
        world.ticks(3);
        prop_assert_eq!(world.missing(), []);
        prop_assert!(world.breakers.is_empty());
    }

    /// d) Sources that change all the time do not turn poison loose: at most 11 charged runs per gap in 48 hours.
    #[test]
    fn sources_that_change_in_every_run_do_not_turn_poison_loose(
        bad in proptest::collection::btree_set(0..BANKS, 1..3),
        permanent in any::<bool>(),
    ) {
        let mut world = World::new(&["2019Q4"]);
        for bank in &bad {
            world.bank_faults.insert((0, *bank), if permanent { Fault::Permanent } else { Fault::Fails });
        }
        for version in 0..96 * 10 {
            world.versions.extend(bad.iter().map(|bank| ((*bank, period("2019Q4")), version)));
            world.tick(End::Natural);
        }
        let allowed = if bad.len() == 1 { 11 } else { 11 + 8 };
        for (gap, charged) in &world.charged {
            prop_assert!(most_in_two_days(charged) <= allowed, "{gap:?} {charged:?}");
            let last_days = charged.iter().filter(|at| **at > 96 * 8 * TICK).count();
            prop_assert!(last_days <= 5, "at last one in 12 hours: {charged:?}");
        }
    }
}

proptest! {
    #![proptest_config(config(24))]

    /// e) Whatever happened: when all faults end, every gap that is not quarantined is filled within the longest rest.
    #[test]
    fn whatever_happened_everything_is_made_up_for(
        events in proptest::collection::vec((0_usize..12, any_event()), 1..24),
        max_jobs in prop_oneof![Just(500_usize), 1_usize..12],
        max_parallel in 1_usize..6,
        by_period in any::<bool>(),
    ) {
        let mut world = World::new(&["2019Q3", "2019Q4"]);
        world.settings.max_jobs = max_jobs;
        world.settings.max_parallel = max_parallel;
        if by_period {
            world.settings.chain_by = ChainBy::BankPeriod;
        }
        let mut quarters = quarters().into_iter();
        for (ticks, event) in events {
            let end = event.happen(&mut world, &mut quarters);
            world.tick(end);
            world.ticks(ticks);
        }
        world.bank_faults.clear();
        world.etl_faults.clear();
        world.elsewhere_ends(false);
        // The longest rest, and the runs that it takes to work off what is missing.
        let runs = 48 + 2 * world.missing().len() / max_jobs + 2 * BANKS;
        world.ticks(runs);
        let left: Vec<Gap> = world.missing();
        for gap in &left {
            let need = Gap { etl: 0, ..*gap };
            let is_contained = world.history(*gap).quarantine.is_some() || (gap.etl == 1 && world.history(need).quarantine.is_some());
            prop_assert!(is_contained, "{gap:?} {:?} {:?}", world.history(*gap), world.breakers);
        }
        world.retry_all();
        let runs = 4 + left.len() / max_jobs;
        world.ticks(runs);
        prop_assert_eq!(world.missing(), []);
        prop_assert!(world.breakers.is_empty() || left.is_empty());
    }

    /// Charged runs are bounded whatever happens, but for operators and changes of the sources.
    #[test]
    fn whatever_happens_nothing_is_charged_without_end(
        events in proptest::collection::vec((0_usize..24, any_event()), 1..24),
        bad in proptest::collection::btree_set(0..BANKS, 1..6),
        max_jobs in prop_oneof![Just(500_usize), 2_usize..12],
    ) {
        let mut world = World::new(&["2019Q3", "2019Q4"]);
        world.settings.max_jobs = max_jobs;
        let mut quarters = quarters().into_iter();
        for (ticks, event) in events {
            if matches!(event, Event::Retry | Event::SourceChanges(_)) {
                continue;
            }
            let end = event.happen(&mut world, &mut quarters);
            world.bank_faults.extend(bad.iter().map(|bank| ((0, *bank), Fault::Fails)));
            world.tick(end);
            world.ticks(ticks);
        }
        world.ticks(96);
        for (gap, charged) in &world.charged {
            prop_assert!(charged.len() <= 16, "{gap:?} {charged:?}");
        }
    }

    /// f) Every run ends, starts no gap twice at once and none before its need, keeps to its slots, pools and the order of its
    /// chains: [`simulation`] asserts it with every step.
    #[test]
    fn every_run_keeps_to_its_limits_and_its_order(
        faults in proptest::collection::btree_map((0_usize..2, 0..BANKS), any_fault(), 0..20),
        ends in proptest::collection::vec(any_end(), 1..8),
        limits in (1_usize..7, 1_u32..5, prop_oneof![Just(500_usize), 1_usize..40]),
        modes in (any::<bool>(), any::<bool>(), any::<bool>()),
        deadline in proptest::option::of(0_u64..600),
    ) {
        let mut world = World::new(&["2019Q1", "2019Q2", "2019Q3", "2019Q4"]);
        (world.settings.max_parallel, _, world.settings.max_jobs) = limits;
        world.etls[0].pool.as_mut().unwrap().limit = limits.1;
        (world.pool_is_shared, _, _) = modes;
        if modes.1 {
            world.settings.chain_by = ChainBy::BankPeriod;
        }
        if modes.2 {
            world.settings.order = PeriodOrder::OldestFirst;
        }
        world.settings.deadline = deadline.map(Duration::from_secs);
        world.bank_faults = faults;
        for end in ends {
            world.tick(end);
        }
    }
}
