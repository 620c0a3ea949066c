//! Each system call of a small run that changes something: guard, orchestrator or both are killed there, or the call fails.

use std::time::Duration;

use crate::calls::{Action, Disturbance, Report};
use crate::convergence::converges;
use crate::processes::assert_none_alive;
use crate::scene::Scene;
use crate::seed;
use crate::server;
use crate::support::Kind;

/// Once guard or orchestrator is killed, everything must have ended within this time.
const SOON: Duration = Duration::from_secs(2);

/// Without the lock a run would wait for ever; it must be free.
const NEXT: &[&str] = &["--lock-wait", "none", "--format", "json"];

/// One test on SQLite and one on PostgreSQL for each name.
macro_rules! sweeps {
    ($($(#[$meta:meta])* $name:ident: $sweep:expr;)*) => {
        $($(#[$meta])*
        mod $name {
            use super::*;

            #[test]
            fn on_sqlite() {
                every_call(concat!(module_path!(), "::on_sqlite"), Kind::Sqlite, &$sweep);
            }

            #[test]
            fn on_postgres() {
                let _server = server::shared();
                every_call(concat!(module_path!(), "::on_postgres"), Kind::Postgres, &$sweep);
            }
        })*
    };
}

sweeps! {
    one_is_killed_before_a_call: Sweep { action: Action::Kill, ends: Ends::Recorded, usual: 20 };
    both_are_killed_before_a_call: Sweep { action: Action::KillBoth, ends: Ends::Recorded, usual: 20 };
    a_call_fails: Sweep { action: Action::Fail, ends: Ends::Recorded, usual: 20 };
    one_is_killed_while_ends_are_spooled: Sweep { action: Action::Kill, ends: Ends::Spooled, usual: 8 };
    a_call_fails_while_ends_are_spooled: Sweep { action: Action::Fail, ends: Ends::Spooled, usual: 8 };
    a_call_fails_while_the_spool_is_replayed: Sweep { action: Action::Fail, ends: Ends::Replayed, usual: 8 };
    both_are_killed_while_the_spool_is_replayed: Sweep { action: Action::KillBoth, ends: Ends::Replayed, usual: 8 };
}

/// What is disturbed, and how.
struct Sweep {
    action: Action,
    ends: Ends,
    /// How many calls are disturbed by default.
    usual: u64,
}

/// What the disturbed run does with the ends of its jobs.
#[derive(PartialEq, Eq)]
enum Ends {
    /// The database takes them.
    Recorded,
    /// The database refuses them until the run has ended.
    Spooled,
    /// The database has refused those of an earlier run, and takes them now.
    Replayed,
}

/// A run that was disturbed.
struct Disturbed {
    code: i32,
    output: String,
    tag: String,
    report: Report,
}

fn every_call(test: &str, kind: Kind, sweep: &Sweep) {
    let undisturbed = Disturbance { action: sweep.action, number: 0, choice: 0 };
    let scene = |seed| prepare(Scene::small(kind, seed), &sweep.ends);
    let calls = |seed| run(&mut scene(seed), undisturbed).report.calls;
    seed::sweep(test, sweep.usual, calls, scene, |scene, number| {
        let one_fails = scene.random.once_in(2);
        if one_fails {
            scene.world().write("broken/BMO-CA.2000Q1.key_themes", "");
        }
        let choice = scene.random.within(0..60);
        let disturbed = run(scene, Disturbance { number, choice, ..undisturbed });
        if disturbed.report.disturbed.is_none() {
            return false;
        }
        match sweep.action {
            Action::Kill => check_kill(scene, &disturbed),
            Action::KillBoth => check_kill_of_both(scene, &disturbed),
            Action::Fail => check_failure(scene, &disturbed),
        }
        if sweep.ends == Ends::Spooled {
            scene.sql(take_ends(kind));
        }
        let next = scene.run(NEXT);
        assert!(matches!(next.code, 0 | 1), "the run after {}: {next:?}", disturbed.call());
        if one_fails {
            scene.shell("rm broken/*");
        }
        converges(scene);
        true
    });
}

fn prepare(mut scene: Scene, ends: &Ends) -> Scene {
    if *ends != Ends::Recorded {
        scene.make_tables();
        scene.sql(refuse_ends(scene.kind()));
    }
    if *ends == Ends::Replayed {
        let done = scene.run(&[]);
        assert_eq!(done.code, 1, "ends that are not recorded: {done:?}");
        scene.expect_no_more_starts();
        scene.sql(take_ends(scene.kind()));
    }
    scene
}

/// Statements after which no job can end.
fn refuse_ends(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite => {
            "CREATE TRIGGER refuse BEFORE UPDATE OF state ON etl_jobs WHEN NEW.state IN ('succeeded', 'failed') \
             BEGIN SELECT RAISE(ABORT, 'refused'); END"
        }
        Kind::Postgres => {
            "CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE 'refused'; END $$; \
             CREATE TRIGGER refuse BEFORE UPDATE ON etl_orch.etl_jobs FOR EACH ROW WHEN (NEW.state IN ('succeeded', 'failed')) \
             EXECUTE FUNCTION refuse()"
        }
    }
}

fn take_ends(kind: Kind) -> &'static str {
    match kind {
        Kind::Sqlite => "DROP TRIGGER refuse",
        Kind::Postgres => "DROP TRIGGER refuse ON etl_orch.etl_jobs",
    }
}

/// A run with a disturbance, to the end of guard and orchestrator.
fn run(scene: &mut Scene, disturbance: Disturbance) -> Disturbed {
    let invocation = scene.start_below(&[], &[], |command| disturbance.around(&command));
    let tag = invocation.tag().to_owned();
    let done = invocation.wait();
    scene.note(&done);
    Disturbed { code: done.code, output: format!("{}{}", done.stderr, done.stdout), tag, report: Report::read(scene) }
}

impl Disturbed {
    /// The process and the call that were disturbed.
    fn call(&self) -> &str {
        self.report.disturbed.as_deref().unwrap_or_default()
    }

    /// For messages.
    fn describe(&self) -> String {
        format!("{}: exit code {}, ended {:?} later: {}", self.call(), self.code, self.report.ended, self.output)
    }

    /// Exit code 0 means that nothing is left to do.
    fn tells_the_truth(&self, scene: &Scene) {
        if self.code == 0 {
            assert_eq!(scene.missing(), 0, "exit code 0, and reports are missing: {}", self.describe());
            let left = scene.sql("SELECT gap_key FROM etl_jobs WHERE state IN ('queued', 'running')");
            assert_eq!(left, [""; 0], "exit code 0, and jobs are left: {}", self.describe());
            assert!(scene.world().read("collected").contains("end "), "exit code 0, and the source is not collected: {}", self.describe());
        }
    }
}

/// Guard or orchestrator, or a child that is about to execute an ETL.
fn check_kill(scene: &mut Scene, disturbed: &Disturbed) {
    scene.tally.kills += 1;
    assert_none_alive(&disturbed.tag);
    assert_eq!(scene.daemons(), "", "daemons outlived their run: {}", disturbed.describe());
    if disturbed.call().starts_with("child") {
        assert!(matches!(disturbed.code, 0 | 1), "{}", disturbed.describe());
        disturbed.tells_the_truth(scene);
        return;
    }
    scene.tally.cuts += 1;
    assert_eq!(disturbed.code, 137, "{}", disturbed.describe());
    assert!(disturbed.report.ended < SOON, "{}", disturbed.describe());
    scene.tally.slowest_end = scene.tally.slowest_end.max(disturbed.report.ended);
}

/// Nobody is left to end the ETLs; the next run does.
fn check_kill_of_both(scene: &mut Scene, disturbed: &Disturbed) {
    scene.tally.kills += 1;
    scene.tally.cuts += 1;
    assert_eq!(disturbed.code, 137, "{}", disturbed.describe());
}

/// The run ends by itself.
fn check_failure(scene: &mut Scene, disturbed: &Disturbed) {
    scene.tally.faults += 1;
    assert_none_alive(&disturbed.tag);
    assert!(!disturbed.output.contains("panicked"), "{}", disturbed.describe());
    assert!(matches!(disturbed.code, 0..=2), "{}", disturbed.describe());
    let has_started = !scene.world().read("marks").is_empty();
    assert!(disturbed.code != 2 || !has_started, "exit code 2 means that nothing was started: {}", disturbed.describe());
    disturbed.tells_the_truth(scene);
}
