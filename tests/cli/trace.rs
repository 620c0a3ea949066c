//! A job or a run from planning to output: `trace`.

use crate::on_both_databases;
use crate::quickstart::QuickStart;
use crate::support::world::{WAITS, kill};
use crate::support::{Kind, World, until};

const GAP: &str = "RY-CA/2025Q2/call_summary";

const PUBLISHED: &str = "[OK] Publication - its row is written, its file in its place";

/// The lines of a section.
fn section<'a>(page: &'a str, name: &str) -> Vec<&'a str> {
    let after = page.lines().skip_while(|line| *line != format!("{name}:")).skip(1);
    after.take_while(|line| !line.is_empty()).map(str::trim).collect()
}

/// The trace of what these words name.
fn trace(world: &World, words: &[&str]) -> String {
    world.run_to(0, &[&["trace"], words].concat()).stdout
}

fn issues(world: &World, words: &[&str]) -> Vec<String> {
    section(&trace(world, words), "Issues Found").into_iter().map(str::to_owned).collect()
}

/// A world in which RY's report was made in an earlier run, and is made again by force.
fn made_twice(world: &World) -> String {
    world.single_etl("echo report $(cat n) > \"$4\"\n", &["warn_after: 50s"]);
    world.available("RY", 1, 2025, "Q2");
    world.write("n", "1");
    world.run_to(0, &[]);
    let first = world.value("SELECT id FROM etl_jobs");
    stage(world, &first, (1, "Query", "complete"), Some(1), "4, 4, 0");
    world.write("n", "2");
    world.run_to(0, &["--force", "--bank-symbol", "RY"]);
    world.value(&format!("SELECT id FROM etl_jobs WHERE id <> '{first}'"))
}

/// Records that the first attempt of a job had this stage, which took so many seconds.
fn stage(world: &World, job: &str, (n, name, state): (u32, &str, &str), took: Option<u32>, records: &str) {
    let start = "2026-01-01T10:00:00.000000Z";
    let end = took.map_or("NULL".to_owned(), |seconds| format!("'2026-01-01T10:{:02}:{:02}.000000Z'", seconds / 60, seconds % 60));
    world.sql(&format!(
        "INSERT INTO etl_stages (job_id, attempt, n, name, state, started_at, ended_at, records_read, records_written, records_rejected, counts)
         VALUES ('{job}', 1, {n}, '{name}', '{state}', '{start}', {end}, {records}, '[]')"
    ));
}

