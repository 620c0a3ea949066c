//! A report is put in its place once its row is written, whatever happens to the run between the two.

use std::path::PathBuf;
use std::process::{Command, Stdio};

use crate::database_away::Server;
use crate::on_both_databases;
use crate::support::world::{Running, WAITS, is_alive, kill};
use crate::support::{Kind, World, until};

const REPORT: &str = "reports/2025Q2/RY_call_summary.md";
const LOSE: &str = "UPDATE etl_jobs SET state = 'lost', ended_at = started_at, pool = NULL WHERE state = 'running'";

/// An ETL that notes its start and writes this report.
fn writes(world: &World, report: &str) {
    world.single_etl(&format!("echo run >> starts\necho {report} > \"$4\"\n"), &[]);
}

/// The files beside the report.
fn beside(world: &World) -> Vec<String> {
    let entries = std::fs::read_dir(world.path("reports/2025Q2")).expect("a directory");
    let mut names: Vec<String> = entries.map(|entry| entry.expect("an entry").file_name().into_string().expect("UTF-8")).collect();
    names.sort();
    names
}

fn only_the_report_is_there(world: &World, text: &str) {
    assert_eq!(world.read(REPORT), format!("{text}\n"));
    assert_eq!(beside(world), ["RY_call_summary.md"]);
    assert_eq!(world.value("SELECT trim(replace(markdown_content, ' ', '')) FROM aegis_reports"), text);
}

/// An invocation that a tracer holds where it is about to put the report in its place.
struct Held {
    tracer: Running,
    guard: u32,
    orchestrator: u32,
}

impl Held {
    /// The row is written by then.
    fn before_its_report_is_in_place(world: &World) -> Self {
        let run = world.command(&["--no-lock"]);
        let mut strace = Command::new("strace");
        strace.args(["-f", "-qq", "-o", "/dev/null", "-P", "RY_call_summary.md", "-e", "trace=renameat,renameat2"]);
        strace.args(["-e", "inject=renameat,renameat2:delay_enter=1000000000"]);
        strace.arg(run.get_program()).args(run.get_args()).current_dir(world.path("")).stdin(Stdio::null());
        let tracer = Running::start(strace);
        until("the row is written", || world.value("SELECT count(*) FROM aegis_reports WHERE markdown_content LIKE 'first%'") == "1");
        let guard = child_of(tracer.pid());
        Self { guard, orchestrator: child_of(guard), tracer }
    }

    /// Lets it go on.
    fn release(self) -> String {
        kill("KILL", self.tracer.pid());
        self.tracer.wait().stdout
    }

    fn kill(self) {
        kill("KILL", self.guard);
        kill("KILL", self.orchestrator);
        kill("KILL", self.tracer.pid());
        self.tracer.wait();
        until("both are gone", || !is_alive(self.guard) && !is_alive(self.orchestrator));
    }
}

fn child_of(pid: u32) -> u32 {
    let text = std::fs::read_to_string(PathBuf::from(format!("/proc/{pid}/task/{pid}/children"))).expect("a process");
    text.split_whitespace().next().and_then(|pid| pid.parse().ok()).expect("a child")
}

/// A run whose ETL waits for `go`, frozen with its guard; its job was given to others meanwhile, and another run has made the report.
fn frozen_and_replaced(world: &World) -> (Running, u32) {
    world.available("RY", 1, 2025, "Q2");
    world.single_etl(&format!("{WAITS}echo first > \"$4\"\n"), &[]);
    let running = world.spawn(&["--no-lock"]);
    until("the ETL runs", || world.path("waiting").exists());
    let orchestrator = running.orchestrator();
    kill("STOP", orchestrator);
    world.sql(LOSE);
    writes(world, "second");
    world.run_to(0, &["--no-lock"]);
    only_the_report_is_there(world, "second");
    (running, orchestrator)
}

