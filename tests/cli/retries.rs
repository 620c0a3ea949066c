//! What fails is tried again, as often as it is allowed to, and is on record.

use crate::on_both_databases;
use crate::support::World;

/// Fails until its third try.
const THIRD_TIME_LUCKY: &str = "tries=$(($(cat tries 2>/dev/null || echo 0) + 1))\necho $tries > tries\necho \"try $tries\"\n\
    [ $tries -ge 3 ] || { echo 'no connection' >&2; exit 7; }\necho report > \"$4\"\n";

on_both_databases! {
    fn a_job_that_succeeds_at_last_has_every_attempt_on_record(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl(THIRD_TIME_LUCKY, &[]);

        let done = world.run_to(0, &["--format", "json"]);

        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|succeeded"]);
        let attempts = world.sql("SELECT n, outcome, coalesce(outcome_number, 0) FROM etl_attempts ORDER BY n");
        assert_eq!(attempts, ["1|exit_code|7", "2|exit_code|7", "3|succeeded|0"]);
        let complete = "pid > 0 AND duration_ms >= 0 AND ended_at >= started_at";
        assert_eq!(world.value(&format!("SELECT count(*) FROM etl_attempts WHERE {complete}")), "3");
        assert_eq!(world.value("SELECT count(DISTINCT pid) FROM etl_attempts"), "3");
        let tail = world.sql("SELECT tail FROM etl_attempts WHERE n = 1").join("\n");
        assert!(tail.contains("try 1") && tail.contains("no connection"), "{tail}");
        for log in world.sql("SELECT log FROM etl_attempts WHERE n IN (1, 3) ORDER BY n") {
            assert!(log.starts_with('/') && (log.ends_with("/1.log") || log.ends_with("/3.log")), "{log}");
            assert!(std::fs::read_to_string(&log).expect("a log").contains("try "), "{log}");
        }
        assert_eq!(done.json()["jobs"][0]["attempts"], 3);
        assert_eq!(done.json()["jobs"][0]["state"], "succeeded");
        assert!(done.stderr.contains("Failed RY 2025 Q2 [call_summary] (attempt 1/3): exit code 7 - no connection"), "{}", done.stderr);
        assert!(done.stderr.contains("Executing RY 2025 Q2 [call_summary] (attempt 3/3)"), "{}", done.stderr);
    }

    fn a_job_that_fails_for_ever_fails_alone(world: &World) {
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        world.single_etl("[ \"$2\" != BMO ] || { echo working; echo 'Connection timeout'; exit 1; }\necho report > \"$4\"\n", &[]);

        let done = world.run_to(1, &[]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"]);
        assert!(done.stdout.contains("Successful: 2 ✅\nFailed: 1 ❌\n"), "{}", done.stdout);
        let named = "Failed Jobs:\n  ❌ BMO 2025 Q2 [call_summary]: Max retries exceeded - exit code 1 - Connection timeout\n";
        assert!(done.stdout.contains(named), "{}", done.stdout);
        assert_eq!(world.value("SELECT count(*) FROM etl_attempts WHERE outcome = 'exit_code'"), "3");
        assert_eq!(world.value("SELECT error FROM etl_jobs WHERE state = 'failed'"), "exit code 1 - Connection timeout");
        assert_eq!(world.value("SELECT state, planned, succeeded, failed FROM etl_runs"), "failed|3|2|1");

        world.run_to(3, &["--detailed-exit-code"]);
    }

    fn a_chain_that_waits_for_its_retry_leaves_its_slot_to_others(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q2");
        let retry = "retry: {max_attempts: 2, initial_delay: 1s, max_delay: 1s}";
        world.single_etl("echo \"$2\" >> order\n[ \"$(grep -c . order)\" -gt 1 ] || exit 1\necho report > \"$4\"\n", &[retry]);

        world.run_to(0, &["--max-parallel", "1"]);
        assert_eq!(world.read("order"), "RY\nBMO\nRY\n");
    }

    fn an_etl_may_have_fewer_attempts_than_others(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("exit 1\n", &["retry: {max_attempts: 1}"]);

        let done = world.run_to(1, &[]);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|exit_code"]);
        assert!(done.stdout.contains("❌ RY 2025 Q2 [call_summary]: exit code 1\n"), "{}", done.stdout);
    }

    fn what_failed_is_planned_again_by_the_next_run(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("exit 1\n", &[]);
        world.run_to(1, &[]);
        world.write("etl.sh", "echo report > \"$4\"\n");

        world.run_to(0, &[]);
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|failed", "RY-CA/2025Q2/call_summary|succeeded"]);
    }

    fn the_first_failure_ends_a_run_that_is_to_fail_fast(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q2");
        world.single_etl("exit 65\n", &[]);

        let done = world.run_to(1, &["--fail-fast", "--max-parallel", "1"]);
        assert_eq!(world.jobs(), ["BMO-CA/2025Q2/call_summary|cancelled", "RY-CA/2025Q2/call_summary|failed"]);
        assert!(done.stdout.contains("Not Run:\n  • 1 job: another job failed, and --fail-fast was given\n"), "{}", done.stdout);
    }
}
