//! Who is told of runs: a dead man's switch, and what happens where it does not answer.

use crate::on_both_databases;
use crate::support::receiver::{Receiver, Reply};
use crate::support::wire::refusing_address;
use crate::support::world::kill;
use crate::support::{Kind, WAITS, World};

/// Whoever knows it may ping.
const KEY: &str = "5b1ffd2c-check-of-the-night-shift";

fn switch(world: &World, more: &str) -> Receiver {
    let receiver = Receiver::start();
    world.also(&format!("tell: {{pings: {{url: \"{}\"}}{more}}}", receiver.url(&format!("/{KEY}"))));
    receiver
}

/// The pings so far, `start 1` for the first run, and their bodies; later ones are counted anew.
fn pings(receiver: &Receiver) -> Vec<(String, String)> {
    let mut runs: Vec<String> = Vec::new();
    let mut ping = |line: &str| {
        let (path, rid) = line.strip_prefix(&format!("POST /{KEY}")).expect("the path").split_once("?rid=").expect("a run");
        let run = runs.iter().position(|run| run == rid).unwrap_or_else(|| {
            runs.push(rid.to_owned());
            runs.len() - 1
        });
        format!("{} {}", if path.is_empty() { "success" } else { path.trim_start_matches('/') }, run + 1)
    };
    receiver.take().into_iter().map(|request| (ping(&request.line), request.body)).collect()
}

fn kinds(receiver: &Receiver) -> Vec<String> {
    pings(receiver).into_iter().map(|(kind, _)| kind).collect()
}

on_both_databases! {
    fn a_dead_mans_switch_hears_how_each_whole_run_ended(world: &World) {
        world.single_etl("[ \"$2\" != TD ] || { echo the disk is full; exit 65; }\necho report > \"$4\"\n", &[]);
        world.available("RY", 1, 2025, "Q2");
        let receiver = switch(world, "");
        world.run_to(0, &[]);
        let told = pings(&receiver);
        let [(start, nothing), (success, summary)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((start.as_str(), nothing.as_str(), success.as_str()), ("start 1", "", "success 1"));
        assert!(summary.contains("Successful: 1"), "{summary}");

        world.available("TD", 6, 2025, "Q2");
        world.run_to(1, &["-q"]);
        let told = pings(&receiver);
        let [(start, _), (fail, summary)] = told.as_slice() else { panic!("{told:?}") };
        assert_eq!((start.as_str(), fail.as_str()), ("start 1", "fail 1"));
        assert!(summary.contains("Failed: 1") && summary.contains("TD 2025 Q2"), "{summary}");

        // They say nothing of the whole.
        world.run_to(0, &["--bank-symbol", "RY"]);
        world.run_to(0, &["--dry-run"]);
        world.run_to(0, &["why", "RY", "2025", "Q2"]);
        world.run_to(2, &["--nonsense"]);
        assert_eq!(kinds(&receiver), [""; 0]);

        world.sql("ALTER TABLE aegis_reports RENAME TO elsewhere");
        let failed = world.run_to(2, &[]);
        let told = pings(&receiver);
        assert_eq!(told[1].0, "fail 1", "{told:?}");
        assert_eq!(told[1].1, failed.stderr, "the error as it was printed");
        assert!(!format!("{failed:?}").contains(KEY));
    }
}

#[test]
fn what_only_an_option_makes_of_an_exit_code_is_no_failure() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("exit 65\n", &[]);
    world.available("RY", 1, 2025, "Q2");
    let receiver = switch(&world, ", textfile: etl-orch.prom");
    for (code, expected) in [(3, "fail 1"), (5, "success 1")] {
        world.run_to(code, &["--detailed-exit-code"]);
        assert_eq!(kinds(&receiver), ["start 1", expected]);
        let success = format!("\netl_orch_last_run_success {}\n", i32::from(code == 5));
        assert!(world.read("etl-orch.prom").contains(&success), "{}", world.read("etl-orch.prom"));
    }
}

