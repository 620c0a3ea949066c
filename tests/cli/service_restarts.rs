//! Either side goes away while a job is under way, and comes back: what was triggered is followed, and triggered once.

use crate::database_away::{Server, spooled};
use crate::on_both_databases;
use crate::service_desk::ServiceDesk;
use crate::support::service::{Answer, Course, count};
use crate::support::world::{Running, is_alive, kill};
use crate::support::{Kind, World, until};

/// A job can be stopped at the service.
const CANCEL: &str = "http.cancel: {url: \"{url}/etl/cancel/{remote_id}\"}";

/// A run whose job goes on at the service, and is on record; the service's id of it.
fn under_way(desk: &ServiceDesk<'_>) -> (Running, String) {
    desk.service.goes(Course::Stuck);
    let running = desk.spawn("01-16 00:20:00", &[]);
    desk.service.until(|seen| count(seen, "/etl/status/") >= 1);
    let id = desk.service.jobs().concat();
    until("the service's id is on record", || desk.open() == [id.clone()]);
    desk.service.goes(Course::Completes { running: 1 });
    (running, id)
}

/// Kills whoever belongs to a run.
fn kill_both(running: Running) {
    let orchestrator = running.orchestrator();
    running.signal("STOP");
    kill("KILL", orchestrator);
    running.signal("KILL");
    assert_eq!(running.wait().code, 137);
}

fn nothing_is_left_open(desk: &ServiceDesk<'_>) {
    let world = desk.world;
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running')"), "0");
    assert_eq!(world.value("SELECT count(*) FROM etl_runs WHERE state = 'running'"), "0");
    assert_eq!(world.value("SELECT count(*) FROM disclosure_queue WHERE remote_id IS NOT NULL"), "0");
    assert_eq!(desk.frontier("us_house"), "2026-01-16T00:00");
}

