//! Killed anywhere, started again, it converges.

use crate::on_both_databases;
use crate::support::world::{Running, is_alive, kill};
use crate::support::{World, until};

const HELD_UP: &str = "echo $$ > \"pid.$2\"; echo x >> \"ran.$2\"; until [ -e go ]; do sleep 0.01; done; echo report > \"$4\"\n";
const GOOD: &str = "echo x >> \"ran.$2\"; echo report > \"$4\"\n";

/// Kills the invocation as the kernel would, and then what it leaves alone.
fn killed(running: Running, orphans: &[u32]) {
    kill("KILL", running.orchestrator());
    assert_eq!(running.wait().code, 137);
    for orphan in orphans {
        let group = rustix::process::Pid::from_raw(i32::try_from(*orphan).expect("a pid")).expect("a pid");
        let _ = rustix::process::kill_process_group(group, rustix::process::Signal::KILL);
        until("an orphan is gone", || !is_alive(*orphan));
    }
}

fn nothing_is_left_open(world: &World) {
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running')"), "0");
    assert_eq!(world.value("SELECT count(*) FROM etl_runs WHERE state = 'running'"), "0");
    assert_eq!(world.value("SELECT count(*) FROM etl_attempts WHERE outcome IS NULL OR ended_at IS NULL"), "0");
}

on_both_databases! {
    fn what_a_killed_run_left_is_closed_and_done_by_the_next(world: &World) {
        world.single_etl(HELD_UP, &[]);
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        let running = world.spawn(&["--max-parallel", "2"]);
        let children = world.pids("pid.", 2);
        killed(running, &children);
        assert_eq!(world.value("SELECT state FROM etl_runs"), "running");
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state = 'running'"), "2");

        world.write("etl.sh", GOOD);
        let before = world.sql("SELECT id, state FROM etl_jobs ORDER BY id");
        let dry = world.run(&["--dry-run", "--format", "json"]);
        assert_eq!(dry.code, 0, "{dry:?}");
        assert_eq!((&dry.json()["gaps"]["planned"], dry.json()["lost"].as_array().map(Vec::len)), (&3.into(), Some(2)));
        assert_eq!(world.sql("SELECT id, state FROM etl_jobs ORDER BY id"), before, "a dry run changes nothing");

        let next = world.run(&["--format", "json"]);
        assert_eq!(next.code, 0, "{next:?}");
        assert_eq!(next.json()["lost"].as_array().map(Vec::len), Some(2));
        assert!(next.json()["warnings"].to_string().contains("the run that was filling it died"), "{next:?}");
        assert_eq!(world.sql("SELECT state FROM etl_runs ORDER BY started_at"), ["lost", "succeeded"]);
        let states = world.sql("SELECT state, count(*) FROM etl_jobs GROUP BY state ORDER BY state");
        assert_eq!(states, ["cancelled|1", "lost|2", "succeeded|3"]);
        let outcomes = world.sql("SELECT outcome, count(*) FROM etl_attempts GROUP BY outcome ORDER BY outcome");
        assert_eq!(outcomes, ["lost|2", "succeeded|3"]);
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary", "RY 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"]);
        nothing_is_left_open(world);

        let last = world.run(&["--format", "json"]);
        assert_eq!((last.code, &last.json()["gaps"]["total"]), (0, &0.into()), "{last:?}");
        assert_eq!(last.json()["lost"], serde_json::json!([]), "it is told once");
    }

    fn a_run_killed_while_it_waits_for_a_retry_is_closed(world: &World) {
        world.single_etl("exit 1", &["retry: {max_attempts: 2, initial_delay: 1h, max_delay: 1h}"]);
        world.available("RY", 1, 2025, "Q2");
        let running = world.spawn(&[]);
        running.until_it_says("Retrying");
        killed(running, &[]);
        world.write("etl.sh", GOOD);
        let next = world.run(&[]);
        assert_eq!(next.code, 0, "{next:?}");
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|lost", "RY-CA/2025Q2/call_summary|succeeded"]);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|exit_code", "RY-CA/2025Q2/call_summary|1|succeeded"]);
        nothing_is_left_open(world);
    }

    fn what_a_killed_attempt_had_written_is_not_taken_for_a_report(world: &World) {
        world.single_etl("echo half > \"$4\"; echo $$ > pid.RY; until [ -e go ]; do sleep 0.01; done", &[]);
        world.available("RY", 1, 2025, "Q2");
        let running = world.spawn(&[]);
        let children = world.pids("pid.", 1);
        killed(running, &children);
        world.write("etl.sh", "exit 0");
        let next = world.run(&[]);
        assert_eq!(next.code, 1, "{next:?}");
        assert!(world.reports().is_empty());
        assert!(!world.path("reports/2025Q2/RY_call_summary.md").exists());
        world.write("etl.sh", GOOD);
        assert_eq!(world.run(&[]).code, 0);
        assert_eq!(world.read("reports/2025Q2/RY_call_summary.md"), "report\n");
        nothing_is_left_open(world);
    }

    fn a_run_beside_it_that_lives_is_left_alone(world: &World) {
        world.single_etl(HELD_UP, &[]);
        world.available("RY", 1, 2025, "Q2");
        let alive = world.spawn(&[]);
        world.pids("pid.", 1);
        let other = world.run(&["--no-lock"]);
        assert_eq!(other.code, 0, "{other:?}");
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|running"]);
        world.write("go", "");
        assert_eq!(alive.wait().code, 0);
        nothing_is_left_open(world);
    }

    fn it_converges_when_killed_again_and_again(world: &World) {
        world.settings("");
        world.write("etl.sh", "echo $$ > \"pid.$1.$2.$3\"; sleep 0.02; echo report > \"$4\"");
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            for quarter in ["Q1", "Q2"] {
                world.available(symbol, id, 2025, quarter);
            }
        }
        // Each is killed as soon as one more report is there, wherever the other jobs are then.
        for reports in 1..=3 {
            let running = world.spawn(&[]);
            until("a report more is there", || world.reports().len() >= reports);
            running.signal("KILL");
            running.wait();
        }
        let pids: Vec<u32> = world.notes("pid.").iter().filter_map(|pid| pid.parse().ok()).collect();
        until("the orphans are gone", || !pids.iter().any(|pid| is_alive(*pid)));
        let last = world.run(&[]);
        assert_eq!(last.code, 0, "{last:?}");
        assert_eq!(world.reports().len(), 12);
        nothing_is_left_open(world);
    }
}
