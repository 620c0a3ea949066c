//! Sources whose windows do not depend on each other: one that fails holds up no other, and is named until it is collected.

use crate::on_both_databases;
use crate::source_desk::Desk;
use crate::support::World;

const KEYS: &[&str] = &["every: 1d", "independent: true", "retry: {max_attempts: 1}"];

/// A source with independent days, and with rests that last.
fn independent(world: &World) -> Desk<'_> {
    let desk = Desk::new(world, KEYS);
    let config = world.read("etl-orch.yaml").replacen("cooldown: {initial: 1ms, max: 1ms}", "cooldown: {initial: 10m, max: 1h}", 1);
    assert!(config.contains("initial: 10m"), "{config}");
    world.write("etl-orch.yaml", &config);
    desk
}

/// Collected until 7 March; the 7th fails, and the two days after it are collected.
fn with_a_bad_day(world: &World) -> Desk<'_> {
    let desk = independent(world);
    desk.run_to(0, "03-07 00:20:00", &[]);
    desk.before("case $2 in 2026-03-07*) echo 'no such day' >&2; exit 1;; esac\n");
    let run = desk.run_to(1, "03-10 00:20:00", &[]);
    let days = ["us_house 03-06T00:00 03-07T00:00", "us_house 03-08T00:00 03-09T00:00", "us_house 03-09T00:00 03-10T00:00"];
    assert_eq!(desk.collected(), days);
    assert!(run.stdout.contains("Successful: 2 ✅\nFailed: 1 ❌\n"), "{}", run.stdout);
    desk
}

on_both_databases! {
    fn a_day_that_fails_holds_up_no_other_and_is_named(world: &World) {
        let desk = with_a_bad_day(world);
        assert_eq!(desk.frontier("us_house"), "2026-03-07T00:00", "there is no hole before it");
        let page = desk.run_to(0, "03-10 00:25:00", &["sources"]).stdout;
        assert!(page.contains("1 window behind"), "{page}");
        assert!(page.contains("  missing    2026-03-07 00:00–24:00Z cooling down, until 2026-03-10 00:30:"), "{page}");
        assert!(page.contains("exit code 1 - no such day\n"), "{page}");
        let run = desk.run_to(0, "03-10 00:25:00", &[]);
        assert!(run.stdout.contains("; 1 window held back: 2026-03-07 00:00–24:00Z cooling down, until "), "{}", run.stdout);
        assert_eq!(desk.collected(), [""; 0], "it rests");
        let then = desk.run_to(0, "03-10 00:26:00", &["why", "us_house", "--at", "0s"]).stdout;
        let words = then.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains(" held back: 1 window source:us_house@2026-03-07T00:00:00Z: cooling down until "), "{then}");
        let json = desk.run_to(0, "03-10 00:25:00", &["sources", "--format", "json"]).json();
        let held = &json["sources"][0]["held_back"][0];
        assert_eq!((&held["window"]["start"], &held["standing"]), (&"2026-03-07T00:00:00Z".into(), &"cooling_down".into()));
        desk.run_to(1, "03-10 00:40:00", &[]);
        desk.run_to(0, "03-10 00:55:00", &[]);
        desk.run_to(1, "03-11 00:20:00", &[]);
        assert_eq!(desk.collected(), ["us_house 03-10T00:00 03-11T00:00"]);

        desk.before("");
        let retry = desk.run_to(0, "03-11 00:25:00", &["retry", "us_house", "--reason", "the day is there"]);
        assert_eq!(retry.stdout, "retry: source:us_house@2026-03-07T00:00:00Z\n1 gap free to be tried again\n");
        desk.run_to(0, "03-11 00:30:00", &[]);
        assert_eq!(desk.collected(), ["us_house 03-07T00:00 03-08T00:00"], "and nothing that was collected before");
        assert_eq!(desk.frontier("us_house"), "2026-03-11T00:00");
        let page = desk.run_to(0, "03-11 00:35:00", &["sources"]).stdout;
        assert!(page.contains("SOURCES: 1 source, all up to date\n"), "{page}");
    }

    fn a_source_of_which_nothing_was_collected_says_so(world: &World) {
        let desk = independent(world);
        desk.before("exit 1\n");
        let run = desk.run_to(1, "03-07 00:20:00", &[]);
        assert!(run.stdout.contains("  • us_house: 1 window was due, 2026-03-06 00:00–24:00Z: failed\n"), "{}", run.stdout);
        let page = desk.run_to(0, "03-07 00:25:00", &["sources"]).stdout;
        assert!(page.contains("  last       never\n") && !page.contains("collected"), "{page}");
        let why = desk.run_to(0, "03-07 00:25:00", &["why", "us_house"]).stdout;
        assert!(why.contains("nothing was collected yet"), "{why}");
    }

    fn a_bad_day_may_be_given_up(world: &World) {
        let desk = with_a_bad_day(world);
        let given = desk.run_to(0, "03-10 00:25:00", &["sources", "give-up", "us_house", "--window", "2026-03-07", "--reason", "lost"]);
        assert!(given.stdout.ends_with("us_house is up to date, collected or given up until 2026-03-10 00:00:00Z\n"), "{}", given.stdout);
        let page = desk.run_to(0, "03-10 00:30:00", &["sources"]).stdout;
        assert!(page.contains("  given up   2026-03-07 00:00–24:00Z by ") && !page.contains("missing"), "{page}");
        let none = desk.run_to(0, "03-10 00:30:00", &["retry", "--all", "--reason", "x"]);
        assert_eq!(none.stdout, "nothing to retry: no gap of any bank rests or is quarantined\n");
    }

    fn a_source_that_fails_for_one_day_after_another_is_left_for_the_next_run(world: &World) {
        let desk = independent(world);
        desk.run_to(0, "03-02 00:20:00", &[]);
        desk.collected();
        desk.before("echo \"$2\" >> tried; exit 1\n");
        let run = desk.run_to(1, "03-10 00:20:00", &[]);
        assert_eq!(world.read("tried").lines().count(), 3);
        assert!(run.stdout.contains("5 jobs: its source failed for several windows in a row"), "{}", run.stdout);
        desk.before("");
        desk.run_to(0, "03-10 00:25:00", &[]);
        assert_eq!(desk.collected().len(), 5, "three days rest");
        desk.run_to(0, "03-10 00:40:00", &[]);
        assert_eq!((desk.collected().len(), desk.frontier("us_house").as_str()), (3, "2026-03-10T00:00"));
    }
}
