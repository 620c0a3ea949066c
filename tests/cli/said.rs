//! What children say of their work: stages, metrics and errors, in the record, in JSON and in the summary.

use std::path::Path;

use crate::on_both_databases;
use crate::support::world::WAITS;
use crate::support::{World, until};

/// A shell function for messages about a stage.
const STAGE: &str = r#"stage() { printf '{"type":"TRACE","trace":{"type":"STREAM_STATUS","stream_status":{"stream_descriptor":{"name":"%s"},"status":"%s"}}}\n' "$1" "$2"; }
"#;

const STAGES: &str =
    "SELECT name, state, records_read, records_written, records_rejected, records_estimate, counts FROM etl_stages ORDER BY attempt, n";

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/children").join(name);
    std::fs::read_to_string(path).expect("the example")
}

/// The same whether the database writes spaces into JSON or not.
fn without_spaces_in_lists(rows: Vec<String>) -> Vec<String> {
    rows.into_iter().map(|row| row.replace(", ", ",")).collect()
}

on_both_databases! {
    fn the_examples_tell_their_stages(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        for (child, program) in [("report_stages.sh", "sh"), ("report_stages.py", "python3")] {
            world.write("child", &example(child));
            world.single_etl(&format!("exec {program} child \"$4\"\n"), &[]);
            let done = world.run_to(0, &["run", "--force", "--bank-symbol", "RY", "--format", "json"]).json();
            let metrics = serde_json::json!({"llm_cost_usd": 1.92, "tokens": 48113.0});
            assert_eq!((&done["results"]["metrics"], &done["jobs"][0]["metrics"]), (&metrics, &metrics), "{child}: {done:#}");
            let stages = without_spaces_in_lists(world.sql(STAGES));
            let expected = [
                "Snowflake Query|complete|245|245|0||[]",
                r#"DNC Check|complete|245|230|15|245|[["phones checked",735],["in DNC",15]]"#,
                "Results Upload|complete|230|230|0||[]",
            ];
            assert_eq!(stages, expected, "{child}");
            assert_eq!(world.sql("SELECT level, message FROM job_logs"), ["warn|15 records are on the list"], "{child}");
            let job = &world.run_to(0, &["jobs", "--limit", "1", "--format", "json"]).json()["jobs"][0];
            assert_eq!(job["metrics"], metrics);
            assert_eq!(world.run_to(0, &["runs", "--limit", "1", "--format", "json"]).json()["runs"][0]["metrics"], metrics);
            let tail = world.sql("SELECT tail FROM etl_attempts");
            assert_eq!(tail, ["WARN: 15 records are on the list", "done"], "messages are for programs");
            for table in ["etl_stages", "job_logs", "etl_metrics", "etl_attempts"] {
                world.sql(&format!("DELETE FROM {table}"));
            }
        }
    }

    fn stages_are_on_record_while_a_child_runs(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl(&format!("{STAGE}stage Load STARTED\n{WAITS}stage Load COMPLETE\necho report > \"$4\"\n"), &[]);
        let running = world.spawn(&["run", "-v"]);
        until("it waits", || world.path("waiting").exists());
        until("its stage is on record", || world.sql("SELECT name, state FROM etl_stages") == ["Load|started"]);
        world.write("go", "");
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stderr.contains("RY 2025 Q2 [call_summary] | Load: started\n"), "{done:?}");
        assert!(done.stderr.contains("RY 2025 Q2 [call_summary] | Load: done in "), "{done:?}");
        assert_eq!(world.sql("SELECT name, state FROM etl_stages"), ["Load|complete"]);
    }

    fn an_error_that_a_child_reports_is_the_attempts_error(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        let error = |kind: &str| format!(r#"echo '{{"type":"TRACE","trace":{{"type":"ERROR","error":{{"message":"no key for the LLM","failure_type":"{kind}"}}}}}}'"#);
        let judged = |script: &str, code: i32| {
            world.single_etl(script, &["retry: {max_attempts: 1}"]);
            world.run_to(code, &["run"]);
            world.sql("SELECT a.outcome, a.outcome_number, a.error, j.state FROM etl_attempts a JOIN etl_jobs j ON j.id = a.job_id ORDER BY a.started_at").pop().unwrap_or_default()
        };
        let config = error("config_error");
        assert_eq!(judged(&format!("{config}\necho report > \"$4\"\n"), 1), "reported_error|0|no key for the LLM|failed");
        assert_eq!(judged(&format!("{config}\nexit 1\n"), 1), "reported_error|1|no key for the LLM|failed");
        let incomplete = judged(&format!("{STAGE}stage Load INCOMPLETE\necho report > \"$4\"\n"), 1);
        assert_eq!(incomplete, "reported_error|0|stage Load is incomplete|failed");
        assert_eq!(world.sql("SELECT count(*) FROM aegis_reports"), ["0"]);
    }

    fn patterns_judge_ends_and_name_stages_of_children_that_know_nothing(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        let script = "echo 'INFO Connected to Snowflake' >&2; echo 'Filtered to 1,198 rows'; echo '⚠️ No transcript yet'; echo bye; exit 1\n";
        let patterns = [
            "outcomes: [{match: '^⚠️', is: not_ready}, {exit: 1, match: 'rate limit', is: transient}]",
            "progress: [{match: 'Connected to Snowflake', stage: Snowflake Query}, {match: 'Filtered to (\\S+)', stage: Pre-filtering, records: 1}]",
        ];
        world.single_etl(script, &patterns);
        let done = world.run_to(0, &["run"]);
        assert!(done.stdout.contains("not ready - ⚠️ No transcript yet"), "{done:?}");
        assert_eq!(world.sql("SELECT outcome, outcome_number FROM etl_attempts"), ["not_ready|1"]);
        let mut stages = world.sql("SELECT name, state, records_read FROM etl_stages");
        stages.sort();
        assert_eq!(stages.len(), 2, "{stages:?}");
        assert!(stages[0].starts_with("Pre-filtering|") && stages[0].ends_with("|1198"), "{stages:?}");
    }
}
