//! `etl-orch health`: what is wrong is seen and can be caught up on, and what cannot be judged is no silence.

use std::io::Write;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::on_both_databases;
use crate::source_desk::Desk;
use crate::support::world::{Done, WAITS, kill};
use crate::support::{Kind, World, until};

/// The codes of what is wrong.
fn codes(health: &Value) -> Vec<&str> {
    let issues = health["issues"].as_array().expect("a list of issues");
    issues.iter().map(|issue| issue["code"].as_str().expect("a code")).collect()
}

/// The keys that users' programs know from before.
fn known(health: &Value) -> Value {
    json!([health["status"], health["last_data_date"], health["days_behind"], health["action"]])
}

fn file(world: &World) -> Value {
    serde_json::from_str(&world.read("var/health.json")).expect("an object")
}

fn health_at(desk: &Desk<'_>, code: i32, time: &str, args: &[&str]) -> Value {
    desk.run_to(code, time, &[&["health", "--format", "json"][..], args].concat()).json()
}

on_both_databases! {
    fn a_timer_that_stopped_for_a_day_is_seen_and_a_recovery_catches_up(world: &World) {
        let desk = Desk::with(world, &[("us_house", &[]), ("us_senate", &[])]);
        let fresh = health_at(&desk, 3, "01-16 00:10:00", &[]);
        assert_eq!((known(&fresh), codes(&fresh)), (json!(["unknown", null, null, "none"]), vec!["no_run", "never_collected", "never_collected"]));
        desk.run_to(0, "01-16 00:20:00", &[]);
        let healthy = json!(["healthy", "2026-01-15", 0, "none"]);
        assert_eq!((known(&health_at(&desk, 0, "01-16 00:30:00", &[])), known(&file(world))), (healthy.clone(), healthy));
        let silent = health_at(&desk, 1, "01-17 12:20:00", &[]);
        assert_eq!(known(&silent), json!(["unhealthy", "2026-01-15", 1, "none"]));
        assert_eq!(codes(&silent), ["no_recent_run", "source_overdue", "source_overdue"]);
        assert_eq!((&silent["issues"][0]["since"], &silent["issues"][0]["command"]), (&"2026-01-16T00:20:00Z".into(), &"etl-orch doctor --config etl-orch.yaml".into()));
        let page = desk.run_to(1, "01-17 12:20:00", &["health"]).stdout;
        assert!(page.starts_with("UNHEALTHY: 3 errors (2026-01-17 12:20:0"), "{page}");
        assert!(page.contains("\ndata: all days until 2026-01-15, 1 day behind (us_house)\n"), "{page}");
        let too_old = health_at(&desk, 1, "01-17 12:20:00", &["--max-age", "7h", "us_house"]);
        assert_eq!((codes(&too_old), &too_old["runs"]), (vec!["source_too_old"], &Value::Null));

        desk.collected();
        let recovered = health_at(&desk, 0, "01-17 12:21:00", &["--recover"]);
        assert_eq!((known(&recovered), codes(&recovered)), (json!(["healthy", "2026-01-16", 0, "triggered_catch_up"]), vec![]));
        assert_eq!(desk.collected().len(), 2);
        assert_eq!(file(world)["status"], "healthy");
        let young = health_at(&desk, 0, "01-17 12:22:00", &["--max-age", "7h", "us_house"]);
        assert_eq!(young["sources"][0]["collected_until"], "2026-01-17T12:00:00Z");
        assert_eq!(health_at(&desk, 0, "01-17 12:22:00", &["--recover"])["action"], "none");
    }

    fn a_dead_source_is_not_hidden_and_not_tried_for_ever(world: &World) {
        let desk = Desk::with(world, &[("us_house", &["retry: {max_attempts: 1}"]), ("us_senate", &[])]);
        desk.run_to(0, "01-16 00:20:00", &[]);
        desk.before("[ \"$1\" != us_house ] || exit 1\n");
        desk.run_to(1, "01-18 12:20:00", &[]);
        let dead = health_at(&desk, 1, "01-18 12:21:00", &[]);
        assert_eq!((known(&dead), &dead["worst_source"]), (json!(["unhealthy", "2026-01-15", 2, "none"]), &"us_house".into()));
        assert_eq!(codes(&dead)[0], "source_overdue");
        assert_eq!((&dead["sources"][1]["id"], &dead["sources"][1]["days_behind"]), (&"us_senate".into(), &0.into()));
        assert_eq!(file(world)["worst_source"], "us_house");
        health_at(&desk, 1, "01-18 12:21:00", &["--max-age", "7h", "us_house"]);
        health_at(&desk, 0, "01-18 12:21:00", &["--max-age", "7h", "us_senate"]);

        for minute in ["22", "23", "24"] {
            let time = format!("01-18 12:{minute}:00");
            assert_eq!(health_at(&desk, 1, &time, &["--recover"])["action"], "triggered_catch_up", "{time}");
        }
        let suspended = health_at(&desk, 1, "01-18 12:25:00", &["--recover"]);
        assert_eq!(known(&suspended), json!(["unhealthy", "2026-01-15", 2, "catch_up_suspended"]));
        desk.before("");
        assert_eq!(health_at(&desk, 1, "01-18 12:26:00", &["--recover"])["action"], "catch_up_suspended", "nobody knows that it was mended");
        desk.run_to(0, "01-18 12:27:00", &["retry", "us_house", "--reason", "mended"]);
        assert_eq!(known(&health_at(&desk, 0, "01-18 12:28:00", &["--recover"])), json!(["healthy", "2026-01-17", 0, "triggered_catch_up"]));
    }

    fn a_run_that_is_at_work_is_no_silence_and_one_that_died_is_told(world: &World) {
        world.single_etl(&format!("{WAITS}echo report > \"$4\"\n"), &[]);
        world.available("RY", 1, 2025, "Q2");
        let running = world.spawn(&[]);
        until("the ETL runs", || world.path("waiting").exists());
        let health = |code, args: &[&str]| world.run_to(code, &[&["health", "--format", "json"][..], args].concat()).json();
        let at_work = health(0, &[]);
        assert_eq!((codes(&at_work), at_work["runs"]["active"].as_array().map(Vec::len)), (vec!["banks_without_data"], Some(1)));
        assert_eq!(at_work["reports"]["claimed"], 1);
        assert_eq!(health(0, &["--recover"])["action"], "already_running");

        kill("KILL", running.orchestrator());
        assert_eq!(running.wait().code, 137);
        let died = health(1, &[]);
        assert_eq!((&died["status"], codes(&died)), (&"unhealthy".into(), vec!["run_died", "banks_without_data"]));
        assert!(!world.path("var/health.json").exists(), "the run said nothing of itself");
        world.write("go", "");
        let recovered = health(0, &["--recover"]);
        assert_eq!((&recovered["status"], &recovered["action"]), (&"healthy".into(), &"triggered_catch_up".into()));
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
        assert_eq!(file(world)["reports"]["existing"], 1);
        assert!(world.run_to(0, &["runs"]).stdout.contains("health --recover"));
    }

    fn what_cannot_be_judged_is_an_error_with_its_reason(world: &World) {
        world.single_etl("echo report > \"$4\"\n", &[]);
        world.run_to(0, &[]);
        let error = |reason: &str, args: &[&str]| {
            let health = world.run_to(4, &[&["health", "--format", "json"][..], args].concat()).json();
            assert_eq!((&health["kind"], known(&health)), (&"health".into(), json!(["error", null, null, "none"])));
            let message = health["error"]["message"].as_str().expect("a message");
            assert!(message.contains(reason), "{message}");
            let page = world.run_to(4, &[&["health"][..], args].concat());
            assert!(page.stdout.starts_with("ERROR (") && page.stdout.contains(reason), "{page:?}");
        };
        let mut holder = holding_all_tables(world);
        error("the database ", &["--timeout", "1s"]);
        drop(holder.stdin.take());
        holder.wait().expect("it ends with its input");
        let config = world.read("etl-orch.yaml");
        world.write("etl-orch.yaml", &format!("{config}nonsense: 1\n"));
        error("unknown key \"nonsense\"", &[]);
        error("unknown key \"nonsense\"", &["--recover"]);
        world.write("etl-orch.yaml", &config.replace("/etl-orch.db", "/none.db").replace("/etl_orch_", "/none_"));
        if world.kind() == Kind::Sqlite {
            error("none.db is not there", &[]);
            world.write("var/none.db", "no database");
            error("none.db", &[]);
            let done: Done = world.run(&[]);
            assert_eq!((done.code, &file(world)["status"]), (1, &"error".into()), "{done:?}");
        }
    }
}

/// A session that has locked the record of runs, until its input ends.
fn holding_all_tables(world: &World) -> std::process::Child {
    let (mut command, sql) = match world.kind() {
        Kind::Sqlite => {
            let mut sqlite = Command::new("sqlite3");
            sqlite.arg(world.path("var/etl-orch.db"));
            (sqlite, "PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; UPDATE etl_runs SET host = host;\nSELECT 'held';\n")
        }
        Kind::Postgres => (world.psql(), "BEGIN; LOCK TABLE etl_orch.etl_runs;\nSELECT 'held';\n"),
    };
    let mut holder = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("a client of the database");
    holder.stdin.as_mut().expect("its input").write_all(sql.as_bytes()).expect("it reads");
    let mut lines = std::io::BufRead::lines(std::io::BufReader::new(holder.stdout.take().expect("its output")));
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains("held"))));
    holder
}
