//! The database fails: connections are closed, the server crashes, another process holds the write lock.

use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, sleep};

use crate::convergence::converges;
use crate::scene::Scene;
use crate::seed::{Random, each};
use crate::server;
use crate::support::Kind;

/// How often all connections are closed, for each seed.
const TERMINATIONS: u64 = 12;

/// Crashes of the server, for each seed.
const CRASHES: u64 = 3;

/// Closes the connections of etl-orch and of the ETLs.
const TERMINATE: &str =
    "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()";

#[test]
fn all_connections_end_again_and_again() {
    let _server = server::shared();
    each(concat!(module_path!(), "::all_connections_end_again_and_again"), Kind::Postgres, |scene| {
        scene.more_work(2);
        while scene.tally.faults < TERMINATIONS {
            if scene.missing() == 0 {
                converges(scene);
                scene.more_work(2);
            }
            scene.run_with_faults(TERMINATIONS, terminate);
        }
        converges(scene);
    });
}

#[test]
fn the_server_crashes() {
    let _server = server::alone();
    each(concat!(module_path!(), "::the_server_crashes"), Kind::Postgres, |scene| {
        while scene.tally.faults < CRASHES {
            scene.more_work(1);
            let invocation = scene.start(&[]);
            sleep(scene.random.moment());
            server::crash(scene);
            scene.expect_normal_end(invocation);
        }
        converges(scene);
    });
}

/// SQLite has one writer at a time; a writer that has to wait a moment does not fail.
#[test]
fn somebody_else_writes_to_the_file() {
    each(concat!(module_path!(), "::somebody_else_writes_to_the_file"), Kind::Sqlite, |scene| {
        for _ in 0..3 {
            scene.more_work(1);
            run_beside_a_writer(scene);
        }
        converges(scene);
    });
}

/// Runs the binary while another process takes the write lock again and again.
pub(crate) fn run_beside_a_writer(scene: &mut Scene) {
    let mut random = Random::new(scene.random.within(0..u64::MAX));
    let over = AtomicBool::new(false);
    let mut faults = 0;
    let done = thread::scope(|threads| {
        let (world, over) = (scene.world().path(""), &over);
        let invocation = scene.start(&["--format", "json"]);
        let writer = threads.spawn(move || {
            let mut spans = 0;
            while !over.load(Ordering::Relaxed) {
                write_lock(&world, random.within(5..400));
                sleep(random.millis(0..200));
                spans += 1;
            }
            spans
        });
        let done = invocation.wait();
        over.store(true, Ordering::Relaxed);
        faults = writer.join().expect("the writer");
        done
    });
    scene.tally.faults += faults;
    assert_eq!(done.code, 0, "no writer held the lock for long: {done:?}");
}

/// Closes all connections, and waits a moment.
pub(crate) fn terminate(scene: &mut Scene) {
    let ended: u64 = scene.sql(TERMINATE)[0].parse().expect("a count");
    scene.tally.faults += u64::from(ended > 0);
    sleep(scene.random.millis(1..400));
}

/// Holds the write lock for this long.
fn write_lock(world: &Path, millis: u64) {
    let wait = format!(".shell sleep 0.{millis:03}");
    let mut sqlite = Command::new("sqlite3");
    sqlite.current_dir(world).args(["-cmd", ".timeout 20000", "var/etl-orch.db", "BEGIN IMMEDIATE", &wait, "COMMIT"]);
    let held = sqlite.status().expect("sqlite3 is installed");
    assert!(held.success(), "the outside writer");
}