on_both_databases! {
    fn a_service_that_has_forgotten_its_job_gets_another_trigger_in_the_same_run(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let (running, id) = under_way(&desk);
        desk.service.restart();
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stderr.contains(&format!("the service does not know its job {id} any more (404)")), "{}", done.stderr);
        assert_eq!(desk.outcomes(), ["source:us_house|1|lost", "source:us_house|2|succeeded"]);
        assert_eq!(desk.service.triggers(), 2);
        let remote_id = world.sql("SELECT remote_id FROM etl_attempts ORDER BY n");
        assert_eq!(remote_id, [id, desk.service.jobs().concat()]);
        nothing_is_left_open(&desk);
    }

    fn the_job_of_an_orchestrator_that_was_killed_is_followed_by_the_next_run(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let (running, id) = under_way(&desk);
        kill("KILL", running.orchestrator());
        assert_eq!(running.wait().code, 137);
        followed_further(&desk, &id, "lost");
    }

    fn the_job_of_an_orchestrator_and_a_guard_that_were_killed_is_followed_by_the_next_run(world: &World) {
        let desk = ServiceDesk::new(world, &[CANCEL]);
        let (running, id) = under_way(&desk);
        kill_both(running);
        followed_further(&desk, &id, "lost");
        assert_eq!(desk.service.cancels(), 0);
    }

    fn the_job_of_a_run_that_was_stopped_is_followed_by_the_next_run(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let (running, id) = under_way(&desk);
        running.signal("TERM");
        let done = running.wait();
        assert_eq!(done.code, 143, "{done:?}");
        followed_further(&desk, &id, "interrupted");
    }

    fn a_run_that_is_stopped_has_its_job_cancelled_where_that_can_be(world: &World) {
        let desk = ServiceDesk::new(world, &[CANCEL]);
        let (running, id) = under_way(&desk);
        running.signal("TERM");
        let done = running.wait();
        assert_eq!(done.code, 143, "{done:?}");
        assert_eq!((desk.service.cancels(), desk.service.jobs().len()), (1, 0));
        assert_eq!(desk.open(), ["none"], "what was cancelled is not followed");
        desk.run_to(0, "01-16 00:35:00", &[]);
        assert_eq!(desk.service.triggers(), 2);
        let remote_id = world.sql("SELECT remote_id FROM etl_attempts ORDER BY started_at");
        assert_eq!(remote_id, [id, desk.service.jobs().concat()]);
        nothing_is_left_open(&desk);
    }

    fn a_job_that_the_service_has_forgotten_since_is_triggered_again_by_the_next_run(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let (running, id) = under_way(&desk);
        kill_both(running);
        desk.service.restart();
        let next = desk.run_to(0, "01-16 00:35:00", &["-v"]);
        assert!(next.stdout.contains("17 records"), "{}", next.stdout);
        assert_eq!(desk.service.triggers(), 2);
        let tail = world.sql("SELECT tail FROM etl_attempts WHERE outcome = 'succeeded'").join("\n");
        assert!(tail.contains(&format!("the service no longer knows {id}; triggering again")), "{tail}");
        nothing_is_left_open(&desk);
    }

    fn a_stop_waits_for_the_answer_to_a_trigger_so_that_the_job_can_be_followed(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        desk.service.goes(Course::Stuck);
        desk.service.next([Answer::Late]);
        let running = desk.spawn("01-16 00:20:00", &[]);
        desk.service.until(|seen| count(seen, "/etl/trigger") == 1);
        until("the service has a job", || desk.service.jobs().len() == 1);
        running.signal("TERM");
        running.until_it_says("Received SIGTERM");
        desk.service.release();
        assert_eq!(running.wait().code, 143);
        let id = desk.service.jobs().concat();
        followed_further(&desk, &id, "interrupted");
    }

    fn a_stop_does_not_wait_for_a_service_that_is_busy(world: &World) {
        let desk = ServiceDesk::new(world, &["http.timeout: 1h"]);
        desk.service.next([Answer::Busy(Some("3000".to_owned()))]);
        let running = desk.spawn("01-16 00:20:00", &["-v"]);
        running.until_it_says("429: waiting 3000 s as the service asks");
        running.until_it_says(" waits until 01:");
        running.signal("TERM");
        assert_eq!(running.wait().code, 143);
        assert_eq!((desk.service.triggers(), desk.service.jobs().len()), (1, 0));
        desk.run_to(0, "01-16 00:35:00", &[]);
        assert_eq!(desk.service.jobs().len(), 1);
        nothing_is_left_open(&desk);
    }

    fn another_invocation_leaves_a_job_under_way_alone(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let (running, id) = under_way(&desk);
        let other = desk.run_to(0, "01-16 00:20:30", &["--no-lock"]);
        assert!(other.stdout.contains("us_house: running elsewhere, process "), "{}", other.stdout);
        desk.service.finish(&id);
        assert_eq!(running.wait().code, 0);
        assert_eq!(desk.service.triggers(), 1);
        nothing_is_left_open(&desk);
    }

    fn windows_that_became_due_meanwhile_do_not_pass_for_those_that_were_triggered(world: &World) {
        let window = "http.trigger: {url: \"{url}/etl/trigger\", json: {source: house, from: \"{window_start}\", to: \"{window_end}\"}}";
        let desk = ServiceDesk::new(world, &[window]);
        let (running, id) = under_way(&desk);
        kill_both(running);
        desk.service.finish(&id);
        let next = desk.run_to(0, "01-16 12:20:00", &[]);
        assert!(next.stdout.contains("3 windows were due"), "{}", next.stdout);
        let asked: Vec<String> = desk.bodies().iter().map(|body| format!("{}-{}", body["from"], body["to"]).replace('"', "")).collect();
        assert_eq!(asked, ["2026-01-15T18:00:00Z-2026-01-16T00:00:00Z", "2026-01-16T00:00:00Z-2026-01-16T12:00:00Z"]);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T12:00");
    }

    fn a_source_that_is_paused_is_not_asked_about_its_job_until_it_is_resumed(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let (running, id) = under_way(&desk);
        kill_both(running);
        desk.run_to(0, "01-16 00:25:00", &["sources", "pause", "us_house", "--reason", "the service moves"]);
        let polls = desk.service.polls();
        let paused = desk.run_to(0, "01-16 00:26:00", &[]);
        assert!(paused.stdout.contains("us_house: paused by") && paused.stdout.contains("the service moves"), "{}", paused.stdout);
        assert_eq!(desk.service.polls(), polls);
        desk.run_to(0, "01-16 00:27:00", &["sources", "resume", "us_house", "--reason", "it has moved"]);
        followed_further(&desk, &id, "lost");
    }

    fn the_job_of_an_orchestrator_whose_guard_was_killed_is_followed_by_the_next_run(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let (running, id) = under_way(&desk);
        let orchestrator = running.orchestrator();
        running.signal("KILL");
        assert_eq!(running.wait().code, 137);
        until("the orchestrator has seen it", || !is_alive(orchestrator));
        followed_further(&desk, &id, "interrupted");
    }

    fn a_job_that_cannot_be_cancelled_at_the_service_is_followed_once_its_source_is_released(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let (running, id) = under_way(&desk);
        let job = world.value("SELECT id FROM etl_jobs");
        desk.run_to(0, "01-16 00:20:10", &["cancel", &job, "--reason", "too slow"]);
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        let said = world.sql("SELECT tail FROM etl_attempts").join("\n");
        let words = format!("stopped; the service may still be working on its job {id}, which the next attempt follows");
        assert!(said.ends_with(&words), "{said}");
        let polls = desk.service.polls();
        desk.run_to(0, "01-16 00:25:00", &[]);
        assert_eq!((desk.service.triggers(), desk.service.polls()), (1, polls));
        desk.run_to(0, "01-16 00:26:00", &["unskip", "us_house", "--reason", "it may take its time"]);
        followed_further(&desk, &id, "interrupted");
    }

    fn a_collection_that_is_cancelled_is_cancelled_at_the_service_and_left_alone(world: &World) {
        let desk = ServiceDesk::new(world, &[CANCEL]);
        let (running, _) = under_way(&desk);
        let job = world.value("SELECT id FROM etl_jobs");
        let order = desk.run_to(0, "01-16 00:20:10", &["cancel", &job[..8], "--reason", "the site asked us to"]);
        assert!(order.stdout.starts_with(&format!("cancel: source:us_house: job {} is cancelled; ", &job[..8])), "{}", order.stdout);
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stdout.contains("Not run: 1\n") && done.stdout.contains(": the site asked us to"), "{}", done.stdout);
        assert_eq!((desk.service.triggers(), desk.service.cancels()), (1, 1));
        assert_eq!(world.jobs(), ["source:us_house|cancelled"]);
        let polls = desk.service.polls();
        let skipped = desk.run_to(0, "01-16 06:20:00", &[]);
        assert!(skipped.stdout.contains("us_house: skipped by"), "{}", skipped.stdout);
        assert!(skipped.stdout.contains("the site asked us to"), "{}", skipped.stdout);
        assert_eq!((desk.service.triggers(), desk.service.polls()), (1, polls));
        desk.run_to(0, "01-16 06:25:00", &["retry", "us_house", "--reason", "they are back"]);
        desk.run_to(0, "01-16 06:35:00", &[]);
        assert_eq!(desk.service.triggers(), 2);
        assert_eq!(desk.frontier("us_house"), "2026-01-16T06:00");
    }
}

