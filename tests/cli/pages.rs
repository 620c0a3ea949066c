//! What the program says about itself: manual, help, schema; `config check` and `init`.

use std::fs;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use regex::Regex;
use serde_json::Value;

use super::quickstart::QuickStart;
use crate::on_both_databases;
use crate::support::world::Done;
use crate::support::{Kind, World};

/// The binary in the project's own directory, without a database of anybody's.
pub(crate) fn etl_orch(args: &[&str], environment: &[(&str, &str)]) -> Done {
    let mut command = Command::new(env!("CARGO_BIN_EXE_etl-orch"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).stdin(Stdio::null()).env_clear();
    command.envs(environment.iter().copied());
    Done::of(&command.output().expect("the binary starts"))
}

fn page(args: &[&str]) -> String {
    let done = etl_orch(args, &[]);
    assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{args:?}");
    done.stdout
}

pub(crate) fn shipped(name: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(name)).expect("a shipped file")
}

/// All matches of a pattern's group, in the order of the text.
pub(crate) fn all(pattern: &str, text: &str) -> Vec<String> {
    let pattern = Regex::new(pattern).expect("a pattern");
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// Runs a program on a text.
fn filter(program: &str, args: &[&str], text: &str) -> Output {
    let mut command = Command::new(program);
    command.args(args).env("MANWIDTH", "120").env("LC_ALL", "C.UTF-8").env_remove("MANPAGER").env("PAGER", "cat");
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} ({error}) is needed by this test; scripts/test.sh installs it"));
    let mut stdin = child.stdin.take().expect("piped");
    let text = text.to_owned();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("a child");
    writer.join().expect("a thread").expect("the text is read");
    output
}

/// The examples in a page of help: lines that begin with the program.
fn examples(help: &str) -> Vec<String> {
    all(r"(?m)^  (etl-orch.*)$", help.split("Examples:\n").nth(1).unwrap_or_default())
}

#[test]
fn a_page_of_help_has_its_options_in_the_order_of_need_then_examples_and_exit_codes() {
    let help = page(&["run", "--help"]);
    let headings = all(r"(?m)^([A-Z][A-Za-z ]+):(?: .*)?$", &help);
    assert_eq!(headings, ["Usage", "Select", "Run", "Output", "Global", "Examples", "Exit codes"], "{help}");
    let words = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for line in [
        "0 success, nothing to do, or a dry run; also: another run is active and one already waits",
        "1 some jobs failed after their retries, or etl-orch could not do its work",
        "2 usage or configuration error; nothing was started",
        "75 the lock is held and --lock-wait ran out",
        "128+n ended by signal n after stopping its children",
    ] {
        assert!(words.contains(line), "{line}\n{help}");
    }
    assert_eq!(
        all(r"(?m)^([A-Z][A-Za-z ]+):(?: .*)?$", &page(&["-h"])),
        ["Usage", "Make reports", "Look", "Give orders", "Set up", "Select", "Run", "Output", "Global"]
    );
    assert_eq!(page(&["help", "sources", "enqueue"]), page(&["sources", "enqueue", "--help"]));
    for (words, says) in [(["cancl"].as_slice(), "cancel"), (&["help", "souces"], "sources"), (&["run", "--dry-rum"], "--dry-run")] {
        let done = etl_orch(words, &[]);
        assert!(done.code == 2 && done.stderr.contains(says) && done.stderr.contains("--help"), "{done:?}");
    }
}

