//! What programs read: with `--format json` stdout is exactly one object, whatever the command and however it ends.

use std::collections::BTreeSet;
use std::fs::File;

use chrono::DateTime;
use rustix::fs::{FlockOperation, flock};
use serde_json::{Map, Value};

use crate::on_both_databases;
use crate::support::world::{Done, kill, pid_in};
use crate::support::{Kind, World};

/// How a command is called after its own words, its exit code, and the kind of object it prints.
pub(crate) type Case = (&'static str, i32, &'static str);

/// Every command with a good and a bad call at least, in the order in which they are made: the state of the world follows from it.
/// RY has a report to be made; that of TD fails for good; `daily` is a source.
pub(crate) const CALLS: &[(&str, &[Case])] = &[
    ("init", &[("", 0, "init"), ("--print-sql", 0, "init_sql"), ("--print-sql=yes", 2, "error")]),
    ("config", &[("", 2, "error"), ("--help", 0, "help")]),
    ("config check", &[("", 0, "config_check"), ("--config other.yaml", 2, "error")]),
    ("config init", &[("new.yaml", 0, "config_init"), ("new.yaml", 2, "error"), ("--database-url x", 2, "error")]),
    ("doctor", &[("", 0, "doctor"), ("more", 2, "error")]),
    ("install", &[("systemd --dry-run --run-as ann", 0, "install"), ("cron --writable x --dry-run", 2, "error"), ("", 2, "error")]),
    ("uninstall", &[("cron --dry-run", 0, "uninstall"), ("nosuch", 2, "error")]),
    ("config schema", &[("", 0, "config_schema"), ("more", 2, "error")]),
    ("completions", &[("bash", 0, "completions"), ("nosuch", 2, "error")]),
    ("man", &[("", 0, "man"), ("run", 0, "man"), ("--share share", 0, "man_share"), ("nosuch", 2, "error"), ("-q", 2, "error")]),
    (
        "",
        &[
            ("--dry-run", 0, "dry_run"),
            ("--dry-run --detailed-exit-code", 4, "dry_run"),
            ("--help", 0, "help"),
            ("--version", 0, "version"),
            ("--bank-symbol NONE --etl-type nope", 2, "error"),
            ("--nonsense", 2, "error"),
            ("--force", 2, "error"),
            ("--max-jobs 0", 2, "error"),
            ("", 1, "run"),
            ("-q", 0, "run"),
        ],
    ),
    ("run", &[("--no-lock --period 2025Q2", 0, "run"), ("-q -v", 2, "error"), ("--source nope", 2, "error")]),
    (
        "run-one",
        &[
            ("TD 2025 Q2 call_summary --anyway", 1, "run_one"),
            ("RY 2025 Q2 call_summary", 2, "error"),
            ("TD 2025 Q2 call_summary --shell-env", 0, "shell_env"),
            ("TD", 2, "error"),
        ],
    ),
    ("prune", &[("--dry-run", 0, "prune"), ("", 0, "prune"), ("--lock-wait ever", 2, "error")]),
    ("jobs", &[("", 0, "jobs"), ("--failed TD", 0, "jobs"), ("NONE", 2, "error"), ("--since soon", 2, "error")]),
    (
        "runs",
        &[
            ("", 0, "runs"),
            ("--failed", 0, "runs"),
            ("0000 --limit 1", 0, "runs"),
            ("--per-day --since 1d", 0, "runs_per_day"),
            ("--per-day --failed", 2, "error"),
            ("x", 2, "error"),
        ],
    ),
    ("logs", &[("TD", 0, "logs"), ("BMO", 1, "error"), ("TD --attempt 9", 2, "error"), ("TD -f", 2, "error"), ("", 2, "error")]),
    ("trace", &[("TD", 0, "trace"), ("BMO", 1, "error"), ("00000000", 2, "error"), ("", 2, "error")]),
    (
        "why",
        &[
            ("", 0, "why"),
            ("RY 2025 Q2 call_summary", 0, "why"),
            ("TD", 0, "why"),
            ("daily", 0, "why"),
            ("TD --at 0s", 0, "why"),
            ("NONE", 2, "error"),
        ],
    ),
    ("coverage", &[("", 0, "coverage"), ("RY --period 2025Q2", 0, "coverage"), ("NONE", 2, "error"), ("--period 2025", 2, "error")]),
    (
        "report",
        &[
            ("", 0, "report"),
            ("--html page.html", 0, "report"),
            ("--html -", 2, "error"),
            ("--html none/page.html", 1, "error"),
            ("--html", 2, "error"),
        ],
    ),
    (
        "health",
        &[
            ("", 1, "health"),
            ("--max-age 1ms daily", 1, "health"),
            ("--max-age 2d", 0, "health"),
            ("--recover", 1, "health"),
            ("--max-age 7h nope", 2, "error"),
            ("daily", 2, "error"),
        ],
    ),
    ("tell", &[("", 2, "error")]),
    ("tell test", &[("", 0, "tell_test"), ("pings", 2, "error")]),
    ("retry", &[("TD 2025 Q2 --reason x", 0, "retry"), ("NONE 2025 Q2 --reason x", 2, "error"), ("", 2, "error")]),
    ("skip", &[("TD 2025 Q2 --reason x", 0, "skip"), ("TD 2025 Q2", 2, "error"), ("TD 2025 Q2 --until 2020-01-01 --reason x", 2, "error")]),
    ("unskip", &[("--all --reason x", 0, "unskip"), ("deadbeef --reason x", 2, "error")]),
    ("cancel", &[("deadbeef --reason x", 2, "error"), ("daily --reason x", 1, "error"), ("x --reason x", 2, "error")]),
    ("sources", &[("", 0, "sources"), ("nope", 2, "error")]),
    ("sources enqueue", &[("daily", 0, "enqueue"), ("daily --now", 0, "run"), ("nope", 2, "error"), ("daily --window never", 2, "error")]),
    ("sources pause", &[("daily --reason x", 0, "pause"), ("daily", 2, "error")]),
    (
        "sources give-up",
        &[
            ("daily --reason x", 2, "error"),
            ("daily --window 2020-01-01 --reason x", 1, "error"),
            ("nope --window 2026-01-01 --reason x", 2, "error"),
        ],
    ),
    ("sources resume", &[("daily --reason x", 0, "resume"), ("nope --reason x", 2, "error")]),
];

