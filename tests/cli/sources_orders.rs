//! `etl-orch sources` and orders on sources, as far as they are answered before a database is looked at.

use crate::support::{Kind, World};

#[test]
fn sources_that_nobody_knows_are_usage_errors_and_change_nothing() {
    let world = World::new(Kind::Sqlite);
    let unknown = "unknown source \"us_house\"; no sources are configured";
    for (args, told) in [
        (&["--source", "us_house"][..], unknown),
        (&["run", "--source", "us_house", "--dry-run"], unknown),
        (&["sources", "enqueue", "us_house"], unknown),
        (&["sources", "enqueue", "us_house", "--now"], unknown),
        (&["sources", "enqueue", "us_house", "--window", "soon"], "write START/END, a day such as 2026-01-16"),
        (&["sources", "pause", "us_house", "--reason", "moved"], unknown),
        (&["sources", "pause", "us_house"], "--reason <TEXT>"),
        (&["sources", "pause", "us_house", "--reason", "\u{1b}[2J"], "control character"),
        (&["sources", "resume", "us_house", "--reason", " "], "say why"),
        (&["sources", "give-up", "us_house", "--window", "2026-01-16", "--reason", "lost"], unknown),
        (&["sources", "give-up", "us_house", "--reason", "lost"], "--window <WINDOW>"),
        (&["sources", "drop", "us_house"], "unrecognized subcommand"),
        (&["retry", "source:us_house", "--reason", "x"], unknown),
        (&["skip", "source:us_house", "--reason", "x"], unknown),
        (&["cancel", "source:us_house", "--reason", "x"], unknown),
        (&["cancel", "us_house", "--reason", "x"], "unknown bank \"us_house\""),
    ] {
        let done = world.run_to(2, args);
        assert!(done.stderr.contains(told), "{args:?}: {}", done.stderr);
        assert_eq!(done.stdout, "", "{args:?}");
        assert!(!done.stderr.contains('\u{1b}'), "{}", done.stderr);
    }
}

#[test]
fn where_no_source_is_configured_that_is_said() {
    let world = World::new(Kind::Sqlite);
    let done = world.run_to(0, &["sources"]);
    assert_eq!((done.stdout.as_str(), done.stderr.as_str()), ("no sources are configured\n", ""));
    let json = world.run_to(0, &["sources", "--format", "json"]).json();
    assert_eq!((&json["kind"], &json["sources"]), (&"sources".into(), &serde_json::json!([])));
    assert_eq!(world.run_to(0, &["--dry-run", "--format", "json"]).json()["sources"], serde_json::json!([]));
}

#[test]
fn a_database_that_is_away_is_an_error() {
    let world = World::new(Kind::Sqlite);
    world.write("etl-orch.yaml", &world.read("etl-orch.yaml").replace("sqlite://var/etl-orch.db", "postgres://nobody@127.0.0.1:1/none"));
    let done = world.run_to(1, &["sources"]);
    assert!(done.stderr.starts_with("error: ") && done.stdout.is_empty(), "{done:?}");
}

#[test]
fn help_says_what_can_be_done_with_sources() {
    let world = World::new(Kind::Sqlite);
    let help = world.run_to(0, &["sources", "--help"]).stdout;
    for command in ["enqueue", "give-up", "pause", "resume"] {
        assert!(help.contains(&format!("\n  {command} ")), "{help}");
    }
    let enqueue = world.run_to(0, &["sources", "enqueue", "--help"]).stdout;
    let enqueue = enqueue.split_whitespace().collect::<Vec<_>>().join(" ");
    assert!(enqueue.contains("END itself not included") && enqueue.contains("asked for on the command"), "{enqueue}");
    assert!(world.run_to(0, &["run", "--help"]).stdout.contains("--source <ID>"));
}
