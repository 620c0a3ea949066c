//! What is wrong is said, with its place and the way out, and nothing is started.

use std::net::TcpListener;
use std::process::Command;

use crate::on_both_databases;
use crate::support::world::{Done, pid_in};
use crate::support::{Kind, World};

const BANKS: &str = "RY-CA: {id: 1, name: Royal Bank of Canada}\nBMO-CA: {id: 2, name: Bank of Montreal}\n";
const ETL: &str = "etls:\n  call_summary: {report_type: Call Summary, requires: [transcripts], command: [sh, etl.sh]}\n";

/// A world with one gap, whose ETL leaves a trace when it is started.
fn world(kind: Kind) -> World {
    let world = World::new(kind);
    prepare(&world);
    world
}

fn prepare(world: &World) {
    world.single_etl("echo > started; echo report > \"$4\"", &[]);
    world.available("RY", 1, 2025, "Q2");
}

/// Nothing was started: no program, and no record of a run.
fn nothing_was_started(world: &World) {
    assert!(!world.path("started").exists());
    assert_eq!(world.value("SELECT count(*) FROM etl_runs"), "0");
}

/// The message is one that a person can work with.
fn says(done: &Done, words: &[&str]) {
    for word in words {
        assert!(done.stderr.contains(word), "{word:?} is not said: {done:?}");
    }
    assert_eq!(done.stdout, "", "{done:?}");
    assert!(!done.stderr.contains("panicked"), "{done:?}");
}

#[test]
fn mistakes_in_files_are_named_by_place_and_nothing_is_touched() {
    let etl = |more: &str| format!("{ETL}{more}");
    let cases: &[(&str, String, &str, &[&str])] = &[
        ("malformed YAML", "etls: [\n".to_owned(), BANKS, &["etl-orch.yaml:", "not valid YAML"]),
        ("an unknown key", etl("instituions: x.yaml\n"), BANKS, &[":5:1: unknown key \"instituions\"", "did you mean institutions?"]),
        ("a duplicate key", etl("run: {max_jobs: 1, max_jobs: 2}\n"), BANKS, &[":5:20: duplicate key \"max_jobs\"", "keep one"]),
        (
            "several at once",
            etl("run: {max_jobs: 0, deadline: soon}\nnonsense: 1\n"),
            "RY-CA: {id: 1}\n",
            &[":5:17: run.max_jobs", ":5:30: run.deadline", ":6:1: unknown key", "monitored_institutions.yaml:1:1: \"RY-CA\" has no name"],
        ),
        (
            "a duplicate bank",
            etl(""),
            "RY-CA: {id: 1, name: A}\nRY-CA: {id: 2, name: B}\n",
            &["monitored_institutions.yaml:2:1: ", "RY-CA"],
        ),
        (
            "a duplicate id",
            etl(""),
            "RY-CA: {id: 1, name: A}\nTD-CA: {id: 1, name: B}\n",
            &["monitored_institutions.yaml:2:", "RY-CA", "TD-CA"],
        ),
        ("no institutions", etl("institutions: none.yaml\n"), BANKS, &[":5:15: institutions: \"none.yaml\" cannot be read"]),
        (
            "no env_file",
            ETL.replace("requires", "env_file: none.env, requires"),
            BANKS,
            &["none.env: there is no such file", "env_file names it"],
        ),
        (
            "two ETLs of one type",
            etl("  again: {report_type: Call Summary, requires: [transcripts], command: [sh, etl.sh]}\n"),
            BANKS,
            &[":5:24: report type \"Call Summary\" is used by call_summary at 4:"],
        ),
        ("an unknown placeholder", ETL.replace("etl.sh", "'{bank_symbl}'"), BANKS, &["{bank_symbl}; did you mean bank_symbol"]),
        (
            "a variable that is not set",
            etl("run: {max_jobs: \"${NOT_SET_ANYWHERE}\"}\n"),
            BANKS,
            &["NOT_SET_ANYWHERE is not set", ":-default"],
        ),
    ];
    for (what, text, banks, words) in cases {
        let world = World::new(Kind::Sqlite);
        world.write("monitored_institutions.yaml", banks);
        world.write("etl-orch.yaml", &format!("database: {{url: \"{}\"}}\nstate_dir: elsewhere\n{text}", world.url()));
        for args in [&["run"][..], &["run", "--dry-run"], &["config", "check"]] {
            let done = world.run(args);
            assert_eq!(done.code, 2, "{what}, {args:?}: {done:?}");
            says(&done, words);
        }
        assert!(!world.path("elsewhere").exists(), "{what}");
        nothing_was_started(&world);
    }
}

