//! SIGKILL at random moments.

use std::thread::sleep;

use crate::convergence::converges;
use crate::invocation::Invocation;
use crate::scene::Scene;
use crate::seed;

/// Number of tests below.
const SCENARIOS: u64 = 5;

/// The process that is killed.
#[derive(Debug, Clone, Copy)]
enum Victim {
    Orchestrator,
    Guard,
    /// Guard and orchestrator, one right after the other.
    Both,
    /// Several processes of ETLs, one after the other; the run goes on.
    Etls,
}

chaos! {
    fn of_the_orchestrator(scene: &mut Scene) {
        kill_again_and_again(scene, &[Victim::Orchestrator]);
    }

    fn of_the_guard(scene: &mut Scene) {
        kill_again_and_again(scene, &[Victim::Guard]);
    }

    fn of_both_at_once(scene: &mut Scene) {
        kill_again_and_again(scene, &[Victim::Both]);
    }

    fn of_the_etls(scene: &mut Scene) {
        kill_again_and_again(scene, &[Victim::Etls]);
    }

    fn of_anybody(scene: &mut Scene) {
        kill_again_and_again(scene, &[Victim::Orchestrator, Victim::Guard, Victim::Both, Victim::Etls]);
    }
}

fn kill_again_and_again(scene: &mut Scene, victims: &[Victim]) {
    let enough = seed::kills(SCENARIOS);
    scene.more_work(2);
    while scene.tally.kills < enough {
        if scene.missing() == 0 {
            converges(scene);
            scene.more_work(2);
        }
        let invocation = scene.start(&[]);
        sleep(scene.random.moment());
        match scene.random.pick(victims) {
            Victim::Orchestrator => kill_orchestrator(scene, invocation),
            Victim::Guard => kill_guard(scene, invocation),
            Victim::Both => kill_both(scene, invocation),
            Victim::Etls => kill_etls(scene, invocation),
        }
    }
    converges(scene);
}

pub(crate) fn kill_orchestrator(scene: &mut Scene, invocation: Invocation) {
    let killed = invocation.orchestrator().is_some_and(|orchestrator| orchestrator.kill());
    after_one_was_killed(scene, invocation, killed);
}

pub(crate) fn kill_guard(scene: &mut Scene, mut invocation: Invocation) {
    let killed = invocation.signal("KILL");
    after_one_was_killed(scene, invocation, killed);
}

/// Guard or orchestrator was killed: the other one ends the ETLs.
fn after_one_was_killed(scene: &mut Scene, invocation: Invocation, killed: bool) {
    if killed {
        scene.tally.kills += 1;
        scene.tally.cuts += 1;
        let took = invocation.etls_end_soon();
        scene.tally.slowest_end = scene.tally.slowest_end.max(took);
    }
    let done = invocation.wait();
    scene.note(&done);
}

/// Nobody is left to end the ETLs. The next run does, which may start at once, before it starts their gaps again.
pub(crate) fn kill_both(scene: &mut Scene, mut invocation: Invocation) {
    let orchestrator = invocation.orchestrator();
    let before = scene.tally.kills;
    let guard_first = scene.random.once_in(2);
    if guard_first {
        scene.tally.kills += u64::from(invocation.signal("KILL"));
    }
    scene.tally.kills += u64::from(orchestrator.is_some_and(|orchestrator| orchestrator.kill()));
    if !guard_first {
        scene.tally.kills += u64::from(invocation.signal("KILL"));
    }
    scene.tally.cuts += u64::from(scene.tally.kills > before);
    let done = invocation.wait();
    scene.note(&done);
}

fn kill_etls(scene: &mut Scene, invocation: Invocation) {
    for _ in 0..scene.random.within(3..8) {
        let etls = invocation.etls();
        if !etls.is_empty() {
            let index = usize::try_from(scene.random.within(0..etls.len() as u64)).expect("an index");
            scene.tally.kills += u64::from(etls[index].kill());
        }
        sleep(scene.random.millis(0..100));
    }
    let done = invocation.wait();
    assert!(matches!(done.code, 0 | 1), "a run survives its ETLs: {done:?}");
    scene.note(&done);
}
