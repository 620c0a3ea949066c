//! Sources that a service collects, as long as it does what it is asked.

use serde_json::json;

use crate::on_both_databases;
use crate::service_desk::ServiceDesk;
use crate::support::service::{Course, KEY, count};
use crate::support::{Kind, World};

/// One window after the other, each with its own trigger.
const BY_DAY: &[&str] = &[
    "catch_up: each",
    "lookback: 2d",
    "http.trigger: {url: \"{url}/etl/trigger\", json: {source: house, from: \"{window_start}\", to: \"{window_end}\", \
     year: \"{window_year}\", lookback_days: \"{lookback_days}\"}}",
    "retry: {max_attempts: 1}",
];

on_both_databases! {
    fn the_five_sources_of_production_are_asked_for_what_they_expect_and_share_what_the_service_takes(world: &World) {
        let desk = ServiceDesk::of_production(world);
        desk.service.limit(10, std::time::Duration::from_secs(2));
        let done = desk.run_to(0, "01-16 00:20:00", &[]);
        let mut bodies = desk.bodies();
        bodies.sort_by_key(|body| body["source"].to_string());
        assert_eq!(
            bodies,
            [
                json!({"source": "california"}),
                json!({"source": "eu_parliament"}),
                json!({"source": "house", "year": 2026, "limit": 100}),
                json!({"source": "senate", "lookback_days": 30, "limit": 100}),
                json!({"source": "uk_parliament"}),
            ]
        );
        for (id, records) in [("us_house", 17), ("us_senate", 44), ("uk_parliament", 12), ("eu_parliament", 12), ("california", 12)] {
            let line = format!("{id} 2026-01-15 18:00–24:00Z: {records} records, reported (not verified): Completed");
            assert!(done.stdout.contains(&line), "{line}: {}", done.stdout);
            assert_eq!(desk.frontier(id), "2026-01-16T00:00");
        }
        assert_eq!(desk.outcomes().len(), 5);
        assert!(desk.outcomes().iter().all(|attempt| attempt.ends_with("|1|succeeded")), "{:?}", desk.outcomes());
        let requests = desk.service.requests();
        assert_eq!((requests.len(), count(&requests, "/etl/trigger")), (20, 5), "nobody was sent away to come again");
        assert!(requests.iter().all(|seen| seen.headers["x-api-key"] == KEY));
        let ids = world.sql("SELECT remote_id FROM etl_attempts ORDER BY remote_id");
        let mut jobs = desk.service.jobs();
        jobs.sort();
        assert_eq!(ids, jobs);
    }

    fn what_a_trigger_answers_is_no_success(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        desk.service.goes(Course::Stuck);
        let running = desk.spawn("01-16 00:20:00", &["-v"]);
        desk.service.until(|seen| count(seen, "/etl/status/") == 3);
        assert_eq!(world.jobs(), ["source:us_house|running"]);
        assert_eq!(desk.frontier("us_house"), "");
        desk.service.finish(&desk.service.jobs()[0]);
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(world.jobs(), ["source:us_house|succeeded"]);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T00:00");
        assert_eq!(desk.service.triggers(), 1);
    }

    fn a_source_that_finds_nothing_three_times_in_a_row_is_warned_of(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        desk.service.goes(Course::CompletesEmpty);
        for (time, is_warned) in [("01-16 00:20:00", false), ("01-16 06:20:00", false), ("01-16 12:20:00", true)] {
            let done = desk.run_to(0, time, &[]);
            assert!(done.stdout.contains(": 0 records, reported"), "{}", done.stdout);
            let warning = "us_house: 3 successes in a row with 0 records";
            assert_eq!(done.stdout.contains(warning), is_warned, "{time}: {}", done.stdout);
        }
        desk.service.goes(Course::Completes { running: 1 });
        let found = desk.run_to(0, "01-16 18:20:00", &[]);
        assert!(!found.stdout.contains("in a row"), "{}", found.stdout);
        assert_eq!(desk.outcomes(), ["source:us_house|1|succeeded"; 4]);
    }

    fn nine_days_are_asked_for_window_by_window_up_to_the_first_that_fails(world: &World) {
        let desk = ServiceDesk::new(world, BY_DAY);
        desk.run_to(0, "01-16 00:20:00", &[]);
        let first = desk.run_to(0, "01-25 00:20:00", &[]);
        assert!(first.stdout.contains("28 windows were due") && first.stdout.contains("8 left for later runs"), "{}", first.stdout);
        assert_eq!(desk.bodies().len(), 1 + 28);
        desk.run_to(0, "01-25 00:35:00", &[]);
        let bodies = desk.bodies();
        assert_eq!(bodies.len(), 1 + 28 + 8);
        let start = chrono::DateTime::parse_from_rfc3339("2026-01-15T18:00:00Z").expect("a time");
        for (number, body) in (0..).zip(&bodies) {
            let time = |hours| (start + chrono::TimeDelta::hours(hours)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
            let days_back = |asked: &str| {
                let asked = chrono::DateTime::parse_from_rfc3339(asked).expect("a time");
                (asked - start - chrono::TimeDelta::hours(6 * number)).num_hours() / 24 + 1
            };
            let lookback = days_back(if number == 0 { "2026-01-16T00:20:00Z" } else { "2026-01-25T00:20:00Z" }).max(2);
            let (from, to) = (time(6 * number), time(6 * number + 6));
            assert_eq!(*body, json!({"source": "house", "from": from, "to": to, "year": 2026, "lookback_days": lookback}), "{number}");
        }
        assert_eq!(desk.frontier("us_house"), "2026-01-25T00:00");
    }

    fn a_window_that_fails_stops_those_after_it(world: &World) {
        let desk = ServiceDesk::new(world, BY_DAY);
        desk.run_to(0, "01-16 00:20:00", &[]);
        desk.service.goes(Course::Fails("no index for this day".to_owned()));
        let failed = desk.run_to(1, "01-17 00:20:00", &[]);
        assert!(failed.stdout.contains("no index for this day"), "{}", failed.stdout);
        assert!(failed.stdout.contains("3 jobs: an earlier window of its source was not collected"), "{}", failed.stdout);
        assert_eq!(desk.service.triggers(), 2);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T00:00");
        desk.service.goes(Course::Completes { running: 0 });
        desk.run_to(0, "01-17 00:35:00", &[]);
        assert_eq!(desk.service.triggers(), 2 + 4);
        assert_eq!(desk.frontier("us_house"), "2026-01-17T00:00");
    }
}

#[test]
fn who_only_looks_asks_nobody() {
    let world = World::new(Kind::Sqlite);
    let desk = ServiceDesk::of_production(&world);
    let dry = desk.run_to(0, "01-16 00:20:00", &["--dry-run"]);
    assert!(dry.stdout.contains("SOURCES: 5 sources, 5 due"), "{}", dry.stdout);
    for args in [&["config", "check"][..], &["sources"], &["--dry-run", "-v", "--format", "json"]] {
        desk.run_to(0, "01-16 00:20:00", args);
    }
    assert_eq!(desk.service.connections(), 0);
    assert!(desk.outcomes().is_empty());
}