on_both_databases! {
    fn a_run_that_wakes_after_another_made_the_report_anew_overwrites_nothing(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        writes(world, "first");
        let held = Held::before_its_report_is_in_place(world);
        assert!(!world.path(REPORT).exists() && beside(world).len() == 1, "it is staged");

        writes(world, "second");
        world.run_to(0, &["--no-lock", "--force", "--period", "2025Q2"]);
        only_the_report_is_there(world, "second");
        let told = held.release();
        assert!(told.contains("Successful: 1 ✅"), "its report was in place before the other run began: {told}");
        only_the_report_is_there(world, "second");
    }

    fn what_a_killed_run_has_left_beside_its_place_is_put_there_by_the_next(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        writes(world, "first");
        Held::before_its_report_is_in_place(world).kill();
        assert!(!world.path(REPORT).exists() && beside(world).len() == 1, "it is staged");
        world.run_to(0, &[]);
        only_the_report_is_there(world, "first");
        assert_eq!(world.read("starts"), "run\n", "it was made once");
        assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE destination IS NOT NULL"), "0", "nothing is left to be done");
    }

    fn what_cannot_be_put_there_is_said_until_it_can(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        writes(world, "first");
        Held::before_its_report_is_in_place(world).kill();
        world.write(&format!("{REPORT}/in the way"), "");
        for _ in 0..2 {
            let done = world.run_to(1, &[]);
            let told = "is on record and cannot be put there from ";
            assert!(done.stdout.contains(told) && done.stdout.contains("Is a directory"), "{}", done.stdout);
        }
        std::fs::remove_dir_all(world.path(REPORT)).expect("removed");
        world.run_to(0, &[]);
        only_the_report_is_there(world, "first");
    }

    fn a_run_that_was_replaced_in_its_sleep_removes_what_it_staged(world: &World) {
        let (running, orchestrator) = frozen_and_replaced(world);
        world.write("go", "");
        kill("CONT", orchestrator);
        let done = running.wait();
        assert_eq!(done.code, 1, "{done:?}");
        assert!(done.stdout.contains("its claim was taken by another invocation"), "{}", done.stdout);
        only_the_report_is_there(world, "second");
    }

    /// Killed after it staged its report, before it could write the row: another process holds the table.
    fn what_was_staged_for_a_row_that_is_not_written_is_removed(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        writes(world, "first");
        world.run_to(0, &["--etl-type", "call_summary", "--bank-symbol", "TD"]);
        let mut holder = lock_reports(world);
        let running = world.spawn(&[]);
        until("it is staged", || world.path("reports/2025Q2").exists() && beside(world).iter().any(|name| name.starts_with(".etl-orch-")));
        let orchestrator = running.orchestrator();
        kill("KILL", running.pid());
        kill("KILL", orchestrator);
        running.wait();
        end(&mut holder);
        writes(world, "second");
        world.run_to(0, &[]);
        only_the_report_is_there(world, "second");
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|lost", "RY-CA/2025Q2/call_summary|succeeded"]);
    }
}

/// A client that keeps others from writing reports, once an ETL has started.
fn lock_reports(world: &World) -> std::process::Child {
    match world.kind() {
        // Nothing can be written to a SQLite database that is locked, so that the run must have its claim before.
        Kind::Sqlite => {
            let wait = "until [ -e starts ]; do sleep 0.01; done; (echo 'BEGIN IMMEDIATE;'; echo '.shell touch locked'; sleep 1000) | exec sqlite3 -cmd '.timeout 20000' var/etl-orch.db";
            world.write("etl.sh", "echo run >> starts\nuntil [ -e locked ]; do sleep 0.01; done\necho first > \"$4\"\n");
            shell(world, wait)
        }
        Kind::Postgres => {
            let holder = shell(
                world,
                &format!(
                    "(echo 'BEGIN; LOCK aegis_reports IN EXCLUSIVE MODE;'; echo '\\! touch locked'; sleep 1000) | exec psql -XqAt -d '{}'",
                    world.url()
                ),
            );
            until("the table is locked", || world.path("locked").exists());
            holder
        }
    }
}

/// Ends the client and what it started.
fn end(holder: &mut std::process::Child) {
    let group = format!("-{}", holder.id());
    let sent = Command::new("kill").args(["-s", "KILL", "--", &group]).status().expect("kill");
    assert!(sent.success());
    holder.wait().expect("ended");
}

fn shell(world: &World, script: &str) -> std::process::Child {
    use std::os::unix::process::CommandExt;
    let mut shell = Command::new("sh");
    shell.args(["-c", script]).current_dir(world.path("")).stdin(Stdio::null()).stdout(Stdio::null()).process_group(0);
    shell.spawn().expect("sh")
}

/// The lease is over and nobody can say who has the claim now.
#[test]
fn a_run_that_wakes_without_a_database_publishes_nothing() {
    let world = World::new(Kind::Postgres);
    let (running, orchestrator) = frozen_and_replaced(&world);
    let server = Server::of(&world);
    server.shut();
    world.write("go", "");
    kill("CONT", orchestrator);
    let done = running.wait();
    assert_eq!(done.code, 1, "{done:?}");
    assert_eq!(world.read(REPORT), "second\n");
    server.reopen();
    world.run_to(0, &[]);
    only_the_report_is_there(&world, "second");
}

/// The report waits beside its place for its row.
#[test]
fn a_report_whose_row_waits_in_the_spool_is_put_in_place_with_it() {
    let world = World::new(Kind::Postgres);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl(&format!("echo run >> starts\n{WAITS}echo report > \"$4\"\n"), &[]);
    let server = Server::of(&world);
    let running = world.spawn(&[]);
    until("the ETL runs", || world.path("waiting").exists());
    server.shut();
    world.write("go", "");
    assert_eq!(running.wait().code, 1);
    assert!(!world.path(REPORT).exists(), "no row says that it is there");
    server.reopen();
    world.run_to(0, &[]);
    only_the_report_is_there(&world, "report");
    assert_eq!(world.read("starts"), "run\n");
}
