//! Reports that a service makes: its job is followed as a source's is, and a success is what the reports table shows.

use serde_json::json;

use crate::on_both_databases;
use crate::service_desk::{ServiceDesk, ends};
use crate::support::service::{Course, count};
use crate::support::world::{Running, kill};
use crate::support::{World, until};

const GAP: &str = "RY-CA/2025Q2/call_summary";

/// A job can be stopped at the service.
const CANCEL: &str = "cancel: {url: \"{url}/etl/cancel/{remote_id}\"}";

const ONCE: &str = "retry: {max_attempts: 1}\n";

/// A run whose job goes on at the service, and is on record; the service's id of it.
fn under_way(desk: &ServiceDesk<'_>, args: &[&str]) -> (Running, String) {
    desk.service.goes(Course::Stuck);
    let polls = desk.service.polls();
    let running = Running::start(desk.command_now(args));
    until("the service has a job", || !desk.service.jobs().is_empty());
    desk.service.until(|seen| count(seen, "/etl/status/") > polls);
    let jobs = desk.service.known();
    let id = jobs.last().expect("a job of the service").0.clone();
    until("the service's id is on record", || open(desk) == [id.clone()]);
    (running, id)
}

/// The services' ids of jobs whose end was not seen.
fn open(desk: &ServiceDesk<'_>) -> Vec<String> {
    desk.world.sql("SELECT remote_id FROM gap_states WHERE remote_id IS NOT NULL")
}

/// The service has made the report, and its job is complete.
fn makes_the_report(desk: &ServiceDesk<'_>, id: &str) {
    desk.world.report("RY", 1, 2025, "Q2", "Call Summary");
    desk.service.finish(id);
}

/// Kills whoever belongs to a run.
fn kill_both(running: Running) {
    let orchestrator = running.orchestrator();
    running.signal("STOP");
    kill("KILL", orchestrator);
    running.signal("KILL");
    assert_eq!(running.wait().code, 137);
}

