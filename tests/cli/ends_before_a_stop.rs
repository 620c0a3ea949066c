//! What ended by itself before a run was stopped has ended so, and is charged; only what the stop ended is cancelled.

use crate::on_both_databases;
use crate::support::world::{is_alive, kill};
use crate::support::{World, until};

/// The failed runs that are charged to each gap.
fn charged(world: &World) -> Vec<String> {
    world.sql("SELECT gap_key, failed_runs FROM gap_states WHERE failed_runs > 0 ORDER BY gap_key")
}

on_both_databases! {
    fn a_crash_before_a_stop_is_charged_though_a_retry_was_left(world: &World) {
        world.single_etl("kill -KILL $$", &["retry: {max_attempts: 2, initial_delay: 1h, max_delay: 1h}"]);
        world.available("RY", 1, 2025, "Q2");
        let running = world.spawn(&[]);
        running.until_it_says("Retrying");
        running.signal("TERM");
        let done = running.wait();
        assert_eq!(done.code, 143, "{done:?}");
        assert!(done.stdout.contains("signal 9; the run was stopped before another attempt\n"), "{}", done.stdout);
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|failed"]);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|signal"]);
        assert_eq!(charged(world), ["RY-CA/2025Q2/call_summary|1"]);
    }

    fn who_is_killed_by_others_while_a_run_stops_was_not_stopped_by_it(world: &World) {
        // RY takes no notice of SIGTERM, as a process that the kernel is ending for want of memory does not.
        let script = "[ \"$2\" = TD ] || trap '' TERM\necho $$ > \"pid.$2\"\nwhile :; do sleep 0.05; done\n";
        world.single_etl(script, &[]);
        world.available("RY", 1, 2025, "Q2");
        world.available("TD", 6, 2025, "Q2");
        let running = world.spawn(&["--max-parallel", "2"]);
        let pids = world.pids("pid.", 2);
        let (victim, stopped) = (pids[0], pids[1]);
        running.signal("TERM");
        until("the stop has ended the other one", || !is_alive(stopped));
        kill("KILL", victim);
        let done = running.wait();
        assert_eq!(done.code, 143, "{done:?}");
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|failed", "TD-CA/2025Q2/call_summary|cancelled"], "{}", done.stdout);
        let outcomes = world.sql("SELECT j.gap_key, a.outcome, a.outcome_number FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id ORDER BY 1");
        assert_eq!(outcomes, ["RY-CA/2025Q2/call_summary|signal|9", "TD-CA/2025Q2/call_summary|interrupted|"]);
        assert_eq!(charged(world), ["RY-CA/2025Q2/call_summary|1"], "nobody else is charged");
    }
}
