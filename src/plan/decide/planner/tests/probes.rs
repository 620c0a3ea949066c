//! Which job tries a broken ETL, and how what failed before ranks.

use super::*;

#[test]
fn a_broken_etl_is_tried_by_the_bank_after_the_last_one() {
    for (probed, probe) in [
        (None, "RY-CA/2025Q2/call_summary"),
        (Some("RY-CA"), "BMO-CA/2025Q1/call_summary"),
        (Some("BMO-CA"), "TD-CA/2025Q2/call_summary"),
        (Some("TD-CA"), "RY-CA/2025Q2/call_summary"),
        (Some("gone"), "RY-CA/2025Q2/call_summary"),
    ] {
        let mut world = World::new();
        world.break_etl(0, probed);
        let rows = [("TD", "2025Q2", 0), ("RY", "2025Q1", 0), ("BMO", "2025Q1", 0), ("RY", "2025Q2", 0), ("BMO", "2025Q2", 1)];
        let plan = world.plan(&rows);
        let chosen = plan.breakers[0].probe.unwrap();
        assert_eq!((text(&plan.jobs[chosen].key), plan.jobs[chosen].gate), (probe, Gate::Probe), "after {probed:?}");
        assert_eq!(plan.chains[0][0], chosen, "it comes first");
        assert_eq!((plan.breakers[0].etl, plan.breakers[0].since, plan.breakers[0].behind), (0, noon(), 3));
        assert_eq!(plan.breakers.len(), 1);
        let open: Vec<&str> = plan.jobs.iter().filter(|job| job.gate == Gate::Open).map(|job| text(&job.key)).collect();
        assert_eq!(open, ["BMO-CA/2025Q2/key_themes"]);
    }
}

#[test]
fn a_probe_runs_before_its_turn_but_not_before_what_it_needs() {
    let mut world = World::new();
    world.etls[1] = etl_needing("key_themes", "Key Themes", 0);
    world.break_etl(1, None);
    let plan = world.plan_of(vec![
        world.row("RY", "2025Q2", 0, false),
        world.row("RY", "2025Q1", 0, false),
        world.row("RY", "2025Q2", 1, false),
        world.row("RY", "2024Q4", 1, true),
    ]);
    let expected = [
        ("RY-CA/2024Q4/key_themes", Gate::Probe),
        ("RY-CA/2025Q2/call_summary", Gate::Open),
        ("RY-CA/2025Q2/key_themes", Gate::BehindProbe),
        ("RY-CA/2025Q1/call_summary", Gate::Open),
    ];
    assert_eq!(gates(&plan), expected);
    assert_eq!(plan.waits_for_probe(&world.etls), [false, false, true, false]);
    let plan = world.plan_of(vec![world.row("RY", "2025Q2", 0, false), world.row("RY", "2025Q2", 1, false)]);
    assert_eq!(gates(&plan), [("RY-CA/2025Q2/call_summary", Gate::Open), ("RY-CA/2025Q2/key_themes", Gate::Probe)]);
}

#[test]
fn what_needs_a_report_of_a_broken_etl_waits_for_its_probe_too() {
    let mut world = World::new();
    world.etls[1] = etl_needing("key_themes", "Key Themes", 0);
    world.break_etl(0, None);
    let rows = [("RY", "2025Q2", 0), ("BMO", "2025Q2", 0), ("RY", "2025Q2", 1), ("BMO", "2025Q2", 1)];
    let plan = world.plan(&rows);
    let expected = [
        ("RY-CA/2025Q2/call_summary", Gate::Probe),
        ("RY-CA/2025Q2/key_themes", Gate::Open),
        ("BMO-CA/2025Q2/call_summary", Gate::BehindProbe),
        ("BMO-CA/2025Q2/key_themes", Gate::Open),
    ];
    assert_eq!(gates(&plan), expected);
    assert_eq!(plan.waits_for_probe(&world.etls), [false, false, true, true]);
}