on_both_databases! {
    fn a_job_of_which_all_was_checked_has_no_issues(world: &World) {
        let job = made_twice(world);
        stage(world, &job, (1, "Query", "complete"), Some(2), "4, 3, 1");
        for words in [&["RY", "2025", "Q2", "call_summary"][..], &["RY"], &["call_summary"], &[&job[..8]]] {
            assert_eq!(issues(world, words), ["None"], "{words:?}");
        }
        let page = trace(world, &[&job]);
        assert!(page.starts_with(&format!("{0}\nETL JOB TRACE: {job}\n{0}\n\nJob Info:\n  Status: succeeded\n", "=".repeat(44))), "{page}");
        let info = section(&page, "Job Info");
        assert!(info.contains(&"Forced: yes") && info.contains(&&*format!("Gap: {GAP}")), "{page}");
        assert!(info.iter().any(|line| line.starts_with("Run: ") && line.ends_with("(run --bank-symbol RY --force)")), "{page}");
        assert!(section(&page, "Pipeline Trace").contains(&"[OK] Query - 4 read -> 3 written, 1 rejected (2s)"), "{page}");
        assert_eq!(section(&page, "Data Flow"), ["Query: 4 read -> 3 written, 1 rejected"]);

        let published = |page: &str| section(page, "Pipeline Trace").iter().filter(|line| line.contains("Publication")).map(|line| (*line).to_owned()).collect::<Vec<_>>();
        assert_eq!(published(&page), [PUBLISHED]);
        world.sql("UPDATE etl_jobs SET destination = '/reports/x.md'");
        assert_eq!(published(&trace(world, &["RY"])), ["[WARN] Publication - not known to be at /reports/x.md"]);
        assert_eq!(issues(world, &["RY"]), ["its file may still lie beside its place, where the next run finds it: /reports/x.md"]);
    }

    fn what_is_wrong_with_stages_is_found(world: &World) {
        let job = made_twice(world);
        stage(world, &job, (1, "Query", "complete"), Some(51), "4, 3, 0");
        stage(world, &job, (2, "Open", "running"), None, "NULL, NULL, NULL");
        stage(world, &job, (3, "Half", "incomplete"), Some(1), "NULL, NULL, NULL");
        // It was under way when the attempt ended.
        world.sql("UPDATE etl_stages SET started_at = (SELECT a.started_at FROM etl_attempts a WHERE a.job_id = etl_stages.job_id) WHERE ended_at IS NULL");
        assert_eq!(issues(world, &["RY"]), [
            "Query took 51s, longer than warn_after (50s)",
            "Query read 4, wrote 3 and rejected 0: 1 are missing",
            "Open began and did not end",
            "Half ended incomplete",
            "not checked: Open against earlier successes: none had this stage",
            "not checked: Half against earlier successes: none had this stage",
        ]);
        let page = trace(world, &["RY"]);
        let marks: Vec<&str> = section(&page, "Pipeline Trace").iter().filter_map(|line| line.split_whitespace().next()).collect();
        assert_eq!(marks, ["[OK]", "[OK]", "[OK]", "[WARN]", "[WARN]", "[FAIL]", "[OK]", "[OK]", "[OK]"], "{page}");
        world.sql("DELETE FROM etl_stages WHERE name <> 'Query'");
        world.sql(&format!("UPDATE etl_stages SET records_read = 0, records_written = 0, ended_at = '2026-01-01T10:00:04.000000Z' WHERE job_id = '{job}'"));
        assert_eq!(issues(world, &["RY"]), [
            "Query took 4s, usually 1s (the last success)",
            "Query had no records, while 1 of the last successes had some",
        ]);
    }

    fn retries_failures_and_logs_are_told(world: &World) {
        world.single_etl("echo \"$2\"; [ $2 = RY ] && [ -e tried ] || { touch tried; echo 'no such model' >&2; exit 3; }\necho x > \"$4\"\n", &["retry: {max_attempts: 2}"]);
        world.available("RY", 1, 2025, "Q2");
        world.available("TD", 6, 2025, "Q2");
        world.run_to(1, &["--max-parallel", "1"]);
        let unchecked = ["not checked: durations and records against earlier successes: none is on record", "not checked: records: nothing was counted"];
        assert_eq!(issues(world, &["RY"]), [&["retried: 2 attempts were made"], &unchecked[..]].concat());
        let page = trace(world, &["TD"]);
        let steps = section(&page, "Pipeline Trace");
        assert!(steps[2].starts_with("[FAIL] Attempt 1 - exit code 3 (") && steps[3].starts_with("[OK] Wait - "), "{page}");
        assert_eq!(steps.last(), Some(&"[FAIL] Job Failed - exit code 3 - no such model"), "{page}");
        let usual = "not checked: records: nothing was counted";
        assert_eq!(issues(world, &["TD"]), ["failed: exit code 3 - no such model", "retried: 2 attempts were made", usual]);

        std::fs::remove_dir_all(world.path("var/logs")).expect("logs");
        let gone = issues(world, &["TD"]);
        assert!(gone[2].starts_with("the log of attempt 1 is not there: /") && gone[2].ends_with("/1.log"), "{gone:?}");
        world.sql("UPDATE etl_runs SET host = 'elsewhere'");
        assert_eq!(issues(world, &["TD"])[2], "not checked: the log of attempt 1: it is on another host");
        world.sql("UPDATE etl_attempts SET tail = '[etl-orch: the log x could not be written' WHERE n = 1");
        assert_eq!(issues(world, &["TD"])[2], "the log of attempt 1 could not be written to its end");
    }

    fn a_run_is_traced_by_its_chains(world: &World) {
        world.single_etl("[ $2 != TD ] || exit 65\necho x > \"$4\"\n", &[]);
        for (symbol, id, quarter) in [("RY", 1, "Q1"), ("RY", 1, "Q2"), ("TD", 6, "Q2")] {
            world.available(symbol, id, 2025, quarter);
        }
        world.run_to(1, &[]);
        let run = world.value("SELECT id FROM etl_runs");
        let page = trace(world, &[&run[..8]]);
        assert!(page.contains(&format!("\nETL RUN TRACE: {run}\n")) && page.contains("\n  Jobs: 2 of 3 made, 1 failed\n"), "{page}");
        let chains = section(&page, "Pipeline Trace");
        assert_eq!(chains.iter().filter(|line| !line.starts_with('[')).collect::<Vec<_>>().len(), 2, "{page}");
        let of_ry: Vec<&&str> = chains.iter().filter(|line| line.starts_with("[OK] T+")).collect();
        assert!(of_ry[0].contains("RY-CA/2025Q2/call_summary (") && of_ry[1].contains("RY-CA/2025Q1/call_summary ("), "{page}");
        assert!(section(&page, "Performance").iter().any(|line| line.contains("(bottleneck)")), "{page}");
        assert!(section(&page, "Issues Found")[0].starts_with("TD-CA/2025Q2/call_summary ("), "{page}");

        let json = world.run_to(0, &["trace", &run, "--format", "json"]).json();
        assert_eq!((&json["kind"], &json["subject"], &json["run"]["id"]), (&"trace".into(), &"run".into(), &run.as_str().into()));
        let job = &json["chains"][0]["jobs"][0];
        assert!(job["offset_seconds"].is_number() && job["mark"].is_string() && job["issues"].is_array() && job["job"]["id"].is_string(), "{job}");
    }

    fn an_id_that_names_nothing_or_several_is_answered_with_what_there_is(world: &World) {
        let none = world.run_to(2, &["trace", "0000ffff"]);
        assert!(none.stderr.ends_with("no job or run has an id that begins with 0000ffff; there is no job yet\n"), "{none:?}");
        world.settings("");
        world.available("RY", 1, 2025, "Q2");
        world.run_to(0, &[]);
        let unknown = world.run_to(2, &["trace", "0000ffff"]);
        assert_eq!((unknown.stdout.as_str(), unknown.stderr.lines().count()), ("", 3), "{unknown:?}");
        let job = world.value("SELECT id FROM etl_jobs WHERE etl = 'call_summary'");
        let line = unknown.stderr.lines().find(|line| line.starts_with(&format!("  {}  succeeded  20", &job[..8])));
        assert!(line.is_some_and(|line| line.ends_with(GAP)), "{unknown:?}");

        let run = world.value("SELECT id FROM etl_runs");
        let twin = format!("{}{}", &run[..8], &job[8..]);
        world.sql(&format!("INSERT INTO etl_jobs (id, run_id, gap_key, etl, position, forced, state, queued_at) SELECT '{twin}', run_id, gap_key, etl, position, forced, state, queued_at FROM etl_jobs WHERE id = '{job}'"));
        let several = world.run_to(2, &["trace", &run[..8]]);
        assert!(several.stderr.contains("several ids begin with") && several.stderr.lines().count() == 3, "{several:?}");
        let none_of_gap = world.run_to(1, &["trace", "BMO"]);
        assert!(none_of_gap.stderr.contains("no job of BMO-CA is on record"), "{none_of_gap:?}");
    }

    fn a_running_job_is_traced_so_far_and_a_dead_one_is_lost(world: &World) {
        world.single_etl(&format!("echo before\n{WAITS}echo report > \"$4\"\n"), &[]);
        world.available("RY", 1, 2025, "Q2");
        let run = world.spawn(&[]);
        until("the ETL waits", || world.path("waiting").exists());
        let page = trace(world, &["RY"]);
        let steps = section(&page, "Pipeline Trace");
        assert!(steps[2].starts_with("[RUN] Attempt 1 - under way (") && steps[3].starts_with("[RUN] Job Running - "), "{page}");
        assert!(section(&page, "Job Info").contains(&"Completed: not yet"), "{page}");
        kill("KILL", run.orchestrator());
        run.wait();
        world.write("go", "");
        world.run_to(0, &[]);
        let lost = world.value("SELECT id FROM etl_jobs WHERE state = 'lost'");
        let page = trace(world, &[&lost]);
        assert_eq!(section(&page, "Issues Found")[0], "lost: its run died before it ended", "{page}");
        assert!(section(&page, "Pipeline Trace").contains(&"[FAIL] Job Lost - its owner died"), "{page}");
    }
}

