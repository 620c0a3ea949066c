//! ETLs that leave something else where their report or their workspace belongs, and reports that cross file systems.

use std::os::unix::fs::MetadataExt;
use std::process::{Command, Stdio};

use tempfile::TempDir;

use crate::support::world::{Running, is_alive, kill, until};
use crate::support::{Kind, World};

fn one_gap(script: &str, more: &[&str]) -> World {
    let world = World::new(Kind::Sqlite);
    world.single_etl(script, more);
    world.available("RY", 1, 2025, "Q2");
    world
}

#[test]
fn a_pipe_or_a_socket_is_no_output_and_holds_up_nobody() {
    for make in ["mkfifo \"$4\"", "ln -s /dev/zero \"$4\"", "mkdir \"$4\""] {
        let world = one_gap(&format!("{make}\n"), &["retry: {max_attempts: 1}"]);
        let done = world.run_to(1, &[]);
        assert!(done.stdout.contains("no output: exit 0, but {output} is no regular file\n"), "{make}: {}", done.stdout);
    }
}

/// A daemon of the ETL swaps its output between a report, a pipe and a link to a secret for as long as it lives.
#[test]
fn an_output_that_is_swapped_all_the_time_is_the_report_or_nothing() {
    let daemon = "while :; do for kind in report pipe link; do rm -rf \"$1\"; case $kind in \
        report) echo report > \"$1\";; pipe) mkfifo \"$1\";; link) ln -s \"$PWD/secret\" \"$1\";; esac; done; done";
    let script = format!("setsid sh -c '{daemon}' sh \"$4\" > /dev/null 2>&1 &\nuntil [ -f \"$4\" ]; do :; done\n");
    let world = one_gap(&script, &["retry: {max_attempts: 5, initial_delay: 1ms, multiplier: 1, max_delay: 1ms}"]);
    world.write("secret", "secret\n");
    for _ in 0..4 {
        world.run(&["--force", "--bank-symbol", "RY"]);
        let contents = world.sql("SELECT markdown_content FROM aegis_reports");
        assert!(contents.is_empty() || contents == ["report"], "{contents:?}");
        if let Ok(found) = world.path("reports/2025Q2/RY_call_summary.md").symlink_metadata() {
            assert!(found.is_file());
            assert_eq!(world.read("reports/2025Q2/RY_call_summary.md"), "report\n");
        }
    }
}

/// The first attempt puts a link in the place of its workspace; what that leads to is not touched.
#[test]
fn a_workspace_that_became_a_link_is_not_followed() {
    let script = "work=$ETL_ORCH_WORK_DIR\n[ -e once ] || { touch once; rm -r \"$work\"; ln -s \"$PWD/precious\" \"$work\"; exit 1; }\n\
        echo report > \"$4\"\n";
    let world = one_gap(script, &[]);
    world.write("precious/output-1.md", "precious");
    let done = world.run_to(0, &[]);
    assert!(done.stderr.contains("was no directory, and was replaced by one"), "{}", done.stderr);
    assert_eq!(world.read("precious/output-1.md"), "precious");
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(std::fs::read_dir(world.path("var/work")).expect("a directory").count(), 0, "nothing is left");
}

#[test]
fn a_workspace_that_is_a_link_at_the_end_is_not_followed_either() {
    let script = "work=$ETL_ORCH_WORK_DIR\nrm -r \"$work\"\nln -s \"$PWD/precious\" \"$work\"\necho report > \"$4\"\n";
    let world = one_gap(script, &["retry: {max_attempts: 1}"]);
    world.write("precious/kept", "precious");
    let done = world.run_to(1, &[]);
    assert!(done.stdout.contains("no output: exit 0, but its {work_dir} is no directory any more\n"), "{}", done.stdout);
    assert_eq!(world.read("precious/kept"), "precious");
}

