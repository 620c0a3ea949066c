//! Gaps are found and filled.

use crate::on_both_databases;
use crate::support::{Kind, World};

on_both_databases! {
    fn missing_reports_are_made_and_then_there_is_nothing_to_do(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q2");

        let first = world.run(&[]);
        assert_eq!(first.code, 0, "{first:?}");
        assert_eq!(
            world.reports(),
            ["BMO 2025 Q2 Call Summary", "BMO 2025 Q2 Key Themes", "RY 2025 Q2 Call Summary", "RY 2025 Q2 Key Themes"]
        );
        assert_eq!(world.read("reports/2025Q2/RY_call_summary.md"), "call_summary of RY for 2025Q2\n");
        assert_eq!(world.value("SELECT count(*) FROM etl_attempts WHERE outcome = 'succeeded'"), "4");

        let second = world.run(&["--format", "json"]);
        assert_eq!(second.code, 0, "{second:?}");
        assert_eq!(second.json()["gaps"]["total"], 0);
        assert_eq!(second.json()["existing_reports"], 4);
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs"), "4");
    }

    /// Here by a constraint of the users' own; a name too long for its column is the same.
    fn a_row_that_the_table_refuses_fails_its_job_and_stops_nobody_else(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q2");
        let refuses = match world.kind() {
            Kind::Sqlite => {
                "CREATE TRIGGER picky BEFORE INSERT ON aegis_reports WHEN NEW.bank_symbol = 'RY' \
                 BEGIN SELECT RAISE(ABORT, 'no such bank'); END"
            }
            Kind::Postgres => "ALTER TABLE aegis_reports ADD CHECK (bank_symbol <> 'RY')",
        };
        world.sql(refuses);
        let done = world.run(&["--etl-type", "call_summary"]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.contains("RY 2025 Q2 [call_summary]: Max retries exceeded - no output: exit 0, but the report's row"), "{done:?}");
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary"]);
        assert_eq!(world.jobs(), ["BMO-CA/2025Q2/call_summary|succeeded", "RY-CA/2025Q2/call_summary|failed"]);
    }
}
