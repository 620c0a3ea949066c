//! The database goes while ETLs run: they run on, and what they come to is not lost.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use crate::support::world::{Running, WAITS};
use crate::support::{Kind, World, until};

/// Writes a mark for each time it runs, says that it is there, and waits before it writes its report.
fn etl_that_waits(world: &World) {
    world.single_etl(&format!("echo run >> marks\n{WAITS}echo report > \"$4\"\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
}

/// The world's database on its server, seen from another one.
pub(crate) struct Server<'a> {
    world: &'a World,
    name: String,
}

impl<'a> Server<'a> {
    pub(crate) fn of(world: &'a World) -> Self {
        Self { world, name: world.value("SELECT current_database()") }
    }

    /// Ends all connections; new ones are let in at once.
    pub(crate) fn terminate(&self) {
        self.sql(&format!("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{}'", self.name));
    }

    /// Ends all connections and refuses new ones, as a server does that is being restarted.
    pub(crate) fn shut(&self) {
        self.sql(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS false", self.name));
        self.terminate();
    }

    pub(crate) fn reopen(&self) {
        self.sql(&format!("ALTER DATABASE {} ALLOW_CONNECTIONS true", self.name));
    }

    fn sql(&self, statement: &str) {
        let output = self.world.psql().args(["-d", "postgres", "-c", statement]).output().expect("psql");
        assert!(output.status.success(), "{statement}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// Starts a run whose database goes while its ETL is at work, and comes not back.
fn run_into_an_outage(world: &World, server: &Server) -> Running {
    let running = world.spawn(&[]);
    until("the ETL runs", || world.path("waiting").exists());
    server.shut();
    world.write("go", "");
    running
}

pub(crate) fn spooled(world: &World) -> Vec<std::path::PathBuf> {
    let files = fs::read_dir(world.path("var/spool")).expect("a directory").map(|file| file.expect("a file").path());
    files.filter(|file| file.extension().is_some_and(|extension| extension == "json")).collect()
}

#[test]
fn connections_that_are_ended_are_made_anew() {
    let world = World::new(Kind::Postgres);
    let server = Server::of(&world);
    etl_that_waits(&world);
    let running = world.spawn(&[]);
    until("the ETL runs", || world.path("waiting").exists());
    server.terminate();
    world.write("go", "");
    let done = running.wait();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|succeeded"]);
}

#[test]
fn what_a_server_that_is_gone_cannot_take_is_recorded_by_the_next_run() {
    let world = World::new(Kind::Postgres);
    let server = Server::of(&world);
    etl_that_waits(&world);
    let done = run_into_an_outage(&world, &server).wait();
    assert_eq!(done.code, 1, "{done:?}");
    assert!(done.stdout.contains("Successful: 0") && done.stdout.contains("Failed: 1"), "what is not on record is no success: {done:?}");
    assert!(done.stdout.contains("; the next run records the end of 1 job from the spool"), "{done:?}");
    let files = spooled(&world);
    assert_eq!(files.len(), 1);
    assert_eq!(fs::metadata(&files[0]).unwrap().permissions().mode() & 0o777, 0o600);

    let away = world.run(&[]);
    assert_eq!(away.code, 1, "{away:?}");
    assert!(away.stderr.contains("cannot reach the database"), "{away:?}");
    assert_eq!(spooled(&world).len(), 1, "it waits for as long as it takes");

    server.reopen();
    let dry = world.run_to(0, &["--dry-run"]);
    assert!(dry.stdout.contains("To be recorded from the spool: 1 attempt\n"), "{dry:?}");
    assert_eq!(spooled(&world).len(), 1, "a dry run changes nothing");
    let next = world.run_to(0, &[]);
    assert!(next.stdout.contains("Recorded from the spool: 1"), "{next:?}");
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(world.value("SELECT markdown_content FROM aegis_reports"), "report");
    assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|succeeded"]);
    assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|succeeded"]);
    assert_eq!(world.read("marks"), "run\n", "it ran once");
    assert!(spooled(&world).is_empty());
    assert!(fs::read_dir(world.path("var/spool")).unwrap().next().is_none(), "no space stays set aside");
}

#[test]
fn an_end_that_comes_after_its_job_was_lost_is_attached_and_changes_nothing_else() {
    let world = World::new(Kind::Postgres);
    let server = Server::of(&world);
    etl_that_waits(&world);
    assert_eq!(run_into_an_outage(&world, &server).wait().code, 1);
    server.reopen();

    // The spool is not to be seen for a while, as on a host whose disk was away.
    fs::rename(world.path("var/spool"), world.path("var/hidden")).unwrap();
    world.run_to(0, &[]);
    assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|lost", "RY-CA/2025Q2/call_summary|succeeded"]);
    fs::remove_dir_all(world.path("var/spool")).unwrap();
    fs::rename(world.path("var/hidden"), world.path("var/spool")).unwrap();
    world.sql("DELETE FROM aegis_reports");
    let dry = world.run_to(0, &["--dry-run"]);
    assert!(dry.stdout.contains("GAPS IDENTIFIED: 1 missing report\n"), "the end of a lost job fills no gap: {}", dry.stdout);

    world.run_to(0, &[]);
    assert_eq!(world.jobs()[..2], ["RY-CA/2025Q2/call_summary|lost", "RY-CA/2025Q2/call_summary|succeeded"]);
    assert_eq!(world.attempts()[..2], ["RY-CA/2025Q2/call_summary|1|succeeded", "RY-CA/2025Q2/call_summary|1|succeeded"]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert!(spooled(&world).is_empty());
}

#[test]
fn a_server_that_comes_back_in_time_costs_nothing() {
    let world = World::new(Kind::Postgres);
    let server = Server::of(&world);
    world.single_etl(&format!("echo run >> marks\n[ \"$2\" = TD ] || {{ {WAITS}}}\necho report > \"$4\"\n"), &[]);
    world.also("run: {max_parallel: 1}");
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
    let running = run_into_an_outage(&world, &server);
    // The job ends, and the other one cannot be claimed: that it is tried is to be seen in the diagnostics.
    running.until_it_says("waiting for the database");
    server.reopen();
    let done = running.wait();
    assert_eq!(done.code, 0, "{done:?}");
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary", "TD 2025 Q2 Call Summary"]);
    assert_eq!(world.attempts().len(), 2);
}

#[test]
fn a_disk_too_full_for_the_database_leaves_the_end_in_the_spool() {
    let world = World::new(Kind::Sqlite);
    let report = "yes 'a line of the report' | head -c 600000 > \"$4\"";
    world.single_etl(&format!("echo run >> marks\n{report}\ncat /dev/zero > db/filler 2> /dev/null\ntrue\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
    let config = world.read("etl-orch.yaml").replace("sqlite://var/etl-orch.db", "sqlite://db/etl-orch.db");
    world.write("etl-orch.yaml", &config);
    let script = "mkdir db && mount -t tmpfs -o size=1m tmpfs db && cp var/etl-orch.db* db/
        \"$@\" > first.txt 2>&1; echo $? > first.code
        ls var/spool > spooled
        rm db/filler
        \"$@\" > second.txt 2>&1; echo $? > second.code
        ls var/spool > left
        cp db/etl-orch.db* var/";
    let done = world.with_mounts(script, &[]);
    assert_eq!(done.code, 0, "{done:?}");
    let first = world.read("first.txt");
    assert_eq!(world.read("first.code"), "1\n", "{first}");
    assert!(first.contains("disk is full") && first.contains("Successful: 0"), "{first}");
    assert!(world.read("spooled").contains(".json"), "{first}");
    assert_eq!(world.read("second.code"), "0\n", "{}", world.read("second.txt"));
    assert_eq!(world.read("left"), "");
    assert_eq!(world.read("marks"), "run\n", "it ran once");
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(world.value("SELECT length(markdown_content) FROM aegis_reports"), "600000");
    assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|succeeded"]);
}

#[test]
fn what_cannot_be_read_in_the_spool_stops_nobody_and_is_put_aside() {
    let world = World::new(Kind::Sqlite);
    world.single_etl("echo report > \"$4\"\n", &[]);
    world.available("RY", 1, 2025, "Q2");
    world.write("var/spool/00000000-0000-4000-8000-000000000000-1-1.json", "{\"version\": 9}");
    let done = world.run_to(0, &[]);
    assert!(done.stdout.contains(".json cannot be read") && done.stdout.contains(".refused"), "{}", done.stdout);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    let next = world.run_to(0, &[]);
    assert!(!next.stdout.contains("cannot be read"), "it is said once: {}", next.stdout);
}
