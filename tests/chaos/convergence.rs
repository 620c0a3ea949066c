//! After the faults: undisturbed runs, until one finds nothing to do.

use crate::invariants;
use crate::scene::Scene;
use crate::sources::behind;

/// Most runs until convergence. One is enough unless faults used up the attempts of jobs.
const MOST_RUNS: u64 = 8;

/// Runs the binary until no report is missing and no source is behind, then checks the invariants.
pub(crate) fn converges(scene: &mut Scene) {
    let mut output = String::new();
    for runs in 1..=MOST_RUNS {
        let done = scene.run(&["--format", "json"]);
        assert!(matches!(done.code, 0 | 1), "an undisturbed run exits with 0 or 1: {done:?}");
        if done.code == 0 && done.json()["gaps"]["total"] == 0 && scene.missing() == 0 && behind(scene) == 0 {
            scene.tally.runs_to_converge += runs;
            invariants::hold(scene);
            return;
        }
        output = format!("{}{}", done.stderr, done.stdout);
        release(scene);
    }
    let (missing, behind) = (scene.missing(), behind(scene));
    panic!("{MOST_RUNS} undisturbed runs left {missing} reports missing and {behind} sources behind; output of the last:\n{output}");
}

/// Releases gaps that are cooling down or quarantined because of the faults.
fn release(scene: &mut Scene) {
    invariants::quarantine_has_a_cause(scene);
    let done = scene.run(&["retry", "--all", "--reason", "chaos"]);
    assert_eq!(done.code, 0, "{done:?}");
}
