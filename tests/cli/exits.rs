//! What the end of a program means.

use crate::on_both_databases;
use crate::support::{Kind, World, etl};

/// Two banks, one slot, and these keys for `call_summary`; `key_themes` works. The first job of `call_summary` is to
/// show that it is set up wrongly.
fn call_summary_stops_for_everyone(world: &World, script: &str, keys: &[&str]) -> String {
    call_summary_of_ry_is("failed", world, script, keys)
}

/// The same, with the state in which the first job is left.
fn call_summary_of_ry_is(state: &str, world: &World, script: &str, keys: &[&str]) -> String {
    world.available("RY", 1, 2025, "Q2");
    world.available("BMO", 2, 2025, "Q2");
    let works = "command: [sh, -c, 'echo report > \"$0\"', \"{output}\"]";
    world.etls(script, &[etl("call_summary", "Call Summary", keys), etl("key_themes", "Key Themes", &[works])]);

    let done = world.run_to(1, &["--max-parallel", "1"]);
    assert_eq!(
        world.jobs(),
        [
            "BMO-CA/2025Q2/call_summary|cancelled",
            "BMO-CA/2025Q2/key_themes|succeeded",
            &format!("RY-CA/2025Q2/call_summary|{state}"),
            "RY-CA/2025Q2/key_themes|succeeded"
        ]
    );
    assert_eq!(world.attempts().len(), 3, "nothing was tried again");
    let told = "Not Run:\n  • 1 job: call_summary is set up wrongly, as another job showed\n";
    assert!(done.stdout.contains(told), "{}", done.stdout);
    done.stdout
}

on_both_databases! {
    fn a_permanent_failure_is_not_tried_again(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("echo 'No transcript data found'\nexit 65\n", &[]);

        let done = world.run_to(1, &[]);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|exit_code"]);
        assert!(done.stdout.contains("❌ RY 2025 Q2 [call_summary]: exit code 65 - No transcript data found\n"), "{}", done.stdout);
    }

    fn a_permanent_failure_after_a_retry_did_not_use_up_the_retries(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("[ -e once ] && exit 65\ntouch once\nexit 1\n", &[]);

        let done = world.run_to(1, &[]);
        assert!(done.stdout.contains("❌ RY 2025 Q2 [call_summary]: exit code 65\n"), "{}", done.stdout);
    }

    fn what_is_not_ready_is_skipped_and_no_failure(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("echo 'transcript is a draft'\nexit 66\n", &[]);

        let done = world.run_to(0, &[]);
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|skipped"]);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|not_ready"]);
        assert!(done.stdout.contains("Failed: 0 ❌\nSkipped: 1\n"), "{}", done.stdout);
        assert!(done.stdout.contains("Skipped Jobs:\n  • RY 2025 Q2 [call_summary]: not ready - transcript is a draft\n"), "{}", done.stdout);
        assert_eq!(world.run_to(0, &["--dry-run", "--format", "json"]).json()["gaps"]["planned"], 1, "it is planned again");
    }

    fn a_table_that_does_not_keep_the_rows_stops_the_etl_for_everyone(world: &World) {
        world.sql(match world.kind() {
            Kind::Sqlite => "CREATE TRIGGER forget BEFORE INSERT ON aegis_reports WHEN new.report_type = 'Call Summary' BEGIN SELECT RAISE(IGNORE); END",
            Kind::Postgres => "CREATE RULE forget AS ON INSERT TO aegis_reports WHERE new.report_type = 'Call Summary' DO INSTEAD NOTHING",
        });
        let text = call_summary_of_ry_is("running", world, "echo report > \"$4\"\n", &[]);
        let told = "❌ RY 2025 Q2 [call_summary]: it was done, but that is not on record yet; the next run records it: the row that was \
                    written to aegis_reports is not there: a rule, trigger, view or policy on it keeps it out; remove that\n";
        assert!(text.contains(told), "{text}");
        assert_eq!(world.value("SELECT coalesce(max(failed_runs), 0) FROM gap_states"), "0", "nobody is charged");
    }

    fn a_wrong_usage_stops_the_etl_for_everyone(world: &World) {
        let told = call_summary_stops_for_everyone(world, "echo 'no such option'\nexit 64\n", &[]);
        assert!(told.contains("❌ RY 2025 Q2 [call_summary]: exit code 64 - no such option\n"), "{told}");
    }

    fn a_command_that_its_shell_does_not_find_stops_the_etl_for_everyone(world: &World) {
        let told = call_summary_stops_for_everyone(world, "no-such-command-anywhere\n", &[]);
        assert!(told.contains("❌ RY 2025 Q2 [call_summary]: exit code 127 - "), "{told}");
    }

    fn a_missing_program_stops_the_etl_for_everyone(world: &World) {
        let told = call_summary_stops_for_everyone(world, "", &["command: [no-such-program-anywhere, \"{output}\"]"]);
        assert!(told.contains("❌ RY 2025 Q2 [call_summary]: could not be started: "), "{told}");
        assert!(told.contains("no-such-program-anywhere"), "{told}");
    }

    fn a_missing_directory_stops_the_etl_for_everyone(world: &World) {
        let told = call_summary_stops_for_everyone(world, "", &["cwd: no/such/directory"]);
        assert!(told.contains("❌ RY 2025 Q2 [call_summary]: could not be started: "), "{told}");
        assert!(told.contains("no/such/directory"), "{told}");
    }

    fn an_etl_may_have_its_own_exit_codes(world: &World) {
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        let codes = "exit_codes: {config: [2], not_ready: [3], permanent: [4]}";
        world.single_etl("case $2 in RY) exit 4;; BMO) exit 3;; TD) exit 2;; esac\n", &[codes]);

        world.run_to(1, &["--max-parallel", "1"]);
        assert_eq!(world.jobs(), ["BMO-CA/2025Q2/call_summary|skipped", "RY-CA/2025Q2/call_summary|failed", "TD-CA/2025Q2/call_summary|failed"]);
        assert_eq!(world.attempts().len(), 3);
        assert_eq!(world.value("SELECT outcome_number FROM etl_attempts WHERE outcome = 'not_ready'"), "3");
    }

    fn a_program_that_a_signal_ends_is_tried_again(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("[ -e once ] || { touch once; kill -KILL $$; }\necho report > \"$4\"\n", &[]);

        world.run_to(0, &[]);
        let attempts = world.sql("SELECT n, outcome, coalesce(outcome_number, 0) FROM etl_attempts ORDER BY n");
        assert_eq!(attempts, ["1|signal|9", "2|succeeded|0"]);
    }

    fn a_program_that_takes_too_long_is_ended_and_tried_again(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        let script = "[ -e for-ever ] && { echo report > \"$4\"; exit 0; }\nmkfifo for-ever\nread -r never < for-ever\n";
        world.single_etl(script, &["timeout: 1s"]);

        let done = world.run_to(0, &[]);
        assert_eq!(world.attempts()[0], "RY-CA/2025Q2/call_summary|1|timed_out");
        assert!(done.stderr.contains("(attempt 1/3): timed out after 1s"), "{}", done.stderr);
    }
}
