//! What a service refuses or gets wrong, and what a user is told of it.

use serde_json::json;

use crate::on_both_databases;
use crate::service_desk::{ServiceDesk, ends};
use crate::support::service::{Answer, Course, KEY, Service, count};
use crate::support::world::Done;
use crate::support::{Kind, World};

/// A key that the service does not take.
const WRONG: &str = "a-key-that-was-revoked";

/// The whole record in the database, as text.
pub(crate) fn everything_in(world: &World) -> String {
    match world.kind() {
        Kind::Sqlite => world.bytes_below("var").into_iter().map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()).collect(),
        Kind::Postgres => world.sql("SELECT schema_to_xml('etl_orch', true, false, '')").join("\n"),
    }
}

on_both_databases! {
    fn a_key_that_is_not_taken_is_a_matter_of_configuration_and_is_shown_nowhere(world: &World) {
        let desk = ServiceDesk::new(world, &["catch_up: each", "start: 2026-01-15T12:00:00Z"]);
        desk.rests("cooldown: {initial: 1h, max: 2h}");
        let mut command = desk.command("01-16 00:20:00", &["-v"]);
        command.env("ETL_API_KEY", WRONG);
        let refused = ends(command, 1);
        let words = "/etl/trigger answers 401: API key required. Provide via X-API-Key header.";
        assert!(refused.stdout.contains(words), "{}", refused.stdout);
        assert_eq!(desk.service.requests().len(), 1, "neither again nor for the other window");
        assert_eq!(desk.service.requests()[0].headers["x-api-key"], WRONG);
        assert_eq!(desk.outcomes(), ["source:us_house|1|reported_error"]);

        let listed = desk.run_to(0, "01-16 00:25:00", &["sources", "--format", "json"]);
        let source = listed.json()["sources"][0].clone();
        assert_eq!((&source["standing"], &source["failed_runs"]), (&json!("due"), &json!(0)), "{source}");
        for text in [&refused.stdout, &refused.stderr, &listed.stdout, &everything_in(world)] {
            assert!(!text.contains(WRONG), "{text}");
        }
        for (path, bytes) in world.bytes_below("var") {
            assert!(!String::from_utf8_lossy(&bytes).contains(WRONG), "{}", path.display());
        }
        desk.run_to(0, "01-16 00:35:00", &[]);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T00:00");
    }

    fn a_service_that_repeats_the_key_does_not_have_it_kept(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        desk.service.next([Answer::Status(403, "{\"detail\": \"the-service-key is of another customer\"}")]);
        let refused = desk.run_to(1, "01-16 00:20:00", &["-v"]);
        assert!(refused.stdout.contains("answers 403: [redacted] is of another customer"), "{}", refused.stdout);
        desk.service.goes(Course::Says("Completed: 5 transactions for the-service-key".to_owned()));
        let done = desk.run_to(0, "01-16 00:35:00", &["-v"]);
        assert!(done.stdout.contains("Completed: 5 transactions for [redacted]"), "{}", done.stdout);
        for text in [&refused.stdout, &refused.stderr, &done.stdout, &done.stderr, &everything_in(world)] {
            assert!(!text.contains(KEY), "{text}");
        }
    }

    fn a_key_that_is_withdrawn_while_a_job_goes_on_leaves_the_job_to_be_followed(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        desk.service.next([Answer::Own, Answer::Own, Answer::Status(401, "{\"detail\": \"Invalid API key\"}")]);
        let refused = desk.run_to(1, "01-16 00:20:00", &[]);
        assert!(refused.stdout.contains(" answers 401: Invalid API key"), "{}", refused.stdout);
        assert_eq!(desk.open(), desk.service.jobs());
        desk.run_to(0, "01-16 00:35:00", &[]);
        assert_eq!(desk.service.triggers(), 1);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T00:00");
    }

    fn a_job_whose_state_cannot_be_seen_is_followed_by_the_next_attempt(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        desk.service.next([Answer::Own]);
        desk.service.next(vec![Answer::Status(502, "Bad Gateway"); 5]);
        let done = desk.run_to(0, "01-16 00:20:00", &[]);
        assert!(done.stderr.contains("answers 502: Bad Gateway; 5 times in a row"), "{}", done.stderr);
        assert!(done.stderr.contains("is followed further by the next attempt"), "{}", done.stderr);
        assert_eq!(desk.outcomes(), ["source:us_house|1|reported_error", "source:us_house|2|succeeded"]);
        assert_eq!(desk.service.triggers(), 1);
    }

    fn a_request_that_is_wrong_is_not_repeated_until_there_is_another_window(world: &World) {
        let list = r#"{"detail": [{"type": "int_parsing", "loc": ["body", "year"], "msg": "Input should be a valid integer", "input": "x"}]}"#;
        for (round, (answer, words)) in [
            (Answer::Status(400, r#"{"detail": "Unknown source: hose"}"#), "answers 400: Unknown source: hose"),
            (Answer::Status(422, list), "answers 422: body.year: Input should be a valid integer"),
        ].into_iter().enumerate() {
            let day = 16 + round;
            let desk = ServiceDesk::new(world, &[]);
            desk.service.next([answer]);
            let refused = desk.run_to(1, &format!("01-{day} 00:20:00"), &[]);
            assert!(refused.stdout.contains(words), "{}", refused.stdout);
            let quarantined = desk.run_to(0, &format!("01-{day} 00:35:00"), &[]);
            assert!(quarantined.stdout.contains("us_house: quarantined since"), "{}", quarantined.stdout);
            assert!(quarantined.stdout.contains(words), "{}", quarantined.stdout);
            assert_eq!(desk.service.triggers(), 1);
            let lifted = desk.run_to(0, &format!("01-{day} 06:20:00"), &[]);
            assert!(lifted.stdout.contains("2 windows were due"), "{}", lifted.stdout);
            assert_eq!(desk.service.triggers(), 2, "one job for both");
            assert_eq!(desk.frontier("us_house"), format!("2026-01-{day}T06:00"));
            desk.run_to(0, &format!("01-{day} 23:20:00"), &[]);
        }
    }

    fn a_job_that_fails_is_tried_again_then_told_and_left_alone(world: &World) {
        let senate = "http.trigger: {url: \"{url}/etl/trigger\", json: {source: senate}}";
        let desk = ServiceDesk::with(world, &[("us_house", &[]), ("us_senate", &[senate])]);
        desk.rests("cooldown: {initial: 10m, max: 1h}");
        desk.service.goes(Course::Fails("[403] the site blocks us".to_owned()));
        let failed = desk.run_to(1, "01-16 00:20:00", &[]);
        for id in ["us_house", "us_senate"] {
            let line = format!("{id} 2026-01-15 18:00–24:00Z: Max retries exceeded - [403] the site blocks us");
            assert!(failed.stdout.contains(&line), "{}", failed.stdout);
        }
        assert_eq!(desk.service.triggers(), 6);
        assert_eq!(desk.outcomes().iter().filter(|attempt| attempt.ends_with("|reported_error")).count(), 6);
        assert_eq!(desk.open(), ["none", "none"], "what has failed is not followed");

        desk.service.goes(Course::Completes { running: 0 });
        let resting = desk.run_to(0, "01-16 00:25:00", &[]);
        assert_eq!(resting.stdout.matches("cooling down").count(), 3, "{}", resting.stdout);
        assert!(resting.stdout.contains("2 cooling down") && resting.stdout.contains("the site blocks us"), "{}", resting.stdout);
        assert_eq!(desk.service.triggers(), 6);
        desk.run_to(0, "01-16 00:35:00", &[]);
        assert_eq!(desk.service.triggers(), 8);
        assert_eq!(desk.frontier("us_senate"), "2026-01-16T00:00");
    }

    fn an_answer_that_says_nothing_useful_may_have_started_a_job(world: &World) {
        for (day, (answer, words)) in (16..).zip([
            (Answer::Empty, "answers 200 without a job's id at /job_id; the service may have started the job all the same"),
            (Answer::Nonsense, "answers 200 with something that is not JSON; the service may have started the job all the same"),
            (Answer::Huge, "answers 200 but its answer is longer than 1024 KiB; the service may have started the job all the same"),
        ]) {
            let desk = ServiceDesk::new(world, &[]);
            desk.service.next([answer]);
            let done = desk.run_to(1, &format!("01-{day} 00:20:00"), &[]);
            assert!(done.stdout.contains(words), "{}", done.stdout);
            assert_eq!(desk.service.triggers(), 1, "{words}");
            desk.run_to(0, &format!("01-{day} 00:35:00"), &[]);
            assert_eq!(desk.service.triggers(), 2, "{words}");
        }
        assert_eq!(desk_outcomes(world), ["reported_error|3", "succeeded|3"]);
    }

    fn what_passes_is_tried_again_in_the_same_run(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let down = || Answer::Status(503, "<html>the machine is starting</html>");
        desk.service.next([down(), Answer::Status(500, "{\"detail\": \"Internal Server Error\"}")]);
        let done = desk.run_to(0, "01-16 00:20:00", &[]);
        assert!(done.stderr.contains("/etl/trigger answers 503: Service Unavailable"), "{}", done.stderr);
        assert!(!done.stderr.contains("html"), "{}", done.stderr);
        assert_eq!(desk.service.triggers(), 3);
        assert_eq!(desk_outcomes(world), ["reported_error|2", "succeeded|1"]);

        desk.service.next([Answer::Own, down(), Answer::Nonsense, Answer::Empty, Answer::Huge]);
        desk.run_to(0, "01-16 06:20:00", &[]);
        assert_eq!((desk.service.triggers(), desk.service.polls()), (4, 3 + 4 + 3), "a look that fails starts nothing anew");
        assert_eq!(desk_outcomes(world), ["reported_error|2", "succeeded|2"]);
    }
}

/// How many attempts came to what.
fn desk_outcomes(world: &World) -> Vec<String> {
    world.sql("SELECT outcome, count(*) FROM etl_attempts GROUP BY outcome ORDER BY outcome")
}

#[test]
fn what_the_service_does_not_know_in_a_body_is_its_own_affair() {
    let world = World::new(Kind::Sqlite);
    let trigger = "http.trigger: {url: \"{url}/etl/trigger\", json: {source: house, colour: {of: [1, null, true]}, job: \"{job_id}\"}}";
    let desk = ServiceDesk::new(&world, &[trigger]);
    let done = desk.run_to(0, "01-16 00:20:00", &[]);
    assert!(done.stdout.contains("17 records"), "{}", done.stdout);
    let job = world.value("SELECT id FROM etl_jobs");
    assert_eq!(desk.bodies(), [json!({"source": "house", "colour": {"of": [1, null, true]}, "job": job})]);
}

#[test]
fn a_source_that_the_service_does_not_know_is_told_in_its_words() {
    let world = World::new(Kind::Sqlite);
    let desk = ServiceDesk::new(&world, &["http.trigger: {url: \"{url}/etl/trigger\", json: {source: hose}}"]);
    let done = desk.run_to(1, "01-16 00:20:00", &["--format", "json"]);
    let job = &done.json()["sources"][0]["jobs"][0];
    let reason = job["result"]["reason"].as_str().expect("a reason");
    assert!(reason.ends_with("/etl/trigger answers 400: Unknown source: hose"), "{job}");
    assert_eq!((&job["result"]["state"], &job["result"]["attempts"]), (&json!("failed"), &json!(1)));
    assert_eq!(desk.service.triggers(), 1);
}

#[test]
fn fifty_megabytes_are_not_read() {
    let world = World::new(Kind::Sqlite);
    let desk = ServiceDesk::new(&world, &[]);
    desk.service.goes(Course::Stuck);
    let running = desk.spawn("01-16 00:20:00", &[]);
    desk.service.until(|seen| count(seen, "/etl/status/") == 2);
    let most_so_far = || -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", running.orchestrator())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the most that it ever had");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let before = most_so_far();
    desk.service.next([Answer::Huge, Answer::Huge]);
    let polls = desk.service.polls();
    desk.service.until(|seen| count(seen, "/etl/status/") >= polls + 4);
    let grown = most_so_far() - before;
    assert!(grown < 20_000, "{grown} KB more than {before} KB");
    desk.service.finish(&desk.service.jobs()[0]);
    assert_eq!(running.wait().code, 0);
}

#[test]
fn who_is_sent_elsewhere_does_not_go_and_takes_no_key_there() {
    let world = World::new(Kind::Sqlite);
    let (desk, elsewhere) = (ServiceDesk::new(&world, &[]), Service::start());
    let address = format!("{}/etl/trigger?token=in-the-query", elsewhere.url()).leak();
    desk.service.next([Answer::Redirect(address)]);
    let done: Done = desk.run_to(1, "01-16 00:20:00", &[]);
    let words = format!(
        "answers 307: Temporary Redirect, and points to {}/etl/trigger; redirects are not followed, correct the address",
        elsewhere.url()
    );
    assert!(done.stdout.contains(&words), "{}", done.stdout);
    assert_eq!((desk.service.triggers(), elsewhere.connections()), (1, 0));
}
