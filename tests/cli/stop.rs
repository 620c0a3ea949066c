//! Told to stop, it stops what it started, records it, and says so.

use std::io::Write;
use std::process::{Command, Stdio};

use crate::on_both_databases;
use crate::support::world::{Done, Running, is_alive, pid_in};
use crate::support::{Kind, World, until};

/// An ETL with a grandchild in its group, that tidies up when it is asked to end.
const TIDY: &str = r#"
trap 'echo tidied > "tidied.$2"; exit 1' TERM
sleep 1000 & echo $! > "grandchild.$2"
echo $$ > "pid.$2"
wait
"#;

/// An ETL that does not end when it is asked to, and neither does what it starts.
const DEAF: &str = r#"
trap '' TERM
sleep 1000 & echo $! > "grandchild.$2"
echo $$ > "pid.$2"
wait
"#;

const GOOD: &str = "echo report > \"$4\"\n";

/// One ETL, and one period of three banks.
fn three_gaps(world: &World, script: &str, more: &[&str]) {
    world.single_etl(script, more);
    for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
        world.available(symbol, id, 2025, "Q2");
    }
}

/// What was not done is done by the next run.
fn the_next_run_fills(world: &World, gaps: usize) {
    world.write("etl.sh", GOOD);
    let next = world.run(&[]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(world.reports().len(), gaps);
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running')"), "0");
}

fn count(world: &World, what: &str) -> usize {
    world.value(&format!("SELECT count(*) FROM {what}")).parse().expect("a number")
}

fn says_that_it_was_stopped(done: &Done) {
    assert!(done.stdout.contains("Stopped by a signal"), "{done:?}");
    assert!(done.stderr.contains("Received SIG") || done.stderr.contains("Interrupted: "), "{done:?}");
}

on_both_databases! {
    fn a_signal_stops_the_children_and_everything_is_on_record(world: &World) {
        three_gaps(world, TIDY, &["grace: 1m"]);
        for (round, (signal, code)) in [("TERM", 143), ("INT", 130), ("HUP", 129)].into_iter().enumerate() {
            let running = world.spawn(&["--max-parallel", "2"]);
            let children = world.pids("pid.", 2);
            let grandchildren = world.pids("grandchild.", 2);
            running.signal(signal);
            let done = running.wait();

            assert_eq!(done.code, code, "{done:?}");
            says_that_it_was_stopped(&done);
            assert!(done.stderr.contains(": waiting up to 1m for 2 ETLs to stop; "), "{done:?}");
            assert!(done.stdout.contains("Not run: 3"), "{done:?}");
            assert_eq!(world.notes("tidied."), ["tidied", "tidied"], "the third was never started");
            assert!(!children.iter().chain(&grandchildren).any(|pid| is_alive(*pid)));
            assert_eq!(count(world, "etl_jobs WHERE state = 'cancelled'"), 3 * (round + 1));
            assert_eq!(count(world, "etl_attempts WHERE outcome = 'interrupted'"), 2 * (round + 1));
            assert_eq!(count(world, "etl_attempts"), 2 * (round + 1));
            assert_eq!(count(world, "etl_runs WHERE state = 'cancelled'"), round + 1);
            assert!(world.reports().is_empty());
            for bank in ["RY", "BMO", "TD"] {
                for note in ["pid", "grandchild", "tidied"] {
                    let _ = std::fs::remove_file(world.path(&format!("{note}.{bank}")));
                }
            }
        }
        the_next_run_fills(world, 3);
    }

    fn who_ignores_sigterm_is_killed_after_the_grace_period(world: &World) {
        three_gaps(world, DEAF, &["grace: 50ms"]);
        let running = world.spawn(&[]);
        let children = world.pids("pid.", 3);
        let grandchildren = world.pids("grandchild.", 3);
        running.signal("TERM");
        let done = running.wait();
        assert_eq!(done.code, 143, "{done:?}");
        assert!(!children.iter().chain(&grandchildren).any(|pid| is_alive(*pid)));
        assert_eq!(count(world, "etl_attempts WHERE outcome = 'interrupted'"), 3);
        the_next_run_fills(world, 3);
    }

    fn a_second_signal_kills_at_once(world: &World) {
        world.single_etl("trap 'echo asked > asked' TERM; echo $$ > pid; while :; do sleep 0.01; done", &["grace: 1h"]);
        world.also("lease: 4h");
        world.available("RY", 1, 2025, "Q2");
        let running = world.spawn(&[]);
        let child = pid_in(&world.path("pid"));
        running.signal("INT");
        until("the child was asked to end", || world.path("asked").exists());
        running.signal("TERM");
        let done = running.wait();
        assert_eq!(done.code, 130, "the first one ended the run: {done:?}");
        assert!(done.stderr.contains("Interrupted: waiting up to 1h for 1 ETL to stop; press Ctrl-C again to kill it"), "{done:?}");
        assert!(done.stderr.contains("Received SIGTERM again: killing 1 ETL"), "{done:?}");
        assert!(!is_alive(child));
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|cancelled"]);
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|interrupted"]);
        the_next_run_fills(world, 1);
    }

    fn a_wait_for_a_retry_ends_at_once(world: &World) {
        world.single_etl("echo no luck; exit 1", &["retry: {max_attempts: 3, initial_delay: 1h, max_delay: 1h}"]);
        world.available("RY", 1, 2025, "Q2");
        let running = world.spawn(&[]);
        running.until_it_says("Retrying");
        running.signal("TERM");
        let done = running.wait();
        assert_eq!(done.code, 143, "{done:?}");
        says_that_it_was_stopped(&done);
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|failed"], "its end was seen before");
        assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|exit_code"], "what had failed stays on record");
        assert_eq!(world.value("SELECT state FROM etl_runs"), "failed");
        the_next_run_fills(world, 1);
    }

    fn a_report_that_was_made_before_the_signal_counts(world: &World) {
        world.single_etl(
            "test -e first && { echo $$ > pid; sleep 1000; }; echo made > \"$4\"; echo > first",
            &[],
        );
        world.available("RY", 1, 2025, "Q2");
        world.available("RY", 1, 2025, "Q1");
        let running = world.spawn(&[]);
        pid_in(&world.path("pid"));
        running.signal("TERM");
        let done = running.wait();
        assert_eq!(done.code, 143, "{done:?}");
        assert!(done.stdout.contains("Successful: 1"), "{done:?}");
        assert_eq!(world.jobs(), ["RY-CA/2025Q1/call_summary|cancelled", "RY-CA/2025Q2/call_summary|succeeded"]);
        assert_eq!(world.value("SELECT state, succeeded, cancelled FROM etl_runs"), "cancelled|1|1");
    }

    fn a_signal_before_anything_was_started_is_heard_although_the_database_stands_still(world: &World) {
        world.single_etl("echo > started", &[]);
        world.available("RY", 1, 2025, "Q2");
        let mut blocker = Blocker::of(world);
        for (signal, code) in [("TERM", 143), ("INT", 130)] {
            let running = world.spawn(&[]);
            until_it_blocks(world, &running);
            running.signal(signal);
            let done = running.wait();
            assert_eq!(done.code, code, "{done:?}");
        }
        blocker.end();
        assert!(!world.path("started").exists());
        the_next_run_fills(world, 1);
        assert_eq!(world.value("SELECT count(*) FROM etl_runs WHERE state = 'running'"), "0");
    }

    fn a_hangup_ends_it_unless_it_is_ignored_as_by_nohup(world: &World) {
        world.single_etl("echo $$ > pid; until [ -e go ]; do sleep 0.01; done; echo report > \"$4\"", &[]);
        world.available("RY", 1, 2025, "Q2");
        let plain = world.command(&[]);
        let mut nohup = Command::new("sh");
        nohup.args(["-c", "trap '' HUP; exec \"$@\"", "sh"]).arg(plain.get_program()).args(plain.get_args());
        nohup.current_dir(world.path("")).stdin(Stdio::null());
        let running = Running::start(nohup);
        pid_in(&world.path("pid"));
        running.signal("HUP");
        world.write("go", "");
        let done = running.wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(world.reports().len(), 1);
    }
}

/// Somebody else's transaction, for which whoever reads the reports (PostgreSQL) or writes (SQLite) has to wait.
struct Blocker {
    client: std::process::Child,
}

impl Blocker {
    fn of(world: &World) -> Self {
        let (mut client, begin) = match world.kind() {
            Kind::Sqlite => {
                // What changes the journal mode is no writer for our purpose.
                world.sql("PRAGMA journal_mode = WAL");
                let mut client = Command::new("sqlite3");
                client.arg(world.path("var/etl-orch.db"));
                (client, "BEGIN IMMEDIATE;\nSELECT 'held';\n")
            }
            Kind::Postgres => (world.psql(), "BEGIN; LOCK TABLE aegis_reports;\nSELECT 'held';\n"),
        };
        let mut client = client.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("the database's client");
        client.stdin.as_mut().expect("piped").write_all(begin.as_bytes()).expect("a statement");
        let mut line = String::new();
        let stdout = client.stdout.as_mut().expect("piped");
        std::io::BufRead::read_line(&mut std::io::BufReader::new(stdout), &mut line).expect("an answer");
        assert_eq!(line.trim(), "held");
        Self { client }
    }

    fn end(&mut self) {
        drop(self.client.stdin.take());
        self.client.wait().expect("the client ends");
    }
}

impl Drop for Blocker {
    fn drop(&mut self) {
        let _ = self.client.kill();
        let _ = self.client.wait();
    }
}

/// Waits until the invocation has got to where it has to wait.
fn until_it_blocks(world: &World, running: &Running) {
    match world.kind() {
        Kind::Sqlite => {
            let (directory, file) = (format!("/proc/{}/fd", running.orchestrator()), world.path("var/etl-orch.db"));
            until("it has the database open", || {
                let links = std::fs::read_dir(&directory).into_iter().flatten().flatten();
                links.filter_map(|link| std::fs::read_link(link.path()).ok()).any(|target| target == file)
            });
        }
        Kind::Postgres => until("it waits for the table", || {
            world.value("SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()") != "0"
        }),
    }
}

/// As `systemctl stop` without `KillMode=mixed` and with `SendSIGHUP=yes`, `killall` and `timeout` do it. Both processes stand still while
/// they are signalled: everything reaches them at once, in whatever order they look at it.
#[test]
fn a_signal_that_reaches_the_run_in_several_ways_is_one_signal() {
    for _ in 0..8 {
        let world = World::new(Kind::Sqlite);
        three_gaps(&world, TIDY, &["grace: 1m"]);
        let running = world.spawn(&[]);
        world.pids("pid.", 3);
        let (guard, orchestrator) = (running.pid().to_string(), running.orchestrator().to_string());
        let signal = |name: &str, pids: &[&String]| {
            assert!(Command::new("kill").args(["-s", name]).args(pids).status().expect("kill").success());
        };
        signal("STOP", &[&guard, &orchestrator]);
        signal("TERM", &[&orchestrator, &guard, &guard]);
        signal("HUP", &[&guard, &orchestrator]);
        signal("CONT", &[&guard, &orchestrator]);
        let done = running.wait();
        assert_eq!(done.code, 143, "{done:?}");
        assert_eq!(world.notes("tidied.").len(), 3, "nothing was killed before it had ended: {done:?}");
        assert!(!done.stderr.contains("again:"), "{done:?}");
    }
}

#[test]
fn nobody_is_said_to_have_asked_when_the_guard_was_killed() {
    let world = World::new(Kind::Sqlite);
    three_gaps(&world, DEAF, &["grace: 1m"]);
    let running = world.spawn(&[]);
    let children = world.pids("pid.", 3);
    running.signal("KILL");
    let done = running.wait();
    assert!(done.stderr.contains("Stopping, as the process that guards the run is gone: killing 3 ETLs"), "{done:?}");
    assert!(!done.stderr.contains("Received") && !done.stderr.contains("again"), "{done:?}");
    until("its ETLs were ended", || !children.iter().any(|pid| is_alive(*pid)));
}

#[test]
fn a_terminal_that_goes_away_stops_the_run_and_its_end_is_recorded() {
    let world = World::new(Kind::Sqlite);
    three_gaps(&world, TIDY, &[]);
    let inner = world.command(&[]);
    let command = format!("exec {} --config etl-orch.yaml", inner.get_program().to_str().expect("a path in UTF-8"));
    let mut script = Command::new("script");
    script.args(["--quiet", "--command", &command, "/dev/null"]).current_dir(world.path("")).env("TERM", "xterm");
    let mut terminal = script.stdin(Stdio::null()).stdout(Stdio::null()).spawn().expect("script is installed (bsdutils)");
    world.pids("pid.", 3);

    terminal.kill().expect("it runs");
    terminal.wait().expect("a child");

    until("the end of the run is recorded", || world.value("SELECT state FROM etl_runs") == "cancelled");
    assert_eq!(world.notes("tidied.").len(), 3);
    the_next_run_fills(&world, 3);
}
