//! What is printed, where, and what becomes of it when nobody reads.

use std::io::{BufRead, BufReader};

use crate::on_both_databases;
use crate::support::{Kind, WAITS, World, until};

/// Puts fixed words in the place of what differs from run to run, and checks.
macro_rules! assert_printed {
    ($world:expr, $text:expr, @$expected:literal) => {
        let root = regex_of_path(&$world.path(""));
        insta::with_settings!({filters => vec![
            (root.as_str(), "[ROOT]/"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", "[TIME]"),
            (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", "[TIME]"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[ID]"),
            (r"(Run:|job) [0-9a-f]{8}", "$1 [ID]"),
            (r"logs/\d{4}-\d\d-\d\d/", "logs/[DAY]/"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "[TIME]"),
            (r"next try [-0-9 ]*\d\d:\d\d", "next try [CLOCK]"),
            (r"(in|after|Duration:) (\d+(\.\d)?s|\d+ms)\b", "$1 [SECONDS]"),
            (r#""duration_seconds": [0-9.e-]+"#, r#""duration_seconds": "[SECONDS]""#),
        ]}, { insta::allow_duplicates! { insta::assert_snapshot!($text, @$expected) } });
    };
}

fn regex_of_path(path: &std::path::Path) -> String {
    path.to_string_lossy().replace('.', "\\.")
}

/// Two banks with gaps; `key_themes` of BMO fails.
fn one_fails(world: &World) {
    world.available("RY", 1, 2025, "Q2");
    world.available("RY", 1, 2025, "Q1");
    world.available("BMO", 2, 2025, "Q2");
    world.report("RY", 1, 2025, "Q1", "Call Summary");
    world.write("etl.sh", "[ \"$2 $1\" != 'BMO key_themes' ] || { echo 'Connection timeout' >&2; exit 1; }\necho report > \"$4\"\n");
}

on_both_databases! {
    fn a_dry_run(world: &World) {
        one_fails(world);
        assert_printed!(world, world.run_to(0, &["--dry-run"]).stdout, @r###"
        ================================================================================
        ETL ORCHESTRATOR EXECUTION SUMMARY
        ================================================================================
        3 banks · 1 of 6 reports · 5 to be made

        Timestamp: [TIME]
        Monitored Institutions: 3 banks
        Data Availability: 3 bank-period combinations with transcripts
        Existing Reports: 1 report
        Reports In: [ROOT]/reports

        📋 GAPS IDENTIFIED: 5 missing reports
        --------------------------------------------------------------------------------

        Royal Bank of Canada (RY):
          • 2025 Q2: call_summary
          • 2025 Q2: key_themes
          • 2025 Q1: key_themes

        Bank of Montreal (BMO):
          • 2025 Q2: call_summary
          • 2025 Q2: key_themes

        Warnings:
          ⚠ 1 monitored bank without data for any ETL: TD-CA
        ================================================================================
        "###);
    }

    fn a_run_with_a_failure(world: &World) {
        one_fails(world);
        assert_printed!(world, world.run_to(1, &[]).stdout, @r###"
        ================================================================================
        ETL ORCHESTRATOR EXECUTION SUMMARY
        ================================================================================
        3 banks · 5 of 6 reports · 1 failed · 1 cooling down · next try [CLOCK]

        Timestamp: [TIME]
        Run: [ID]
        Monitored Institutions: 3 banks
        Data Availability: 3 bank-period combinations with transcripts
        Existing Reports: 1 report
        Reports In: [ROOT]/reports

        --------------------------------------------------------------------------------
        EXECUTION RESULTS
        --------------------------------------------------------------------------------
        Total Jobs: 5
        Successful: 4 ✅
        Failed: 1 ❌
        Duration: [SECONDS]

        Failed Jobs:
          ❌ BMO 2025 Q2 [key_themes]: Max retries exceeded - exit code 1 - Connection timeout
             job [ID], log [ROOT]/var/logs/[DAY]/[ID]/3.log

        📋 GAPS IDENTIFIED: 5 missing reports
        --------------------------------------------------------------------------------

        Royal Bank of Canada (RY):
          • 2025 Q2: call_summary
          • 2025 Q2: key_themes
          • 2025 Q1: key_themes

        Bank of Montreal (BMO):
          • 2025 Q2: call_summary
          • 2025 Q2: key_themes

        Warnings:
          ⚠ 1 monitored bank without data for any ETL: TD-CA
        ================================================================================
        "###);
    }

    fn a_run_with_a_failure_as_json(world: &World) {
        one_fails(world);
        assert_printed!(world, world.run_to(1, &["--format", "json", "--bank-symbol", "BMO"]).stdout, @r###"
        {
          "schema_version": 1,
          "kind": "run",
          "run_id": "[ID]",
          "timestamp": "[TIME]",
          "exit_code": 1,
          "institutions": 3,
          "availability": [
            {
              "tags": [
                "transcripts"
              ],
              "combinations": 1
            }
          ],
          "learnt_from_files": 0,
          "respooled": 0,
          "existing_reports": 0,
          "reports_in": [
            "[ROOT]/reports"
          ],
          "gaps": {
            "total": 2,
            "planned": 2,
            "startable": 2,
            "waiting": 0,
            "unrecorded": 0,
            "claimed": 0,
            "skipped": 0,
            "quarantined": 0,
            "cooling_down": 0,
            "behind_probe": 0,
            "deferred": 0,
            "made_again": 0
          },
          "jobs": [
            {
              "gap": "BMO-CA/2025Q2/call_summary",
              "bank": "BMO-CA",
              "bank_id": 2,
              "bank_name": "Bank of Montreal",
              "period": "2025Q2",
              "etl": "call_summary",
              "report_type": "Call Summary",
              "why": "missing",
              "gate": "open",
              "order": null,
              "id": "[ID]",
              "state": "succeeded",
              "attempts": 1,
              "duration_seconds": "[SECONDS]",
              "reason": null,
              "log": null
            },
            {
              "gap": "BMO-CA/2025Q2/key_themes",
              "bank": "BMO-CA",
              "bank_id": 2,
              "bank_name": "Bank of Montreal",
              "period": "2025Q2",
              "etl": "key_themes",
              "report_type": "Key Themes",
              "why": "missing",
              "gate": "open",
              "order": null,
              "id": "[ID]",
              "state": "failed",
              "attempts": 3,
              "duration_seconds": "[SECONDS]",
              "reason": "exit code 1 - Connection timeout",
              "log": "[ROOT]/var/logs/[DAY]/[ID]/3.log"
            }
          ],
          "waiting": [],
          "unrecorded": [],
          "claimed": [],
          "skipped": [],
          "quarantined": [],
          "cooling_down": [],
          "breakers": [],
          "sources": [],
          "results": {
            "total": 2,
            "succeeded": 1,
            "failed": 1,
            "skipped": 0,
            "not_run": 0,
            "duration_seconds": "[SECONDS]",
            "stopped": false,
            "metrics": {},
            "error": null
          },
          "invalid_rows": 0,
          "invalid": [],
          "unmonitored_symbols": [],
          "institutions_without_data": [],
          "late_banks": [],
          "unknown_tags": [],
          "similar_report_types": [],
          "unmatched": null,
          "lost": [],
          "warnings": []
        }
        "###);
    }

    fn a_quiet_run_prints_only_when_something_was_done(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        let busy = world.run_to(0, &["-q"]);
        assert!(busy.stdout.contains("Successful: 2 ✅"), "{}", busy.stdout);
        assert_eq!(busy.stderr, "");
        let idle = world.run_to(0, &["-q"]);
        assert_eq!((idle.stdout.as_str(), idle.stderr.as_str()), ("", ""));
    }

    fn a_quiet_run_prints_its_failures(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.single_etl("exit 65\n", &[]);
        let done = world.run_to(1, &["-q"]);
        assert!(done.stdout.contains("Failed: 1 ❌"), "{}", done.stdout);
        assert!(done.stderr.contains("Failed RY 2025 Q2 [call_summary]"), "{}", done.stderr);
    }
}

#[test]
fn what_happens_is_told_on_stderr() {
    let world = World::new(Kind::Sqlite);
    world.available("BMO", 2, 2025, "Q2");
    world.write("etl.sh", "[ \"$1\" != key_themes ] || { echo 'Connection timeout' >&2; exit 1; }\necho report > \"$4\"\n");
    let done = world.run_to(1, &[]);
    assert_printed!(world, done.stderr, @r###"
    [TIME] [INFO] Starting parallel execution of 2 ETL jobs in 1 chain (max 4 parallel)
    [TIME] [INFO] Executing BMO 2025 Q2 [call_summary] (attempt 1/3)
    [TIME] [INFO] ✅ Success BMO 2025 Q2 [call_summary] in [SECONDS]
    [TIME] [INFO] Executing BMO 2025 Q2 [key_themes] (attempt 1/3)
    [TIME] [ERROR] ❌ Failed BMO 2025 Q2 [key_themes] (attempt 1/3): exit code 1 - Connection timeout (job [ID], log [ROOT]/var/logs/[DAY]/[ID]/1.log)
    [TIME] [INFO] Retrying BMO 2025 Q2 [key_themes] in [SECONDS] (attempt 2/3)
    [TIME] [INFO] Executing BMO 2025 Q2 [key_themes] (attempt 2/3)
    [TIME] [ERROR] ❌ Failed BMO 2025 Q2 [key_themes] (attempt 2/3): exit code 1 - Connection timeout (job [ID], log [ROOT]/var/logs/[DAY]/[ID]/2.log)
    [TIME] [INFO] Retrying BMO 2025 Q2 [key_themes] in [SECONDS] (attempt 3/3)
    [TIME] [INFO] Executing BMO 2025 Q2 [key_themes] (attempt 3/3)
    [TIME] [ERROR] ❌ Failed BMO 2025 Q2 [key_themes] after [SECONDS]: exit code 1 - Connection timeout (job [ID], log [ROOT]/var/logs/[DAY]/[ID]/3.log)
    "###);
}

#[test]
fn stdout_is_nothing_but_the_summary() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("echo to stdout\necho to stderr >&2\necho report > \"$4\"\n", &[]);
    let done = world.run_to(0, &["-v"]);
    assert!(done.stdout.starts_with("====") && done.stdout.ends_with("====\n"), "{}", done.stdout);
    assert!(!done.stdout.contains("to std") && !done.stdout.contains("[INFO]"), "{}", done.stdout);
    assert!(done.stderr.contains("RY 2025 Q2 [call_summary] | to stdout\n"), "{}", done.stderr);
    assert!(done.stderr.contains("RY 2025 Q2 [call_summary] | to stderr\n"), "{}", done.stderr);
}

#[test]
fn what_programs_print_never_controls_the_terminal() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("printf '\\033[2J\\033]0;owned\\007 gone \\302\\233 wrong\\n'\nexit 1\n", &[]);
    for format in ["text", "json"] {
        let done = world.run_to(1, &["-v", "--format", format]);
        for text in [&done.stdout, &done.stderr] {
            assert!(text.chars().all(|c| c == '\n' || !c.is_control()), "{text:?}");
            assert!(text.contains("gone"), "{text}");
        }
    }
}

#[test]
fn log_lines_may_be_json() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("echo 'a line \"of\" the child'\nexit 1\n", &[]);
    let done = world.run_to(1, &["-v", "--log-format", "json"]);
    assert!(done.stderr.lines().count() > 5, "{}", done.stderr);
    let lines: Vec<serde_json::Value> =
        done.stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    assert!(!done.stderr.contains(['✅', '❌']), "{}", done.stderr);
    assert!(lines.iter().all(|line| line["level"].is_string() && line["timestamp"].is_string() && line["message"].is_string()));
    assert!(
        lines.iter().any(|line| line["message"] == "a line \"of\" the child" && line["job"] == "RY 2025 Q2 [call_summary]"),
        "{}",
        done.stderr
    );
    assert!(done.stdout.starts_with("===="), "the summary stays text: {}", done.stdout);

    let (run, job) = (world.value("SELECT id FROM etl_runs"), world.value("SELECT id FROM etl_jobs"));
    let of = |event: &str| lines.iter().filter(|line| line["event"] == event).cloned().collect::<Vec<_>>();
    assert_eq!((of("run_started").len(), &of("run_started")[0]["jobs"]), (1, &1.into()));
    let of_job = ["attempt_started", "output", "attempt_failed", "retry_scheduled", "job_ended"].map(of);
    assert_eq!(of_job.each_ref().map(Vec::len), [3, 3, 2, 2, 1]);
    for line in of_job.iter().flatten() {
        assert_eq!((&line["run_id"], &line["job_id"]), (&run.as_str().into(), &job.as_str().into()), "{line}");
        assert_eq!(line["gap"], "RY-CA/2025Q2/call_summary", "{line}");
        assert_eq!((&line["bank"], &line["period"], &line["etl"]), (&"RY-CA".into(), &"2025Q2".into(), &"call_summary".into()), "{line}");
        assert!(line.get("source").is_none(), "{line}");
    }
    let [started, _, failed, retry, ended] = of_job;
    assert_eq!((&started[1]["attempt"], &started[1]["attempts"]), (&2.into(), &3.into()));
    for line in [&failed[0], &ended[0]] {
        assert_eq!((&line["exit_code"], &line["outcome"]), (&1.into(), &"exit_code".into()), "{line}");
        assert!(line["duration_seconds"].is_f64() && line["reason"].is_string(), "{line}");
    }
    assert_eq!((&retry[0]["attempt"], &retry[0]["delay_seconds"]), (&2.into(), &0.001.into()));
    assert_eq!((&ended[0]["state"], &ended[0]["attempt"]), (&"failed".into(), &3.into()));
}

#[test]
fn errors_are_json_where_log_lines_are() {
    let world = World::new(Kind::Sqlite);
    let done = world.run_to(2, &["--log-format", "json", "--bank-symbol", "XX"]);
    let line: serde_json::Value = serde_json::from_str(done.stderr.trim_end()).unwrap_or_else(|error| panic!("{error}: {}", done.stderr));
    assert_eq!(line["level"], "ERROR");
    assert!(line["message"].as_str().is_some_and(|message| message.contains("unknown bank \"XX\"")), "{line}");
}

#[test]
fn a_reader_that_goes_away_does_not_end_the_run() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.write("etl.sh", &format!("{WAITS}echo line\necho report > \"$4\"\n"));

    // stdout and stderr in one pipe, of which one line is read: `etl-orch -v 2>&1 | head -1`.
    let (reader, writer) = std::io::pipe().expect("a pipe");
    let mut command = world.command(&["-v", "--format", "json"]);
    command.stdout(writer.try_clone().expect("a handle")).stderr(writer);
    let mut run = command.spawn().expect("the binary starts");
    drop(command);
    let mut first = String::new();
    let mut reader = BufReader::new(reader);
    reader.read_line(&mut first).expect("a line");
    until("the first job waits", || world.path("waiting").exists());
    drop(reader);
    world.write("go", "");

    assert_eq!(run.wait().expect("a status").code(), Some(0));
    assert_eq!(world.reports().len(), 2);
    assert_eq!(world.value("SELECT state FROM etl_runs"), "succeeded");
}

#[test]
fn a_wait_for_the_lock_that_nobody_reads_of_ends_well() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl(&format!("{WAITS}echo report > \"$4\"\n"), &[]);
    let holder = world.spawn(&[]);
    until("the first job waits", || world.path("waiting").exists());

    let (reader, writer) = std::io::pipe().expect("a pipe");
    drop(reader);
    let mut command = world.command(&["--lock-wait", "1ms"]);
    assert_eq!(command.stderr(writer).status().expect("the binary starts").code(), Some(75));
    world.write("go", "");
    assert_eq!(holder.wait().code, 0);
}

#[test]
fn a_disk_that_is_full_is_an_error() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
    let output = world.command(&[]).stdout(full).output().expect("the binary starts");
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.contains("cannot write to stdout"), "{told}");
    assert_eq!(world.reports().len(), 2, "the work was done");
    for page in ["--help", "--version", "man"] {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").expect("/dev/full");
        let output = world.command(&[page]).stdout(full).output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(1), "{page}");
        assert!(String::from_utf8_lossy(&output.stderr).contains("cannot write to stdout"), "{page}");
    }
}

#[test]
fn a_long_job_is_named_in_the_warnings() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("echo report > \"$4\"\n", &["warn_after: 1ns"]);
    let done = world.run_to(0, &[]);
    assert!(done.stdout.contains("  ⚠ RY 2025 Q2 [call_summary] took "), "{}", done.stdout);
    assert!(done.stdout.contains("s, longer than warn_after 1ns\n"), "{}", done.stdout);
}
