//! What is available can be learnt from files.

use crate::on_both_databases;
use crate::support::{World, etl};

const SYNC: &str = "availability: {sync: [{tag: transcripts, files: \"in/{bank_symbol}_{fiscal_year}_{quarter}.txt\"}]}";

fn learns_from_files(world: &World) {
    world.single_etl("echo report > \"$4\"\n", &[]);
    world.also(SYNC);
}

on_both_databases! {
    fn a_file_makes_a_gap_once(world: &World) {
        learns_from_files(world);
        world.write("in/RY_2025_Q2.txt", "words");
        world.write("in/BMO-CA_2025_Q1.txt", "words");
        world.write("in/readme.md", "nothing of ours");

        let first = world.run_to(0, &[]);
        assert!(first.stdout.contains("New Data: 2 entries learnt from files\n"), "{}", first.stdout);
        assert_eq!(world.reports(), ["BMO 2025 Q1 Call Summary", "RY 2025 Q2 Call Summary"]);
        let rows = "SELECT bank_symbol, bank_id, bank_name, fiscal_year, quarter FROM aegis_data_availability ORDER BY 1";
        assert_eq!(world.sql(rows), ["BMO|2|Bank of Montreal|2025|Q1", "RY|1|Royal Bank of Canada|2025|Q2"]);

        let second = world.run_to(0, &["--format", "json"]).json();
        assert_eq!((&second["learnt_from_files"], &second["gaps"]["total"]), (&0.into(), &0.into()));
        assert_eq!(world.sql(rows).len(), 2);
    }

    fn a_file_adds_its_tag_to_a_row_that_is_there(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.etls("echo report > \"$4\"\n", &[etl("call_summary", "Call Summary", &["requires: [transcripts, prices]"])]);
        world.also("availability: {sync: [{tag: prices, files: \"in/{period}/{bank_key}.csv\"}]}");
        world.write("in/2025Q2/RY-CA.csv", "1");

        assert_eq!(world.run_to(0, &["--dry-run", "--format", "json"]).json()["gaps"]["planned"], 1);
        world.run_to(0, &[]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
        assert_eq!(world.value("SELECT count(*) FROM aegis_data_availability"), "1");
    }

    fn names_that_are_no_period_and_empty_files_are_named(world: &World) {
        learns_from_files(world);
        world.write("in/RY_2025_Q7.txt", "words");
        world.write("in/TD_2025_Q2.txt", "");
        world.write("in/BMO_2025_Q2.txt", "words");

        let done = world.run_to(0, &[]);
        for told in [
            "/in/RY_2025_Q7.txt: quarter \"Q7\" is not one of Q1, Q2, Q3, Q4; the file is passed over\n",
            "/in/TD_2025_Q2.txt is empty; it is passed over\n",
        ] {
            assert!(done.stdout.contains(told), "{told}: {}", done.stdout);
        }
        assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary"]);
    }

    fn a_file_of_a_bank_that_nobody_monitors_is_named(world: &World) {
        learns_from_files(world);
        world.write("in/XX_2025_Q2.txt", "words");
        world.write("in/ry_2025_Q2.txt", "words");
        let done = world.run_to(0, &[]);
        let told = "  ⚠ 2 symbols in file names that nobody monitors: XX, ry\n";
        assert!(done.stdout.contains(told), "{}", done.stdout);
        assert_eq!(world.value("SELECT count(*) FROM aegis_data_availability"), "0");
    }

    fn two_files_of_one_bank_and_period_are_learnt_once(world: &World) {
        learns_from_files(world);
        world.write("in/RY_2025_Q2.txt", "words");
        world.write("in/RY-CA_2025_Q2.txt", "words");
        assert_eq!(world.run_to(0, &["--dry-run", "--format", "json"]).json()["learnt_from_files"], 1);
        assert_eq!(world.run_to(0, &["--format", "json"]).json()["learnt_from_files"], 1);
        assert_eq!(world.value("SELECT count(*) FROM aegis_data_availability"), "1");
    }

    fn a_directory_that_is_not_there_holds_nothing(world: &World) {
        learns_from_files(world);
        world.run_to(0, &[]);
    }
}
