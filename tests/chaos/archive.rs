//! A source that has one window to collect, by the real clock: scenes with it need no simulated one.

use std::fs;

use crate::scene::Scene;

const CONFIG: &str = r#"sources:
  archive:
    every: 1d
    command: [sh, collect.sh, "{source}", "{window_start}", "{window_end}"]
    timeout: 1m
    grace: 200ms
"#;

const COLLECT: &str = include_str!("collect.sh");

/// Adds the source.
pub(crate) fn open(scene: &Scene) {
    let world = scene.world();
    world.also(CONFIG);
    world.write("collect.sh", COLLECT);
    world.write("collected", "");
}

/// Checks that it was collected, once everything due is.
pub(crate) fn hold(scene: &Scene) {
    let is_here = scene.world().read("etl-orch.yaml").contains(CONFIG);
    if !is_here {
        return;
    }
    let collected = fs::read_to_string(scene.world().path("collected")).expect("a file");
    let rows = scene.sql("SELECT state, count(*) FROM disclosure_queue GROUP BY state");
    assert!(matches!(&rows[..], [row] if row.starts_with("collected|")), "windows are left open: {rows:?}");
    assert!(collected.lines().any(|line| line.starts_with("end archive ")), "recorded as collected, but it was not: {collected:?}");
}
