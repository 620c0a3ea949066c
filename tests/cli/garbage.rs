//! Our own tables with rows that nobody wrote so, through the binary: they are named, and stop nobody.

use crate::on_both_databases;
use crate::support::{Kind, World};

/// Values that no version writes, by the database.
fn spoil(world: &World) {
    let (never, minus) = match world.kind() {
        Kind::Sqlite => ("'soon'", "'-5'"),
        Kind::Postgres => ("'infinity'", "-5"),
    };
    world.sql(&format!("UPDATE gap_states SET rest_until = {never}, rest_since = {never} WHERE gap_key = 'BMO-CA/2025Q2/call_summary'"));
    world.sql(&format!("UPDATE gap_states SET failed_runs = {minus}, noted = TRUE WHERE gap_key = 'RY-CA/2025Q2/call_summary'"));
    world.sql(&format!("UPDATE etl_runs SET started_at = {never}, ended_at = {never}"));
    world.sql("UPDATE etl_jobs SET run_id = run_id, gap_key = 'no gap' WHERE gap_key = 'RY-CA/2025Q2/call_summary'");
    world.sql(&format!("UPDATE breakers SET opened_at = {never}"));
}

on_both_databases! {
    fn records_that_cannot_be_read_are_named_and_stop_nobody(world: &World) {
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        world.single_etl("exit 1\n", &[]);
        world.run_to(1, &[]);
        world.single_etl("echo report > \"$4\"\n", &[]);
        spoil(world);

        for args in [&["--dry-run"][..], &[]] {
            let done = world.run_to(0, args);
            assert!(!done.stderr.contains("panicked"), "{done:?}");
            let text = &done.stdout;
            for (bank, column) in [("BMO-CA", "rest_"), ("RY-CA", "failed_runs")] {
                let told = format!("{bank}/2025Q2/call_summary: by etl-orch since ");
                let line = text.lines().find(|line| line.contains(&told)).unwrap_or_else(|| panic!("{told:?} is not said: {text}"));
                assert!(line.contains(&format!("its record cannot be read: gap_states.{column}")), "{line}");
                assert!(line.ends_with("; `etl-orch retry` writes it anew"), "{line}");
            }
            for named in ["breakers.opened_at of \"call_summary\" is ", "gap_states.failed_runs of \"RY-CA/2025Q2/call_summary\" is "] {
                assert!(done.stderr.contains(&format!("a record that cannot be read is left alone: {named}")), "{named}: {}", done.stderr);
            }
        }
        assert_eq!(world.reports(), ["TD 2025 Q2 Call Summary"], "the others go on");

        world.run_to(0, &["sources"]);
        for bank in ["RY-CA", "BMO-CA"] {
            world.run_to(0, &["retry", &format!("{bank}/2025Q2/call_summary"), "--reason", "written anew"]);
        }
        world.run_to(0, &[]);
        assert_eq!(world.reports().len(), 3);
    }
}
