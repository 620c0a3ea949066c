//! An ETL that writes its report's row and then ends badly: the report is there, so it is not made again.

use crate::on_both_databases;
use crate::support::{Kind, World, etl_with_row, insert_report};

/// An ETL that notes its start, writes its row unless it is there, and goes on with `then`.
fn writes_then(world: &World, then: &str, keys: &[&str]) {
    world.available("RY", 1, 2025, "Q2");
    let row = insert_report("RY", "$bank_id", "$year", "$quarter", "Call Summary", "new");
    let write = format!("year=${{3%Q*}}\nquarter=Q${{3#*Q}}\nbank_id=$4\nwrite() {{ sql \"{row}\"; }}\n");
    let script = format!("{}{write}echo started >> starts\n{then}\n", world.sql_function());
    world.etls(&script, &[etl_with_row("call_summary", "Call Summary", keys)]);
}

/// One start, a success with a remark, and nothing left to do.
fn made_once(world: &World, outcome: &str, remark: &str) {
    let done = world.run_to(0, &[]);
    assert_eq!(world.read("starts"), "started\n", "paid once");
    assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|succeeded"]);
    assert_eq!(world.attempts(), [format!("RY-CA/2025Q2/call_summary|1|{outcome}")], "what was seen stays on record");
    assert!(done.stdout.contains("Successful: 1 ✅"), "{}", done.stdout);
    let told = format!("⚠ RY 2025 Q2 [call_summary]: its report is there, but its ETL did not end well: {remark}\n");
    assert!(done.stdout.contains(&told), "{}", done.stdout);
    assert_eq!(world.run_to(0, &["--dry-run", "--format", "json"]).json()["gaps"]["planned"], 0);
    assert_eq!(world.value("SELECT coalesce(sum(failed_runs), 0) FROM gap_states"), "0", "the gap is charged nothing");
}

on_both_databases! {
    fn a_crash_after_the_row_is_a_success(world: &World) {
        writes_then(world, "write\necho 'free(): invalid pointer'\nkill -SEGV $$", &[]);
        made_once(world, "signal", "ended by signal 11 - free(): invalid pointer");
    }

    fn so_is_an_exit_code(world: &World) {
        writes_then(world, "write\nexit 3", &[]);
        made_once(world, "exit_code", "exit code 3");
    }

    fn so_is_one_that_would_quarantine(world: &World) {
        writes_then(world, "write\nexit 65", &[]);
        made_once(world, "exit_code", "exit code 65");
    }

    fn so_is_a_timeout(world: &World) {
        writes_then(world, "write\nsleep 1000 > /dev/null 2>&1", &["timeout: 1s", "grace: 1s"]);
        made_once(world, "timed_out", "timed out after 1s");
    }

    fn a_crash_before_the_row_is_tried_again(world: &World) {
        writes_then(world, "[ -e once ] || { touch once; kill -SEGV $$; }\nwrite", &[]);
        world.run_to(0, &[]);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|signal", "RY-CA/2025Q2/call_summary|2|succeeded"]);
    }

    /// What was there before says nothing of this attempt.
    fn a_forced_report_that_did_not_change_is_tried_again(world: &World) {
        writes_then(world, "kill -SEGV $$", &["retry: {max_attempts: 2}"]);
        world.report("RY", 1, 2025, "Q2", "Call Summary");
        world.run_to(1, &["--force", "--bank-symbol", "RY"]);
        assert_eq!(world.read("starts"), "started\nstarted\n");
    }

    fn a_forced_report_that_changed_is_not(world: &World) {
        writes_then(world, "sql \"UPDATE aegis_reports SET markdown_content = 'forced'\"\nkill -SEGV $$", &[]);
        world.report("RY", 1, 2025, "Q2", "Call Summary");
        world.run_to(0, &["--force", "--bank-symbol", "RY"]);
        assert_eq!(world.read("starts"), "started\n");
        assert_eq!(world.value("SELECT count(*) FROM gap_states WHERE forced_at IS NOT NULL"), "0", "the order is answered");
    }

    /// Another process writes the row while the job waits for its next attempt: here, with the record of the first one's end.
    fn a_row_that_comes_before_a_retry_is_seen(world: &World) {
        writes_then(world, "exit 75", &[]);
        world.run_to(0, &["--etl-type", "call_summary", "--bank-symbol", "TD"]);
        let row = insert_report("RY", "1", "2025", "Q2", "Call Summary", "new");
        world.sql(&match world.kind() {
            Kind::Sqlite => format!("CREATE TRIGGER late AFTER UPDATE OF outcome ON etl_attempts BEGIN {row}; END"),
            Kind::Postgres => format!(
                "CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {row}; RETURN NEW; END $$; \
                 CREATE TRIGGER late AFTER UPDATE OF outcome ON etl_attempts FOR EACH ROW EXECUTE FUNCTION late()"
            ),
        });
        world.run_to(0, &[]);
        assert_eq!(world.read("starts"), "started\n");
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|succeeded"]);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|exit_code"]);
    }
}
