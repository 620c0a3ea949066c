//! A dry run changes nothing, and says what the next run does.

use crate::on_both_databases;
use crate::support::{Kind, WAITS, World, until};

fn gaps(json: &serde_json::Value) -> Vec<&str> {
    json["jobs"].as_array().expect("jobs").iter().map(|job| job["gap"].as_str().unwrap_or_default()).collect()
}

/// Everything in the database and in the state directory.
fn everything(world: &World) -> (Vec<(std::path::PathBuf, Vec<u8>)>, Vec<String>) {
    let tables = match world.kind() {
        Kind::Sqlite => Vec::new(), // its file is in the state directory
        Kind::Postgres => {
            let mut found = world.sql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'etl%'");
            for table in ["aegis_data_availability", "aegis_reports"] {
                found.extend(world.sql(&format!("SELECT t::text, xmin::text FROM {table} t ORDER BY 1")));
            }
            found
        }
    };
    (world.bytes_below("var"), tables)
}

on_both_databases! {
    fn the_run_does_what_the_dry_run_said(world: &World) {
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
            world.available(symbol, id, 2024, "Q3");
        }
        world.report("RY", 1, 2025, "Q2", "Call Summary");
        world.settings("availability: {sync: [{tag: transcripts, files: \"in/{bank_symbol}_{period}.txt\"}]}\nrun: {max_jobs: 9}\n");
        world.write("in/TD_2025Q3.txt", "words");
        world.write("in/RY_2025Q9.txt", "words");

        let said = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        let did = world.run_to(0, &["--format", "json"]).json();
        assert_eq!((said["kind"].as_str(), did["kind"].as_str()), (Some("dry_run"), Some("run")));
        assert_eq!(gaps(&said), gaps(&did));
        assert_eq!(gaps(&said)[0], "TD-CA/2025Q3/call_summary", "learnt from a file");
        for fact in ["availability", "existing_reports", "gaps", "learnt_from_files", "warnings", "institutions_without_data"] {
            assert_eq!(said[fact], did[fact], "{fact}");
        }
        assert_eq!(did["results"]["succeeded"], 9);
    }

    fn a_dry_run_before_the_first_run_changes_nothing(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.settings("availability: {sync: [{tag: transcripts, files: \"in/{bank_symbol}_{period}.txt\"}]}\n");
        world.write("in/TD_2025Q3.txt", "words");
        let before = everything(world);
        world.run_to(0, &["--dry-run"]);
        world.run_to(4, &["--dry-run", "--detailed-exit-code"]);
        assert!(everything(world) == before);
        assert!(!world.path("reports").exists());
    }

    fn a_dry_run_after_a_run_changes_nothing(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.run_to(0, &[]);
        world.available("BMO", 2, 2025, "Q2");
        let (files, tables) = everything(world);
        let records = world.sql("SELECT count(*) FROM etl_runs");
        let said = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!(gaps(&said), ["BMO-CA/2025Q2/call_summary", "BMO-CA/2025Q2/key_themes"]);
        let after = everything(world);
        assert_eq!(after.0.iter().map(|(path, _)| path).collect::<Vec<_>>(), files.iter().map(|(path, _)| path).collect::<Vec<_>>());
        assert!(after == (files, tables));
        assert_eq!(world.sql("SELECT count(*) FROM etl_runs"), records);
    }

    fn a_dry_run_needs_no_lock_and_sees_what_is_running(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl(&format!("{WAITS}echo report > \"$4\"\n"), &[]);
        let run = world.spawn(&[]);
        until("the job waits", || world.path("waiting").exists());

        world.available("BMO", 2, 2025, "Q2");
        let said = world.run_to(0, &["--dry-run", "--format", "json"]).json();
        assert_eq!(gaps(&said), ["BMO-CA/2025Q2/call_summary"]);
        assert_eq!(said["claimed"][0]["gap"], "RY-CA/2025Q2/call_summary");
        assert_eq!(said["claimed"][0]["pid"], run.orchestrator());
        let text = world.run_to(0, &["--dry-run"]).stdout;
        assert!(text.contains("Running elsewhere: 1\n  • RY-CA/2025Q2/call_summary: process "), "{text}");

        world.write("go", "");
        assert_eq!(run.wait().code, 0);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    }

    fn a_dry_run_with_nothing_to_do_has_found_no_gaps(world: &World) {
        let done = world.run_to(0, &["--dry-run", "--detailed-exit-code"]);
        assert!(done.stdout.contains("NO DATA: no monitored bank has the required data\n"), "{}", done.stdout);
    }
}

#[test]
fn a_dry_run_makes_no_database() {
    let world = World::new(Kind::Sqlite);
    std::fs::remove_dir_all(world.path("var")).expect("removed");
    world.run(&["--dry-run"]);
    assert!(!world.path("var").exists());
}
