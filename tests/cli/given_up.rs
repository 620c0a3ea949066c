//! Windows that can never be collected are given up, so that they hold up no others, and are never called collected.

use crate::on_both_databases;
use crate::source_desk::Desk;
use crate::support::World;

/// A source with a day that cannot be collected.
fn with_a_lost_day(world: &World) -> Desk<'_> {
    let desk = Desk::new(world, &["every: 1d", "catch_up: each", "retry: {max_attempts: 1}"]);
    desk.run_to(0, "03-06 00:20:00", &[]);
    desk.before("case $2 in 2026-03-07*) echo 'the clerk lost this day' >&2; exit 65;; esac\n");
    desk.run_to(1, "03-10 00:20:00", &[]);
    assert_eq!(desk.collected(), ["us_house 03-05T00:00 03-06T00:00", "us_house 03-06T00:00 03-07T00:00"]);
    assert_eq!(desk.frontier("us_house"), "2026-03-07T00:00");
    desk
}

on_both_databases! {
    fn a_day_that_is_lost_is_given_up_and_named_wherever_its_source_is(world: &World) {
        let desk = with_a_lost_day(world);
        let give_up = ["sources", "give-up", "us_house", "--window", "2026-03-07", "--reason", "the clerk lost it"];
        let given = desk.run_to(0, "03-10 00:30:00", &give_up);
        assert!(given.stdout.starts_with("give-up: us_house: 2026-03-07 00:00–24:00Z\n1 window given up; "), "{}", given.stdout);
        assert!(given.stdout.ends_with("us_house is 2 windows behind, collected or given up until 2026-03-08 00:00:00Z\n"), "{}", given.stdout);
        let named = "2026-03-07 00:00–24:00Z by ";
        let dry = desk.run_to(0, "03-10 00:35:00", &["--dry-run"]);
        assert!(dry.stdout.contains("us_house: due, 2 windows behind") && dry.stdout.contains(named), "{}", dry.stdout);

        let run = desk.run_to(0, "03-10 00:35:00", &[]);
        assert_eq!(desk.collected(), ["us_house 03-08T00:00 03-09T00:00", "us_house 03-09T00:00 03-10T00:00"], "at once, without a rest");
        assert!(run.stdout.contains("; without 1 window given up, ") && run.stdout.contains(": the clerk lost it"), "{}", run.stdout);
        let page = desk.run_to(0, "03-10 00:40:00", &["sources"]).stdout;
        assert!(page.contains("collected  until 2026-03-10 00:00:00Z, but for what was given up\n"), "{page}");
        assert!(page.contains(&format!("  given up   {named}")) && page.contains(" since 2026-03-10 00:30:0"), "{page}");
        let json = desk.run_to(0, "03-10 00:40:00", &["sources", "--format", "json"]).json();
        let source = &json["sources"][0];
        assert_eq!((&source["standing"], &source["given_up"][0]["reason"]), (&"up_to_date".into(), &"the clerk lost it".into()));
        assert_eq!(source["given_up"][0]["window"]["start"], "2026-03-07T00:00:00Z");

        let again = desk.run_to(1, "03-10 00:45:00", &give_up);
        assert!(again.stderr.contains("nothing of us_house is missing in 2026-03-07 00:00–24:00Z: it was given up by "), "{}", again.stderr);
        let collected = desk.run_to(1, "03-10 00:45:00", &["sources", "give-up", "us_house", "--window", "2026-03-08", "--reason", "x"]);
        assert!(collected.stderr.contains("it was collected, or is before the begin of the source"), "{}", collected.stderr);
    }

    fn what_was_given_up_is_collected_once_somebody_asks_for_it(world: &World) {
        let desk = with_a_lost_day(world);
        desk.run_to(0, "03-10 00:30:00", &["sources", "give-up", "us_house", "--window", "2026-03-07", "--reason", "lost"]);
        desk.run_to(0, "03-10 00:35:00", &[]);
        desk.collected();
        desk.before("");
        desk.run_to(0, "03-10 00:40:00", &["sources", "enqueue", "us_house", "--window", "2026-03-07"]);
        let page = desk.run_to(0, "03-10 00:41:00", &["sources"]).stdout;
        assert!(page.contains(": lost (requested again)\n"), "{page}");
        assert!(page.contains("  order      requested by ") && page.contains(": asked for on the command line\n"), "{page}");
        desk.run_to(0, "03-10 00:45:00", &[]);
        assert_eq!(desk.collected(), ["us_house 03-07T00:00 03-08T00:00"]);
        let page = desk.run_to(0, "03-10 00:50:00", &["sources"]).stdout;
        assert!(page.contains("SOURCES: 1 source, all up to date\n") && !page.contains("given up"), "{page}");
    }

    fn what_is_given_up_last_does_not_make_a_source_look_fresh(world: &World) {
        let desk = with_a_lost_day(world);
        let span = ["sources", "give-up", "us_house", "--window", "2026-03-07/2026-03-10", "--reason", "the service moves"];
        let given = desk.run_to(0, "03-10 00:30:00", &span);
        assert!(given.stdout.contains("3 windows given up; "), "{}", given.stdout);
        let page = desk.run_to(0, "03-10 00:35:00", &["sources"]).stdout;
        assert!(page.contains("SOURCES: 1 source, 1 with windows given up, 1 overdue\n"), "{page}");
        assert!(page.contains("2026-03-07 00:00–2026-03-10 00:00Z by "), "one order, one line: {page}");
        let run = desk.run_to(0, "03-10 00:35:00", &[]);
        assert!(run.stdout.contains("overdue: collected until 2026-03-07 00:00:00Z"), "{}", run.stdout);
        assert_eq!(desk.collected(), [""; 0]);
        desk.run_to(0, "03-11 00:20:00", &[]);
        assert_eq!(desk.collected(), ["us_house 03-10T00:00 03-11T00:00"]);
    }
}
