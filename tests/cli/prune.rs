//! What is over is removed after a time, little by little or at once, and a year of runs costs no more than a day of them.

use std::collections::BTreeMap;
use std::fs;

use serde_json::{Value, json};

use crate::on_both_databases;
use crate::source_desk::Desk;
use crate::support::clock::clock;
use crate::support::{Kind, World};

/// Runs of a year, one every 15 minutes, and in each fourth a job of a source.
const RUNS: u32 = 35_040;

/// Puts a year of history before 2026-01-16 10:00 on record.
fn add_a_year(world: &World) {
    let (time, id) = match world.kind() {
        Kind::Sqlite => (
            "strftime('%Y-%m-%dT%H:%M:%f000Z', '2026-01-16 10:00:00', '-' || (15 * i) || ' minutes')",
            "printf('%08x-0000-4000-8000-000000000000', i)",
        ),
        Kind::Postgres => {
            ("TIMESTAMPTZ '2026-01-16T10:00:00Z' - i * INTERVAL '15 minutes'", "lpad(to_hex(i), 8, '0') || '-0000-4000-8000-000000000000'")
        }
    };
    let numbers = |by: u32| format!("WITH RECURSIVE n(i) AS (SELECT {by} UNION ALL SELECT i + {by} FROM n WHERE i < {RUNS})");
    let options =
        r#"{"bank_symbol":[],"exclude_bank":[],"etl_type":[],"source":[],"period":[],"from_year":null,"force":false,"max_jobs":null}"#;
    world.sql(&format!(
        "{} INSERT INTO etl_runs (id, host, boot_id, pid, pid_started, version, options, state, started_at, ended_at, lease_until, planned, \
         succeeded, failed, skipped, cancelled) SELECT {id}, 'etl-1', 'b', 7, 8, '0.2.0', '{options}', 'succeeded', {time}, {time}, {time}, \
         CASE WHEN i % 4 = 0 THEN 1 ELSE 0 END, 0, 0, 0, 0 FROM n",
        numbers(1)
    ));
    world.sql(&format!(
        "{} INSERT INTO etl_jobs (id, run_id, gap_key, etl, position, forced, state, fence, queued_at, started_at, ended_at, window_start, window_end) \
         SELECT {id}, {id}, 'source:us_house', 'us_house', 0, FALSE, 'succeeded', 1, {time}, {time}, {time}, {time}, {time} FROM n",
        numbers(4)
    ));
    world.sql(&format!(
        "INSERT INTO etl_attempts (job_id, n, outcome, log, tail, started_at, ended_at, duration_ms) SELECT id, 1, 'succeeded', \
         '{}/' || id || '/1.log', 'its last lines', started_at, ended_at, 1000 FROM etl_jobs WHERE id LIKE '%-0000-4000-8000-000000000000'",
        world.path("var/logs/2025-11-01").display()
    ));
    world.sql(&format!(
        "{} INSERT INTO disclosure_queue (source, window_start, window_end, state, queued_at, collected_at) \
         SELECT 'us_house', {time}, {later}, 'collected', {time}, {time} FROM n",
        numbers(24),
        later = time.replace("15 * i", "15 * i - 1").replace("i * INTERVAL", "(i - 0.1) * INTERVAL"),
    ));
    if world.kind() == Kind::Postgres {
        world.sql("ANALYZE");
    }
}

fn removed(page: &Value) -> Value {
    let removed = &page["removed"];
    json!([removed["runs"], removed["jobs"], removed["windows"], removed["log_files"]])
}

/// What a run would do, and how things stand.
fn outlook(desk: &Desk<'_>, time: &str) -> [Value; 3] {
    let mut plan = desk.run_to(0, time, &["--dry-run", "--forecast", "--format", "json"]).json();
    plan["timestamp"] = Value::Null;
    let health = desk.run_to(0, time, &["health", "--format", "json"]).json();
    [plan, health["status"].clone(), health["issues"].clone()]
}

/// The log of an attempt on this day, by its directory.
fn log(world: &World, path: &str) -> bool {
    world.path(&format!("var/logs/{path}")).exists()
}