#[test]
fn the_examples_of_the_help_can_be_run_in_the_quick_start() {
    let quick_start = QuickStart::new();
    assert_eq!(quick_start.run(&[]).code, 0);
    let others = ["run-one", "tell test", "us_house", "1b0e5a7c", "--grant-to", "install", "man |", "completions"];
    let commands = all(r"(?m)^  ([a-z-]+)  ", page(&["--help"]).split("Examples:").next().unwrap_or_default());
    let pages = std::iter::once(page(&["--help"])).chain(commands.iter().map(|command| page(&[command, "--help"])));
    let lines: Vec<String> = pages.flat_map(|page| examples(&page)).filter(|line| !others.iter().any(|word| line.contains(word))).collect();
    assert!(lines.len() > 30, "{lines:?}");
    for line in lines {
        let command = line.split(['|', '>']).next().unwrap_or_default();
        let words = all(r#"("[^"]*"|\S+)"#, command);
        let words: Vec<&str> = words.iter().skip(1).map(|word| word.trim_matches('"')).collect();
        let done = quick_start.run(&words);
        assert!(done.code != 2 || line.contains("config init"), "{line}: {done:?}");
    }
}

#[test]
fn every_page_of_the_manual_is_without_fault() {
    let share = tempfile::tempdir().expect("a temporary directory");
    let written = page(&["man", "--share", share.path().to_str().expect("a path")]);
    let pages: Vec<&str> = written.lines().filter(|path| path.contains("/man/")).collect();
    assert!(pages.len() > 30 && written.lines().count() == pages.len() + 3, "{written}");
    let linted = filter("mandoc", &[&["-T", "lint", "-W", "warning"], pages.as_slice()].concat(), "");
    assert!(linted.status.success(), "{}", String::from_utf8_lossy(&linted.stdout));
    for path in pages {
        let text = fs::read_to_string(path).expect("a page");
        let shown = filter("man", &["--warnings", "-E", "UTF-8", "-l", "-"], &text);
        assert_eq!(String::from_utf8_lossy(&shown.stderr), "", "{path}");
        let shown = String::from_utf8(shown.stdout).expect("text");
        let own: &[&str] = if path.ends_with(".5") { &["KEYS", "INSTITUTIONS"] } else { &["SYNOPSIS", "EXIT STATUS"] };
        for title in ["NAME", "ENVIRONMENT", "FILES", "EXAMPLES", "SEE ALSO"].iter().chain(own) {
            assert!(shown.lines().any(|line| line == *title), "{path} has no {title}\n{shown}");
        }
    }
    let configuration = page(&["man", "etl-orch.yaml"]).replace('\\', "");
    for key in ["state_dir", "etls.NAME.http.trigger.url", "etls.NAME.outcomes.is", "sources.NAME.verify.sql", "tell.mail.to"] {
        assert!(configuration.contains(&format!("fB{key}fR")), "{key}\n{configuration}");
    }
    let run = page(&["man", "run"]).replace('\\', "");
    for option in all(r"(--[a-z-]+)", &page(&["run", "--help"])) {
        assert!(run.contains(&option), "{option}\n{run}");
    }
}

/// What the schema says about the value at a path of keys; `NAME` stands for any.
pub(crate) fn described<'a>(schema: &'a Value, node: &'a Value, path: &[&str]) -> Option<&'a Value> {
    if let Some(reference) = node["$ref"].as_str() {
        return described(schema, schema.pointer(reference.trim_start_matches('#'))?, path);
    }
    let choices = ["anyOf", "oneOf", "allOf"].into_iter().filter_map(|key| node[key].as_array()).flatten().chain(node.get("items"));
    if let Some(found) = choices.into_iter().find_map(|choice| described(schema, choice, path)) {
        return Some(found);
    }
    let Some((key, rest)) = path.split_first() else { return Some(node) };
    let below = node["properties"].get(key).or_else(|| node.get("additionalProperties").filter(|more| **more != Value::Bool(false)))?;
    described(schema, below, rest)
}

pub(crate) fn schema() -> Value {
    let schema: Value = serde_json::from_str(&page(&["config", "schema"])).expect("JSON");
    assert!(schema["$schema"].as_str().is_some_and(|url| url.starts_with("https://json-schema.org/")), "{schema}");
    schema
}

/// The paths of the keys in a file that is written as the shipped ones are: by indentation, with flow maps of one line.
fn paths(yaml: &str) -> Vec<String> {
    let key = Regex::new(r"^( *)([A-Za-z_]+):(?: (.*))?$").expect("a pattern");
    let inner = Regex::new(r"[{,] ?([a-z_]+): ").expect("a pattern");
    let (mut open, mut found) = (Vec::<(usize, String)>::new(), Vec::new());
    for line in yaml.lines().filter(|line| !line.trim_start().starts_with('#')) {
        let Some(line) = key.captures(line) else { continue };
        let indent = line[1].len();
        open.retain(|(outer, _)| *outer < indent);
        open.push((indent, line[2].to_owned()));
        let path = open.iter().map(|(_, key)| key.as_str()).collect::<Vec<_>>().join(".");
        let value = line.get(3).map_or("", |value| value.as_str());
        if value.starts_with('{') || value.starts_with('&') {
            found.extend(inner.captures_iter(value).map(|inner| format!("{path}.{}", &inner[1])));
        }
        found.push(path);
    }
    found
}

#[test]
fn the_schema_knows_every_key_of_the_production_example() {
    let schema = schema();
    let paths = paths(&shipped("config/production.example.yaml"));
    for expected in ["database.max_connections", "retry.jitter", "etls.key_themes.env.LOG_LEVEL", "etls.call_summary.exit_codes.config"] {
        assert!(paths.iter().any(|path| path == expected), "{expected} is not read from {paths:?}");
    }
    for path in paths {
        assert!(described(&schema, &schema, &path.split('.').collect::<Vec<_>>()).is_some(), "{path} is not in the schema");
    }
    assert!(described(&schema, &schema, &["database", "nothing"]).is_none());
}

#[test]
fn the_shipped_configurations_are_valid_and_no_password_is_shown() {
    let secret = "hunter2:s3cret/@";
    let postgres = [
        ("POSTGRES_HOST", "db.example.com"),
        ("POSTGRES_PORT", "5432"),
        ("POSTGRES_DATABASE", "aegis"),
        ("POSTGRES_USER", "aegis"),
        ("POSTGRES_PASSWORD", secret),
        ("ETL_API_KEY", secret),
    ];
    // The example names places of a machine that this one is not.
    let directory = tempfile::tempdir().expect("a temporary directory");
    let production = directory.path().join("etl-orch.yaml");
    let aegis = directory.path().join("aegis");
    let example = shipped("config/production.example.yaml").replace("/srv/aegis", aegis.to_str().expect("a name"));
    fs::write(&production, example.replace("/var/lib/etl-orch", "var")).expect("a file");
    let python = aegis.join("venv/bin/python");
    fs::create_dir_all(python.parent().expect("a parent")).expect("a directory");
    std::os::unix::fs::symlink("/bin/sh", python).expect("a link");
    fs::write(aegis.join(".env"), format!("TOKEN={secret}\n")).expect("a file");
    fs::write(directory.path().join("monitored_institutions.yaml"), shipped("config/monitored_institutions.yaml")).expect("a file");

    for (config, environment) in [("config/etl-orch.yaml", &[][..]), (production.to_str().expect("a name"), &postgres)] {
        for format in ["text", "json"] {
            let done = etl_orch(&["--config", config, "config", "check", "--format", format], environment);
            assert_eq!((done.code, done.stderr.as_str()), (0, ""), "{config}");
            assert!(done.stdout.contains(config) && done.stdout.contains("call_summary"), "{done:?}");
            assert!(!done.stdout.contains("hunter2") && !done.stdout.contains("s3cret"), "{done:?}");
        }
    }
    let done = etl_orch(&["--config", production.to_str().expect("a name"), "config", "check"], &postgres[..2]);
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("POSTGRES_DATABASE"), "{done:?}");
}