#[test]
fn a_configuration_that_is_not_there_is_missed_by_name() {
    let world = world(Kind::Sqlite);
    let nowhere = world.path("nowhere");
    std::fs::create_dir(&nowhere).expect("a directory");
    let run = |args: &[&str], variable: Option<&str>| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_etl-orch"));
        command.args(args).current_dir(&nowhere).env_remove("ETL_ORCH_CONFIG").env("HOME", &nowhere).env("XDG_CONFIG_HOME", &nowhere);
        command.envs(variable.map(|file| ("ETL_ORCH_CONFIG", file)));
        let output = command.output().expect("the binary starts");
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (code, said) = run(&[], None);
    assert_eq!(code, Some(2), "{said}");
    assert!(said.contains("no configuration found") && said.contains("--config") && said.contains("etl-orch/etl-orch.yaml"), "{said}");
    for (code, said) in [run(&["--config", "missing.yaml"], None), run(&[], Some("missing.yaml"))] {
        assert_eq!(code, Some(2), "{said}");
        assert!(said.contains("missing.yaml: cannot be read: No such file"), "{said}");
    }
    assert_eq!(std::fs::read_dir(&nowhere).expect("a directory").count(), 0);
}

#[test]
fn options_that_name_what_is_not_there_are_usage_errors() {
    let world = world(Kind::Sqlite);
    for (args, words) in [
        (&["--bank-symbol", "RYY"][..], &["RYY", "did you mean RY"][..]),
        (&["--etl-type", "call_sumary"], &["unknown ETL \"call_sumary\"", "did you mean call_summary?"]),
        (&["--bank-symbol", "XX", "--etl-type", "yy"], &["XX", "yy"]),
        (&["--bank-symbol", "\u{1b}[31m"], &["--bank-symbol"]),
        (&["--period", "2025Q5"], &["2025Q5"]),
        (&["--force"], &["--bank-symbol, --etl-type, --period or --source"]),
        (&["--dry-runn"], &["--dry-run"]),
        (&["--max-parallel", "0"], &["--max-parallel"]),
        (&["--lock-wait", "soon"], &["forever, none, or a duration"]),
    ] {
        let done = world.run(args);
        assert_eq!(done.code, 2, "{args:?}: {done:?}");
        says(&done, words);
        assert!(!done.stderr.contains('\u{1b}'), "{done:?}");
    }
    nothing_was_started(&world);
    assert!(!world.path("var/etl-orch.lock").exists(), "the lock was not touched");
}