/// As a plain user nobody may enter it; root sees at least that it is cleaned.
#[test]
fn a_workspace_that_nobody_may_enter_is_used_again() {
    let script = "[ -e once ] || { touch once; mkdir -p \"$ETL_ORCH_WORK_DIR/left/behind\"; touch \"$4\"\n\
        chmod 000 \"$ETL_ORCH_WORK_DIR/left\" \"$ETL_ORCH_WORK_DIR\"; exit 1; }\n[ ! -e \"${4%-*}-1.md\" ] || exit 65\necho report > \"$4\"\n";
    let world = one_gap(script, &[]);
    world.run_to(0, &[]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(std::fs::read_dir(world.path("var/work")).expect("a directory").count(), 0, "nothing is left");
}

/// A world whose reports go to another file system.
fn across_file_systems(script: &str) -> (World, TempDir) {
    let far = tempfile::tempdir_in("/dev/shm").expect("/dev/shm is a file system of its own on every Linux");
    let world = one_gap(script, &[]);
    let device = |path: &std::path::Path| path.metadata().expect("a directory").dev();
    assert_ne!(device(far.path()), device(&world.path("")), "/dev/shm must not be the file system of TMPDIR");
    let config = world.read("etl-orch.yaml");
    world.write("etl-orch.yaml", &config.replace("reports/{period}/", &format!("{}/{{period}}_", far.path().display())));
    (world, far)
}

fn names(dir: &TempDir) -> Vec<String> {
    let entries = std::fs::read_dir(dir.path()).expect("a directory");
    entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect()
}

#[test]
fn a_report_is_published_across_file_systems() {
    let (world, far) = across_file_systems("echo report > \"$4\"\nchmod 640 \"$4\"\n");
    world.run_to(0, &[]);
    assert_eq!(names(&far), ["2025Q2_RY_call_summary.md"]);
    let report = far.path().join("2025Q2_RY_call_summary.md");
    assert_eq!(std::fs::read_to_string(&report).expect("a report"), "report\n");
    assert_eq!(report.metadata().expect("a report").mode() & 0o777, 0o640);
    assert_eq!(world.sql("SELECT markdown_content FROM aegis_reports"), ["report"]);
}

/// The binary under a tracer that delays these calls.
fn delayed(world: &World, inject: &str, more: &[&str]) -> Running {
    let run = world.command(&[]);
    let mut strace = Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null"]).args(more).args(["-e", &format!("inject={inject}")]);
    strace.arg(run.get_program()).args(run.get_args()).current_dir(world.path("")).stdin(Stdio::null());
    Running::start(strace)
}

/// Asks the guard to stop; returns the pid of the orchestrator.
fn stop(tracer: &Running) -> u32 {
    let child = |pid: u32| -> u32 {
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).expect("a process");
        children.trim().parse().expect("a child")
    };
    let guard = child(tracer.pid());
    let orchestrator = child(guard);
    kill("TERM", guard);
    orchestrator
}

/// Without a stop it would take a quarter of an hour.
#[test]
fn a_large_report_on_its_way_to_another_file_system_can_be_stopped() {
    let (world, far) = across_file_systems("truncate -s 8G \"$4\"\n");
    let running = delayed(&world, "copy_file_range,sendfile:delay_enter=100000", &["-e", "trace=copy_file_range,sendfile"]);
    until("it is on its way", || names(&far).iter().any(|name| name.starts_with(".etl-orch-")));
    stop(&running);
    let done = running.wait();
    assert_eq!(done.code, 143, "{done:?}");
    assert_eq!(names(&far), [""; 0], "nothing is left behind");
    assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|cancelled"]);
    world.write("etl.sh", "echo report > \"$4\"\n");
    world.run_to(0, &[]);
    assert_eq!(names(&far), ["2025Q2_RY_call_summary.md"]);
}

/// Nothing can be done about a disk that does not answer, but the run ends.
#[test]
fn a_disk_that_hangs_does_not_keep_a_run_from_being_stopped() {
    let (world, far) = across_file_systems("echo report > \"$4\"\n");
    let directory = far.path().to_str().expect("UTF-8");
    let running = delayed(&world, "fsync:delay_enter=1000000000", &["-P", directory, "-e", "trace=fsync"]);
    until("it is copied", || names(&far).iter().any(|name| name.starts_with(".etl-orch-")));
    let orchestrator = stop(&running);
    until("it has ended", || !is_alive(orchestrator));
    // The tracer still waits for the thread that it holds.
    kill("KILL", running.pid());
    let done = running.wait();
    assert!(done.stdout.contains("Stopped by a signal"), "{done:?}");
    assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|cancelled"]);
    world.run_to(0, &[]);
    assert_eq!(names(&far), ["2025Q2_RY_call_summary.md"], "the next run has removed what was left");
}
