//! The disk is full, or can only be read, for a while.

use std::thread::sleep;

use crate::convergence::converges;
use crate::room::Room;
use crate::scene::Scene;
use crate::seed::each;
use crate::support::Kind;

/// Times that the disk is full, or read-only, for each seed.
const FAULTS: u64 = 6;

/// A small disk for logs and workspaces.
const SMALL_STATE: &str = "mount -t tmpfs -o size=3m tmpfs state";

/// A small disk for the database, as it is by now.
const SMALL_DATABASE: &str = "mkdir saved && cp var/* saved/ && mount -t tmpfs -o size=3m tmpfs var && cp saved/* var/";

/// A directory of its own, so that mounts over it are possible.
const NOTHING: &str = ":";

chaos! {
    fn under_logs_and_workspaces_is_full(scene: &mut Scene) {
        scene.room = Some(Room::with(&scene.world().path(""), SMALL_STATE));
        again_and_again(scene, "head -c 4m /dev/zero > state/fill 2> /dev/null || true", "rm -f state/fill");
    }

    /// Files that are open stay writable: what can fail is to make new ones.
    fn under_logs_and_workspaces_is_read_only(scene: &mut Scene) {
        scene.room = Some(Room::with(&scene.world().path(""), NOTHING));
        again_and_again(scene, "mount -o bind,ro state state", "umount -l state");
    }

    fn under_everything_is_read_only(scene: &mut Scene) {
        scene.room = Some(Room::with(&scene.world().path(""), NOTHING));
        let everything = "for place in state reports var; do mount -o bind,ro $place $place; done";
        again_and_again(scene, everything, "for place in state reports var; do umount -l $place; done");
    }
}

#[test]
fn under_the_database_is_full() {
    each(concat!(module_path!(), "::under_the_database_is_full"), Kind::Sqlite, |scene| {
        scene.room = Some(Room::with(&scene.world().path(""), SMALL_DATABASE));
        again_and_again(scene, "head -c 4m /dev/zero > var/fill 2> /dev/null || true", "rm -f var/fill");
    });
}

/// Runs, in which the disk goes bad and is well again.
fn again_and_again(scene: &mut Scene, breaks: &str, mends: &str) {
    while scene.tally.faults < FAULTS {
        if scene.missing() == 0 {
            scene.more_work(1);
        }
        scene.run_amid(FAULTS, |scene| {
            scene.shell(breaks);
            scene.tally.faults += 1;
            sleep(scene.random.millis(1..300));
            scene.shell(mends);
            sleep(scene.random.millis(1..300));
        });
    }
    converges(scene);
}
