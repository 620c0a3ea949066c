//! What a parent hands down, signals and limits, changes nothing of how a run ends.

use std::process::Command;

use crate::on_both_databases;
use crate::support::world::{Running, WAITS, is_alive, kill, pid_in};
use crate::support::{Kind, World, until};

/// Bits of SIGCHLD, SIGTERM, SIGUSR1 and SIGXFSZ in a mask of `/proc/PID/status`.
const BITS: u64 = 1 << 16 | 1 << 14 | 1 << 9 | 1 << 24;

/// An invocation whose parent is `env` with these options.
fn through_env(world: &World, options: &[&str]) -> Running {
    let run = world.command(&[]);
    let mut command = Command::new("env");
    command.args(options).arg(run.get_program()).args(run.get_args()).current_dir(world.path(""));
    Running::start(command)
}

/// An invocation under this limit of the shell's `ulimit`.
fn limited(world: &World, limit: &str) -> Running {
    let run = world.command(&[]);
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit {limit} && exec \"$@\""), "sh"]).arg(run.get_program()).args(run.get_args());
    command.current_dir(world.path(""));
    Running::start(command)
}

/// The gap is filled by a run without further ado, and nothing was held against it.
fn converges(world: &World) {
    world.run_to(0, &["--lock-wait", "none"]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running', 'lost')"), "0");
    assert_eq!(world.value("SELECT count(*) FROM etl_runs WHERE state = 'running'"), "0");
}

#[test]
fn signals_that_the_parent_blocked_or_ignored_are_in_force_again() {
    for (round, options) in
        [&["--block-signal=CHLD"][..], &["--ignore-signal=CHLD"], &["--block-signal"], &["--ignore-signal=CHLD,TERM,USR1,XFSZ"]]
            .into_iter()
            .enumerate()
    {
        let world = World::new(Kind::Sqlite);
        world.single_etl("grep -E '^Sig(Blk|Ign)' /proc/self/status > signals\necho report > \"$4\"", &[]);
        world.available("RY", 1, 2025, "Q2");
        let done = through_env(&world, options).wait();
        assert_eq!(done.code, 0, "{options:?}: {done:?}");
        let masks = world.read("signals");
        let masks: Vec<u64> =
            masks.lines().map(|line| u64::from_str_radix(line.split_whitespace().last().expect("a mask"), 16).expect("hex")).collect();
        assert_eq!(masks.iter().map(|mask| mask & BITS).collect::<Vec<_>>(), [0, 0], "round {round}, {options:?}: {masks:?}");
        assert_eq!(masks.len(), 2);
        converges(&world);
    }
}

#[test]
fn a_stop_is_heard_although_the_parent_blocked_every_signal() {
    let world = World::new(Kind::Sqlite);
    world.single_etl(&format!("echo $$ > pid\n{WAITS}echo report > \"$4\"\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
    let running = through_env(&world, &["--block-signal"]);
    let child = pid_in(&world.path("pid"));
    running.signal("TERM");
    let done = running.wait();
    assert_eq!(done.code, 143, "{done:?}");
    assert!(!is_alive(child));
    world.write("go", "");
    converges(&world);
}

on_both_databases! {
    /// The log of the attempt does not fit, and the ETL writes a report that does.
    fn a_limit_of_file_sizes_ends_no_run(world: &World) {
        world.single_etl("yes 'a line' | head -c 6000000\necho report > \"$4\"", &[]);
        world.available("RY", 1, 2025, "Q2");
        let done = limited(world, "-f 8192").wait();
        assert_eq!(done.code, 0, "{done:?}");
        assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
        let tail = world.sql("SELECT tail FROM etl_attempts");
        assert!(tail.last().is_some_and(|line| line.contains("could not be written, output is missing there")), "{tail:?}");
        converges(world);
    }
}

/// What the database cannot write is as on a full disk.
#[test]
fn a_database_that_may_not_grow_is_no_fault_of_a_gap() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("echo report > \"$4\"", &[]);
    world.available("RY", 1, 2025, "Q2");
    for blocks in [8, 64, 256] {
        let done = limited(&world, &format!("-f {blocks}")).wait();
        assert!([0, 1].contains(&done.code), "{blocks}: {done:?}");
        assert!(!done.stderr.contains("panicked") && !done.stderr.contains("ended by signal"), "{blocks}: {done:?}");
    }
    converges(&world);
}

/// Neither stays stopped when it is asked to end.
#[test]
fn a_stopped_orchestrator_follows_the_first_signal() {
    let (world, running, child) = waiting();
    kill("STOP", running.orchestrator());
    running.signal("TERM");
    let done = running.wait();
    assert_eq!(done.code, 143, "{done:?}");
    assert!(!is_alive(child));
    assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|cancelled"]);
    world.write("go", "");
    converges(&world);
}

#[test]
fn an_orchestrator_that_is_stopped_again_and_again_does_not_outlive_two_signals() {
    let (world, mut running, child) = waiting();
    let orchestrator = running.orchestrator();
    let traced = hold(orchestrator);
    running.signal("TERM");
    running.signal("INT");
    until("the guard has ended it", || !running.is_running());
    drop(traced);
    let done = running.wait();
    assert_eq!(done.code, 143, "{done:?}");
    assert!(done.stderr.contains("was killed; its ETLs were ended with it"), "{done:?}");
    assert!(!is_alive(orchestrator) && !is_alive(child));
    world.write("go", "");
    world.run_to(0, &["--lock-wait", "none"]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
}

#[test]
fn a_guard_that_was_stopped_does_not_keep_the_lock_when_the_run_is_over() {
    let (world, running, _) = waiting();
    running.signal("STOP");
    world.write("go", "");
    let done = running.wait();
    assert_eq!(done.code, 0, "{done:?}");
    converges(&world);
}

/// Whatever it is at when the signal comes: nothing is done by halves, and the code is the signal's.
#[test]
fn a_signal_in_the_first_moments_is_heard() {
    let world = World::new(Kind::Sqlite);
    world.single_etl(&format!("{WAITS}echo report > \"$4\"\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
    for _ in 0..8 {
        let running = world.spawn(&[]);
        running.orchestrator();
        running.signal("TERM");
        let done = running.wait();
        assert_eq!(done.code, 143, "{done:?}");
        assert!(!done.stderr.contains("was ended by signal"), "{done:?}");
    }
    world.write("go", "");
    converges(&world);
}

/// A run whose ETL waits for the file `go`, and the ETL's pid.
fn waiting() -> (World, Running, u32) {
    let world = World::new(Kind::Sqlite);
    world.single_etl(&format!("echo $$ > pid\n{WAITS}echo report > \"$4\"\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
    let running = world.spawn(&[]);
    let child = pid_in(&world.path("pid"));
    (world, running, child)
}

/// Stops a process again whenever somebody wakes it, until this is dropped.
fn hold(pid: u32) -> impl Drop {
    struct Hold(std::process::Child);
    impl Drop for Hold {
        fn drop(&mut self) {
            let _ = self.0.kill();
            let _ = self.0.wait();
        }
    }
    let mut shell = Command::new("sh");
    shell.args(["-c", &format!("while kill -s STOP {pid}; do :; done")]);
    Hold(shell.stderr(std::process::Stdio::null()).spawn().expect("a shell"))
}
