//! No process of an ETL outlives what it belongs to.

use std::process::Command;

use crate::on_both_databases;
use crate::support::world::{Running, WAITS, is_alive, kill, pid_in};
use crate::support::{Kind, World, until};

/// An ETL that ignores SIGTERM, with a child in its group and a daemon that forked twice into a session of its own.
/// Once `calm` exists it just writes its report.
const FAMILY: &str = r#"
[ -e calm ] && { echo report > "$4"; exit 0; }
trap '' TERM
setsid sh -c '(echo $(exec sh -c "echo \$PPID") > daemon.pid.new; mv daemon.pid.new daemon.pid; exec sleep 1000) &' > /dev/null 2>&1
(trap '' TERM; echo $(exec sh -c 'echo $PPID') > child.pid.new; mv child.pid.new child.pid; exec sleep 1000) &
echo $$ > etl.pid.new; mv etl.pid.new etl.pid
while :; do sleep 1000; done
"#;

fn start_family(world: &World) -> (Running, Vec<u32>) {
    world.single_etl(FAMILY, &[]);
    world.available("RY", 1, 2025, "Q2");
    let running = world.spawn(&[]);
    let family = ["etl.pid", "child.pid", "daemon.pid"].map(|name| pid_in(&world.path(name)));
    assert!(family.iter().all(|pid| is_alive(*pid)));
    (running, family.to_vec())
}

fn gone(family: &[u32]) {
    until("the ETL's whole family is gone", || !family.iter().any(|pid| is_alive(*pid)));
}

/// The gap is filled by the next run, and every record has its end.
fn converges(world: &World) {
    world.write("calm", "");
    let next = world.run(&[]);
    assert_eq!(next.code, 0, "{next:?}");
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('running', 'queued')"), "0");
    assert_eq!(world.value("SELECT count(*) FROM etl_runs WHERE state = 'running'"), "0");
}

on_both_databases! {
    fn when_the_orchestrator_is_killed_the_guard_ends_its_etls(world: &World) {
        let (running, family) = start_family(world);
        kill("KILL", running.orchestrator());
        let done = running.wait();
        assert_eq!(done.code, 137, "{done:?}");
        assert!(done.stderr.contains("the orchestrator was ended by signal 9"), "{done:?}");
        assert!(!family.iter().any(|pid| is_alive(*pid)), "the guard ends only after them");
        converges(world);
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|lost", "RY-CA/2025Q2/call_summary|succeeded"]);
    }

    fn when_the_guard_is_killed_the_orchestrator_ends_its_etls(world: &World) {
        let (running, family) = start_family(world);
        let orchestrator = running.orchestrator();
        running.signal("KILL");
        gone(&family);
        until("the orchestrator is gone", || !is_alive(orchestrator));
        converges(world);
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|cancelled", "RY-CA/2025Q2/call_summary|succeeded"]);
    }

    /// A stopped orchestrator is woken by the guard's death, as its process group is orphaned by it: how far it gets before it
    /// is killed too is anybody's guess.
    fn what_survives_the_loss_of_both_is_ended_by_the_next_run(world: &World) {
        let (running, family) = start_family(world);
        let orchestrator = running.orchestrator();
        kill("STOP", orchestrator);
        running.signal("KILL");
        kill("KILL", orchestrator);
        until("the orchestrator is gone", || !is_alive(orchestrator));
        converges(world);
        gone(&family);
    }
}

/// A daemon that an ETL leaves behind does not outlive the run, and holds the lock no longer than that.
#[test]
fn a_daemon_that_a_good_etl_leaves_is_ended_with_the_run() {
    let world = World::new(Kind::Sqlite);
    world.single_etl(
        r#"setsid sh -c '(echo $(exec sh -c "echo \$PPID") > daemon.pid.new; mv daemon.pid.new daemon.pid; exec sleep 1000) &' > /dev/null 2>&1
while [ ! -e daemon.pid ]; do :; done
echo report > "$4""#,
        &[],
    );
    world.available("RY", 1, 2025, "Q2");
    let done = world.run(&[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!is_alive(pid_in(&world.path("daemon.pid"))));
}

/// It carries the marker of the run, but no ETL started it.
#[test]
fn who_only_looks_into_an_etl_is_left_alone() {
    let world = World::new(Kind::Sqlite);
    world.single_etl(&format!("echo $ETL_ORCH_RUN_ID > run.new; mv run.new run\n{WAITS}echo report > \"$4\"\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
    let running = world.spawn(&[]);
    until("the ETL runs", || world.path("waiting").exists());
    let mut shell = Command::new("sleep").arg("1000").env("ETL_ORCH_RUN_ID", world.read("run").trim()).spawn().expect("sleep");
    world.write("go", "");
    let done = running.wait();
    let was_alive = is_alive(shell.id());
    shell.kill().expect("killed");
    shell.wait().expect("ended");
    assert_eq!(done.code, 0, "{done:?}");
    assert!(was_alive, "it carries the marker, but no ETL started it");
}