/// The next run follows the job `id`, which completes meanwhile; `before` is how the attempt of the run before is on record.
fn followed_further(desk: &ServiceDesk<'_>, id: &str, before: &str) {
    assert_eq!(desk.open(), [id]);
    let dry = desk.run_to(0, "01-16 00:30:00", &["--dry-run"]);
    assert!(dry.stdout.contains("in 1 job, already started at the service"), "{}", dry.stdout);
    desk.service.finish(id);
    let next = desk.run_to(0, "01-16 00:35:00", &[]);
    assert!(next.stdout.contains("17 records, reported"), "{}", next.stdout);
    assert!(!next.stdout.contains("planned again"), "{}", next.stdout);
    if next.stdout.contains("the run that was filling it died") {
        assert!(next.stdout.contains("died; its job at the service is followed further"), "{}", next.stdout);
    }
    assert_eq!(desk.world.sql("SELECT remote_id FROM etl_attempts"), [id, id], "each attempt has it on record");
    assert_eq!(desk.service.triggers(), 1);
    assert_eq!(desk.outcomes(), [format!("source:us_house|1|{before}"), "source:us_house|1|succeeded".to_owned()]);
    nothing_is_left_open(desk);
}

#[test]
fn what_was_triggered_while_the_database_went_away_is_not_triggered_again() {
    let world = World::new(Kind::Postgres);
    let server = Server::of(&world);
    let desk = ServiceDesk::new(&world, &[]);
    desk.service.next([Answer::Late]);
    let running = desk.spawn("01-16 00:20:00", &[]);
    until("the service has a job", || desk.service.jobs().len() == 1);
    server.shut();
    desk.service.release();
    let done = running.wait();
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("the next run records the end of 1 job from the spool"), "{done:?}");
    server.reopen();
    desk.run_to(0, "01-16 00:35:00", &[]);
    assert_eq!(desk.service.triggers(), 1);
    nothing_is_left_open(&desk);
}

#[test]
fn a_job_of_which_a_run_heard_while_the_database_was_away_is_followed_by_the_next_one() {
    let world = World::new(Kind::Postgres);
    let server = Server::of(&world);
    let desk = ServiceDesk::new(&world, &[]);
    desk.service.goes(Course::Stuck);
    desk.service.next([Answer::Late]);
    let running = desk.spawn("01-16 00:20:00", &[]);
    until("the service has a job", || desk.service.jobs().len() == 1);
    server.shut();
    desk.service.release();
    desk.service.until(|seen| count(seen, "/etl/status/") >= 1);
    running.signal("TERM");
    assert_eq!(running.wait().code, 143);
    server.reopen();
    desk.service.finish(&desk.service.jobs()[0]);
    desk.run_to(0, "01-16 00:35:00", &[]);
    assert_eq!(desk.service.triggers(), 1);
    nothing_is_left_open(&desk);
}

#[test]
fn what_ends_while_the_database_is_away_is_recorded_by_the_next_run() {
    let world = World::new(Kind::Postgres);
    let server = Server::of(&world);
    let desk = ServiceDesk::new(&world, &[]);
    let (running, id) = under_way(&desk);
    server.shut();
    desk.service.finish(&id);
    let done = running.wait();
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("the next run records the end of 1 job from the spool"), "{done:?}");
    assert_eq!(spooled(&world).len(), 1);
    server.reopen();
    let next = desk.run_to(0, "01-16 00:35:00", &[]);
    assert!(next.stdout.contains("Recorded from the spool: 1"), "{}", next.stdout);
    assert_eq!(desk.service.triggers(), 1);
    assert_eq!(desk.outcomes(), ["source:us_house|1|succeeded"]);
    assert_eq!(world.value("SELECT last_records FROM sources"), "17");
    assert!(spooled(&world).is_empty());
    nothing_is_left_open(&desk);
}