#[test]
fn nothing_tries_a_broken_etl_whose_gaps_all_rest_and_force_does_not_ask() {
    let mut world = World::new();
    world.stored.now = noon();
    world.break_etl(0, None);
    world.remember("RY-CA/2025Q2/call_summary", resting());
    let plan = world.plan(&[("RY", "2025Q2", 0)]);
    assert_eq!((plan.jobs.len(), plan.breakers[0].probe, plan.breakers[0].behind), (0, None, 0));
    assert_eq!(world.plan(&[("RY", "2025Q2", 1)]).breakers, [], "none of its gaps is a candidate");
    world.selection.force = true;
    let plan = world.plan(&[("RY", "2025Q2", 0), ("BMO", "2025Q2", 0)]);
    assert_eq!(gates(&plan).iter().map(|(_, gate)| *gate).collect::<Vec<_>>(), [Gate::Open; 2]);
    assert_eq!((plan.breakers[0].probe, plan.breakers[0].behind), (None, 0));
}

#[test]
fn the_cap_cuts_what_waits_for_a_probe_before_what_may_run_and_never_the_probe() {
    let mut world = World::new();
    world.settings.max_jobs = 2;
    world.break_etl(0, Some("RY-CA"));
    let plan = world.plan(&[("RY", "2025Q2", 0), ("BMO", "2024Q1", 0), ("TD", "2025Q2", 0), ("TD", "2023Q1", 1)]);
    assert_eq!(gates(&plan), [("BMO-CA/2024Q1/call_summary", Gate::Probe), ("TD-CA/2023Q1/key_themes", Gate::Open)]);
    assert_eq!((plan.capped, plan.gaps()), (2, 4));
    world.settings.max_jobs = 1;
    let plan = world.plan(&[("RY", "2025Q2", 0), ("TD", "2023Q1", 1)]);
    assert_eq!(gates(&plan), [("TD-CA/2023Q1/key_themes", Gate::Open)], "the only place is for what may run");
    let plan = world.plan(&[("RY", "2025Q2", 0), ("TD", "2025Q2", 0)]);
    assert_eq!(gates(&plan).len(), 1);
    assert_eq!(gates(&plan)[0].1, Gate::Probe, "unless nothing may");
}

#[test]
fn what_failed_before_never_takes_the_place_of_fresh_work() {
    let mut world = World::new();
    world.etls[1] = etl_needing("key_themes", "Key Themes", 0);
    world.settings.max_jobs = 2;
    world.remember("RY-CA/2025Q2/call_summary", tried());
    // RY's themes are fresh, but need a summary that failed before.
    let plan = world.plan(&[("RY", "2025Q2", 0), ("TD", "2023Q1", 0), ("RY", "2025Q2", 1), ("TD", "2023Q1", 1)]);
    assert_eq!(keys(&plan), ["TD-CA/2023Q1/call_summary", "TD-CA/2023Q1/key_themes"]);
    assert_eq!((plan.capped, plan.waiting.total), (2, 0));
}

#[test]
fn chains_are_in_the_order_of_their_freshest_gap_that_was_never_tried() {
    let mut world = World::new();
    world.remember("RY-CA/2025Q3/call_summary", tried());
    world.remember("TD-CA/2025Q4/call_summary", tried());
    let rows = [("RY", "2025Q3", 0), ("RY", "2025Q1", 0), ("BMO", "2025Q2", 0), ("TD", "2025Q4", 0)];
    let expected = ["BMO-CA/2025Q2/call_summary", "RY-CA/2025Q3/call_summary", "RY-CA/2025Q1/call_summary", "TD-CA/2025Q4/call_summary"];
    assert_eq!(keys(&world.plan(&rows)), expected);
}

#[test]
fn after_its_probe_a_bank_waits_for_its_turn() {
    let mut world = World::new();
    world.break_etl(1, Some("BMO-CA"));
    let rows = [("RY", "2025Q2", 0), ("BMO", "2025Q2", 0), ("TD", "2025Q1", 0), ("TD", "2024Q1", 1), ("RY", "2024Q1", 1)];
    let expected = [
        ("TD-CA/2024Q1/key_themes", Gate::Probe),
        ("RY-CA/2025Q2/call_summary", Gate::Open),
        ("BMO-CA/2025Q2/call_summary", Gate::Open),
        ("TD-CA/2025Q1/call_summary", Gate::Open),
        ("RY-CA/2024Q1/key_themes", Gate::BehindProbe),
    ];
    assert_eq!(gates(&world.plan(&rows)), expected);
}