#[test]
fn a_run_that_is_killed_or_stopped_half_way_pings_no_end() {
    let world = World::new(Kind::Sqlite);
    world.single_etl(&format!("{WAITS}echo report > \"$4\"\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
    let receiver = switch(&world, "");
    let killed = world.spawn(&[]);
    crate::support::until("the ETL runs", || world.path("waiting").exists());
    kill("KILL", killed.orchestrator());
    killed.wait();
    assert_eq!(kinds(&receiver), ["start 1"]);
    assert!(world.run_to(1, &["health"]).stdout.contains(" died: its process "));

    std::fs::remove_file(world.path("waiting")).expect("it was there");
    let stopped = world.spawn(&[]);
    crate::support::until("the ETL runs", || world.path("waiting").exists());
    stopped.signal("TERM");
    assert_eq!(stopped.wait().code, 143);
    assert_eq!(kinds(&receiver), ["start 1"]);
    assert!(world.run_to(0, &["health"]).stdout.contains(" was stopped before its end"));

    world.write("go", "");
    world.run_to(0, &[]);
    assert_eq!(kinds(&receiver), ["start 1", "success 1"]);
}

#[test]
fn a_receiver_that_never_answers_holds_up_neither_the_run_nor_its_end() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    let receiver = switch(&world, ", timeout: 1h");
    receiver.replies(Reply::Never);
    let run = world.spawn(&[]);
    receiver.until(1);
    run.until_it_prints("Successful: 2");
    // Now the channel is waited for, until somebody wants the process to end.
    run.signal("TERM");
    let done = run.wait();
    assert_eq!(done.code, 0, "the run had ended: {done:?}");
    assert!(done.stderr.contains("tell.pings: not everything was told before"), "{}", done.stderr);

    world.write("etl-orch.yaml", &world.read("etl-orch.yaml").replace("1h", "200ms"));
    let done = world.run_to(0, &[]);
    let warnings = done.stderr.matches("tell.pings: ").count();
    assert!(warnings == 1 && !done.stderr.contains(KEY), "{}", done.stderr);
}

#[test]
fn what_could_not_be_told_is_one_warning_and_changes_no_exit_code() {
    let world = World::new(Kind::Sqlite);
    world.single_etl(&format!("{WAITS}echo report > \"$4\"\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
    let (_taken, address) = refusing_address();
    world.also(&format!("tell: {{pings: {{url: \"http://{address}/{KEY}\"}}, textfile: none/etl-orch.prom}}"));
    let run = world.spawn(&[]);
    let refused = format!("tell.pings: cannot connect to http://{address}/...: Connection refused");
    run.until_it_says(&refused);
    world.write("go", "");
    let done = run.wait();
    assert_eq!(done.code, 0, "{done:?}");
    assert!(done.stdout.contains(&refused), "known before the summary: {}", done.stdout);
    assert_eq!(done.stderr.matches("tell.pings").count(), 1, "{}", done.stderr);
    assert_eq!(done.stderr.matches("tell.textfile: cannot write ").count(), 1, "{}", done.stderr);

    // Answers that are no are told too.
    let receiver = Receiver::start();
    receiver.replies(Reply::Status(404));
    world.write("etl-orch.yaml", &world.read("etl-orch.yaml").replace(&format!("http://{address}"), &receiver.url("")));
    let done = world.run_to(0, &["-q"]);
    assert!(done.stderr.contains("/... answered 404 Not Found"), "{}", done.stderr);
    assert!(!done.stderr.contains(KEY) && !done.stdout.contains(KEY), "{done:?}");
}

#[test]
fn each_channel_can_be_tried() {
    let world = World::new(Kind::Sqlite);
    let none = world.run_to(2, &["tell", "test"]);
    assert!(none.stderr.contains("names nobody who is told"), "{}", none.stderr);
    let receiver = switch(&world, ", textfile: etl-orch.prom");
    let url = receiver.url("");
    let tried = world.run_to(0, &["tell", "test"]);
    let file = world.path("etl-orch.prom");
    let expected =
        format!("[OK]   pings     POST {url}/.../log answered 200\n[OK]   textfile  {} can be written; each run does\n", file.display());
    assert_eq!(tried.stdout, expected);
    assert!(!file.exists());
    assert_eq!(receiver.take()[0].line, format!("POST /{KEY}/log"));

    receiver.replies(Reply::Status(503));
    let checked = world.run_to(0, &["config", "check"]).stdout;
    assert!(checked.contains(&format!("  tell          pings to {url}/...\n")) && !checked.contains(KEY), "{checked}");

    let tried = world.run_to(1, &["tell", "test", "--format", "json"]);
    let channels = tried.json()["channels"].clone();
    assert_eq!((&channels[0]["ok"], &channels[1]["ok"]), (&false.into(), &true.into()), "{channels}");
    assert_eq!(channels[0]["message"], format!("{url}/... answered 503 Service Unavailable"));
    assert!(!format!("{tried:?}").contains(KEY), "{tried:?}");
}

#[test]
fn addresses_and_files_are_checked_with_the_configuration() {
    let world = World::new(Kind::Sqlite);
    world.also("tell:\n  timeout: 0s\n  pings: {url: ftp://h/p}\n  textfile: metrics.txt");
    let wrong = world.run_to(2, &["config", "check"]).stderr;
    for words in
        ["tell.timeout must be longer than 0s", "tell.pings.url must begin with http:// or https://", "tell.textfile must end in .prom"]
    {
        assert!(wrong.contains(words), "{wrong}");
    }
}

#[test]
fn files_can_be_tried_before_the_first_run_and_are_left_to_it() {
    let world = World::new(Kind::Sqlite);
    world.also("tell: {textfile: new/etl-orch.prom, events_file: new/events.jsonl}");
    let config = world.read("etl-orch.yaml").replace("state_dir: var", "state_dir: new");
    world.write("etl-orch.yaml", &config);
    let tried = world.run_to(0, &["tell", "test"]);
    assert!(tried.stdout.contains("the first run that has something to tell begins it"), "{tried:?}");
    assert!(!world.path("new").exists());

    world.write("etl-orch.yaml", &config.replace("new/events", "none/events"));
    let tried = world.run_to(1, &["tell", "test"]);
    assert!(tried.stdout.contains("[OK]   textfile") && tried.stdout.contains("none does not exist"), "{tried:?}");
}

#[test]
fn what_waits_for_a_channel_that_was_removed_goes_with_its_age() {
    let world = World::new(Kind::Sqlite);
    let (old, recent) = ("var/outbox/openlineage/0000000000001-run-000001.json", "var/outbox/opentelemetry/9999999999999-run-000001.json");
    world.write(old, "1");
    world.write(recent, "1");
    world.run_to(0, &["-q"]);
    assert!(!world.path(old).exists() && !world.path("var/outbox/openlineage").exists() && world.path(recent).exists());
}