/// The record of migrations, by time and checksum.
fn migrations(world: &World) -> Vec<String> {
    world.sql(match world.kind() {
        Kind::Sqlite => "SELECT * FROM etl_migrations",
        Kind::Postgres => "SELECT * FROM etl_orch._sqlx_migrations",
    })
}

on_both_databases! {
    fn init_may_be_repeated(world: &World) {
        let first = world.run(&["init"]);
        let record = migrations(world);
        let again = world.run(&["init"]);
        assert_eq!((first.code, again.code), (0, 0), "{first:?} {again:?}");
        assert_eq!(first.stdout, again.stdout);
        assert!(!record.is_empty());
        assert_eq!(migrations(world), record);
    }

    fn the_sql_of_init_applied_by_hand_leaves_a_run_nothing_to_migrate(world: &World) {
        let printed = world.run(&["init", "--print-sql"]);
        assert_eq!((printed.code, printed.stderr.as_str()), (0, ""));
        if world.kind() == Kind::Sqlite {
            fs::remove_file(world.path("var/etl-orch.db")).expect("made by the world");
        }
        world.sql(&printed.stdout);
        let record = migrations(world);
        assert!(!record.is_empty());

        world.available("RY", 1, 2025, "Q2");
        let done = world.run(&[]);
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(world.reports().len(), 2);
        assert_eq!(migrations(world), record);
    }
}
