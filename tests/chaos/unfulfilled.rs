//! What must be true and is not yet. Each goes to its place when it holds.

use std::time::Instant;

use crate::convergence::converges;
use crate::invariants::no_workspace_is_left;
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

/// Belongs to `kills`.
#[test]
#[ignore = "a daemon that ignores SIGTERM survives when the guard is killed in its grace, after the orchestrator has ended in order"]
fn the_guard_is_killed_while_it_ends_a_daemon() {
    each(concat!(module_path!(), "::the_guard_is_killed_while_it_ends_a_daemon"), Kind::Sqlite, |scene| {
        scene.world().write("etl.sh", &format!("{STUBBORN_DAEMON}{}", scene.world().read("etl.sh")));
        scene.more_work(1);
        let mut invocation = scene.start(&["--bank-symbol", "RY", "--etl-type", "call_summary"]);
        let since = Instant::now();
        until("the orchestrator is there", || invocation.orchestrator().is_some());
        until("the orchestrator has ended", || invocation.orchestrator().is_none());
        assert!(invocation.signal("KILL"), "the guard waits for the daemon, {:?} after the start", since.elapsed());
        invocation.etls_are_gone_soon();
        converges_without_daemon(scene);
    });
}

/// An ETL leaves it at its start.
const STUBBORN_DAEMON: &str = "[ -e calm ] || (trap '' TERM; setsid sh -c 'sleep 20 > /dev/null 2>&1 &')\n";

fn converges_without_daemon(scene: &mut Scene) {
    scene.world().write("calm", "");
    converges(scene);
}
