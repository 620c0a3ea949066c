//! SIGTERM and SIGINT at random moments, sometimes twice.

use std::thread::sleep;

use crate::convergence::converges;
use crate::processes::assert_none_alive;
use crate::scene::Scene;

/// Runs that are stopped, for each seed.
const STOPS: u64 = 8;

chaos! {
    fn by_a_signal(scene: &mut Scene) {
        scene.make_tables();
        scene.more_work(2);
        while scene.tally.stops < STOPS {
            if scene.missing() == 0 {
                converges(scene);
                scene.more_work(2);
            }
            stop_one(scene);
        }
        converges(scene);
    }
}

/// Starts a run, and stops it at a random moment.
pub(crate) fn stop_one(scene: &mut Scene) {
    let mut invocation = scene.start(&[]);
    sleep(scene.random.moment());
    let (name, code) = scene.random.pick(&[("TERM", 143), ("INT", 130)]);
    let was_ready = invocation.has_handlers();
    invocation.signal(name);
    let at_once = scene.random.once_in(4);
    if at_once {
        sleep(scene.random.millis(0..50));
        scene.tally.cuts += u64::from(invocation.signal(name));
    }
    let tag = invocation.tag().to_owned();
    let done = invocation.wait();
    scene.note(&done);
    assert_none_alive(&tag);
    if done.code != code {
        assert!(matches!(done.code, 0 | 1), "neither stopped by {name} nor ended before it: {done:?}");
        return;
    }
    scene.tally.stops += 1;
    if was_ready && !at_once {
        let open = "SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running')";
        assert_eq!(scene.sql(open), ["0"], "a run that was stopped closes its records: {done:?}");
    }
}