on_both_databases! {
    fn what_is_over_goes_and_what_a_run_would_do_stays(world: &World) {
        let desk = Desk::with(world, &[("us_house", &["start: 2026-01-15T00:00:00Z"]), ("us_senate", &[])]);
        desk.run_to(0, "01-16 09:00:00", &[]);
        add_a_year(world);
        let own = "2025-11-01/00000004-0000-4000-8000-000000000000";
        for name in [&format!("{own}/1.log"), &format!("{own}/2.log"), "2025-11-01/notes/1.log", "2025-11-02/00000008-0000-4000-8000-000000000000/notes", "archive/1.log"] {
            world.write(&format!("var/logs/{name}"), "printed\n");
        }
        world.also("retention: {history: 200d, logs: 10d}");
        let before = outlook(&desk, "01-16 09:59:00");
        let dry = desk.run_to(0, "01-16 09:59:00", &["prune", "--dry-run", "--format", "json"]).json();
        assert_eq!((dry["dry_run"].clone(), &dry["removed"]["log_bytes"]), (true.into(), &16.into()));
        assert_eq!(world.value("SELECT count(*) FROM etl_runs"), (RUNS + 1).to_string(), "nothing is removed");
        assert!(log(world, &format!("{own}/1.log")));
        let done = desk.run_to(0, "01-16 09:59:00", &["prune", "--format", "json"]).json();
        assert_eq!(removed(&done), removed(&dry));
        // What is older than 200 days, and of what is older than 90 days what had no job.
        let (old, idle) = (RUNS - 200 * 96, (RUNS - 90 * 96) / 4 * 3);
        assert_eq!(removed(&done), json!([idle + old / 4, old / 4, old / 24, 2]), "{done:#}");
        assert_eq!(outlook(&desk, "01-16 09:59:00"), before);
        for (path, stays) in [("2025-11-01/00000004-0000-4000-8000-000000000000", false), ("2025-11-01/notes/1.log", true), ("archive/1.log", true)] {
            assert_eq!(log(world, path), stays, "{path}");
        }
        assert!(log(world, "2025-11-02/00000008-0000-4000-8000-000000000000/notes"));
        let again = desk.run_to(0, "01-16 09:59:00", &["prune"]).stdout;
        assert_eq!(again, "nothing to remove: what is over is not older than `retention` keeps it\n");
        let logs = desk.run_to(0, "01-16 09:59:00", &["logs", "00001000"]);
        assert!(logs.stderr.contains("is not there: logs are kept for 10d; its last lines on record:"), "{logs:?}");
    }

    fn a_run_after_a_year_reads_as_little_as_on_the_first_day(world: &World) {
        let desk = Desk::with(world, &[("us_house", &[])]);
        desk.run_to(0, "01-16 09:00:00", &[]);
        desk.run_to(0, "01-16 09:15:00", &[]);
        add_a_year(world);
        // Once a day a run removes what it can in a moment; the next runs go on until all is done.
        let tick = |n: u32| desk.run_to(0, &format!("01-17 {}:{:02}:00", 10 + n / 12, n % 12 * 5), &["--log-level", "debug"]);
        let is_busy = |n: &u32| tick(*n).stderr.contains("old records");
        let busy = (0..90).take_while(is_busy).count();
        assert!((1..90).contains(&busy), "{busy} runs removed something");
        assert_eq!(world.value("SELECT count(*) FROM etl_runs WHERE started_at < '2025-10-17T10:00:00.000000Z'"), ((RUNS - 91 * 96) / 4).to_string());
        let size = length(world);
        for day in 18..22 {
            desk.run_to(0, &format!("01-{day} 20:{day}:00"), &[]);
        }
        assert!(length(world) <= size, "free pages are used again");
        let read = rows_read(world, || drop(desk.run_to(0, "01-21 20:36:00", &[])));
        // PostgreSQL would rather read the whole queue, of which there is no more than is kept.
        assert!(read.iter().all(|(table, rows)| *rows < 50 || table == "disclosure_queue"), "{read:?}");
        let done = desk.run_to(0, "01-22 12:00:00", &["prune", "--format", "json"]).json();
        assert_eq!(done["removed"]["jobs"], 0, "{done:#}");
        if world.kind() == Kind::Sqlite {
            assert!(length(world) < 16_000_000, "{} bytes", length(world));
        }
    }
}

/// The bytes of an embedded database.
fn length(world: &World) -> u64 {
    fs::metadata(world.path("var/etl-orch.db")).map_or(0, |file| file.len())
}

/// How many rows of each of our own tables the server read for this. SQLite, which gets the same statements, does not count them.
fn rows_read(world: &World, work: impl FnOnce()) -> BTreeMap<String, i64> {
    let read = || -> BTreeMap<String, i64> {
        if world.kind() == Kind::Sqlite {
            return BTreeMap::new();
        }
        // A session counts what it read until it has ended.
        crate::support::until("no run is connected", || {
            world.value("SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND backend_type = 'client backend'")
                == "1"
        });
        let rows =
            world.sql("SELECT relname, seq_tup_read + coalesce(idx_tup_fetch, 0) FROM pg_stat_user_tables WHERE schemaname = 'etl_orch'");
        let parts = rows.iter().filter_map(|row| row.split_once('|'));
        parts.map(|(table, read)| (table.to_owned(), read.parse().expect("a number"))).collect()
    };
    let before = read();
    work();
    read().into_iter().map(|(table, rows)| (table.clone(), rows - before.get(&table).copied().unwrap_or_default())).collect()
}

#[test]
fn a_lock_that_is_held_is_waited_for_or_not() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl(crate::support::WAITS, &[]);
    let run = world.spawn(&[]);
    crate::support::until("its job runs", || world.path("waiting").exists());
    let held = world.run_to(75, &["prune", "--lock-wait", "none"]);
    assert!(held.stderr.contains("is held by process"), "{held:?}");
    world.run_to(0, &["prune", "--dry-run"]);
    world.write("go", "");
    run.wait();
    let done = world.command(&["prune"]).envs(clock("+5000d")).output().expect("the binary starts");
    let text = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(text.starts_with("removed, as it was over") || text.starts_with("nothing to remove"), "{text}");
    assert_eq!(world.jobs().len(), 1, "the last successes stay");
}