#[test]
fn a_server_that_cannot_be_reached_is_named_without_its_password() {
    let real = world(Kind::Postgres);
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a free port").port();
    let real_url: url::Url = real.url().parse().expect("a URL");
    let (port, query) = (real_url.port().expect("a port"), real_url.query().expect("a socket"));
    for (url, words) in [
        (format!("postgres://me:s3cret@127.0.0.1:{free}/db"), &["Connection refused", "postgres://127.0.0.1"][..]),
        (format!("postgres://me:s3cret@127.0.0.1:{free}/db?password=s3cret&sslmode=disable"), &["Connection refused"]),
        ("postgres://me:s3cret@no-such-host.invalid/db".to_owned(), &["no-such-host.invalid"]),
        (format!("postgres://postgres:s3cret@localhost:{port}/nonesuch?{query}"), &["\"nonesuch\" does not exist"]),
        (format!("postgres://nobody_such:s3cret@localhost:{port}/postgres?{query}"), &["\"nobody_such\" does not exist"]),
        ("postgres://me:s3cret@h:99999/db".to_owned(), &["database.url"]),
        ("mysql://me:s3cret@h/db".to_owned(), &["database.url must begin with sqlite:// or postgres://"]),
        ("postgres://me:s3cret@localhost/db?host=/nowhere".to_owned(), &["/nowhere"]),
    ] {
        let world = World::new(Kind::Sqlite);
        world.write("etl-orch.yaml", &format!("database: {{url: \"{url}\"}}\nstate_dir: var\n{ETL}"));
        for args in [&["run"][..], &["run", "--dry-run"], &["init"], &["config", "check"]] {
            let done = world.run(&[args, &["--log-level", "trace"]].concat());
            assert!(!done.stderr.contains("s3cret") && !done.stdout.contains("s3cret"), "{url}: {done:?}");
            if args[0] == "run" {
                assert!([1, 2].contains(&done.code), "{url}: {done:?}");
                says(&done, words);
            }
        }
        // The same by variables, as the users' .env has them.
        world.write("etl-orch.yaml", &format!("state_dir: var\n{ETL}"));
        let mut command = world.command(&["--log-level", "trace"]);
        command.envs([
            ("POSTGRES_HOST", "127.0.0.1"),
            ("POSTGRES_PORT", &free.to_string()),
            ("POSTGRES_DATABASE", "db"),
            ("POSTGRES_USER", "me"),
            ("POSTGRES_PASSWORD", "s3cret/@:?"),
        ]);
        let output = command.output().expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(1), "{said}");
        assert!(said.contains("Connection refused") && !said.contains("s3cret"), "{said}");
    }
}

#[test]
fn a_file_that_is_no_database_is_left_alone() {
    let world = world(Kind::Sqlite);
    let text = "this is a letter, and no database at all\n".repeat(100);
    world.write("letter.txt", &text);
    for path in ["letter.txt", ".", "letter.txt/below.db"] {
        world.write("etl-orch.yaml", &format!("database: {{url: \"sqlite://{path}\"}}\nstate_dir: var\n{ETL}"));
        for args in [&["run"][..], &["run", "--dry-run"], &["init"]] {
            let done = world.run(args);
            assert_eq!(done.code, 1, "{path}, {args:?}: {done:?}");
            says(&done, &["cannot reach the database sqlite://"]);
        }
        assert_eq!(world.read("letter.txt"), text);
    }
    nothing_was_started(&world);
}

#[test]
fn data_tables_that_are_missing_are_named_with_the_way_out() {
    let world = world(Kind::Sqlite);
    world.sql("DROP TABLE aegis_reports");
    for args in [&["run"][..], &["run", "--dry-run"]] {
        let done = world.run(args);
        assert_eq!(done.code, 2, "{done:?}");
        says(&done, &["table aegis_reports is missing", "`etl-orch init`", "`reports.table`"]);
    }
    nothing_was_started(&world);
    assert_eq!(world.run(&["init"]).code, 0);
    assert_eq!(world.run(&[]).code, 0);

    let world = self::world(Kind::Postgres);
    world.run(&["init"]);
    world.sql("DROP TABLE aegis_data_availability");
    for args in [&["run"][..], &["run", "--dry-run"], &["init"]] {
        let done = world.run(args);
        assert_eq!(done.code, 2, "{done:?}");
        says(&done, &["table aegis_data_availability is missing", "`availability.table`"]);
    }
    nothing_was_started(&world);
}

/// A directory that nobody can write to, root included.
const UNWRITABLE: &str = "/sys/kernel/etl-orch";

