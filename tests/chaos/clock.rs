//! The clock is wrong, by another offset in each run.

use std::thread::sleep;

use crate::convergence::converges;
use crate::kills::{kill_both, kill_guard, kill_orchestrator};
use crate::mount_namespace::{FOR_CLOCKS, MountNamespace};
use crate::scene::Scene;
use crate::support::clock::clock;

/// Runs with a wrong clock, for each seed.
const STEPS: u64 = 10;

/// Used in turn: from years back to years ahead, and enough to end leases and waits.
const OFFSETS: [&str; 10] = ["+3d", "-11m", "-400d", "+1h", "+4000d", "-3d", "+11m", "+400d", "-1h", "-4000d"];

chaos! {
    /// The claims of a killed run are released, whatever the clock said then and says now.
    fn steps_between_runs_of_which_some_are_killed(scene: &mut Scene) {
        scene.mounts = Some(MountNamespace::with(&scene.world().path(""), FOR_CLOCKS));
        scene.more_work(2);
        for _ in 0..STEPS {
            if scene.missing() == 0 {
                scene.more_work(1);
            }
            let clock = wrong_clock(scene);
            let invocation = scene.start_with(&[], &clock);
            sleep(scene.random.moment());
            match scene.random.within(0..4) {
                0 => kill_orchestrator(scene, invocation),
                1 => kill_guard(scene, invocation),
                2 => kill_both(scene, invocation),
                _ => scene.expect_normal_end(invocation),
            }
        }
        converges(scene);
        the_clock_was_wrong(scene);
    }

    /// A living run is not taken for dead by another one with a clock ahead of it.
    fn differs_between_runs_at_the_same_time(scene: &mut Scene) {
        scene.mounts = Some(MountNamespace::with(&scene.world().path(""), FOR_CLOCKS));
        for _ in 0..2 {
            scene.more_work(1);
            let runs: Vec<_> = (0..3)
                .map(|_| {
                    let clock = wrong_clock(scene);
                    scene.start_with(&["--no-lock"], &clock)
                })
                .collect();
            for run in runs {
                let done = run.wait();
                assert_eq!(done.code, 0, "{done:?}");
                scene.note(&done);
            }
        }
        converges(scene);
        the_clock_was_wrong(scene);
        assert_eq!(scene.tally.lost, 0, "no run died");
    }
}

/// Variables that make a process see a wrong time, by another offset at each call.
fn wrong_clock(scene: &mut Scene) -> [(&'static str, String); 4] {
    let offset = OFFSETS[usize::try_from(scene.tally.faults).expect("few") % OFFSETS.len()];
    scene.tally.faults += 1;
    clock(offset)
}

/// Checks that the runs saw the wrong times; otherwise these tests would prove nothing.
fn the_clock_was_wrong(scene: &Scene) {
    let days = scene.sql("SELECT DISTINCT substr(CAST(started_at AS text), 1, 10) FROM etl_runs");
    assert!(days.len() > 2, "the days on which runs began: {days:?}");
}
