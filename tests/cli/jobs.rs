//! Gaps are found and filled.

use crate::on_both_databases;
use crate::support::World;

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
}
