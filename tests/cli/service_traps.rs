//! What the users' service does that a service should not, and what is lost by that: nothing.

use serde_json::json;

use crate::on_both_databases;
use crate::service_desk::ServiceDesk;
use crate::support::service::{Answer, Course, count};
use crate::support::{Kind, World, until};
use crate::terminal::on_a_wide_terminal;

/// Another source of the same service.
const SENATE: &str = "http.trigger: {url: \"{url}/etl/trigger\", json: {source: senate}}";

on_both_databases! {
    fn each_trigger_has_a_connection_of_its_own(world: &World) {
        let desk = ServiceDesk::new(world, &["catch_up: each", "start: 2026-01-15T12:00:00Z"]);
        desk.service.breaks_reused_connections();
        desk.run_to(0, "01-16 00:20:00", &[]);
        assert_eq!(desk.service.triggers(), 2);
        assert!(desk.service.connections() <= 3, "requests of states share one");
        assert_eq!(desk.frontier("us_house"), "2026-01-16T00:00");
    }

    fn a_job_whose_state_nobody_can_read_is_given_up_once_it_must_have_ended(world: &World) {
        let desk = ServiceDesk::new(world, &["http.timeout: 10m"]);
        desk.service.goes(Course::Unreadable);
        let followed = desk.run_to(1, "01-16 00:20:00", &[]);
        assert!(followed.stdout.contains("is followed further by the next attempt"), "{}", followed.stdout);
        assert_eq!(desk.open(), desk.service.jobs());
        let given_up = desk.run_to(1, "01-16 00:35:00", &[]);
        let words = "was triggered more than 10m ago: it is given up, though the service may still be working on it";
        assert!(given_up.stdout.contains("answers 500: Internal Server Error; 5 times in a row"), "{}", given_up.stdout);
        assert!(given_up.stdout.contains(words), "{}", given_up.stdout);
        assert_eq!((desk.service.triggers(), desk.open()), (1, vec!["none".to_owned()]), "no second job beside it in this run");
        desk.service.goes(Course::Completes { running: 0 });
        desk.run_to(0, "01-16 00:50:00", &[]);
        assert_eq!((desk.service.triggers(), desk.frontier("us_house").as_str()), (2, "2026-01-16T00:00"));
    }

    fn retry_forgets_the_job_that_is_followed(world: &World) {
        let desk = ServiceDesk::new(world, &["retry: {max_attempts: 1}"]);
        desk.service.goes(Course::Unreadable);
        desk.run_to(1, "01-16 00:20:00", &[]);
        assert_eq!(desk.open(), desk.service.jobs());
        let retried = desk.run_to(0, "01-16 00:20:30", &["retry", "us_house", "--reason", "its state is broken"]);
        assert!(retried.stdout.contains("1 gap free to be tried again"), "{}", retried.stdout);
        assert_eq!(desk.open(), ["none"]);
        // Also where nothing has failed.
        desk.service.goes(Course::Stuck);
        let running = desk.spawn("01-16 00:20:40", &[]);
        desk.service.until(|seen| count(seen, "/etl/trigger") == 2);
        until("the service's id is on record", || desk.open() != ["none"]);
        running.signal("TERM");
        assert_eq!(running.wait().code, 143);
        let retried = desk.run_to(0, "01-16 00:21:00", &["retry", "us_house", "--reason", "it hangs"]);
        assert!(retried.stdout.contains("1 gap free to be tried again"), "{}", retried.stdout);
        let again = desk.run_to(0, "01-16 00:21:10", &["retry", "us_house", "--reason", "once more"]);
        assert!(again.stdout.contains("there was nothing to change"), "{}", again.stdout);
        desk.service.goes(Course::Completes { running: 0 });
        desk.run_to(0, "01-16 00:22:00", &[]);
        assert_eq!((desk.service.triggers(), desk.frontier("us_house").as_str()), (3, "2026-01-16T00:00"));
    }

    fn of_an_answer_that_is_too_long_the_beginning_counts(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        desk.service.goes(Course::Wordy);
        let done = desk.run_to(0, "01-16 00:20:00", &[]);
        assert!(done.stdout.contains("17 records, reported (not verified): Completed: 17 transactions"), "{}", done.stdout);
    }

    fn a_limit_of_one_route_stops_no_other(world: &World) {
        let training = "http.trigger: {url: \"{url}/ml/train\", json: {}}";
        let desk = ServiceDesk::with(world, &[("ml", &[training]), ("us_house", &[]), ("us_senate", &[SENATE])]);
        let done = desk.run_to(0, "01-16 00:20:00", &[]);
        assert!(done.stdout.contains("the service has too much to do, and wants to be left alone until 2026-01-16T01:"), "{}", done.stdout);
        assert_eq!(["ml", "us_house", "us_senate"].map(|id| desk.frontier(id)), ["", "2026-01-16T00:00", "2026-01-16T00:00"]);
        assert!(done.stdout.contains("Skipped: 1"), "{}", done.stdout);
    }

    fn a_wait_for_the_configured_rate_is_shown(world: &World) {
        let desk = ServiceDesk::new(world, &["http.rate: {requests: 1, per: 30m}"]);
        let running = desk.spawn("01-16 00:20:00", &["-v", "--log-format", "json"]);
        running.until_it_says("s for the rate of 127.0.0.1:");
        running.until_it_says("\"event\":\"waiting\"");
        running.signal("TERM");
        let done = running.wait();
        assert_eq!(done.code, 143);
        let line = done.stderr.lines().find(|line| line.contains("\"waiting\"")).expect("it was seen");
        let line: serde_json::Value = serde_json::from_str(line).expect("JSON");
        assert_eq!((&line["waits_for"], &line["source"], line.get("until")), (&json!("rate"), &json!("us_house"), None), "{line}");
        assert_eq!(desk.service.requests().len(), 1);
    }

    fn a_live_display_says_what_a_request_waits_for(world: &World) {
        let desk = ServiceDesk::new(world, &["http.rate: {requests: 1, per: 2s}"]);
        desk.service.goes(Course::Completes { running: 0 });
        let done = on_a_wide_terminal(&desk.command("01-16 00:20:00", &["--log-level", "off"]));
        assert_eq!(done.code, 0, "{}", done.stdout);
        assert!(done.stdout.contains(" waits for the rate of 127.0.0.1:"), "{:?}", done.stdout);
    }

    fn jobs_that_are_lost_together_are_tried_again_one_at_a_time(world: &World) {
        let killer = "http.trigger: {url: \"{url}/etl/trigger\", json: {source: california}}";
        let desk = ServiceDesk::with(world, &[("killer", &[killer]), ("us_house", &[]), ("us_senate", &[SENATE])]);
        desk.service.is_brought_down_by("california", 3);
        let done = desk.run_to(1, "01-16 00:20:00", &[]);
        assert_eq!(["killer", "us_house", "us_senate"].map(|id| desk.frontier(id)), ["", "2026-01-16T00:00", "2026-01-16T00:00"]);
        assert!(done.stderr.contains("while others were under way there: it was restarted, or went down"), "{}", done.stderr);
        assert_eq!(desk.service.triggers(), 3 + 2 + 2, "the two others were lost once: {}", done.stdout);
        let mut outcomes = desk.outcomes();
        outcomes.sort();
        let of = |id: &str, n: u32, outcome: &str| format!("source:{id}|{n}|{outcome}");
        assert_eq!(
            outcomes,
            [
                of("killer", 1, "reported_error"),
                of("killer", 2, "lost"),
                of("killer", 3, "lost"),
                of("us_house", 1, "reported_error"),
                of("us_house", 2, "succeeded"),
                of("us_senate", 1, "reported_error"),
                of("us_senate", 2, "succeeded"),
            ]
        );
    }

    fn nobody_is_charged_with_what_was_lost_together(world: &World) {
        let once = "retry: {max_attempts: 1}";
        let killer = "http.trigger: {url: \"{url}/etl/trigger\", json: {source: california}}";
        let desk = ServiceDesk::with(world, &[("killer", &[killer, once]), ("us_house", &[once])]);
        desk.service.is_brought_down_by("california", 2);
        desk.run_to(1, "01-16 00:20:00", &[]);
        let listed = desk.run_to(0, "01-16 00:20:30", &["sources", "--format", "json"]).json();
        let failed = [0, 1].map(|n| &listed["sources"][n]["failed_runs"]);
        assert_eq!(failed, [&json!(0); 2], "{listed}");
    }

    fn a_success_over_nothing_is_none_where_that_is_configured(world: &World) {
        let wanted = r"http.success_if: {pointer: /message, pattern: 'from (\d+) PDFs', min: 2}";
        let desk = ServiceDesk::new(world, &[wanted, "retry: {max_attempts: 1}"]);
        desk.service.goes(Course::CompletesEmpty);
        let failed = desk.run_to(1, "01-16 00:20:00", &[]);
        let words = "the service reports completed: Completed: 0 transactions from 0 PDFs, but the number at /message is 0, and success_if wants at least 2";
        assert!(failed.stdout.contains(words), "{}", failed.stdout);
        assert_eq!(desk.frontier("us_house"), "");
        desk.service.goes(Course::Completes { running: 0 });
        desk.run_to(0, "01-16 00:35:00", &[]);
        assert_eq!((desk.service.triggers(), desk.frontier("us_house").as_str()), (2, "2026-01-16T00:00"));
    }

    fn the_id_of_the_job_can_be_looked_for_by_verify(world: &World) {
        let own = if world.kind() == Kind::Postgres { "etl_orch." } else { "" };
        let query = format!("verify: {{sql: \"select count(*) from {own}etl_attempts where remote_id = '{{remote_id}}'\"}}");
        let program = "verify: {command: [sh, -c, 'test \"$0\" = \"$ETL_ORCH_REMOTE_ID\" && echo \"$0\" >> seen', '{remote_id}']}";
        let desk = ServiceDesk::with(world, &[("by_query", &[&query]), ("by_program", &[program])]);
        let done = desk.run_to(0, "01-16 00:20:00", &[]);
        assert_eq!(done.stdout.matches("17 records, verified").count(), 2, "{}", done.stdout);
        assert!(desk.service.jobs().contains(&world.read("seen").trim().to_owned()), "{}", world.read("seen"));
    }

    fn a_job_is_followed_at_the_location_that_its_trigger_answers_with(world: &World) {
        let desk = ServiceDesk::new(world, &["http.status: {every: 10ms}"]);
        desk.service.next([Answer::Located]);
        let done = desk.run_to(0, "01-16 00:20:00", &["-v"]);
        assert!(done.stdout.contains("17 records, reported"), "{}", done.stdout);
        let path = format!("/etl/status/{}", desk.service.jobs().concat());
        assert_eq!(world.value("SELECT remote_id FROM etl_attempts"), path);
        assert!(desk.service.requests()[1..].iter().all(|seen| seen.path == path), "{:?}", desk.service.requests());
        desk.service.next([Answer::LocatedAt("http://elsewhere.invalid/jobs/7?key=topsecret")]);
        let refused = desk.run_to(1, "01-16 06:20:00", &[]);
        let words = "answers 202 with the Location http://elsewhere.invalid/jobs/7, which is not followed: it is on another host";
        assert!(refused.stdout.contains(words) && !refused.stdout.contains("topsecret"), "{}", refused.stdout);
    }
}