on_both_databases! {
    fn a_report_that_a_service_makes_is_asked_for_once_and_seen_in_the_reports_table(world: &World) {
        let desk = ServiceDesk::of_reports(world, "", &[]);
        let (running, id) = under_way(&desk, &["-v"]);
        assert_eq!(desk.bodies(), [json!({"bank": "RY-CA", "bank_id": 1, "year": 2025, "quarter": "Q2", "limit": 3})]);
        makes_the_report(&desk, &id);
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stdout.contains("Successful: 1"), "{}", done.stdout);
        assert_eq!(desk.outcomes(), [format!("{GAP}|1|succeeded")]);
        assert_eq!(world.sql("SELECT remote_id FROM etl_attempts"), [id]);
        assert!(open(&desk).is_empty());
        ends(desk.command_now(&[]), 0);
        assert_eq!(desk.service.triggers(), 1, "there is nothing more to do");
    }

    fn a_job_that_completes_without_its_report_is_no_success_and_another_is_triggered(world: &World) {
        let desk = ServiceDesk::of_reports(world, "retry: {max_attempts: 2, initial_delay: 1ms}\n", &[]);
        let done = ends(desk.command_now(&[]), 1);
        assert!(done.stdout.contains("the reports table has no Call Summary for bank_id 1, 2025 Q2"), "{}", done.stdout);
        assert!(!done.stdout.contains("exit 0"), "a service has no exit code: {}", done.stdout);
        assert_eq!(desk.outcomes(), [format!("{GAP}|1|no_output"), format!("{GAP}|2|no_output")]);
        assert_eq!(desk.service.triggers(), 2);
        assert!(open(&desk).is_empty());
    }

    fn a_job_that_the_service_calls_failed_is_tried_again_and_named_with_its_message(world: &World) {
        let desk = ServiceDesk::of_reports(world, "retry: {max_attempts: 2, initial_delay: 1ms}\n", &[]);
        desk.service.goes(Course::Fails("the model has no answer".to_owned()));
        let done = ends(desk.command_now(&[]), 1);
        assert!(done.stdout.contains("the model has no answer"), "{}", done.stdout);
        assert_eq!(desk.outcomes(), [format!("{GAP}|1|reported_error"), format!("{GAP}|2|reported_error")]);
        assert_eq!(desk.service.triggers(), 2);
    }

    fn a_service_that_has_forgotten_its_job_gets_another_trigger_in_the_same_run(world: &World) {
        let desk = ServiceDesk::of_reports(world, "", &[]);
        let (running, id) = under_way(&desk, &[]);
        desk.service.restart();
        desk.service.until(|seen| count(seen, "/etl/trigger") == 2);
        until("there is another job", || desk.service.jobs().len() == 1);
        makes_the_report(&desk, &desk.service.jobs().concat());
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(!desk.service.jobs().contains(&id));
        assert_eq!(desk.outcomes(), [format!("{GAP}|1|lost"), format!("{GAP}|2|succeeded")]);
    }

    fn the_job_of_a_run_that_was_killed_is_followed_by_the_next_one(world: &World) {
        let desk = ServiceDesk::of_reports(world, "", &[]);
        let (running, id) = under_way(&desk, &[]);
        kill_both(running);
        let next = Running::start(desk.command_now(&[]));
        let polls = desk.service.polls();
        desk.service.until(|seen| count(seen, "/etl/status/") > polls);
        makes_the_report(&desk, &id);
        let next = next.wait();
        assert_eq!(next.code, 0, "{next:?}");
        assert_eq!(desk.service.triggers(), 1);
        assert_eq!(desk.outcomes(), [format!("{GAP}|1|lost"), format!("{GAP}|1|succeeded")]);
        assert!(open(&desk).is_empty());
    }

    fn a_job_that_the_service_has_forgotten_since_a_run_was_killed_is_triggered_again(world: &World) {
        let desk = ServiceDesk::of_reports(world, "", &[]);
        let (running, id) = under_way(&desk, &[]);
        kill_both(running);
        desk.service.restart();
        let (next, other) = under_way(&desk, &[]);
        assert_ne!(id, other);
        makes_the_report(&desk, &other);
        assert_eq!(next.wait().code, 0);
        assert_eq!(desk.service.triggers(), 2);
        assert!(open(&desk).is_empty());
    }

    fn a_forced_report_must_be_another_than_before(world: &World) {
        let desk = ServiceDesk::of_reports(world, ONCE, &[]);
        world.report("RY", 1, 2025, "Q2", "Call Summary");
        let force = &["--force", "--bank-symbol", "RY"];
        let done = ends(desk.command_now(force), 1);
        assert!(done.stdout.contains("the Call Summary is the one that was there before"), "{}", done.stdout);
        let (running, id) = under_way(&desk, force);
        world.sql("UPDATE aegis_reports SET generated_by = 'the service'");
        desk.service.finish(&id);
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(desk.outcomes(), [format!("{GAP}|1|no_output"), format!("{GAP}|1|succeeded")]);
        assert_eq!(desk.service.triggers(), 2);
    }

    fn a_job_that_takes_too_long_is_cancelled_at_the_service(world: &World) {
        let desk = ServiceDesk::of_reports(world, ONCE, &["timeout: 1s", CANCEL]);
        desk.service.goes(Course::Stuck);
        let done = ends(desk.command_now(&[]), 1);
        assert!(done.stdout.contains("timed out"), "{}", done.stdout);
        assert_eq!(desk.outcomes(), [format!("{GAP}|1|timed_out")]);
        assert_eq!((desk.service.triggers(), desk.service.cancels()), (1, 1));
        assert!(open(&desk).is_empty());
    }

    fn a_run_that_is_stopped_has_its_job_cancelled_and_the_next_one_triggers_another(world: &World) {
        let desk = ServiceDesk::of_reports(world, "", &[CANCEL]);
        let (running, _) = under_way(&desk, &[]);
        running.signal("TERM");
        assert_eq!(running.wait().code, 143);
        assert_eq!((desk.service.cancels(), desk.service.jobs().len()), (1, 0));
        assert_eq!(desk.outcomes(), [format!("{GAP}|1|interrupted")]);
        assert!(open(&desk).is_empty(), "what was cancelled is not followed");
        let (next, id) = under_way(&desk, &[]);
        makes_the_report(&desk, &id);
        assert_eq!(next.wait().code, 0);
        assert_eq!(desk.service.triggers(), 2);
    }

    fn a_run_that_is_stopped_leaves_a_job_that_cannot_be_cancelled_to_the_next_one(world: &World) {
        let desk = ServiceDesk::of_reports(world, "", &[]);
        let (running, id) = under_way(&desk, &[]);
        running.signal("TERM");
        assert_eq!(running.wait().code, 143);
        assert_eq!(open(&desk), std::slice::from_ref(&id));
        let (next, same) = under_way(&desk, &[]);
        assert_eq!(id, same);
        makes_the_report(&desk, &id);
        assert_eq!(next.wait().code, 0);
        assert_eq!(desk.service.triggers(), 1);
    }
}
