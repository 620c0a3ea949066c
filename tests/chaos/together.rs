//! Several invocations without the lock share the work.

use std::thread::sleep;

use crate::convergence::converges;
use crate::invocation::Invocation;
use crate::kills::{kill_both, kill_guard, kill_orchestrator};
use crate::scene::Scene;

const NO_LOCK: &[&str] = &["--no-lock"];

/// Invocations at the same time.
const TOGETHER: usize = 4;

/// Quarters with data, which is two hundred gaps.
const QUARTERS: usize = 10;

/// Invocations that are killed, for each seed.
const KILLED: usize = 6;

chaos! {
    fn they_fill_each_gap_once(scene: &mut Scene) {
        scene.more_work(QUARTERS);
        let runs: Vec<_> = (0..TOGETHER).map(|_| scene.start(NO_LOCK)).collect();
        for run in runs {
            let done = run.wait();
            assert_eq!(done.code, 0, "{done:?}");
            scene.note(&done);
        }
        assert_eq!(scene.sql("SELECT count(*) FROM etl_jobs WHERE state = 'succeeded'"), ["200"]);
        assert_eq!(scene.missing(), 0);
        converges(scene);
    }

    fn some_are_killed_meanwhile(scene: &mut Scene) {
        scene.more_work(QUARTERS);
        let mut runs: Vec<Invocation> = (0..TOGETHER).map(|_| scene.start(NO_LOCK)).collect();
        for _ in 0..KILLED {
            sleep(scene.random.moment());
            let victim = runs.remove(0);
            match scene.random.within(0..3) {
                0 => kill_orchestrator(scene, victim),
                1 => kill_guard(scene, victim),
                _ => kill_both(scene, victim),
            }
            runs.push(scene.start(NO_LOCK));
        }
        for run in runs {
            let done = run.wait();
            assert_eq!(done.code, 0, "nobody killed this one: {done:?}");
            scene.note(&done);
        }
        converges(scene);
    }
}
