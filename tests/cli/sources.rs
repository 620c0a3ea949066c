//! Sources that programs collect: which windows, when, and what follows from failures.

use crate::on_both_databases;
use crate::source_desk::Desk;
use crate::support::world::{is_alive, kill, pid_in};
use crate::support::{World, until};

on_both_databases! {
    fn the_first_run_collects_the_last_window_and_the_next_one_only_what_became_due(world: &World) {
        let desk = Desk::new(world, &[]);
        desk.run_to(0, "01-16 00:20:00", &[]);
        assert_eq!(desk.collected(), ["us_house 01-15T18:00 01-16T00:00"]);
        desk.run_to(0, "01-16 05:59:00", &[]);
        assert_eq!(desk.collected(), [""; 0]);
        desk.run_to(0, "01-16 06:01:00", &[]);
        assert_eq!(desk.collected(), ["us_house 01-16T00:00 01-16T06:00"]);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T06:00");
    }

    fn nine_days_without_a_run_are_collected_by_one_job(world: &World) {
        let desk = Desk::with(world, &[("us_house", &[]), ("us_senate", &[]), ("quiver", &[]), ("eu_parliament", &[]), ("california", &[])]);
        desk.run_to(0, "01-16 00:20:00", &[]);
        assert_eq!(desk.collected().len(), 5);
        let dry = desk.run_to(4, "01-25 00:20:00", &["--dry-run", "--detailed-exit-code"]);
        assert!(dry.stdout.contains("36 windows behind"), "{}", dry.stdout);
        assert_eq!(desk.collected(), [""; 0], "a dry run collects nothing");
        desk.run_to(0, "01-25 00:20:00", &[]);
        let mut collected = desk.collected();
        collected.sort();
        assert_eq!(
            collected,
            ["california", "eu_parliament", "quiver", "us_house", "us_senate"].map(|id| format!("{id} 01-16T00:00 01-25T00:00"))
        );
        desk.run_to(0, "01-25 00:25:00", &["--detailed-exit-code"]);
        desk.run_to(0, "01-25 00:25:00", &["--detailed-exit-code", "--dry-run"]);
        assert_eq!(desk.collected(), [""; 0], "all are current");
        assert_eq!(desk.frontier("california"), "2026-01-25T00:00");
    }

    fn nine_days_are_collected_window_by_window_where_that_is_wanted(world: &World) {
        let desk = Desk::new(world, &["catch_up: each"]);
        desk.run_to(0, "01-16 00:20:00", &[]);
        desk.collected();
        let first = desk.run_to(0, "01-25 00:20:00", &[]);
        let collected = desk.collected();
        assert_eq!(collected.len(), 28, "{collected:?}");
        assert_eq!(collected[0], "us_house 01-16T00:00 01-16T06:00");
        assert_eq!(collected[27], "us_house 01-22T18:00 01-23T00:00");
        assert!(collected.is_sorted(), "{collected:?}");
        assert!(first.stdout.contains("8 left for later runs"), "{}", first.stdout);
        assert!(first.stdout.contains("overdue: collected until 2026-01-16 00:00:00Z before this run"), "{}", first.stdout);
        assert_eq!(desk.frontier("us_house"), "2026-01-23T00:00");
        desk.run_to(0, "01-25 00:35:00", &[]);
        assert_eq!(desk.collected().len(), 8);
        assert_eq!(desk.frontier("us_house"), "2026-01-25T00:00");
    }

    fn a_daily_pipeline_stops_at_the_first_day_that_fails_and_goes_on_from_there(world: &World) {
        let keys = ["every: 1d", "timezone: America/New_York", "lag: 2h", "catch_up: each", "retry: {max_attempts: 1}"];
        let desk = Desk::new(world, &keys);
        desk.run_to(0, "03-06 07:30:00", &[]);
        assert_eq!(desk.collected(), ["us_house 03-05T05:00 03-06T05:00"]);
        desk.before("case $2 in 2026-03-08*) exit 1;; esac\n");
        let failed = desk.run_to(1, "03-10 06:30:00", &[]);
        assert_eq!(desk.collected(), ["us_house 03-06T05:00 03-07T05:00", "us_house 03-07T05:00 03-08T05:00"]);
        assert!(failed.stdout.contains("1 job: an earlier window of its source was not collected"), "{}", failed.stdout);
        assert_eq!(desk.frontier("us_house"), "2026-03-08T05:00");
        desk.before("");
        desk.run_to(0, "03-10 08:30:00", &[]);
        assert_eq!(desk.collected(), ["us_house 03-08T05:00 03-09T04:00", "us_house 03-09T04:00 03-10T04:00"], "the 8th has 23 hours");
    }

    fn a_window_is_due_its_lag_after_its_end(world: &World) {
        let desk = Desk::new(world, &["lag: 90m"]);
        desk.run_to(0, "01-16 01:29:00", &[]);
        assert_eq!(desk.collected(), ["us_house 01-15T12:00 01-15T18:00"]);
        desk.run_to(0, "01-16 01:31:00", &[]);
        assert_eq!(desk.collected(), ["us_house 01-15T18:00 01-16T00:00"]);
    }

    fn a_job_for_many_windows_is_split_at_the_new_year_where_its_collector_goes_by_years(world: &World) {
        let desk = Desk::new(
            world,
            &["start: 2025-12-30", "every: 1d", "command: [sh, collect.sh, \"{source}-{window_year}\", \"{window_start}\", \"{window_end}\"]"],
        );
        desk.run_to(0, "01-03 00:20:00", &[]);
        assert_eq!(
            desk.collected(),
            ["us_house-2025 2025-12-30T00:00 01-01T00:00", "us_house-2026 01-01T00:00 01-03T00:00"]
        );
    }

    fn a_clock_that_went_back_collects_nothing_and_is_told(world: &World) {
        let desk = Desk::new(world, &[]);
        desk.run_to(0, "01-16 00:20:00", &[]);
        desk.collected();
        let back = desk.run_to(0, "01-13 00:20:00", &[]);
        assert_eq!(desk.collected(), [""; 0]);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T00:00");
        assert!(back.stdout.contains("the clock of this host went back"), "{}", back.stdout);
        desk.run_to(0, "01-16 06:20:00", &[]);
        assert_eq!(desk.collected(), ["us_house 01-16T00:00 01-16T06:00"]);
    }

    fn another_interval_leaves_neither_hole_nor_overlap(world: &World) {
        let desk = Desk::new(world, &["catch_up: each"]);
        desk.run_to(0, "01-16 06:20:00", &[]);
        desk.collected();
        let desk = Desk::new(world, &["catch_up: each", "every: 12h"]);
        desk.run_to(0, "01-17 00:20:00", &[]);
        assert_eq!(desk.collected(), ["us_house 01-16T06:00 01-16T12:00", "us_house 01-16T12:00 01-17T00:00"]);
    }

    fn a_source_that_fails_rests_and_a_window_that_became_due_lifts_its_quarantine(world: &World) {
        let desk = Desk::new(world, &["retry: {max_attempts: 1}"]);
        world.also("cooldown: {initial: 10m, max: 1h, quarantine_after: 2}");
        desk.before("echo 'no such page'; exit 1\n");
        let config = world.read("etl-orch.yaml").replacen("cooldown: {initial: 1ms, max: 1ms}\n", "", 1);
        world.write("etl-orch.yaml", &config);
        let failed = desk.run_to(1, "01-16 00:20:00", &[]);
        assert!(failed.stdout.contains("no such page"), "{}", failed.stdout);
        let resting = desk.run_to(0, "01-16 00:25:00", &[]);
        assert!(resting.stdout.contains("cooling down"), "{}", resting.stdout);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs"), "1");
        desk.run_to(1, "01-16 00:35:00", &[]);
        let quarantined = desk.run_to(0, "01-16 02:35:00", &[]);
        assert!(quarantined.stdout.contains("quarantined"), "{}", quarantined.stdout);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs"), "2");
        desk.before("");
        desk.run_to(0, "01-16 06:05:00", &[]);
        assert_eq!(desk.collected(), ["us_house 01-15T18:00 01-16T06:00"]);
    }

    fn reports_and_sources_run_side_by_side_and_each_can_be_chosen(world: &World) {
        let desk = Desk::new(world, &[]);
        let sources = world.read("etl-orch.yaml");
        world.single_etl("touch etl\nuntil [ -e collector ]; do sleep 0.01; done\necho report > \"$4\"\n", &[]);
        let etls = world.read("etl-orch.yaml");
        world.write("etl-orch.yaml", &format!("{sources}{}", &etls[etls.find("etls:").expect("etls")..]));
        world.available("RY", 1, 2025, "Q2");
        desk.before("touch collector\nuntil [ -e etl ]; do sleep 0.01; done\n");
        desk.run_to(0, "01-16 00:20:00", &["--max-parallel", "2"]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
        assert_eq!(desk.collected().len(), 1);

        world.available("BMO", 2, 2025, "Q2");
        let only_source = desk.run_to(0, "01-16 06:20:00", &["--source", "us_house"]);
        assert_eq!((desk.collected().len(), world.reports().len()), (1, 1));
        assert!(!only_source.stdout.contains("Existing Reports"), "{}", only_source.stdout);
        desk.run_to(0, "01-16 12:20:00", &["--bank-symbol", "BMO"]);
        assert_eq!((desk.collected().len(), world.reports().len()), (0, 2));
        let typo = desk.run_to(2, "01-16 12:20:00", &["--source", "us_hose"]);
        assert!(typo.stderr.contains("did you mean us_house?"), "{}", typo.stderr);
    }

    fn what_an_orchestrator_died_over_is_collected_by_the_next_run(world: &World) {
        let desk = Desk::new(world, &["start: 2026-01-15", "catch_up: each"]);
        desk.before("echo $$ > pid\nuntil [ -e go ]; do sleep 0.01; done\n");
        let running = world.spawn(&["--max-jobs", "2"]);
        let collector = pid_in(&world.path("pid"));
        kill("KILL", running.orchestrator());
        assert_eq!(running.wait().code, 137);
        until("the collector is gone", || !is_alive(collector));
        assert_eq!(desk.frontier("us_house"), "");
        world.write("go", "");
        world.run_to(0, &["--max-jobs", "2"]);
        assert_eq!(desk.collected(), ["us_house 01-15T00:00 01-15T06:00", "us_house 01-15T06:00 01-15T12:00"]);
        assert_eq!(desk.frontier("us_house"), "2026-01-15T12:00");
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state = 'lost'"), "1");
    }

    fn a_success_is_called_reported_unless_the_data_was_seen(world: &World) {
        let desk = Desk::new(world, &["records: {pattern: 'collected (\\d+) records'}"]);
        let reported = desk.run_to(0, "01-16 00:20:00", &[]);
        assert!(reported.stdout.contains("3 records, reported"), "{}", reported.stdout);
        world.sql("CREATE TABLE disclosures (collected_until text)");
        let verify = "verify: {sql: \"select count(*) from disclosures where collected_until = '{window_end}'\"}";
        let desk = Desk::new(world, &[verify, "retry: {max_attempts: 1}"]);
        let missing = desk.run_to(1, "01-16 06:20:00", &[]);
        assert!(missing.stdout.contains("verify finds \"0\""), "{}", missing.stdout);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T00:00");
        world.sql("INSERT INTO disclosures VALUES ('2026-01-16T06:00:00Z')");
        let verified = desk.run_to(0, "01-16 06:40:00", &[]);
        assert!(verified.stdout.contains("verified"), "{}", verified.stdout);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T06:00");
        assert_eq!(world.value("SELECT outcome FROM etl_attempts WHERE outcome <> 'succeeded'"), "no_output");
        let wrong = Desk::new(world, &["verify: {sql: 'select 1 from nowhere'}", "retry: {max_attempts: 1}"]);
        let done = wrong.run_to(1, "01-16 12:20:00", &[]);
        assert!(done.stdout.contains("verify cannot be asked") && done.stdout.contains("nowhere"), "{}", done.stdout);
        let by_program = Desk::new(world, &["verify: {command: [sh, -c, 'echo not there; exit 1']}", "retry: {max_attempts: 1}"]);
        let done = by_program.run_to(1, "01-16 12:40:00", &[]);
        assert!(done.stdout.contains("verify does not find it: not there"), "{}", done.stdout);
        let by_program = Desk::new(world, &["verify: {command: [\"true\"]}"]);
        by_program.run_to(0, "01-16 13:00:00", &[]);
        assert_eq!(by_program.frontier("us_house"), "2026-01-16T12:00");
    }

    fn a_paused_source_stays_paused_and_says_by_whom(world: &World) {
        let desk = Desk::new(world, &[]);
        desk.run_to(0, "01-16 00:20:00", &[]);
        desk.collected();
        desk.run_to(0, "01-16 01:00:00", &["sources", "pause", "us_house", "--reason", "the site is being rebuilt"]);
        let paused = desk.run_to(0, "01-18 00:20:00", &[]);
        assert!(paused.stdout.contains("paused by") && paused.stdout.contains("the site is being rebuilt"), "{}", paused.stdout);
        assert!(paused.stdout.contains("8 windows behind"), "{}", paused.stdout);
        assert_eq!(desk.collected(), [""; 0]);
        desk.run_to(0, "01-18 01:00:00", &["sources", "resume", "us_house", "--reason", "it is back"]);
        desk.run_to(0, "01-18 01:20:00", &[]);
        assert_eq!(desk.collected(), ["us_house 01-16T00:00 01-18T00:00"]);
        assert_eq!(world.sql("SELECT kind, reason FROM overrides ORDER BY id"), ["pause|the site is being rebuilt", "resume|it is back"]);
    }

    fn a_window_can_be_asked_for_again(world: &World) {
        let desk = Desk::new(world, &[]);
        desk.run_to(0, "01-16 12:20:00", &[]);
        desk.collected();
        desk.run_to(0, "01-16 12:30:00", &["sources", "enqueue", "us_house", "--window", "2026-01-14"]);
        desk.run_to(0, "01-16 12:35:00", &[]);
        assert_eq!(desk.collected(), ["us_house 01-14T00:00 01-15T00:00"]);
        desk.run_to(0, "01-16 12:40:00", &["sources", "enqueue", "us_house", "--now"]);
        assert_eq!(desk.collected(), ["us_house 01-16T06:00 01-16T12:00"]);
        desk.run_to(0, "01-16 12:45:00", &["--source", "us_house", "--force"]);
        assert_eq!(desk.collected(), ["us_house 01-16T06:00 01-16T12:00"]);
        desk.run_to(0, "01-16 12:50:00", &[]);
        assert_eq!(desk.collected(), [""; 0]);
        let future = desk.run_to(2, "01-16 12:55:00", &["sources", "enqueue", "us_house", "--window", "2026-01-17"]);
        assert!(future.stderr.contains("2026-01-17"), "{}", future.stderr);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T12:00");
    }

    fn the_sources_are_listed(world: &World) {
        let desk = Desk::with(world, &[("us_house", &["freshness: {sql: \"select '2026-01-14'\"}"]), ("quiver", &[])]);
        desk.run_to(0, "01-16 00:20:00", &["--source", "us_house"]);
        let listed = desk.run_to(0, "01-16 00:25:00", &["sources"]);
        for part in ["us_house", "quiver", "reported", "2026-01-16 06:00:00Z", "2026-01-14", "2 days"] {
            assert!(listed.stdout.contains(part), "{part}: {}", listed.stdout);
        }
        let json = desk.run_to(0, "01-16 00:25:00", &["sources", "--format", "json"]).json();
        assert_eq!(json["sources"][0]["id"], "us_house", "{json}");
        assert_eq!(json["sources"][1]["behind"], 1, "{json}");
    }
}
