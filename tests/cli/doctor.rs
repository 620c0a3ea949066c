//! `doctor`: a look at everything that a run needs, which changes nothing and goes on after what fails.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::on_both_databases;
use crate::support::world::{Done, kill, until};
use crate::support::{Kind, WAITS, World, etl};

/// A `systemctl` that knows one timer, and a `crontab` that prints a file.
fn host_programs(world: &World, timer: &str, crontab: &str) {
    let systemctl = format!(
        "#!/bin/sh\ncase \"$*\" in\n*list-unit-files*) echo 'etl-orch.timer enabled enabled';;\n\
         *ActiveState*) printf 'Id=etl-orch.timer\\nUnit=etl-orch.service\\nUnitFileState=enabled\\n{timer}\\n';;\n\
         *) printf 'Id=etl-orch.service\\nResult=success\\nExecStart={{ path=/usr/bin/etl-orch ; argv[]=/usr/bin/etl-orch run -q ; }}\\n';;\nesac\n"
    );
    let crontab = format!("#!/bin/sh\ncat <<'END'\n{crontab}\nEND\n");
    for (name, script) in [("systemctl", systemctl), ("crontab", crontab)] {
        world.write(&format!("bin/{name}"), &script);
        fs::set_permissions(world.path(&format!("bin/{name}")), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
}

fn doctor(world: &World, args: &[&str], environment: &[(&str, &str)]) -> Done {
    let path = format!("{}:{}", world.path("bin").display(), std::env::var("PATH").unwrap_or_default());
    let mut command = world.command(&[&["doctor"], args].concat());
    command.env("PATH", path).envs(environment.iter().copied());
    Done::of(&command.output().expect("the binary starts"))
}

/// The status of each check.
fn statuses(done: &Done) -> BTreeMap<String, String> {
    let json = done.json();
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    json["checks"].as_array().expect("checks").iter().map(|check| (text(&check["id"]), text(&check["status"]))).collect()
}

const ACTIVE: &str = "ActiveState=active\\nLastTriggerUSec=Sun 2026-11-29 02:00:00 UTC";

on_both_databases! {
    fn a_healthy_installation_has_nothing_to_mend_and_is_left_as_it_is(world: &World) {
        host_programs(world, ACTIVE, "MAILTO=ops");
        for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
            world.available(symbol, id, 2025, "Q2");
        }
        world.run_to(0, &["run"]);
        let before = (world.bytes_below("var"), world.jobs());
        let done = doctor(world, &["--format", "json"], &[]);
        assert_eq!(done.code, 0, "{done:?}");
        let found = statuses(&done);
        let others: Vec<_> = found.iter().filter(|(_, status)| *status != "ok").map(|(id, _)| id.as_str()).collect();
        assert_eq!(others, ["telling_others"], "{done:?}");
        assert_eq!(found.contains_key("tls"), world.kind() == Kind::Postgres);
        let text = doctor(world, &[], &[]).stdout;
        for line in ["etl-orch.timer is active, last fired 2026-11-29 02:00:00Z", "banks: each of the 3 monitored banks has data"] {
            assert!(text.contains(line), "{line}: {text}");
        }
        assert_eq!((world.bytes_below("var"), world.jobs()), before);
    }

    fn many_faults_are_told_at_once(world: &World) {
        host_programs(world, "ActiveState=inactive", "*/15 * * * * cd /srv && PGPASSWORD=s3cret etl-orch run -q");
        world.write("reports", "a file");
        world.write("lock/file", "");
        world.write("monitored_institutions.yaml", "RY-CA: {id: 1, name: Royal}\nBMO-CA: {id: 2, name: Montreal}\n");
        let more = ["requires: [transcirpts]"];
        world.etls("", &[etl("call_summary", "Call Summary", &more), etl("key_themes", "Key Themes", &["command: [no-such-program]"])]);
        world.also("lock_file: lock");
        world.available("RY", 7, 2025, "Q2");
        world.available("XX", 9, 2025, "Q2");
        world.report("RY", 1, 2025, "Q1", "key_themes");
        let done = doctor(world, &[], &[("TZ", "Europe/Nowhere")]);
        assert_eq!(done.code, 1, "{done:?}");
        for words in [
            "[FAIL] programs: etl-orch.yaml:",
            "no-such-program is not found on its PATH",
            "[FAIL] report directories: ",
            "[FAIL] lock: lock file ",
            "[warn] time zone: this host does not know TZ=Europe/Nowhere",
            "etl-orch.timer is not active",
            "-> systemctl enable --now etl-orch.timer",
            "crontab -l: */15 * * * * ... etl-orch run -q",
            "[FAIL] tags: ",
            "did you mean transcripts?",
            "[warn] report types: ",
            "report_type: [\"Key Themes\", \"key_themes\"]",
            "[FAIL] banks: nothing matches: ",
            "[warn] symbols: 1 symbol in the data that nobody monitors: XX",
            "[warn] rows: RY 2025 Q2: bank_id 7 differs from id 1 of RY-CA",
        ] {
            assert!(done.stdout.contains(words), "{words}: {done:?}");
        }
        assert!(!done.stdout.contains("s3cret"), "{done:?}");
        world.sql("ALTER TABLE aegis_data_availability RENAME COLUMN bank_symbol TO symbol; ALTER TABLE aegis_reports RENAME TO old_reports");
        let found = doctor(world, &["--format", "json"], &[]);
        assert_eq!((found.code, found.json()["exit_code"].as_i64()), (1, Some(1)));
        let text = doctor(world, &[], &[]).stdout;
        for words in ["lacks the column bank_symbol", "table aegis_reports is missing", "not looked at until this is mended: data tables"] {
            assert!(text.contains(words), "{words}: {text}");
        }
    }

    fn an_empty_table_is_not_called_fine_and_a_run_that_died_is_told(world: &World) {
        host_programs(world, ACTIVE, "");
        world.single_etl(WAITS, &[]);
        world.run_to(0, &["run", "-q"]);
        let found = statuses(&doctor(world, &["--format", "json"], &[]));
        let of = |ids: [&str; 4]| ids.map(|id| found[id].clone());
        assert_eq!(of(["banks", "symbols", "rows", "runs"]), ["warning", "unknown", "unknown", "ok"]);
        world.available("RY", 1, 2025, "Q2");
        let running = world.spawn(&["run"]);
        until("the job runs", || world.path("waiting").exists());
        kill("KILL", running.orchestrator());
        running.wait();
        let done = doctor(world, &[], &[]);
        assert!(done.stdout.contains("[warn] runs: "), "{done:?}");
        assert!(done.stdout.contains("has ended without a word"), "{done:?}");
    }

    fn who_holds_the_lock_and_runs_is_named(world: &World) {
        world.single_etl(WAITS, &[]);
        world.available("RY", 1, 2025, "Q2");
        let running = world.spawn(&["run"]);
        until("the job runs", || world.path("waiting").exists());
        let done = doctor(world, &[], &[]);
        let holder = format!("etl-orch.lock is held by process {} on ", running.orchestrator());
        let process = format!("process {}: ", running.pid());
        for words in [holder.as_str(), &process, " is running"] {
            assert!(done.stdout.contains(words), "{words}: {done:?}");
        }
        world.write("go", "");
        running.wait();
    }
}

#[test]
fn without_a_database_everything_else_is_looked_at() {
    let world = World::new(Kind::Sqlite);
    host_programs(&world, ACTIVE, "");
    let config = world.read("etl-orch.yaml").replace("sqlite://var/etl-orch.db", "postgres://u:s3cret@127.0.0.1:1/x");
    world.write("etl-orch.yaml", &config);
    let done = doctor(&world, &["--format", "json"], &[]);
    assert_eq!(done.code, 1, "{done:?}");
    let found = statuses(&done);
    for (id, status) in
        [("database", "failed"), ("data_tables", "unknown"), ("rights", "unknown"), ("programs", "ok"), ("systemd_timer", "ok")]
    {
        assert_eq!(found[id], status, "{id}: {done:?}");
    }
    assert!(!done.stdout.contains("s3cret"), "{done:?}");
}

#[test]
fn a_wrong_configuration_is_named_and_the_host_is_looked_at_all_the_same() {
    let world = World::new(Kind::Sqlite);
    host_programs(&world, ACTIVE, "");
    world.also("statedir: x");
    let done = doctor(&world, &[], &[]);
    assert_eq!(done.code, 2, "{done:?}");
    for words in [
        "[FAIL] configuration: etl-orch.yaml:",
        "did you mean state_dir?",
        "[ok]   systemd timer: ",
        "not looked at until this is mended: configuration",
    ] {
        assert!(done.stdout.contains(words), "{words}: {done:?}");
    }
}

#[test]
fn rights_that_lack_are_named_by_their_grant() {
    let world = World::new(Kind::Postgres);
    host_programs(&world, ACTIVE, "");
    world.run_to(0, &["init"]);
    let role = format!("{}_doctor", world.value("SELECT current_database()"));
    world.sql(&format!("CREATE ROLE \"{role}\" LOGIN; GRANT SELECT ON aegis_data_availability TO \"{role}\""));
    let config = world.read("etl-orch.yaml").replace("postgres://postgres@", &format!("postgres://{role}@"));
    world.write("etl-orch.yaml", &config);
    let done = doctor(&world, &["--format", "json"], &[]);
    assert_eq!(done.code, 1, "{done:?}");
    let found = statuses(&done);
    assert_eq!((found["state_tables"].as_str(), found["rights"].as_str()), ("failed", "failed"), "{done:?}");
    // What lacks the same rights is in one statement.
    for words in ["GRANT USAGE ON SCHEMA etl_orch", "GRANT SELECT, INSERT, UPDATE ON aegis_reports, etl_orch.data_arrivals, "] {
        assert!(done.stdout.contains(words), "{words}: {done:?}");
    }
}

#[test]
fn what_was_not_tried_is_not_called_fine_and_what_cannot_be_started_is_named() {
    let world = World::new(Kind::Sqlite);
    host_programs(&world, ACTIVE, "");
    fs::set_permissions(world.path("bin/crontab"), fs::Permissions::from_mode(0o644)).expect("a mode");
    world.also("tell: {textfile: none/x.prom, events_file: var/events.jsonl, pings: {url: \"https://hc.example.com/s3cret\"}}");
    let bin = world.path("bin");
    let done = doctor(&world, &[], &[("PATH", bin.to_str().expect("a path"))]);
    let text = done.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for words in [
        format!("[FAIL] telling others: metrics in {}: it cannot be written: the directory", world.path("none/x.prom").display()),
        format!("events in {}: it can be written", world.path("var/events.jsonl").display()),
        "not tried: pings to https://hc.example.com/... -> etl-orch tell test".to_owned(),
        format!("[?] cron: could not be looked at: {} cannot be started: Permission denied", bin.join("crontab").display()),
    ] {
        assert!(text.contains(&words), "{words}: {text}");
    }
}