on_both_databases! {
    fn a_state_dir_that_cannot_be_written_stops_the_run_before_it_starts(world: &World) {
        prepare(world);
        world.run(&["init"]);
        world.write("file", "");
        let url = match world.kind() {
            Kind::Sqlite => format!("sqlite://{}", world.path("var/etl-orch.db").display()),
            Kind::Postgres => world.url().to_owned(),
        };
        for state_dir in ["file/below", "file", UNWRITABLE, "/sys/kernel"] {
            // With a lock elsewhere too: it is the directory that matters, not the lock in it.
            for lock in ["", "lock_file: elsewhere.lock\n"] {
                world.write("etl-orch.yaml", &format!("database: {{url: \"{url}\"}}\nstate_dir: {state_dir}\n{lock}{ETL}"));
                for args in [&["run"][..], &["run", "--no-lock"]] {
                    let done = world.run(args);
                    assert_eq!(done.code, 1, "{state_dir}: {done:?}");
                    says(&done, &[state_dir]);
                    nothing_was_started(world);
                }
            }
            assert_eq!(world.run(&["run", "--dry-run"]).code, 0, "a dry run writes nothing");
        }
    }

    fn state_tables_of_a_later_version_are_refused_with_words(world: &World) {
        prepare(world);
        world.run(&["init"]);
        let (table, checksum) = match world.kind() {
            Kind::Sqlite => ("etl_migrations", "x''"),
            Kind::Postgres => ("_sqlx_migrations", "''"),
        };
        world.sql(&format!(
            "INSERT INTO {table} (version, description, success, checksum, execution_time) VALUES (9999, 'later', TRUE, {checksum}, 0)"
        ));
        for args in [&["run"][..], &["run", "--dry-run"], &["init"]] {
            let done = world.run(args);
            assert_eq!(done.code, 2, "{done:?}");
            says(&done, &["version 9999", "install the version that made them"]);
        }
        nothing_was_started(world);
    }

    fn a_bad_row_stops_nobody_else(world: &World) {
        prepare(world);
        world.available("BMO", 77, 2025, "Q2");
        world.available("TD", 6, 2025, "Q9");
        world.available("-rf", 9, 2025, "Q1");
        world.available("\u{1b}[31m\u{9b}", 10, 2025, "Q1");
        for args in [&["--format", "json"][..], &[]] {
            let done = world.run(args);
            assert_eq!(done.code, 0, "{done:?}");
            assert!(done.stdout.contains("BMO") && done.stdout.contains("77") && done.stdout.contains("Q9"), "{done:?}");
            let harmful = |c: char| c.is_control() && c != '\n';
            assert!(!done.stdout.contains(harmful) && !done.stderr.contains(harmful), "{done:?}");
        }
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    }
}

#[test]
fn a_state_dir_on_a_read_only_file_system_is_refused() {
    let world = world(Kind::Postgres);
    world.run(&["init"]);
    for args in [&["run"][..], &["run", "--no-lock"]] {
        let done = world.with_mounts("mkdir -p var/logs var/work; mount --bind var var; mount -o remount,bind,ro var; \"$@\"", args);
        assert_eq!(done.code, 1, "{done:?}");
        says(&done, &["var/", "Read-only file system", "name another"]);
        nothing_was_started(&world);
    }
}

#[test]
fn a_table_that_goes_away_ends_the_run_which_says_so() {
    let world = world(Kind::Sqlite);
    world.single_etl("echo $$ > pid; until [ -e go ]; do sleep 0.01; done; echo report > \"$4\"", &[]);
    let running = world.spawn(&[]);
    pid_in(&world.path("pid"));
    world.sql("ALTER TABLE aegis_reports RENAME TO away");
    world.write("go", "");
    let done = running.wait();
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("Successful: 0") && done.stdout.contains("Not complete: recording the end of a job"), "{done:?}");
    world.sql("ALTER TABLE away RENAME TO aegis_reports");
    let next = world.run(&[]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
}
