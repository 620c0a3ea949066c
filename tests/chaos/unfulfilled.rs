//! What must be true and is not yet. Each goes to its place when it holds.

use std::io::Write;
use std::process::{Child, Command, Stdio};

use crate::convergence::converges;
use crate::invariants::no_workspace_is_left;
use crate::invocation::Invocation;
use crate::kills::kill_orchestrator;
use crate::scene::Scene;
use crate::seed::each;
use crate::support::{Kind, until};

/// Belongs to `invariants::hold`.
#[test]
#[ignore = "the workspaces of gaps that a killed run had filled stay for ever: they are removed at the end of a run, for its own jobs only"]
fn a_killed_run_leaves_no_workspaces() {
    each(concat!(module_path!(), "::a_killed_run_leaves_no_workspaces"), Kind::Sqlite, |scene| {
        scene.more_work(2);
        let invocation = scene.start(&[]);
        until("a report is there", || scene.missing() < scene.reports().len());
        kill_orchestrator(scene, invocation);
        converges(scene);
        no_workspace_is_left(scene);
    });
}

/// Belongs to `kills`, which must do without `Scene::end_those_of_closed_runs` then: the same befalls a daemon that heeds SIGTERM, rarely.
#[test]
#[ignore = "a daemon that ignores SIGTERM survives when the guard is killed in its grace, after the orchestrator has ended in order"]
fn the_guard_is_killed_while_it_ends_a_daemon() {
    each(concat!(module_path!(), "::the_guard_is_killed_while_it_ends_a_daemon"), Kind::Sqlite, |scene| {
        let mut invocation = start_with_daemon(scene, "trap '' TERM;");
        until("the orchestrator is there", || invocation.orchestrator().is_some());
        until("the orchestrator has ended", || invocation.orchestrator().is_none());
        assert!(invocation.signal("KILL"), "the guard waits for the daemon");
        invocation.etls_are_gone_soon(|_| ());
        converges(scene);
    });
}

/// Belongs to `kills`.
#[test]
#[ignore = "a daemon survives when the guard is killed while the database stands still: the orchestrator records what it can before it ends daemons"]
fn the_guard_is_killed_while_the_database_stands_still() {
    each(concat!(module_path!(), "::the_guard_is_killed_while_the_database_stands_still"), Kind::Sqlite, |scene| {
        let mut invocation = start_with_daemon(scene, "");
        until("the ETL has started", || scene.world().read("marks").contains("start"));
        let writer = Writer::hold(scene);
        assert!(invocation.signal("KILL"), "the guard is there");
        invocation.etls_are_gone_soon(|_| ());
        drop(writer);
        converges(scene);
    });
}

/// An invocation with one ETL, which leaves a daemon at its start. No later one does.
fn start_with_daemon(scene: &mut Scene, before: &str) -> Invocation {
    scene.world().write("etl.sh", &format!("eval \"$CHAOS_FIRST\"\n{}", scene.world().read("etl.sh")));
    scene.more_work(1);
    let first = format!("({before} setsid sh -c 'sleep 20 > /dev/null 2>&1 &')");
    scene.start_with(&["--bank-symbol", "RY", "--etl-type", "call_summary"], &[("CHAOS_FIRST", first)])
}

/// Somebody who keeps the right to write to the file.
struct Writer(Child);

impl Writer {
    fn hold(scene: &Scene) -> Self {
        let mut sqlite = Command::new("sqlite3");
        sqlite.args(["-cmd", ".timeout 20000", "var/etl-orch.db"]).current_dir(scene.world().path(""));
        let mut child = sqlite.stdin(Stdio::piped()).spawn().expect("sqlite3 is installed");
        let stdin = child.stdin.as_mut().expect("piped");
        stdin.write_all(b"BEGIN IMMEDIATE;\n.shell touch held\n").expect("it reads");
        until("the file is locked", || scene.world().path("held").exists());
        Self(child)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}
