//! ETLs that run too long, print too much, print what is no text, or leave something behind.

use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;

use crate::on_both_databases;
use crate::support::world::{is_alive, pid_in};
use crate::support::{Kind, World, until};

fn one_gap(kind: Kind, script: &str, more: &[&str]) -> World {
    let world = World::new(kind);
    world.single_etl(script, more);
    world.available("RY", 1, 2025, "Q2");
    world
}

fn log_of(world: &World) -> PathBuf {
    PathBuf::from(world.value("SELECT log FROM etl_attempts"))
}

on_both_databases! {
    fn the_tail_is_stored_whatever_bytes_are_in_it(world: &World) {
        world.single_etl(r#"printf 'caf\303\251 \377\376 nul:\000: end\n'; printf 'cut \303'; echo report > "$4""#, &[]);
        world.available("RY", 1, 2025, "Q2");
        let done = world.run(&[]);
        assert_eq!(done.code, 0, "{done:?}");
        let tail = world.sql("SELECT tail FROM etl_attempts");
        assert_eq!(tail, ["café \u{fffd}\u{fffd} nul:\u{fffd}: end", "cut \u{fffd}"]);
        let log = std::fs::read(log_of(world)).expect("the log");
        assert_eq!(log, b"caf\xc3\xa9 \xff\xfe nul:\0: end\ncut \xc3", "the log holds the very bytes");
    }

    fn a_failure_of_strange_bytes_is_on_record_too(world: &World) {
        world.single_etl(r"printf 'nul \000 bad \377\n' >&2; exit 1", &["retry: {max_attempts: 1}"]);
        world.available("RY", 1, 2025, "Q2");
        let done = world.run(&["--format", "json"]);
        assert_eq!(done.code, 1, "{done:?}");
        assert_eq!(done.json()["jobs"][0]["reason"], "exit code 1 - nul \u{fffd} bad \u{fffd}");
        assert_eq!(world.value("SELECT error FROM etl_jobs"), "exit code 1 - nul \u{fffd} bad \u{fffd}");
    }
}

#[test]
fn time_up_ends_the_whole_group_even_if_it_ignores_sigterm() {
    let script = "trap '' TERM; sh -c 'echo $$ > grandchild; while :; do sleep 1000; done' & echo $$ > child; wait";
    let world = one_gap(Kind::Sqlite, script, &["timeout: 2s", "grace: 50ms", "retry: {max_attempts: 1}"]);
    let running = world.spawn(&[]);
    let (child, grandchild) = (pid_in(&world.path("child")), pid_in(&world.path("grandchild")));
    let done = running.wait();
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("❌ RY 2025 Q2 [call_summary]: timed out after 2s"), "{done:?}");
    assert!(!is_alive(child) && !is_alive(grandchild));
    assert_eq!(world.value("SELECT outcome FROM etl_attempts"), "timed_out");
}

#[test]
fn what_a_child_leaves_in_its_group_is_ended_with_it() {
    let world = one_gap(Kind::Sqlite, "sleep 1000 & echo $! > left; echo report > \"$4\"", &[]);
    let done = world.run(&[]);
    assert_eq!(done.code, 0, "{done:?}");
    assert!(!is_alive(pid_in(&world.path("left"))));
}

#[test]
fn a_flood_of_output_is_bounded_and_its_end_is_kept() {
    let script = "yes 'a line of sixteen bytes or so' | head -c 100000000; echo; echo the end; echo report > \"$4\"";
    let world = one_gap(Kind::Sqlite, script, &[]);
    let done = world.run(&[]);
    assert_eq!(done.code, 0, "{done:?}");
    let log = log_of(&world);
    let metadata = log.metadata().expect("the log");
    assert!(metadata.len() <= 64 * 1024 * 1024, "{} bytes", metadata.len());
    assert_eq!(metadata.permissions().mode() & 0o777, 0o600);
    let tail = world.sql("SELECT tail FROM etl_attempts");
    assert_eq!(tail.last().map(String::as_str), Some("the end"));
    assert!(tail.iter().map(String::len).sum::<usize>() <= 8 * 1024);
    let log = String::from_utf8(std::fs::read(log).expect("the log")).expect("text");
    assert!(log.contains("bytes left out here") && log.ends_with("the end\n"));
}

#[test]
fn a_child_that_closes_its_output_goes_on() {
    let script = "echo before; exec >&- 2>&-; echo $$ > closed; until [ -e go ]; do sleep 0.01; done; echo report > \"$4\"";
    let world = one_gap(Kind::Sqlite, script, &[]);
    let mut running = world.spawn(&[]);
    pid_in(&world.path("closed"));
    assert!(running.is_running());
    world.write("go", "");
    let done = running.wait();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(world.value("SELECT tail FROM etl_attempts"), "before");
}

#[test]
fn what_a_child_printed_before_it_ended_is_read_to_the_end() {
    // A full pipe: 64 KiB, more than is read at a time.
    let world = one_gap(Kind::Sqlite, "head -c 60000 /dev/zero | tr '\\0' x; echo; echo last; exit 3", &["retry: {max_attempts: 1}"]);
    let done = world.run(&[]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("exit code 3 - last"), "{done:?}");
    assert_eq!(log_of(&world).metadata().expect("the log").len(), 60_006);
}