/// One bank whose report is made, one whose ETL fails, and a source.
fn world(kind: Kind) -> World {
    let world = World::new(kind);
    world.single_etl("[ \"$2\" != TD ] || exit 65\necho report > \"$4\"\n", &[]);
    world.also("sources:\n  daily:\n    every: 1d\n    command: [\"true\"]\n    freshness: {sql: \"select '2026-01-16'\"}");
    world.also("tell: {textfile: etl-orch.prom}");
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
    world
}

/// The commands below this one, itself included, as its help lists them.
fn commands(world: &World, command: &str) -> BTreeSet<String> {
    let words: Vec<&str> = command.split_whitespace().chain(["--help"]).collect();
    let help = world.run_to(0, &words).stdout;
    let listed = help.lines().take_while(|line| *line != "Examples:").filter_map(|line| line.strip_prefix("  "));
    let names = listed.filter(|line| line.starts_with(char::is_lowercase)).filter_map(|line| line.split_whitespace().next());
    let below = names.filter(|name| *name != "help").map(|name| format!("{command} {name}").trim().to_owned());
    let mut all: BTreeSet<String> = below.flat_map(|name| commands(world, &name)).collect();
    all.insert(command.to_owned());
    all
}

fn call(world: &World, command: &str, args: &str) -> Done {
    let words: Vec<&str> = command.split_whitespace().chain(args.split_whitespace()).chain(["--format", "json"]).collect();
    world.run(&words)
}

/// The only object on stdout, in the shape that every object has.
fn object(done: &Done, what: &str) -> Map<String, Value> {
    let object: Map<String, Value> = serde_json::from_str(&done.stdout).unwrap_or_else(|error| panic!("{what}: {error}: {done:?}"));
    assert_eq!(object["schema_version"], 1, "{what}");
    if let Some(code) = object.get("exit_code") {
        assert_eq!(*code, done.code, "{what}: {done:?}");
    }
    if object["kind"] == "error" {
        assert_eq!(object["exit_code"], done.code, "{what}: {done:?}");
        let message = object["error"]["message"].as_str().unwrap_or_default();
        assert!(!message.is_empty() && !message.starts_with("error"), "{what}: {done:?}");
        assert!(!done.stderr.is_empty(), "people read it too: {what}");
    }
    has_one_shape_of_time(&Value::Object(object.clone()), "", what);
    object
}

