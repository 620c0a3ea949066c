//! Every exit code that is promised, seen from outside.

use std::fs::File;

use rustix::fs::{FlockOperation, flock};

use crate::support::world::pid_in;
use crate::support::{Kind, World};

#[test]
fn every_end_has_the_code_that_is_promised() {
    const GOOD: &str = "echo report > \"$4\"";
    // What the ETL does, whether the lock is held, the arguments, the code.
    let cases: &[(&str, bool, &[&str], i32)] = &[
        (GOOD, false, &[], 0),
        (GOOD, false, &["run"], 0),
        (GOOD, false, &["-q"], 0),
        (GOOD, false, &["--detailed-exit-code"], 0),
        (GOOD, false, &["--bank-symbol", "td"], 0),
        (GOOD, false, &["--dry-run"], 0),
        (GOOD, false, &["--dry-run", "--detailed-exit-code"], 4),
        (GOOD, false, &["--dry-run", "--detailed-exit-code", "--bank-symbol", "TD"], 0),
        (GOOD, false, &["--help"], 0),
        (GOOD, false, &["--version"], 0),
        (GOOD, false, &["config", "check"], 0),
        (GOOD, false, &["config", "schema"], 0),
        (GOOD, false, &["man"], 0),
        (GOOD, false, &["completions", "bash"], 0),
        ("exit 66", false, &["--detailed-exit-code"], 0),
        ("exit 1", false, &[], 1),
        ("exit 0", false, &[], 1),
        ("exit 65", false, &["--fail-fast"], 1),
        ("kill -9 $$", false, &[], 1),
        ("exit 1", false, &["--detailed-exit-code"], 3),
        ("exit 78", false, &["--detailed-exit-code"], 3),
        (GOOD, false, &["--nonsense"], 2),
        (GOOD, false, &["--force"], 2),
        (GOOD, false, &["--bank-symbol", "NONE"], 2),
        (GOOD, false, &["-q", "-v"], 2),
        (GOOD, true, &["--lock-wait", "none"], 75),
        (GOOD, true, &["--lock-wait", "1ms", "--detailed-exit-code"], 75),
        (GOOD, true, &["--no-lock"], 0),
        (GOOD, true, &["--dry-run"], 0),
    ];
    for (script, locked, args, code) in cases {
        let world = World::new(Kind::Sqlite);
        world.single_etl(script, &[]);
        world.available("RY", 1, 2025, "Q2");
        let lock = locked.then(|| {
            let file = File::create(world.path("var/etl-orch.lock")).expect("the lock file");
            flock(&file, FlockOperation::NonBlockingLockExclusive).expect("free");
            file
        });
        let done = world.run(args);
        assert_eq!(done.code, *code, "{script:?} {args:?}: {done:?}");
        drop(lock);
    }
}

#[test]
fn a_signal_goes_before_what_failed_until_then() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("test \"$2\" = RY && exit 1; echo $$ > pid; until [ -e go ]; do sleep 0.01; done", &["retry: {max_attempts: 1}"]);
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
    let running = world.spawn(&["--detailed-exit-code"]);
    pid_in(&world.path("pid"));
    running.until_it_says("Failed RY 2025 Q2");
    running.signal("TERM");
    let done = running.wait();
    assert_eq!(done.code, 143, "{done:?}");
    assert!(done.stdout.contains("Failed: 1"), "{done:?}");
}
