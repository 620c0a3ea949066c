//! Exit 0 is no success: the report must be there, and be this attempt's.

use crate::on_both_databases;
use crate::support::{World, etl_with_row, insert_report};

/// What the summary says of the only job, which failed for want of output.
fn without_output(world: &World, args: &[&str]) -> String {
    let done = world.run_to(1, &[args, &["--format", "json"]].concat());
    let attempts = world.sql("SELECT outcome FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id WHERE j.state = 'failed'");
    assert_eq!(attempts, ["no_output"; 3], "{done:?}");
    done.json()["jobs"][0]["reason"].as_str().unwrap_or_default().to_owned()
}

/// An ETL that writes its row itself, by this statement.
fn etl_that_says(world: &World, statement: &str) {
    let script = format!("{}year=${{3%Q*}}\nquarter=Q${{3#*Q}}\nbank_id=$4\nsql \"{statement}\"\n", world.sql_function());
    world.etls(&script, &[etl_with_row("call_summary", "Call Summary", &[])]);
}

on_both_databases! {
    fn no_file_is_no_output(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("exit 0\n", &[]);
        assert_eq!(without_output(world, &[]), "no output: exit 0, but no file at {output}");
        assert_eq!(world.reports(), [""; 0]);
    }

    fn an_empty_file_is_no_output(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl(": > \"$4\"\n", &[]);
        assert_eq!(without_output(world, &[]), "no output: exit 0, but the file at {output} is empty");
        assert_eq!(world.reports(), [""; 0]);
    }

    fn a_link_is_no_output(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("ln -s \"$PWD/etl.sh\" \"$4\"\n", &[]);
        assert_eq!(without_output(world, &[]), "no output: exit 0, but {output} is no regular file");
        assert_eq!(world.reports(), [""; 0]);
    }

    fn a_directory_is_no_output(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("mkdir \"$4\"\ntouch \"$4/report\"\n", &[]);
        assert_eq!(without_output(world, &[]), "no output: exit 0, but {output} is no regular file");
    }

    fn a_file_that_lies_at_the_place_already_is_not_taken(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("mkdir -p \"reports/$3\"\necho report > \"reports/$3/$2_$1.md\"\n", &[]);
        assert_eq!(without_output(world, &[]), "no output: exit 0, but no file at {output}");
        assert_eq!(world.reports(), [""; 0]);
    }

    fn an_output_of_an_earlier_attempt_is_not_taken(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("[ -e once ] && exit 0\ntouch once\necho half > \"$4\"\nexit 1\n", &["retry: {max_attempts: 2}"]);
        world.run_to(1, &[]);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|exit_code", "RY-CA/2025Q2/call_summary|2|no_output"]);
        assert_eq!(world.reports(), [""; 0]);
    }

    fn a_row_that_the_etl_wrote_is_seen(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        etl_that_says(world, &insert_report("RY", "$bank_id", "$year", "$quarter", "Call Summary", "new"));
        world.run_to(0, &[]);
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    }

    fn a_row_that_the_etl_did_not_write_is_missed(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        etl_that_says(world, "SELECT 1");
        assert_eq!(without_output(world, &[]), "no output: exit 0, but the reports table has no Call Summary for bank_id 1, 2025 Q2");
    }

    fn a_row_of_another_period_or_type_is_not_the_one(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.report("RY", 1, 2025, "Q2", "Other Type");
        etl_that_says(world, &format!("DELETE FROM aegis_reports WHERE quarter = 'Q1'; {}", insert_report("RY", "$bank_id", "$year", "Q1", "Call Summary", "new")));
        assert_eq!(without_output(world, &[]), "no output: exit 0, but the reports table has no Call Summary for bank_id 1, 2025 Q2");
    }

    fn a_forced_report_that_did_not_change_is_no_output(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.report("RY", 1, 2025, "Q2", "Call Summary");
        etl_that_says(world, "SELECT 1");
        assert_eq!(without_output(world, &["--force", "--bank-symbol", "RY"]), "no output: exit 0, but the Call Summary is the one that was there before");
    }

    fn a_forced_report_that_changed_is_a_success(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.report("RY", 1, 2025, "Q2", "Call Summary");
        etl_that_says(world, "UPDATE aegis_reports SET markdown_content = 'forced $ETL_ORCH_FORCE'");
        let done = world.run_to(0, &["--force", "--bank-symbol", "RY"]);
        assert_eq!(world.value("SELECT markdown_content FROM aegis_reports"), "forced 1");
        assert!(done.stdout.contains("📋 GAPS IDENTIFIED: 1 report to be made\n"), "{}", done.stdout);
        assert!(done.stdout.contains("  • 2025 Q2: call_summary (exists; forced)\n"), "{}", done.stdout);
    }

    fn a_forced_report_takes_the_place_of_the_old_one(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("echo \"first ${ETL_ORCH_FORCE-}\" > \"$4\"\n", &[]);
        world.run_to(0, &[]);
        let first = world.value("SELECT execution_id FROM aegis_reports");
        world.write("etl.sh", "echo \"second $ETL_ORCH_FORCE\" > \"$4\"\n");

        world.run_to(0, &["--force", "--period", "2025Q2"]);
        assert_eq!(world.read("reports/2025Q2/RY_call_summary.md"), "second 1\n");
        assert_eq!(world.sql("SELECT markdown_content FROM aegis_reports"), ["second 1"]);
        assert_ne!(world.value("SELECT execution_id FROM aegis_reports"), first);
        assert_eq!(world.sql("SELECT forced FROM etl_jobs ORDER BY queued_at").len(), 2);
    }

    fn a_forced_job_that_fails_leaves_the_old_report(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("echo first > \"$4\"\n", &[]);
        world.run_to(0, &[]);
        world.write("etl.sh", "echo half > \"$4\"\nexit 65\n");

        world.run_to(1, &["--force", "--period", "2025Q2"]);
        assert_eq!(world.read("reports/2025Q2/RY_call_summary.md"), "first\n");
        assert_eq!(world.sql("SELECT markdown_content FROM aegis_reports"), ["first"]);
    }
}
