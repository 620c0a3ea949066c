//! The metrics of a run, and the alert rules and the dashboard that use them. `promtool` is Prometheus' own checker.

use std::collections::BTreeSet;
use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;

use crate::on_both_databases;
use crate::support::world::Done;
use crate::support::{Kind, World};

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/monitoring").join(name)
}

/// Runs `promtool`; its output where it finds something wrong.
fn promtool(args: &[&str], input: &str) {
    let mut command = Command::new("promtool");
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("promtool of the package prometheus");
    child.stdin.take().expect("piped").write_all(input.as_bytes()).expect("it reads");
    let done = Done::of(&child.wait_with_output().expect("it ends"));
    assert_eq!(done.code, 0, "{done:?}\n{input}");
}

/// The samples of a metric, `{labels} value`.
fn samples(text: &str, metric: &str) -> Vec<String> {
    let of = |line: &str| line.strip_prefix(metric).filter(|rest| rest.starts_with([' ', '{'])).map(|rest| rest.trim().to_owned());
    text.lines().filter_map(of).collect()
}

/// RY's report is made, TD's fails for good, and a source is collected.
fn world_with_everything(kind: Kind) -> World {
    let world = World::new(kind);
    let says = r#"{"type": "TRACE", "trace": {"type": "ANALYTICS", "analytics": {"type": "llm_cost_usd", "value": "0.25"}}}"#;
    world.single_etl(&format!("echo '{says}'\n[ \"$2\" != TD ] || exit 65\necho report > \"$4\"\n"), &[]);
    world.also("sources:\n  daily:\n    every: 1d\n    command: [\"true\"]");
    world.also("tell: {textfile: etl-orch.prom}");
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
    world
}

on_both_databases! {
    fn node_exporter_gets_the_metrics_of_the_last_whole_run(world: &World) {
        let world = &world_with_everything(world.kind());
        let run = world.command(&[]);
        let mut command = Command::new("sh");
        command.args(["-c", "umask 077; exec \"$@\"", "sh"]).arg(run.get_program()).args(run.get_args()).current_dir(world.path("."));
        let done = Done::of(&command.output().expect("the binary starts"));
        assert_eq!(done.code, 1, "{done:?}");
        let file = world.path("etl-orch.prom");
        assert_eq!(fs::metadata(&file).expect("written").permissions().mode() & 0o777, 0o644, "everybody may read it");
        let text = world.read("etl-orch.prom");
        promtool(&["check", "metrics"], &text);
        let one = |metric: &str| samples(&text, metric).concat();
        assert_eq!((one("etl_orch_last_run_exit_code"), one("etl_orch_last_run_success")), ("1".to_owned(), "0".to_owned()));
        assert_eq!((one("etl_orch_reports"), one("etl_orch_spooled_ends")), ("1".to_owned(), "0".to_owned()));
        assert_eq!(one("etl_orch_last_success_timestamp_seconds"), "", "there was none");
        let has = |metric: &str, sample: &str| assert!(samples(&text, metric).iter().any(|found| found == sample), "{metric}{sample}: {text}");
        has("etl_orch_gaps", "{state=\"quarantined\"} 1");
        has("etl_orch_gaps", "{state=\"pending\"} 0");
        has("etl_orch_last_run_jobs", "{etl=\"call_summary\",state=\"succeeded\"} 1");
        has("etl_orch_last_run_jobs", "{etl=\"call_summary\",state=\"failed\"} 1");
        has("etl_orch_last_run_collections", "{source=\"daily\",state=\"succeeded\"} 1");
        has("etl_orch_source_windows_behind", "{source=\"daily\"} 0");
        has("etl_orch_source_overdue", "{source=\"daily\"} 0");
        has("etl_orch_last_run_metric", "{etl=\"call_summary\",metric=\"llm_cost_usd\"} 0.5");
        has("etl_orch_breaker_open", "{etl=\"call_summary\"} 0");
        let until: f64 = samples(&text, "etl_orch_source_collected_until_timestamp_seconds")[0].split(' ').nth(1).expect("a value").parse().expect("a number");
        assert!(until > 1.7e9 && until % 86_400.0 == 0.0, "{until}");

        // A run of a part leaves the file alone; a success is remembered by later failures.
        world.run_to(0, &["--bank-symbol", "RY"]);
        assert_eq!(world.read("etl-orch.prom"), text);
        world.run_to(0, &[]);
        let good = world.read("etl-orch.prom");
        let succeeded = samples(&good, "etl_orch_last_success_timestamp_seconds");
        assert_eq!(succeeded, samples(&good, "etl_orch_last_run_timestamp_seconds"));
        world.sql("ALTER TABLE aegis_reports RENAME TO elsewhere");
        world.run_to(2, &[]);
        let bad = world.read("etl-orch.prom");
        promtool(&["check", "metrics"], &bad);
        assert_eq!(samples(&bad, "etl_orch_last_success_timestamp_seconds"), succeeded);
        assert_eq!(samples(&bad, "etl_orch_last_run_exit_code"), ["2"]);
        assert_eq!(samples(&bad, "etl_orch_gaps"), [""; 0], "what could not be looked at is not 0");
    }
}

#[test]
fn the_alert_rules_are_valid_and_alert() {
    promtool(&["check", "rules", &example("alerts.yaml").display().to_string()], "");
    promtool(&["test", "rules", &example("alerts_test.yaml").display().to_string()], "");
}

#[test]
fn rules_and_dashboard_use_only_metrics_that_exist() {
    let world = world_with_everything(Kind::Sqlite);
    world.run_to(1, &[]);
    world.run_to(0, &[]);
    let name = Regex::new(r"etl_orch_[a-z_]+").expect("a pattern");
    let names = |text: &str| name.find_iter(text).map(|found| found.as_str().to_owned()).collect::<BTreeSet<String>>();
    let mut exist = names(&world.read("etl-orch.prom"));
    // The second run had nothing to do.
    exist.insert("etl_orch_last_run_metric".to_owned());
    let dashboard = fs::read_to_string(example("grafana-dashboard.json")).expect("the dashboard");
    let dashboard: serde_json::Value = serde_json::from_str(&dashboard).expect("valid JSON");
    let mut queries = BTreeSet::new();
    for target in dashboard["panels"].as_array().expect("panels").iter().flat_map(|panel| panel["targets"].as_array().into_iter().flatten())
    {
        queries.extend(names(target["expr"].as_str().expect("a query")));
    }
    let rules = fs::read_to_string(example("alerts.yaml")).expect("the rules");
    let tests = fs::read_to_string(example("alerts_test.yaml")).expect("their tests");
    for used in [queries, names(&rules), names(&tests)] {
        assert!(used.len() >= 8, "{used:?}");
        assert_eq!(used.difference(&exist).collect::<Vec<_>>(), [""; 0]);
    }
}