/// Times are RFC 3339 in UTC and whole seconds, spans are numbers of seconds.
fn has_one_shape_of_time(value: &Value, key: &str, what: &str) {
    match value {
        Value::Object(fields) if key != "schema" => fields.iter().for_each(|(key, field)| has_one_shape_of_time(field, key, what)),
        Value::Array(items) => items.iter().for_each(|item| has_one_shape_of_time(item, key, what)),
        other => {
            assert!(!key.ends_with("_seconds") || other.is_number() || other.is_null(), "{what}: {key}: {other}");
            let is_time = matches!(key, "timestamp" | "at" | "since" | "until" | "start" | "end" | "next_due" | "frontier");
            let text = other.as_str().unwrap_or_default();
            let is_in_shape =
                DateTime::parse_from_rfc3339(text).is_ok() && text.len() == "2026-01-16T00:00:00Z".len() && text.ends_with('Z');
            assert!(!is_time || other.is_null() || is_in_shape, "{what}: {key}: {other}");
        }
    }
}

#[test]
fn every_command_prints_one_object_however_it_ends() {
    let world = world(Kind::Sqlite);
    let called: BTreeSet<String> = CALLS.iter().map(|(command, _)| (*command).to_owned()).collect();
    assert_eq!(commands(&world, ""), called, "a new command belongs into CALLS of this test");
    for (command, cases) in CALLS {
        for (args, code, kind) in *cases {
            let done = call(&world, command, args);
            let what = format!("etl-orch {command} {args}");
            assert_eq!(done.code, *code, "{what}: {done:?}");
            assert_eq!(object(&done, &what)["kind"], *kind, "{what}");
        }
    }
}

#[test]
fn a_job_that_was_cancelled_is_one_object() {
    let world = world(Kind::Sqlite);
    world.write("etl.sh", "[ \"$2\" = TD ] || sleep 1000\necho report > \"$4\"\n");
    let run = world.spawn(&["--bank-symbol", "RY", "--format", "json"]);
    let mut id = String::new();
    crate::support::until("its job runs", || {
        id = world.sql("SELECT id FROM etl_jobs WHERE state = 'running'").pop().unwrap_or_default();
        !id.is_empty()
    });
    let done = call(&world, "cancel", &format!("{id} --reason x"));
    assert_eq!((done.code, &object(&done, "cancel")["kind"]), (0, &"cancel".into()), "{done:?}");
    assert_eq!(object(&run.wait(), "run")["kind"], "run");
}

#[test]
fn mistakes_in_the_configuration_have_their_places() {
    let world = world(Kind::Sqlite);
    world.also("nonsense: 1\nlease: soon");
    let done = call(&world, "config check", "");
    assert_eq!(done.code, 2, "{done:?}");
    let error = &object(&done, "config check")["error"];
    assert_eq!((&error["class"], error["causes"].as_array().map(Vec::len)), (&"configuration".into(), Some(2)), "{error}");
    for cause in error["causes"].as_array().into_iter().flatten() {
        assert!(cause["file"].as_str().is_some_and(|file| file.ends_with("etl-orch.yaml")), "{cause}");
        assert!(cause["line"].is_u64() && cause["column"].is_u64() && cause["message"].is_string(), "{cause}");
    }
    let two = call(&world, "", "--bank-symbol NONE");
    assert_eq!(object(&two, "the same in another command")["error"]["class"], "configuration");
}

#[test]
fn usage_errors_are_json_in_both_streams() {
    let world = world(Kind::Sqlite);
    let done = world.run_to(2, &["--log-format=json", "--format=json", "--dry-rum"]);
    let line: Value = serde_json::from_str(&done.stderr).unwrap_or_else(|error| panic!("{error}: {done:?}"));
    let message = object(&done, "--dry-rum")["error"]["message"].clone();
    assert_eq!(line["message"], format!("error: {}", message.as_str().unwrap_or_default()));
    assert!(message.as_str().is_some_and(|text| text.contains("'--dry-rum'") && text.contains("'--dry-run'")), "{message}");
    let two = object(&call(&world, "", "--bank-symbol NONE --etl-type nope"), "two mistakes");
    assert_eq!(two["error"]["causes"].as_array().map(Vec::len), Some(2), "{two:?}");
    assert_eq!(two["error"]["message"].as_str().map(|text| text.lines().count()), Some(2), "{two:?}");
    let help = object(&call(&world, "help sources", ""), "help sources");
    assert!(help["kind"] == "help" && help["text"].as_str().is_some_and(|text| text.contains("give-up")), "{help:?}");
}

