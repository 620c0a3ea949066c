//! Runs and jobs are on record.

use crate::on_both_databases;
use crate::support::World;

on_both_databases! {
    fn a_run_is_on_record_with_its_options_and_counts(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q2");
        world.single_etl("[ \"$2\" = RY ] || exit 66\necho report > \"$4\"\n", &[]);
        let done = world.run_to(0, &["--period", "2025Q2", "--bank-symbol", "ry", "--bank-symbol", "BMO", "--max-jobs", "7", "--format", "json"]);

        assert_eq!(world.value("SELECT state, planned, succeeded, failed, skipped, cancelled FROM etl_runs"), "succeeded|2|1|0|1|0");
        assert_eq!(world.value("SELECT count(*) FROM etl_runs WHERE ended_at >= started_at"), "1");
        assert_eq!(world.value("SELECT version FROM etl_runs"), env!("CARGO_PKG_VERSION"));
        assert_eq!(Some(world.value("SELECT id FROM etl_runs").as_str()), done.json()["run_id"].as_str());
        let options: serde_json::Value = serde_json::from_str(&world.value("SELECT options FROM etl_runs")).expect("JSON");
        assert_eq!(options["bank_symbol"], serde_json::json!(["ry", "BMO"]));
        assert_eq!(options["period"], serde_json::json!(["2025Q2"]));
        assert_eq!(options["max_jobs"], 7);
    }

    fn a_job_is_on_record_with_its_gap_and_place(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        let done = world.run_to(0, &["--format", "json"]);
        let jobs = world.sql("SELECT gap_key, etl, bank_key, bank_id, fiscal_year, quarter, position, state FROM etl_jobs ORDER BY position");
        assert_eq!(
            jobs,
            [
                "RY-CA/2025Q2/call_summary|call_summary|RY-CA|1|2025|Q2|0|succeeded",
                "RY-CA/2025Q2/key_themes|key_themes|RY-CA|1|2025|Q2|1|succeeded"
            ]
        );
        let ids = world.sql("SELECT id FROM etl_jobs ORDER BY position");
        for (position, id) in ids.iter().enumerate() {
            assert_eq!(done.json()["jobs"][position]["id"].as_str(), Some(id.as_str()));
        }
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE ended_at >= started_at AND started_at >= queued_at"), "2");
    }

    fn a_run_with_nothing_to_do_is_on_record_and_says_so(world: &World) {
        let done = world.run_to(0, &[]);
        assert!(done.stdout.contains("NO DATA: no monitored bank has the required data\n"), "{}", done.stdout);
        assert_eq!(world.value("SELECT state, planned FROM etl_runs"), "succeeded|0");
    }

    fn the_fence_of_a_gap_only_grows(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("exit 1\n", &[]);
        world.run_to(1, &[]);
        world.run_to(1, &[]);
        assert_eq!(world.sql("SELECT fence FROM etl_jobs ORDER BY queued_at"), ["1", "2"]);
    }
}
