//! After the faults: plain runs, until one finds nothing to do.

use crate::desk::behind;
use crate::invariants;
use crate::scene::Scene;

/// As many runs at most. One would do, but for jobs that a fault let use up their attempts.
const MOST_RUNS: u64 = 8;

/// Lets runs fill what is missing and collect what is due, and checks what must be true then.
pub(crate) fn converges(scene: &mut Scene) {
    let mut said = String::new();
    for runs in 1..=MOST_RUNS {
        let done = scene.run(&["--format", "json"]);
        assert!(matches!(done.code, 0 | 1), "a plain run ends with 0 or 1: {done:?}");
        if done.code == 0 && done.json()["gaps"]["total"] == 0 && scene.missing() == 0 && behind(scene) == 0 {
            scene.tally.runs_to_converge += runs;
            invariants::hold(scene);
            return;
        }
        said = format!("{}{}", done.stderr, done.stdout);
        release(scene);
    }
    let (missing, behind) = (scene.missing(), behind(scene));
    panic!("{MOST_RUNS} plain runs left {missing} reports missing and {behind} sources behind; the last said:\n{said}");
}

/// Releases gaps that are held back because too much went wrong with them, which in these tests it did.
fn release(scene: &mut Scene) {
    invariants::quarantine_is_for_cause(scene);
    let done = scene.run(&["retry", "--all", "--reason", "chaos"]);
    assert_eq!(done.code, 0, "{done:?}");
}
