//! One works at a time, the next waits, a third has nothing to add.

use std::fs::{self, File};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::process::{Command, Stdio};

use rustix::fs::{FileType, FlockOperation, Mode, flock, mknodat};

use crate::on_both_databases;
use crate::support::world::{Running, pid_in};
use crate::support::{Kind, World, until};

/// An ETL that works until it may go on.
const HELD_UP: &str = "echo $$ > \"pid.$2\"; echo x >> ran; until [ -e go ]; do sleep 0.01; done; echo report > \"$4\"\n";

const LOCK: &str = "var/etl-orch.lock";

/// A world in which a run is at work on RY, and that run.
fn at_work(world: &World) -> Running {
    world.single_etl(HELD_UP, &[]);
    world.available("RY", 1, 2025, "Q2");
    let running = world.spawn(&[]);
    pid_in(&world.path("pid.RY"));
    running
}

/// The lock, held by the test itself, with this text in it.
fn hold(world: &World, text: &str) -> File {
    world.write(LOCK, text);
    let file = File::options().read(true).write(true).open(world.path(LOCK)).expect("the lock file");
    flock(&file, FlockOperation::NonBlockingLockExclusive).expect("free");
    file
}

/// Waits until somebody waits for the lock with nothing special to do.
fn until_the_place_is_taken(world: &World) {
    let path = world.path("var/etl-orch.lock.wait");
    until("somebody waits for the lock", || {
        File::open(&path).is_ok_and(|file| flock(&file, FlockOperation::NonBlockingLockShared).is_err())
    });
}

on_both_databases! {
    fn the_second_says_for_whom_it_waits_and_then_finds_nothing_to_do(world: &World) {
        let first = at_work(world);
        let second = world.spawn(&["--format", "json"]);
        second.until_it_says(&format!("held by process {} on ", first.orchestrator()));
        second.until_it_says(" since 20");
        world.write("go", "");
        let (first, second) = (first.wait(), second.wait());
        assert_eq!((first.code, second.code), (0, 0), "{first:?} {second:?}");
        assert_eq!(second.json()["gaps"]["total"], 0);
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|succeeded"]);
    }

    fn the_second_works_with_the_configuration_and_the_data_of_its_turn(world: &World) {
        let first = at_work(world);
        let second = world.spawn(&[]);
        second.until_it_says("Waiting for the lock");
        world.settings("");
        world.available("TD", 6, 2025, "Q1");
        world.write("go", "");
        assert_eq!((first.wait().code, second.wait().code), (0, 0));
        assert_eq!(
            world.reports(),
            ["RY 2025 Q2 Call Summary", "RY 2025 Q2 Key Themes", "TD 2025 Q1 Call Summary", "TD 2025 Q1 Key Themes"]
        );
    }

    fn the_death_of_the_holder_frees_the_lock(world: &World) {
        let first = at_work(world);
        let child = pid_in(&world.path("pid.RY"));
        let second = world.spawn(&[]);
        second.until_it_says("Waiting for the lock");
        world.write("go", "");
        first.signal("KILL");
        assert_eq!(first.wait().code, 137);
        let second = second.wait();
        assert_eq!(second.code, 0, "{second:?}");
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
        until("the child that was left alone ends", || !crate::support::world::is_alive(child));
    }

    fn without_the_lock_no_gap_is_filled_twice(world: &World) {
        let first = at_work(world);
        world.available("TD", 6, 2025, "Q2");
        let holder = first.orchestrator();
        let second = world.spawn(&["--no-lock", "--format", "json"]);
        pid_in(&world.path("pid.TD"));
        world.write("go", "");
        let second = second.wait();
        assert_eq!(second.code, 0, "{second:?}");
        assert_eq!(second.json()["claimed"][0]["gap"], "RY-CA/2025Q2/call_summary");
        assert_eq!(second.json()["claimed"][0]["pid"], holder);
        assert_eq!(second.json()["results"]["succeeded"], 1);
        assert_eq!(first.wait().code, 0);
        assert_eq!(world.read("ran").lines().count(), 2);
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|succeeded", "TD-CA/2025Q2/call_summary|succeeded"]);
    }
}

