//! A host that is short of processes, open files or memory: every run ends in words, and the next one on a better host does what is left.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::support::world::{Done, Running};
use crate::support::{Kind, World, until};

/// It starts no process of its own, and goes on once the file `go` is there.
const ETL: &str = "echo > \"started.$2\"\nuntil [ -e go ]; do :; done\necho report > \"$4\"\n";

fn three_gaps(script: &str) -> World {
    let world = World::new(Kind::Sqlite);
    world.single_etl(script, &["retry: {max_attempts: 1}"]);
    for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
        world.available(symbol, id, 2025, "Q2");
    }
    world
}

/// An invocation through `prlimit` with this limit. `before` is what starts `prlimit`.
fn limited(world: &World, program: &Path, before: &[&str], limit: &str) -> Running {
    let mut argv = before.to_vec();
    argv.extend(["prlimit", limit, "--"]);
    let mut command = Command::new(argv[0]);
    command.args(&argv[1..]).arg(program).args(["--config", "etl-orch.yaml", "--format", "json"]).current_dir(world.path(""));
    Running::start(command)
}

fn binary() -> PathBuf {
    PathBuf::from(env!("CARGO_BIN_EXE_etl-orch"))
}

fn ended_in_words(done: &Done, limit: &str) {
    assert!([0, 1].contains(&done.code), "{limit}: {done:?}");
    for word in ["panicked", "bug", "ended by signal"] {
        assert!(!done.stderr.contains(word), "{limit}: {done:?}");
    }
    assert!(done.code == 0 || !done.stderr.is_empty(), "{limit}: {done:?}");
}

/// Without the limit all is done, and nothing was held against any gap.
fn converges(world: &World) {
    world.write("go", "");
    world.run_to(0, &["--lock-wait", "none"]);
    assert_eq!(world.reports().len(), 3);
    assert_eq!(world.value("SELECT count(*) FROM gap_states WHERE failed_runs > 0 OR quarantined_at IS NOT NULL"), "0");
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running')"), "0");
    assert_eq!(world.value("SELECT count(*) FROM breakers"), "0");
}

/// Root is exempt from `ulimit -u`, and another user's processes count together: root runs it as a user that nobody else is.
#[test]
fn without_room_for_another_process_an_attempt_fails_and_the_others_go_on() {
    let world = three_gaps(ETL);
    let user = (1_000_000 + std::process::id()).to_string();
    let (program, before) = if rustix::process::geteuid().is_root() {
        // The binary may stand where that user cannot go.
        let program = world.path("etl-orch");
        std::fs::copy(binary(), &program).expect("a copy");
        let owned = Command::new("chown").args(["-R", &user]).arg(world.path("")).status().expect("chown");
        assert!(owned.success());
        (program, vec!["setpriv", "--reuid", &user, "--regid", &user, "--clear-groups", "--"])
    } else {
        // The processes of a namespace count apart from the user's others.
        let permitted = Command::new("unshare").args(["-U", "true"]).status().expect("unshare is installed");
        assert!(permitted.success(), "user namespaces are not permitted; run as root, or allow them");
        (binary(), vec!["unshare", "-U"])
    };
    let mut some_went_on = false;
    for most in 1..=12 {
        let mut running = limited(&world, &program, &before, &format!("--nproc={most}"));
        until("it has ended, or all that can have started", || {
            !running.is_running() || running.says("no room for another process") || world.notes("started.").len() == 3
        });
        world.write("go", "");
        let done = running.wait();
        ended_in_words(&done, &format!("--nproc={most}"));
        some_went_on |= done.stdout.contains("no room for another process") && !world.reports().is_empty();
        world.sql("DELETE FROM aegis_reports");
        for note in ["go", "started.RY", "started.BMO", "started.TD"] {
            let _ = std::fs::remove_file(world.path(note));
        }
    }
    assert!(some_went_on, "no limit let some jobs start and others not");
    let ours = Command::new("chown").args(["-R", &rustix::process::geteuid().as_raw().to_string()]).arg(world.path("")).status();
    assert!(ours.expect("chown").success());
    converges(&world);
}

#[test]
fn without_room_for_another_open_file_every_run_ends() {
    let world = three_gaps("echo report > \"$4\"\n");
    for most in [4, 8, 16, 24, 32, 36, 38, 40, 44, 48, 56] {
        let done = limited(&world, &binary(), &["env"], &format!("--nofile={most}")).wait();
        ended_in_words(&done, &format!("--nofile={most}"));
        world.sql("DELETE FROM aegis_reports");
    }
    converges(&world);
}

/// The system ends a process that it gives no memory. The run ends nevertheless, and frees the lock.
#[test]
fn without_memory_every_run_ends() {
    let world = three_gaps("echo report > \"$4\"\n");
    for kib in [30_000, 60_000, 100_000, 150_000, 200_000, 300_000, 500_000] {
        let done = limited(&world, &binary(), &["env"], &format!("--as={}", kib * 1024)).wait();
        assert!(!done.stderr.contains("panicked"), "{kib}: {done:?}");
        world.sql("DELETE FROM aegis_reports");
    }
    world.write("go", "");
    world.run_to(0, &["--lock-wait", "none"]);
    assert_eq!(world.reports().len(), 3);
}
