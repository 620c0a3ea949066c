//! What failed does not stand in the way of what was never tried, nor one bank in the way of another.

use crate::on_both_databases;
use crate::support::{World, etl};

/// Says which gap it is for; RY's reports cannot be made.
const MARKS: &str = "echo \"$2 $3\" >> marks\n[ \"$2\" != RY ] || exit 1\necho report > \"$4\"\n";
const ONCE: &str = "retry: {max_attempts: 1}";

/// Which gaps were tried, in order, since this was asked before.
fn marks(world: &World) -> Vec<String> {
    let marks = world.read("marks").lines().map(str::to_owned).collect();
    world.write("marks", "");
    marks
}

on_both_databases! {
    fn what_failed_does_not_keep_what_is_fresh_from_its_place(world: &World) {
        world.single_etl(MARKS, &[ONCE]);
        world.available("RY", 1, 2025, "Q2");
        world.available("BMO", 2, 2025, "Q1");
        world.run_to(1, &["--max-jobs", "1"]);
        assert_eq!(marks(world), ["RY 2025Q2"], "the newest first");
        let second = world.run_to(0, &["--max-jobs", "1"]);
        assert_eq!(marks(world), ["BMO 2025Q1"]);
        assert!(second.stdout.contains("Deferred: 1 left for the next run by max_jobs\n"), "{}", second.stdout);
        world.available("TD", 6, 2021, "Q1");
        world.run_to(0, &["--max-jobs", "1"]);
        assert_eq!(marks(world), ["TD 2021Q1"]);
        world.run_to(1, &["--max-jobs", "1"]);
        assert_eq!(marks(world), ["RY 2025Q2"], "when nothing is fresh");
    }

    fn chains_with_what_was_never_tried_go_first(world: &World) {
        world.single_etl(MARKS, &[ONCE]);
        world.available("RY", 1, 2025, "Q2");
        world.run_to(1, &[]);
        assert_eq!(marks(world), ["RY 2025Q2"]);
        world.available("BMO", 2, 2024, "Q3");
        world.available("TD", 6, 2024, "Q4");
        world.run_to(1, &["--max-parallel", "1"]);
        assert_eq!(marks(world), ["TD 2024Q4", "BMO 2024Q3", "RY 2025Q2"]);

        // A fresh gap moves its chain up, to where it alone would be; within the chain the newest period is first.
        world.available("RY", 1, 2023, "Q1");
        world.available("BMO", 2, 2023, "Q2");
        world.run_to(1, &["--max-parallel", "1"]);
        assert_eq!(marks(world), ["BMO 2023Q2", "RY 2025Q2", "RY 2023Q1"]);
    }

    fn a_bank_that_fails_in_three_periods_leaves_its_rest_to_the_next_run(world: &World) {
        world.write("etl.sh", MARKS);
        let etls = format!("etls:\n{}", etl("call_summary", "Call Summary", &[ONCE]));
        world.configure("cooldown: {initial: 1h, max: 12h}\n", &etls);
        for (year, quarter) in [(2025, "Q2"), (2025, "Q1"), (2024, "Q4"), (2024, "Q3"), (2024, "Q2")] {
            world.available("RY", 1, year, quarter);
            world.available("BMO", 2, year, quarter);
        }
        let first = world.run_to(1, &["--max-parallel", "1"]);
        assert!(first.stdout.contains("Not Run:\n  • 2 jobs: its bank failed in several periods in a row\n"), "{}", first.stdout);
        let tried = marks(world);
        assert_eq!(tried[..6], ["RY 2025Q2", "BMO 2025Q2", "RY 2025Q1", "BMO 2025Q1", "RY 2024Q4", "BMO 2024Q4"]);
        assert_eq!(tried[6..], ["BMO 2024Q3", "BMO 2024Q2"]);
        assert_eq!(world.reports().len(), 5);
        assert_eq!(world.value("SELECT count(*) FROM breakers"), "0", "one bank says nothing of the ETL");

        let second = world.run_to(1, &[]);
        assert_eq!(marks(world), ["RY 2024Q3", "RY 2024Q2"]);
        assert!(second.stdout.contains("Cooling down: 3\n"), "{}", second.stdout);
    }
}
