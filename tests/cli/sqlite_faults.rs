//! What can go wrong with the file of a SQLite database while a run uses it.

use std::fs;
use std::process::Command;

use crate::database_away::spooled;
use crate::support::world::{Done, WAITS};
use crate::support::{Kind, World, until};

/// Two banks, one after the other. The ETL of the first writes a mark and waits for the harm.
fn two_banks(world: &World) {
    world.single_etl(&format!("echo \"run $2\" >> marks\n[ \"$2\" = TD ] || {{ {WAITS}}}\necho report > \"$4\"\n"), &[]);
    world.also("run: {max_parallel: 1}");
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
}

fn shell(world: &World, script: &str) {
    let done = Command::new("sh").args(["-c", script]).current_dir(world.path("")).status().expect("sh");
    assert!(done.success(), "{script}");
}

/// A run to which this is done while its first ETL is at work.
fn harmed(world: &World, harm: &str) -> Done {
    let running = world.spawn(&[]);
    until("the ETL runs", || world.path("waiting").exists());
    shell(world, harm);
    // It looks once a second, and does not start the second bank.
    running.until_it_says("while it was in use");
    world.write("go", "");
    let done = running.wait();
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("Successful: 0") && done.stdout.contains("while it was in use"), "{done:?}");
    assert_eq!(world.read("marks"), "run RY\n", "{done:?}");
    assert_eq!(spooled(world).len(), 1, "{done:?}");
    done
}

#[test]
fn a_file_that_was_moved_away_gets_what_it_missed_when_it_is_back() {
    let world = World::new(Kind::Sqlite);
    two_banks(&world);
    let done = harmed(&world, "mv var/etl-orch.db away.db");
    assert!(done.stdout.contains("its file was removed"), "{done:?}");
    for args in [&["--dry-run"][..], &[]] {
        let next = world.run_to(1, args);
        assert!(next.stderr.contains("etl-orch.db is not there, but") && next.stderr.contains("put the file back"), "{next:?}");
    }
    assert!(!world.path("var/etl-orch.db").exists(), "it is not made again: {done:?}");
    shell(&world, "mv away.db var/etl-orch.db");
    world.run_to(0, &[]);
    assert_eq!(world.read("marks"), "run RY\nrun TD\n", "each ran once");
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"]);
    assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|succeeded", "TD-CA/2025Q2/call_summary|1|succeeded"]);
}

#[test]
fn a_backup_that_takes_the_place_of_the_file_is_not_written_to_and_then_worked_with() {
    let world = World::new(Kind::Sqlite);
    two_banks(&world);
    shell(&world, "cp var/etl-orch.db backup.db; cp backup.db again.db");
    let done = harmed(&world, "mv backup.db var/etl-orch.db");
    assert!(done.stdout.contains("its file was replaced"), "{done:?}");
    assert!(!world.path("var/etl-orch.db-wal").exists() && world.path("var/etl-orch.db-wal.replaced").exists(), "the log of the old file");
    assert_eq!(fs::read(world.path("var/etl-orch.db")).unwrap(), fs::read(world.path("again.db")).unwrap(), "every byte of the backup");
    let next = world.run_to(1, &[]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"], "what it knows nothing of is made again");
    for run in [next, world.run_to(0, &["--dry-run"])] {
        assert!(run.stdout.contains("the database does not know job"), "{run:?}");
    }
    assert_eq!(spooled(&world).len(), 1, "the right file may come back");
    world.run_to(0, &["retry", "RY", "2025Q2", "call_summary", "--reason", "an older copy was restored"]);
    world.run_to(0, &[]);
}

#[test]
fn a_state_directory_that_is_removed_is_no_success() {
    let world = World::new(Kind::Sqlite);
    two_banks(&world);
    let running = world.spawn(&[]);
    until("the ETL runs", || world.path("waiting").exists());
    shell(&world, "rm -r var");
    world.write("go", "");
    let done = running.wait();
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("Successful: 0") && done.stdout.contains("while it was in use"), "{done:?}");
    assert_eq!(world.read("marks"), "run RY\n", "{done:?}");
}

/// The binary, with the `n`th change of the database's files failing in each of its threads.
fn with_failing_write(world: &World, error: &str, n: u32) -> (Done, bool) {
    let binary = world.command(&[]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o"]).arg(world.path("trace"));
    for suffix in ["", "-wal", "-journal"] {
        strace.arg("-P").arg(world.path(&format!("var/etl-orch.db{suffix}")));
    }
    strace.args(["-e", &format!("inject=pwrite64,fdatasync,fsync,ftruncate,unlink:error={error}:when={n}")]);
    strace.arg(binary.get_program()).args(binary.get_args()).current_dir(world.path(""));
    let done = Done::of(&strace.output().expect("strace is installed: apt-get install strace"));
    (done, world.read("trace").contains("(INJECTED)"))
}

#[test]
fn a_write_that_fails_costs_its_connection_and_nothing_else() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("echo \"run $2\" >> marks\necho report > \"$4\"\n", &[]);
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
    let (mut harmed, mut failed) = (0, 0);
    // `tests/chaos` fails every write; this is a sample.
    for (n, error) in (2..).step_by(5).zip(["EIO", "ENOSPC"].into_iter().cycle()) {
        world.write("marks", "");
        let (done, is_injected) = with_failing_write(&world, error, n);
        assert!(matches!(done.code, 0 | 1), "{error} {n}: {done:?}");
        assert!(!done.stderr.contains("transaction depth") && !done.stdout.contains("transaction depth"), "{error} {n}: {done:?}");
        let next = world.run_to(0, &[]);
        let mut marks: Vec<String> = world.read("marks").lines().map(str::to_owned).collect();
        marks.sort();
        assert_eq!(marks, ["run RY", "run TD"], "each runs once: {error} {n}: {done:?} {next:?}");
        assert_eq!(world.reports().len(), 2, "{error} {n}: {done:?} {next:?}");
        assert!(spooled(&world).is_empty(), "{error} {n}: {done:?} {next:?}");
        if !is_injected {
            break;
        }
        (harmed, failed) = (harmed + 1, failed + i32::from(done.code == 1));
        world.sql("DELETE FROM aegis_reports");
    }
    assert_eq!(world.value("PRAGMA integrity_check"), "ok");
    assert!(harmed >= 5 && failed < harmed, "most runs do their work although a write failed: {failed} of {harmed} do not");
}
