//! A service with little time for us, or too much for itself: what is waited for, for how long, and what is told when it is over.

use std::time::{Duration, SystemTime};

use serde_json::json;

use crate::on_both_databases;
use crate::service_desk::ServiceDesk;
use crate::support::World;
use crate::support::service::{Answer, Course, Seen, count, date};

/// A job can be stopped at the service.
const CANCEL: &str = "http.cancel: {url: \"{url}/etl/cancel/{remote_id}\"}";

/// The time from the request that went so far into a run to the one after it.
fn pause_after(seen: &[Seen], number: usize) -> Duration {
    seen[number + 1].at.duration_since(seen[number].at)
}

on_both_databases! {
    fn a_service_that_has_too_much_to_do_is_waited_for_and_nobody_is_charged(world: &World) {
        let in_seconds: fn() -> String = || "1".to_owned();
        let by_date: fn() -> String = || date(SystemTime::now() + Duration::from_secs(2));
        for (day, (busy_at, after)) in (16..).zip([(0, in_seconds), (1, in_seconds), (0, by_date), (1, by_date)]) {
            let after = after();
            let desk = ServiceDesk::new(world, &["retry: {max_attempts: 1}"]);
            desk.service.next(vec![Answer::Own; busy_at]);
            desk.service.next([Answer::Busy(Some(after.clone()))]);
            let done = desk.run_to(0, &format!("01-{day} 00:20:00"), &["-v"]);
            let requests = desk.service.requests();
            assert!(pause_after(&requests, busy_at) >= Duration::from_secs(1), "{after}");
            let triggers = if busy_at == 0 { 2 } else { 1 };
            assert_eq!((desk.service.triggers(), desk.service.jobs().len()), (triggers, 1), "{after}");
            assert!(done.stdout.contains("17 records, reported"), "{}", done.stdout);
        }
        assert_eq!(world.sql("SELECT n, outcome FROM etl_attempts"), ["1|succeeded"; 4]);
        let waits = world.sql("SELECT tail FROM etl_attempts").join("\n");
        assert_eq!(waits.matches("429: waiting").count(), 4, "{waits}");
    }

    fn a_service_that_is_busy_for_longer_than_there_is_time_is_left_alone_until_then(world: &World) {
        for (day, busy_at) in [(16, 0), (17, 2)] {
            let desk = ServiceDesk::new(world, &["http.timeout: 10m"]);
            desk.service.next(vec![Answer::Own; busy_at]);
            desk.service.next([Answer::Busy(Some("3600".to_owned()))]);
            let busy = desk.run_to(0, &format!("01-{day} 00:20:00"), &[]);
            assert!(busy.stdout.contains("Skipped: 1"), "{}", busy.stdout);
            let words = format!("the service has too much to do, and wants to be left alone until 2026-01-{day}T01:20:0");
            assert!(busy.stdout.contains(&words), "{}", busy.stdout);
            assert_eq!(world.jobs().last().map(String::as_str), Some("source:us_house|skipped"));
            let requests = desk.service.requests().len();
            let listed = desk.run_to(0, &format!("01-{day} 00:20:30"), &["sources", "--format", "json"]).json();
            assert_eq!(listed["sources"][0]["failed_runs"], json!(0), "{listed}");
            assert_eq!(desk.service.requests().len(), requests);
            desk.run_to(0, &format!("01-{day} 01:35:00"), &[]);
            assert_eq!(desk.service.jobs().len(), 1, "a job that was started is followed further");
            assert_eq!(desk.frontier("us_house"), format!("2026-01-{day}T00:00"));
            desk.run_to(0, &format!("01-{day} 23:20:00"), &[]);
        }
    }

    fn a_trigger_that_takes_too_long_may_have_started_a_job_and_is_not_repeated(world: &World) {
        let desk = ServiceDesk::new(world, &["http.request_timeout: 1s"]);
        desk.rests("cooldown: {initial: 10m, max: 1h}");
        desk.service.next([Answer::Late]);
        let done = desk.run_to(1, "01-16 00:20:00", &[]);
        let words = "/etl/trigger has no answer within 1s; the service may have started the job all the same; \
                     it is not triggered again in this run";
        assert!(done.stdout.contains(words), "{}", done.stdout);
        assert_eq!((desk.service.triggers(), desk.service.jobs().len()), (1, 1));
        assert_eq!(desk.outcomes(), ["source:us_house|1|reported_error"]);
        let resting = desk.run_to(0, "01-16 00:25:00", &[]);
        assert!(resting.stdout.contains("cooling down"), "{}", resting.stdout);
        assert_eq!(desk.service.triggers(), 1);
        desk.run_to(0, "01-16 00:35:00", &[]);
        assert_eq!(desk.service.triggers(), 2);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T00:00");
        desk.service.release();
    }

    fn a_job_that_takes_too_long_is_cancelled_where_that_can_be(world: &World) {
        let desk = ServiceDesk::new(world, &["http.timeout: 1s", "retry: {max_attempts: 1}", CANCEL]);
        desk.service.goes(Course::Stuck);
        let done = desk.run_to(1, "01-16 00:20:00", &[]);
        assert!(done.stdout.contains("timed out after 1s") && done.stdout.contains("was cancelled"), "{}", done.stdout);
        assert_eq!((desk.service.triggers(), desk.service.cancels(), desk.service.jobs().len()), (1, 1, 0));
        assert_eq!(desk.open(), ["none"], "it is not followed");
        desk.service.goes(Course::Completes { running: 1 });
        desk.run_to(0, "01-16 00:35:00", &[]);
        assert_eq!(desk.service.triggers(), 2);
    }

    fn a_job_that_never_ends_is_followed_once_more_and_then_given_up(world: &World) {
        let desk = ServiceDesk::new(world, &["http.timeout: 1s", "retry: {max_attempts: 3, initial_delay: 1ms}"]);
        desk.service.goes(Course::Stuck);
        let done = desk.run_to(1, "01-16 00:20:00", &[]);
        assert!(done.stdout.contains("is given up, though the service may still be working on it"), "{}", done.stdout);
        assert!(done.stdout.contains("time is up again in state \"running\"; its job"), "{}", done.stdout);
        assert_eq!(desk.outcomes(), ["source:us_house|1|timed_out", "source:us_house|2|reported_error"]);
        assert_eq!((desk.service.triggers(), desk.open()), (1, vec!["none".to_owned()]), "no second job beside the first in one run");
        desk.service.goes(Course::Completes { running: 1 });
        desk.run_to(0, "01-16 00:35:00", &[]);
        assert_eq!(desk.service.triggers(), 2);
    }

    fn sources_that_wait_for_each_other_s_turns_all_come_to_an_end(world: &World) {
        let rate = &["http.rate: {requests: 3, per: 1s}"][..];
        let desk = ServiceDesk::with(world, &["a", "b", "c", "d"].map(|id| (id, rate)));
        desk.service.limit(3, Duration::from_secs(1));
        desk.service.goes(Course::Completes { running: 0 });
        desk.run_to(0, "01-16 00:20:00", &["--max-parallel", "4"]);
        let requests = desk.service.requests();
        assert_eq!((count(&requests, "/etl/trigger"), requests.len()), (4, 8), "nobody was sent away to come again");
        let all_of_it = requests[7].at.duration_since(requests[0].at);
        assert!(all_of_it >= Duration::from_secs(2), "{all_of_it:?}");
    }
}