#[test]
fn what_a_child_prints_never_controls_a_terminal() {
    let script = r"printf '\033[31mred\033]0;title\007 \302\233 \342\200\256 x\r\n'; exit 1";
    let world = one_gap(Kind::Sqlite, script, &["retry: {max_attempts: 1}"]);
    for args in [&[][..], &["-v"], &["--format", "json"], &["--log-format", "json", "-v"]] {
        let done = world.run(args);
        assert_eq!(done.code, 1, "{done:?}");
        for text in [&done.stdout, &done.stderr] {
            let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
            assert!(!text.contains(harmful), "{args:?}: {text:?}");
        }
        assert!(done.stdout.contains("[31mred"), "{args:?}: {done:?}");
    }
}

#[test]
fn verbose_shows_every_line_with_whose_it_is() {
    let world = one_gap(Kind::Sqlite, "echo one; echo two >&2; printf three; echo report > \"$4\"", &[]);
    let quiet = world.run(&["--dry-run", "-v"]);
    assert_eq!(quiet.code, 0, "{quiet:?}");
    let done = world.run(&["-v"]);
    assert_eq!(done.code, 0, "{done:?}");
    let mut lines: Vec<&str> = done.stderr.lines().filter(|line| line.contains(" | ")).collect();
    lines.sort_unstable();
    assert_eq!(lines, ["RY 2025 Q2 [call_summary] | one", "RY 2025 Q2 [call_summary] | three", "RY 2025 Q2 [call_summary] | two"]);
}

#[test]
fn verbose_keeps_json_diagnostics_json() {
    let world = one_gap(Kind::Sqlite, "echo one; echo report > \"$4\"", &[]);
    let done = world.run(&["-v", "--log-format", "json"]);
    assert_eq!(done.code, 0, "{done:?}");
    let lines: Vec<serde_json::Value> =
        done.stderr.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect();
    assert!(lines.iter().any(|line| line.to_string().contains("one")), "{lines:?}");
}

#[test]
fn a_reader_that_went_away_is_no_error() {
    let world = one_gap(Kind::Sqlite, "echo report > \"$4\"", &[]);
    let mut command = std::process::Command::new("sh");
    let run = world.command(&["--log-level", "off"]);
    command.args(["-c", "{ \"$@\"; echo $? > code; } | true", "sh"]).arg(run.get_program()).args(run.get_args());
    assert!(command.current_dir(world.path("")).status().expect("sh").success());
    until("it ends", || world.path("code").exists());
    assert_eq!(world.read("code"), "0\n");
    assert_eq!(world.reports().len(), 1);
}

#[test]
fn a_full_disk_under_the_database_is_no_loss() {
    let script = "echo report > \"$4\"; test -e second || cat /dev/zero > var/full 2> /dev/null; exit 0";
    let world = one_gap(Kind::Sqlite, script, &[]);
    let mounts = "cp -r var saved; mount -t tmpfs -o size=2m tmpfs var; cp saved/* var/
        \"$@\" > first.out; echo $? > first
        rm var/full; touch second
        \"$@\" > second.out; echo $? > second
        cp var/etl-orch.db* saved/";
    let done = world.with_mounts(mounts, &["--format", "json"]);
    let summary = |name: &str| -> serde_json::Value { serde_json::from_str(&world.read(name)).expect("a summary") };
    // The database's log may have room enough in itself once it was folded in; then nothing is amiss.
    let recorded = summary("first.out")["results"]["succeeded"] == 1;
    assert_eq!(world.read("first"), if recorded { "0\n" } else { "1\n" }, "{done:?}");
    assert_eq!(recorded, summary("first.out")["results"]["error"].is_null(), "{done:?}");
    assert_eq!(world.read("second"), "0\n", "{done:?}");
    std::fs::remove_dir_all(world.path("var")).expect("removed");
    std::fs::rename(world.path("saved"), world.path("var")).expect("the database as it was in the end");
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running')"), "0");
}

#[test]
fn a_full_disk_under_logs_and_workspaces_is_told() {
    let script = "yes | head -c 3000000; echo report > \"$4\" || exit 1";
    let world = one_gap(Kind::Postgres, script, &["retry: {max_attempts: 1}"]);
    let done = world.with_mounts("mkdir -p var; mount -t tmpfs -o size=512k tmpfs var; \"$@\"", &[]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("Failed: 1") && done.stderr.contains("No space left"), "{done:?}");
    let tail = world.sql("SELECT tail FROM etl_attempts");
    assert!(tail.last().is_some_and(|line| line.contains("could not be written, output is missing there")), "{tail:?}");
    assert!(world.reports().is_empty());
    assert_eq!(world.run(&[]).code, 0, "where there is room again");
    assert_eq!(world.reports().len(), 1);
}

#[test]
fn nothing_is_started_for_whose_end_there_is_no_room() {
    let world = one_gap(Kind::Postgres, "echo > ran; echo report > \"$4\"", &[]);
    let done = world.with_mounts("mkdir -p var; mount -t tmpfs -o size=128k tmpfs var; \"$@\"", &[]);
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stderr.contains("var/spool: No space left"), "{done:?}");
    assert!(!world.path("ran").exists());
    assert_eq!(world.value("SELECT state FROM etl_jobs"), "cancelled");
    assert_eq!(world.run(&[]).code, 0, "where there is room again");
}
