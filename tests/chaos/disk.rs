//! The disk is full or read-only for a while.

use std::thread::sleep;

use crate::convergence::converges;
use crate::mount_namespace::MountNamespace;
use crate::scene::Scene;
use crate::seed::each;
use crate::support::Kind;

/// How often the disk is full or read-only, for each seed.
const FAULTS: u64 = 6;

/// A small disk for logs and workspaces.
const SMALL_STATE: &str = "mount -t tmpfs -o size=3m tmpfs state";

/// A small disk for the database, with its present files.
const SMALL_DATABASE: &str = "mkdir saved && cp var/* saved/ && mount -t tmpfs -o size=3m tmpfs var && cp saved/* var/";

/// No mounts yet; the scenario mounts later.
const NOTHING: &str = ":";

chaos! {
    fn under_logs_and_workspaces_is_full(scene: &mut Scene) {
        scene.mounts = Some(MountNamespace::with(&scene.world().path(""), SMALL_STATE));
        again_and_again(scene, "head -c 4m /dev/zero > state/fill 2> /dev/null || true", "rm -f state/fill");
    }

    /// Open files stay writable; only the creation of new ones fails.
    fn under_logs_and_workspaces_is_read_only(scene: &mut Scene) {
        scene.mounts = Some(MountNamespace::with(&scene.world().path(""), NOTHING));
        again_and_again(scene, "mount -o bind,ro state state", "umount -l state");
    }

    fn under_everything_is_read_only(scene: &mut Scene) {
        scene.mounts = Some(MountNamespace::with(&scene.world().path(""), NOTHING));
        let everything = "for place in state reports var; do mount -o bind,ro $place $place; done";
        again_and_again(scene, everything, "for place in state reports var; do umount -l $place; done");
    }
}

#[test]
fn under_the_database_is_full() {
    each(concat!(module_path!(), "::under_the_database_is_full"), Kind::Sqlite, |scene| {
        scene.mounts = Some(MountNamespace::with(&scene.world().path(""), SMALL_DATABASE));
        again_and_again(scene, "head -c 4m /dev/zero > var/fill 2> /dev/null || true", "rm -f var/fill");
    });
}

/// Runs during which the disk breaks and is repaired.
fn again_and_again(scene: &mut Scene, break_disk: &str, repair: &str) {
    while scene.tally.faults < FAULTS {
        if scene.missing() == 0 {
            scene.more_work(1);
        }
        scene.run_with_faults(FAULTS, |scene| {
            scene.shell(break_disk);
            scene.tally.faults += 1;
            sleep(scene.random.millis(1..300));
            scene.shell(repair);
            sleep(scene.random.millis(1..300));
        });
    }
    converges(scene);
}
