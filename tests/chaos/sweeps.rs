//! Each system call of a small run that changes something: guard, orchestrator or both are killed there, or the call fails.

use std::time::Duration;

use crate::calls::{Action, Disturbance, Report};
use crate::convergence::converges;
use crate::processes::assert_none_alive;
use crate::scene::Scene;
use crate::seed::sweep;
use crate::server;
use crate::support::Kind;

/// Once guard or orchestrator is killed, everything must have ended within this time.
const SOON: Duration = Duration::from_secs(2);

/// Without the lock a run would wait for ever; it must be free.
const NEXT: &[&str] = &["--lock-wait", "none", "--format", "json"];

/// One test on SQLite and one on PostgreSQL for each name.
macro_rules! sweeps {
    ($($name:ident: $action:expr, $play:expr;)*) => {
        $(mod $name {
            use super::*;

            #[test]
            fn on_sqlite() {
                every_call(concat!(module_path!(), "::on_sqlite"), Kind::Sqlite, $action, $play);
            }

            #[test]
            fn on_postgres() {
                let _server = server::shared();
                every_call(concat!(module_path!(), "::on_postgres"), Kind::Postgres, $action, $play);
            }
        })*
    };
}

sweeps! {
    one_is_killed_before_a_call: Action::Kill, check_kill;
    both_are_killed_before_a_call: Action::KillBoth, check_kill_of_both;
    a_call_fails: Action::Fail, check_failure;
}

/// A run that was disturbed.
struct Disturbed {
    code: i32,
    output: String,
    tag: String,
    report: Report,
}

fn every_call(test: &str, kind: Kind, action: Action, check: fn(&mut Scene, &Disturbed)) {
    let calls = |seed| run(&mut Scene::small(kind, seed), Disturbance { action, number: 0, choice: 0 }).report.calls;
    sweep(
        test,
        calls,
        |seed| Scene::small(kind, seed),
        |scene, number| {
            let one_fails = scene.random.once_in(2);
            if one_fails {
                scene.world().write("broken/BMO-CA.2000Q1.key_themes", "");
            }
            let choice = scene.random.within(0..60);
            let disturbed = run(scene, Disturbance { action, number, choice });
            let Some(call) = &disturbed.report.disturbed else { return false };
            let context = format!("{action:?} at call {number}, {call}: {}", disturbed.output);
            scene.world().write("disturbed", &context);
            check(scene, &disturbed);
            let next = scene.run(NEXT);
            assert!(matches!(next.code, 0 | 1), "the run after {context}: {next:?}");
            if one_fails {
                scene.shell("rm broken/*");
            }
            converges(scene);
            true
        },
    );
}

/// A run with a disturbance, to the end of guard and orchestrator.
fn run(scene: &mut Scene, disturbance: Disturbance) -> Disturbed {
    let invocation = scene.start_below(&[], &[], |command| disturbance.around(&command));
    let tag = invocation.tag().to_owned();
    let done = invocation.wait();
    scene.note(&done);
    Disturbed { code: done.code, output: format!("{}{}", done.stderr, done.stdout), tag, report: Report::read(scene) }
}

/// Guard or orchestrator, or a child that is about to execute an ETL.
fn check_kill(scene: &mut Scene, disturbed: &Disturbed) {
    scene.tally.kills += 1;
    assert_none_alive(&disturbed.tag);
    let Disturbed { code, output, report, .. } = disturbed;
    let call = report.disturbed.as_deref().unwrap_or_default();
    if call.starts_with("child") {
        assert!(matches!(code, 0 | 1), "{call}: exit code {code}: {output}");
        tells_the_truth(scene, disturbed);
        return;
    }
    assert_eq!(*code, 137, "{call}: {output}");
    scene.tally.cuts += 1;
    assert!(report.ended < SOON, "{call}: the last process ended after {:?}: {output}", report.ended);
    scene.tally.slowest_end = scene.tally.slowest_end.max(report.ended);
}

/// Nobody is left to end the ETLs; the next run does.
fn check_kill_of_both(scene: &mut Scene, disturbed: &Disturbed) {
    scene.tally.kills += 1;
    scene.tally.cuts += 1;
    assert_eq!(disturbed.code, 137, "{}", disturbed.output);
}

/// The run ends by itself.
fn check_failure(scene: &mut Scene, disturbed: &Disturbed) {
    scene.tally.faults += 1;
    assert_none_alive(&disturbed.tag);
    let Disturbed { code, output, report, .. } = disturbed;
    let call = report.disturbed.as_deref().unwrap_or_default();
    assert!(!output.contains("panicked"), "{call}: exit code {code}: {output}");
    assert!(matches!(code, 0..=2), "{call}: exit code {code}: {output}");
    let started = scene.world().read("marks");
    assert!(*code != 2 || started.is_empty(), "{call}: exit code 2 means that nothing was started: {output}");
    tells_the_truth(scene, disturbed);
}

/// Exit code 0 means that nothing is left to do.
fn tells_the_truth(scene: &Scene, disturbed: &Disturbed) {
    if disturbed.code == 0 {
        assert_eq!(scene.missing(), 0, "exit code 0, and reports are missing: {}", disturbed.output);
        assert!(scene.world().read("collected").contains("end "), "exit code 0, and the source is not collected: {}", disturbed.output);
    }
}
