//! A host that has no room or no rights for a report: no ETL is started (and paid) for nothing, and no gap is charged for it.

use crate::on_both_databases;
use crate::support::world::Done;
use crate::support::{Kind, World};

const ETL: &str = "echo run >> starts\nhead -c ${SIZE:-10} /dev/zero | tr '\\0' x > \"$4\"\n";

fn two_gaps(world: &World) {
    world.single_etl(ETL, &[]);
    world.available("RY", 1, 2025, "Q2");
    world.available("BMO", 2, 2025, "Q2");
}

/// Nothing was started, it is said once what is wrong where, and once that is mended the reports are made.
fn not_started(world: &World, done: &Done, place: &str, error: &str) {
    assert_eq!(done.code, 1, "{done:?}");
    assert!(!world.path("starts").exists(), "no ETL was started");
    assert_eq!(world.attempts(), [""; 0]);
    let place = world.path(place);
    let told = format!("Not Run:\n  • 2 jobs: {} takes no report: {error}; no ETL was started for it\n", place.display());
    assert!(done.stdout.contains(&told), "{told}: {}", done.stdout);
    assert!(done.stdout.contains("Failed: 0"), "{}", done.stdout);
    assert_eq!(world.value("SELECT coalesce(sum(failed_runs), 0) FROM gap_states"), "0", "no gap is charged");
}

fn made_once_it_is_mended(world: &World) {
    world.run_to(0, &[]);
    assert_eq!(world.reports().len(), 2);
}

on_both_databases! {
    fn a_read_only_file_system_takes_no_report(world: &World) {
        two_gaps(world);
        let done = world.with_mounts("mkdir -p reports && mount -t tmpfs -o ro tmpfs reports && exec \"$@\"", &[]);
        not_started(world, &done, "reports/2025Q2", "Read-only file system (os error 30)");
        made_once_it_is_mended(world);
    }

    /// The check cannot know how large the report will be.
    fn a_report_for_which_there_is_no_room_is_not_made_again_in_this_run(world: &World) {
        two_gaps(world);
        let script = "mkdir -p reports && mount -t tmpfs -o size=128k tmpfs reports && SIZE=200000 \"$@\"; code=$?; ls -A reports/2025Q2 > left; exit $code";
        let done = world.with_mounts(script, &["--max-parallel", "1"]);
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.contains("exit 0, but the report cannot be put at "), "{}", done.stdout);
        assert!(done.stdout.contains("No space left on device (os error 28)\n"), "{}", done.stdout);
        assert_eq!(world.attempts(), ["BMO-CA/2025Q2/call_summary|1|host_unfit", "RY-CA/2025Q2/call_summary|1|host_unfit"]);
        assert_eq!(world.value("SELECT coalesce(sum(failed_runs), 0) FROM gap_states"), "0", "no gap is charged");
        assert_eq!(world.read("left"), "", "nothing is left of it");
        assert_eq!(world.reports(), [""; 0]);
        made_once_it_is_mended(world);
    }
}

#[test]
fn a_full_file_system_takes_no_report() {
    for (options, fill, error) in [
        ("size=64k", "head -c 64k /dev/zero > reports/fill", "No space left on device (os error 28)"),
        ("nr_inodes=2", "touch reports/fill", "no space left on device for another file (inodes)"),
    ] {
        let world = World::new(Kind::Sqlite);
        two_gaps(&world);
        let script = format!("mkdir -p reports && mount -t tmpfs -o {options} tmpfs reports && {fill} && exec \"$@\"");
        let done = world.with_mounts(&script, &[]);
        not_started(&world, &done, "reports/2025Q2", error);
        made_once_it_is_mended(&world);
    }
}

#[test]
fn full_workspaces_take_no_report() {
    let world = World::new(Kind::Sqlite);
    two_gaps(&world);
    let script = "mkdir -p var/work && mount -t tmpfs -o size=64k tmpfs var/work && head -c 64k /dev/zero > var/work/fill; exec \"$@\"";
    let done = world.with_mounts(script, &[]);
    not_started(&world, &done, "var/work", "No space left on device (os error 28)");
    made_once_it_is_mended(&world);
}

#[test]
fn what_stands_in_the_way_is_named() {
    let world = World::new(Kind::Sqlite);
    two_gaps(&world);
    world.write("reports", "a file where a directory is needed");
    not_started(&world, &world.run(&[]), "reports/2025Q2", "Not a directory (os error 20)");
    std::fs::remove_file(world.path("reports")).expect("removed");
    world.write("reports/2025Q2/RY_call_summary.md/in the way", "");
    let done = world.run_to(1, &[]);
    let place = world.path("reports/2025Q2/RY_call_summary.md");
    let told = format!("  • 1 job: {} takes no report: Is a directory (os error 21); no ETL was started for it\n", place.display());
    assert!(done.stdout.contains(&told), "{}", done.stdout);
    assert_eq!(world.reports(), ["BMO 2025 Q2 Call Summary"], "the other is made");
}
