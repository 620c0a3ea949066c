//! A report that needs another is made after it, or not at all.

use crate::on_both_databases;
use crate::support::{World, etl};

const WRITES: &str = "echo \"$2 $3 $1\" >> order\necho report > \"$4\"\n";

fn key_themes_need_the_summary(world: &World, script: &str) {
    world.etls(script, &[etl("call_summary", "Call Summary", &[]), etl("key_themes", "Key Themes", &["needs: [call_summary]"])]);
}

on_both_databases! {
    fn a_need_is_met_earlier_in_the_run(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        key_themes_need_the_summary(world, WRITES);

        world.run_to(0, &[]);
        assert_eq!(world.read("order"), "RY 2025Q2 call_summary\nRY 2025Q2 key_themes\n");
    }

    fn a_need_is_met_by_a_report_that_exists(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.report("RY", 1, 2025, "Q2", "Call Summary");
        key_themes_need_the_summary(world, WRITES);

        world.run_to(0, &["--etl-type", "key_themes"]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "RY 2025 Q2 Key Themes"]);
    }

    fn what_needs_a_report_that_nobody_makes_waits_and_says_so(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.report("RY", 1, 2025, "Q1", "Call Summary");
        key_themes_need_the_summary(world, WRITES);

        let text = world.run_to(0, &["--etl-type", "key_themes"]).stdout;
        assert!(text.contains("Waiting: 1\n  • RY-CA/2025Q2/key_themes: needs call_summary\n"), "{text}");
        assert!(text.contains("📋 GAPS IDENTIFIED: 1 missing report\n"), "{text}");
        let json = world.run_to(0, &["--etl-type", "key_themes", "--format", "json"]).json();
        assert_eq!(json["waiting"], serde_json::json!([{"gap": "RY-CA/2025Q2/key_themes", "needs": "call_summary"}]));
        assert_eq!(world.reports(), ["RY 2025 Q1 Call Summary"]);
    }

    fn what_needs_a_report_that_could_not_be_made_is_not_run(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q2");
        key_themes_need_the_summary(world, "[ \"$2 $1\" != 'RY call_summary' ] || exit 65\necho report > \"$4\"\n");

        let done = world.run_to(1, &[]);
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary", "BMO 2025 Q2 Key Themes"]);
        assert!(world.jobs().contains(&"RY-CA/2025Q2/key_themes|cancelled".to_owned()), "{:?}", world.jobs());
        assert!(done.stdout.contains("Not Run:\n  • 1 job: it needs call_summary, which was not made\n"), "{}", done.stdout);
    }

    fn what_needs_a_report_that_is_not_ready_is_not_run_and_no_failure(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        key_themes_need_the_summary(world, "exit 66\n");

        world.run_to(0, &[]);
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|skipped", "RY-CA/2025Q2/key_themes|cancelled"]);
    }
}