/// A page without what differs from run to run.
macro_rules! assert_page {
    ($page:expr, $root:expr, @$expected:literal) => {
        insta::with_settings!({filters => vec![
            ($root, "[ROOT]"),
            (r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", "[ID]"),
            (r"(run|Run:) [0-9a-f]{8}", "$1 [ID]"),
            (r"logs/\d{4}-\d\d-\d\d/", "logs/[DAY]/"),
            (r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\dZ", "[TIME]"),
            (r", on \S+", ", on [HOST]"),
            (r"T\+\d+\.\ds +", "T+[OFFSET] "),
            // The parts that are shown only where they took long.
            (r"(?m)^  (Outside of stages|Verification and publication): .*\n", ""),
            (r"(\d+(\.\d)?s|\d+ms)\b( \(bottleneck\) \d+%)?", "[TOOK]"),
        ]}, { insta::assert_snapshot!($page, @$expected) });
    };
}

#[test]
fn the_quick_start_is_traced_by_its_stages() {
    let start = QuickStart::new();
    assert_eq!(start.run(&["--bank-symbol", "RY", "--period", "2025Q2"]).code, 0);
    let trace = start.run(&["trace", "RY", "2025", "Q2", "key_themes"]);
    let root = start.at("").display().to_string();
    assert_page!(trace.stdout, root.trim_end_matches('/'), @r"
    ============================================
    ETL JOB TRACE: [ID]
    ============================================

    Job Info:
      Status: succeeded
      Gap: RY-CA/2025Q2/key_themes
      Created: [TIME]
      Started: [TIME]
      Completed: [TIME]
      Duration: [TOOK]
      Run: [ID], on [HOST] (run --bank-symbol RY --period 2025Q2)
      Log: [ROOT]/var/logs/[DAY]/[ID]/1.log

    Pipeline Trace:
      [OK] Job Created - planned by run [ID]
      [OK] Job Started - after [TOOK] in the queue, on [HOST]
      [OK] Attempt 1 - reported success ([TOOK])
      [OK] Read transcript - 188 read, 29 turns, 11 speakers ([TOOK])
      [OK] Collect questions - 29 read, 8 questions, 6 analysts ([TOOK])
      [OK] Rank themes - 8 read, 7 themes ([TOOK])
      [OK] Write report - 7 written ([TOOK])
      [OK] Verification - its report was seen
      [OK] Publication - its row is written, its file in its place
      [OK] Job Complete - Success

    Performance:
      Total Duration: [TOOK]
      Read transcript: [TOOK]
      Collect questions: [TOOK]
      Rank themes: [TOOK]
      Write report: [TOOK]

    Data Flow:
      Read transcript: 188 read, 29 turns, 11 speakers
      Collect questions: 29 read, 8 questions, 6 analysts
      Rank themes: 8 read, 7 themes
      Write report: 7 written

    Timeline:
      T+[OFFSET] Job created
      T+[OFFSET] Job started
      T+[OFFSET] Attempt 1 began
      T+[OFFSET] Read transcript began
      T+[OFFSET] Read transcript ended: 188 read, 29 turns, 11 speakers
      T+[OFFSET] Collect questions began
      T+[OFFSET] Collect questions ended: 29 read, 8 questions, 6 analysts
      T+[OFFSET] Rank themes began
      T+[OFFSET] Rank themes ended: 8 read, 7 themes
      T+[OFFSET] Write report began
      T+[OFFSET] Write report ended: 7 written
      T+[OFFSET] Attempt 1: reported success
      T+[OFFSET] Job succeeded

    Issues Found:
      none in what was checked
      not checked: durations and records against earlier successes: none is on record

    ============================================
    ");
}

#[test]
fn a_collection_is_reported_or_verified() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("echo x > \"$4\"\n", &[]);
    world.also("sources:\n  daily:\n    every: 1d\n    command: [echo, \"Completed: 7 transactions\"]\n    records: {pattern: 'Completed: (\\d+)'}");
    world.run_to(0, &[]);
    let page = trace(&world, &["daily"]);
    let steps = section(&page, "Pipeline Trace");
    assert!(steps.iter().any(|line| line.starts_with("[SKIP] Verification - reported, 7 records")), "{page}");
    assert_eq!(section(&page, "Data Flow"), ["7 records collected"], "{page}");
}