#[test]
fn a_third_has_nothing_to_add_unless_it_asks_for_something() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    let lock = hold(&world, "pid 1 of the test\n");
    let second = world.spawn(&[]);
    second.until_it_says("Waiting for the lock");

    let third = world.run(&[]);
    assert_eq!(third.code, 0, "{third:?}");
    assert!(third.stderr.contains("nothing to add") && third.stderr.contains("pid 1 of the test"), "{third:?}");
    assert_eq!(third.stdout, "");

    for selection in [&["--bank-symbol", "TD"][..], &["--etl-type", "key_themes"], &["--period", "2025Q1"], &["--from-year", "2024"]] {
        let selective = world.spawn(selection);
        selective.until_it_says("Waiting for the lock");
        selective.signal("TERM");
        assert_eq!(selective.wait().code, 143);
    }
    drop(lock);
    assert_eq!(second.wait().code, 0);
    assert_eq!(world.reports().len(), 2);
}

#[test]
fn one_that_waits_with_a_selection_of_its_own_does_not_stand_in_for_the_rest() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
    let lock = hold(&world, "");
    let selective = world.spawn(&["--bank-symbol", "TD"]);
    selective.until_it_says("Waiting for the lock");
    let whole = world.spawn(&[]);
    whole.until_it_says("Waiting for the lock");
    drop(lock);
    assert_eq!((selective.wait().code, whole.wait().code), (0, 0));
    assert_eq!(world.reports().len(), 4);
}

#[test]
fn who_does_not_want_to_wait_is_told_who_holds_the_lock() {
    let world = World::new(Kind::Sqlite);
    let _lock = hold(&world, "pid 4242 on elsewhere\u{1b}[31m since yesterday\n");
    for wait in ["none", "0s", "50ms"] {
        let done = world.run(&["--lock-wait", wait]);
        assert_eq!(done.code, 75, "{done:?}");
        assert!(done.stderr.contains("is held by pid 4242 on elsewhere[31m since yesterday"), "{done:?}");
        assert_eq!(done.stdout, "");
    }
    assert_eq!(world.run(&["--dry-run"]).code, 0, "a dry run takes no lock");
    assert_eq!(world.value("SELECT count(*) FROM etl_runs"), "0");
}

#[test]
fn a_signal_ends_the_wait() {
    let world = World::new(Kind::Sqlite);
    let _lock = hold(&world, "");
    for (signal, code) in [("TERM", 143), ("INT", 130), ("HUP", 129)] {
        let waiting = world.spawn(&[]);
        waiting.until_it_says("Waiting for the lock");
        until_the_place_is_taken(&world);
        waiting.signal(signal);
        let done = waiting.wait();
        assert_eq!(done.code, code, "{done:?}");
    }
    assert_eq!(world.value("SELECT count(*) FROM etl_runs"), "0");
}

#[test]
fn a_configuration_that_went_bad_meanwhile_is_an_error_after_the_wait() {
    let world = World::new(Kind::Sqlite);
    let lock = hold(&world, "");
    let waiting = world.spawn(&[]);
    waiting.until_it_says("Waiting for the lock");
    world.write("etl-orch.yaml", "etls: [");
    drop(lock);
    let done = waiting.wait();
    assert_eq!(done.code, 2, "{done:?}");
    assert!(done.stderr.contains("etl-orch.yaml:2:1: not valid YAML"), "{done:?}");
}

#[test]
fn a_configuration_that_names_another_lock_meanwhile_is_heeded() {
    let world = World::new(Kind::Sqlite);
    let lock = hold(&world, "");
    let waiting = world.spawn(&[]);
    waiting.until_it_says("Waiting for the lock");
    let other = File::create(world.path("other.lock")).expect("a file");
    flock(&other, FlockOperation::NonBlockingLockExclusive).expect("free");
    world.settings("lock_file: other.lock\n");
    drop(lock);
    waiting.until_it_says("other.lock, held by");
    drop(other);
    assert_eq!(waiting.wait().code, 0);
}

