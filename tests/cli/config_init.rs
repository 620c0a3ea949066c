//! `config init`: a configuration from what the database holds, which can be used as it is.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::on_both_databases;
use crate::support::world::Done;
use crate::support::{Kind, World};

/// The binary in the directory `new` of a world, without a configuration.
fn in_new_directory(world: &World, args: &[&str]) -> Done {
    fs::create_dir_all(world.path("new")).expect("a directory");
    let mut command = Command::new(env!("CARGO_BIN_EXE_etl-orch"));
    command
        .args(args)
        .current_dir(world.path("new"))
        .stdin(Stdio::null())
        .env_remove("ETL_ORCH_CONFIG")
        .env("HOME", world.path("home"))
        .env("COLUMNS", "1000");
    Done::of(&command.output().expect("the binary starts"))
}

on_both_databases! {
    fn what_is_written_has_what_the_database_holds_and_can_be_used(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.available("RY", 1, 2025, "Q3");
        world.available("BMO-CA", 2, 2025, "Q2");
        world.report("RY", 1, 2025, "Q1", "Call Summary");
        world.report("RY", 1, 2025, "Q1", "Risk: \"A\"");
        let url = match world.kind() {
            Kind::Sqlite => format!("sqlite://{}", world.path("var/etl-orch.db").display()),
            Kind::Postgres => world.url().to_owned(),
        };
        let done = in_new_directory(world, &["config", "init", "--database-url", &url]);
        assert_eq!(done.code, 0, "{done:?}");
        assert!(done.stdout.contains("2 symbols, 2 types of reports, 1 tag") && !done.stdout.contains("corrected"), "{done:?}");
        let config = world.read("new/etl-orch.yaml");
        for words in ["  call_summary:\n", "report_type: \"Risk: \\\"A\\\"\"", "requires: [\"transcripts\"]   # tags of the data", "by: etl "] {
            assert!(config.contains(words), "{words}: {config}");
        }
        assert!(world.read("new/monitored_institutions.yaml").contains("RY: {id: 1, name: \"Bank\"}   # rows: 2\nBMO-CA: {id: 2"));
        for args in [&["config", "check", "--connect"][..], &["--dry-run"]] {
            let done = in_new_directory(world, args);
            assert_eq!(done.code, 0, "{args:?}: {done:?}");
        }

        world.write("new/etl-orch.yaml", "mine");
        let done = in_new_directory(world, &["config", "init", "--database-url", &url]);
        assert!(done.code == 2 && done.stderr.contains("is there already"), "{done:?}");
        assert_eq!(world.read("new/etl-orch.yaml"), "mine");
        let done = in_new_directory(world, &["config", "init", "--force", "--database-url", &url]);
        assert!(done.code == 0 && done.stdout.contains("was there already, and stays"), "{done:?}");
        assert_eq!(world.read("new/etl-orch.yaml"), config);
    }
}

#[test]
fn a_password_is_only_in_a_file_of_its_own() {
    let world = World::new(Kind::Postgres);
    let url = world.url().replace("postgres://postgres@", "postgres://postgres:s3%2Fcr'et@");
    let done = in_new_directory(&world, &["config", "init", "--database-url", &url]);
    assert_eq!(done.code, 0, "{done:?}");
    let mode = fs::metadata(world.path("new/.env")).expect("a file").permissions().mode() & 0o777;
    assert_eq!(mode, 0o600);
    assert!(world.read("new/.env").starts_with("DATABASE_URL='postgres://postgres:s3%2Fcr%27et@"));
    let config = world.read("new/etl-orch.yaml");
    assert!(config.contains("url: \"${DATABASE_URL}\"") && !config.contains("s3") && !done.stdout.contains("s3%"), "{config}\n{done:?}");
    assert_eq!(in_new_directory(&world, &["config", "check", "--connect"]).code, 0);
}

#[test]
fn without_a_database_it_begins_with_the_embedded_one() {
    let world = World::new(Kind::Sqlite);
    let done = in_new_directory(&world, &["config", "init", "--format", "json"]);
    assert_eq!((done.code, &done.json()["database"]), (0, &serde_json::Value::Null), "{done:?}");
    assert!(world.read("new/etl-orch.yaml").contains("url: \"sqlite://var/etl-orch.db\""));
    for args in [&["config", "check"][..], &["init"], &["doctor"], &["--dry-run"]] {
        let done = in_new_directory(&world, args);
        assert_eq!(done.code, 0, "{args:?}: {done:?}");
    }
    let done = in_new_directory(&world, &["config", "init", "none/x.yaml"]);
    assert!(done.code == 2 && done.stderr.contains("make it first"), "{done:?}");
    let unreachable = ["config", "init", "x.yaml", "--database-url", "postgres://u@127.0.0.1:1/x"];
    assert_eq!(in_new_directory(&world, &unreachable).code, 1);
    assert!(!world.path("new/x.yaml").exists(), "nothing is written before the database was looked at");
}