#[test]
fn a_run_that_does_not_get_the_lock_prints_one_object() {
    let world = world(Kind::Sqlite);
    world.write("var/etl-orch.lock", "pid 1 of the test\n");
    let lock = File::options().read(true).write(true).open(world.path("var/etl-orch.lock")).expect("the lock file");
    flock(&lock, FlockOperation::NonBlockingLockExclusive).expect("free");

    let held = call(&world, "", "--lock-wait none");
    assert_eq!((held.code, &object(&held, "held")["error"]["class"]), (75, &"lock_held".into()), "{held:?}");

    let waiting = world.spawn(&["--format", "json"]);
    waiting.until_it_says("Waiting for the lock");
    let third = call(&world, "", "");
    let redundant = object(&third, "redundant");
    assert_eq!((third.code, &redundant["kind"], &redundant["holder"]), (0, &"redundant".into(), &"pid 1 of the test".into()), "{third:?}");

    waiting.signal("TERM");
    let stopped = waiting.wait();
    assert_eq!((stopped.code, &object(&stopped, "stopped")["error"]["class"]), (143, &"ended_by_signal".into()), "{stopped:?}");
}

#[test]
fn the_guard_prints_the_object_of_an_orchestrator_that_was_killed() {
    let world = world(Kind::Sqlite);
    world.write("etl.sh", "echo $$ > \"pid.$2\"; sleep 1000");
    let run = world.spawn(&["--bank-symbol", "RY", "--format", "json"]);
    pid_in(&world.path("pid.RY"));
    kill("KILL", run.orchestrator());
    let done = run.wait();
    assert_eq!((done.code, &object(&done, "killed")["error"]["class"]), (137, &"ended_by_signal".into()), "{done:?}");
}

on_both_databases! {
    fn jobs_that_may_start_are_counted_apart_from_those_behind_a_probe(world: &World) {
        world.single_etl("exit 1", &["retry: {max_attempts: 1}"]);
        world.also("breaker: {banks: 2}");
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        world.run_to(1, &["--max-parallel", "1"]);
        let gaps = object(&call(world, "", "--dry-run"), "dry run")["gaps"].clone();
        assert_eq!((&gaps["planned"], &gaps["startable"], &gaps["behind_probe"]), (&3.into(), &1.into(), &2.into()), "{gaps}");
    }

    fn alike_causes_have_alike_codes(world: &World) {
        world.single_etl("echo report > \"$4\"", &[]);
        // What does not fit is a matter of the configuration, what does not answer is not.
        world.sql("ALTER TABLE aegis_reports RENAME COLUMN report_type TO kind");
        let class = |args: &str, code: i32| {
            let done = call(world, "", args);
            assert_eq!(done.code, code, "{args}: {done:?}");
            object(&done, args)["error"]["class"].clone()
        };
        assert_eq!([class("--dry-run", 2), class("", 2), class("init", 2)], ["tables", "tables", "tables"]);
        world.sql("DROP TABLE aegis_reports");
        assert_eq!([class("--dry-run", 2), class("", 2)], ["tables", "tables"]);

        let config = world.read("etl-orch.yaml");
        let url = match world.kind() {
            Kind::Sqlite => "sqlite://reports-are-no-database/x.db",
            Kind::Postgres => "postgres://nobody:x@127.0.0.1:1/none",
        };
        world.write("reports-are-no-database", "a file");
        world.write("etl-orch.yaml", &format!("database: {{url: \"{url}\"}}\n{}", config.split_once('\n').expect("lines").1));
        for args in ["--dry-run", "", "init", "sources", "retry --all --reason x", "cancel deadbeef --reason x"] {
            assert_eq!(class(args, 1), "unable", "{args}");
        }
    }
}