#[test]
fn what_is_no_file_is_refused_as_a_lock() {
    for (what, words) in [
        ("a link", "a symbolic link"),
        ("a dangling link", "a symbolic link"),
        ("a directory", "a directory"),
        ("a fifo", "no regular file"),
    ] {
        for suffix in ["", ".wait"] {
            let world = World::new(Kind::Sqlite);
            let path = world.path(&format!("var/etl-orch.lock{suffix}"));
            match what {
                "a link" => {
                    world.write("precious", "untouched");
                    symlink(world.path("precious"), &path).expect("a link");
                }
                "a dangling link" => symlink(world.path("nothing"), &path).expect("a link"),
                "a directory" => fs::create_dir(&path).expect("a directory"),
                _ => mknodat(rustix::fs::CWD, &path, FileType::Fifo, Mode::RWXU, 0).expect("a fifo"),
            }
            let _held = (!suffix.is_empty()).then(|| hold(&world, ""));
            let done = world.run(&[]);
            assert_eq!(done.code, 1, "{what}: {done:?}");
            assert!(done.stderr.contains(&path.display().to_string()) && done.stderr.contains(words), "{what}: {done:?}");
            assert!(done.stderr.contains("name another file as lock_file"), "{what}: {done:?}");
            assert_eq!(world.value("SELECT count(*) FROM etl_runs"), "0");
            assert!(!world.path("nothing").exists());
            if what == "a link" {
                assert_eq!(world.read("precious"), "untouched");
            }
        }
    }
}

#[test]
fn the_lock_is_private_and_is_not_handed_to_children() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("for fd in /proc/self/fd/*; do readlink \"$fd\"; done > fds; echo report > \"$4\"", &[]);
    world.available("RY", 1, 2025, "Q2");
    let done = world.run(&[]);
    assert_eq!(done.code, 0, "{done:?}");
    let mode = world.path(LOCK).metadata().expect("the lock").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let fds = world.read("fds");
    assert!(!fds.contains(".lock") && !fds.contains("etl-orch.db") && !fds.contains("socket:"), "{fds}");
}

#[test]
fn it_and_flock_exclude_each_other() {
    let world = World::new(Kind::Sqlite);
    // As the script that it replaces: opens the file, locks it, writes what it wants.
    let script = "echo 'script, pid 77' > var/etl-orch.lock; echo > ready; until [ -e end ]; do sleep 0.01; done";
    let mut other = Command::new("flock");
    other.args([LOCK, "sh", "-c", script]).current_dir(world.path("")).stdin(Stdio::null());
    let other = Running::start(other);
    until("flock holds the lock", || world.path("ready").exists());
    let done = world.run(&["--lock-wait", "none"]);
    assert_eq!(done.code, 75, "{done:?}");
    assert!(done.stderr.contains("held by script, pid 77"), "{done:?}");
    world.write("end", "");
    assert_eq!(other.wait().code, 0);

    let running = at_work(&world);
    let refused = Command::new("flock").args(["-n", "-E", "99", LOCK, "true"]).current_dir(world.path("")).status();
    assert_eq!(refused.expect("flock").code(), Some(99));
    world.write("go", "");
    assert_eq!(running.wait().code, 0);
}

#[test]
fn nobody_is_named_who_does_not_hold_the_lock() {
    let world = World::new(Kind::Sqlite);
    assert_eq!(world.run(&[]).code, 0);
    // This holder writes nothing; what stands in the file must not be the run that ended.
    let file = File::open(world.path(LOCK)).expect("the lock file");
    flock(&file, FlockOperation::NonBlockingLockExclusive).expect("free");
    let done = world.run(&["--lock-wait", "none"]);
    assert_eq!(done.code, 75, "{done:?}");
    assert!(done.stderr.contains("held by a process that did not say who it is"), "{done:?}");
}

#[test]
fn a_quiet_run_names_the_stranger_for_whom_it_waits() {
    let world = World::new(Kind::Sqlite);
    let lock = hold(&world, "");
    let waiting = world.spawn(&["-q"]);
    waiting.until_it_says(&format!("Waiting for the lock {}, held by process {} (", world.path(LOCK).display(), std::process::id()));
    drop(lock);
    let done = waiting.wait();
    assert_eq!((done.code, done.stderr.lines().count()), (0, 1), "{done:?}");
}
