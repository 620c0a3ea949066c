//! A database that stops answering without closing anything, as behind a firewall that drops packets: the first request to stop is
//! followed at once, whatever the run is waiting for, and nothing is lost.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::database_away::spooled;
use crate::support::world::{Done, Running, WAITS, within};
use crate::support::{Kind, World, until};

/// A run that is asked to stop ends within 2 s. The rest is for a machine that is busy; without a hurry it would take 10 s at least.
const SOON: Duration = Duration::from_secs(6);

/// A way to the server. From the moment on at which a client sends a certain text, that and all that follows is swallowed.
struct Way {
    port: u16,
    is_silent: Arc<AtomicBool>,
}

impl Way {
    /// A way that goes silent at this text; at the first byte when it is empty.
    fn silent_at(world: &World, text: &'static str) -> Self {
        let server = world.url().split(['@', '/']).find_map(|part| part.strip_prefix("localhost:")).expect("a port").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let port = listener.local_addr().expect("a socket").port();
        let is_silent = Arc::new(AtomicBool::new(false));
        let silent = is_silent.clone();
        thread::spawn(move || {
            for client in listener.incoming() {
                let client = client.expect("a connection");
                let server = TcpStream::connect(format!("127.0.0.1:{server}")).expect("the server");
                let back = (server.try_clone().expect("a socket"), client.try_clone().expect("a socket"));
                let (to, fro) = (silent.clone(), silent.clone());
                thread::spawn(move || pass_on(client, server, &to, Some(text)));
                thread::spawn(move || pass_on(back.0, back.1, &fro, None));
            }
        });
        Self { port, is_silent }
    }

    /// Has the world's configuration lead over it.
    fn lead(&self, world: &World) {
        let database = world.value("SELECT current_database()");
        let url = format!("postgres://postgres@127.0.0.1:{}/{database}", self.port);
        world.write("etl-orch.yaml", &world.read("etl-orch.yaml").replace(world.url(), &url));
    }

    /// Waits until nothing is passed on any more.
    fn until_silent(&self) {
        until("the text was sent", || self.is_silent.load(Ordering::SeqCst));
    }
}

fn pass_on(mut from: TcpStream, mut to: TcpStream, is_silent: &AtomicBool, text: Option<&str>) {
    let (mut chunk, mut seen) = ([0; 8192], Vec::new());
    while let Ok(length @ 1..) = from.read(&mut chunk) {
        seen.extend_from_slice(&chunk[..length]);
        if text.is_some_and(|text| text.is_empty() || seen.windows(text.len()).any(|window| window == text.as_bytes())) {
            is_silent.store(true, Ordering::SeqCst);
        }
        if is_silent.load(Ordering::SeqCst) {
            // Both sockets stay open.
            loop {
                thread::park();
            }
        }
        seen.drain(..seen.len().saturating_sub(100));
        if to.write_all(&chunk[..length]).is_err() {
            return;
        }
    }
    // The other direction ends as well.
    let _ = to.shutdown(std::net::Shutdown::Both);
}

/// Asks a run to stop, once, and returns how it ended.
fn stops_soon(mut running: Running, while_it: &str) -> Done {
    running.signal("TERM");
    within(SOON, &format!("a run that is {while_it} is stopped"), || !running.is_running());
    let done = running.wait();
    assert_eq!(done.code, 143, "{while_it}: {done:?}");
    done
}

/// The stages of a run, each with what it sends first.
const STAGES: [(&str, &str); 8] = [
    ("connecting", ""),
    ("looking at what is there", "FROM etl_orch._sqlx_migrations"),
    ("recording its start", "INSERT INTO etl_orch.etl_runs"),
    ("looking for gaps", "database_names"),
    ("recording the plan", "INSERT INTO etl_orch.etl_jobs"),
    ("claiming a job", "INSERT INTO etl_orch.gap_states"),
    ("recording the end of a job", "INSERT INTO \"aegis_reports\""),
    ("recording its end", "its run ended"),
];

#[test]
fn a_run_is_stopped_at_every_stage_and_the_next_one_makes_the_report() {
    let stages = STAGES.map(|(stage, text)| {
        thread::spawn(move || {
            let world = World::new(Kind::Postgres);
            world.single_etl("echo run >> marks\necho report > \"$4\"\n", &[]);
            world.available("RY", 1, 2025, "Q2");
            // Our own tables are there, so that the stages come in this order.
            world.run_to(0, &["--bank-symbol", "TD"]);
            let direct = world.read("etl-orch.yaml");
            let way = Way::silent_at(&world, text);
            way.lead(&world);
            let running = world.spawn(&[]);
            way.until_silent();
            let done = stops_soon(running, stage);
            let waits = spooled(&world).len();
            assert_eq!(waits, usize::from(stage == "recording the end of a job"), "{stage}: {done:?}");

            world.write("etl-orch.yaml", &direct);
            let next = world.run_to(0, &[]);
            assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"], "{stage}: {next:?}");
            let marks = world.read("marks");
            assert_eq!(marks, "run\n", "{stage}: it ran once: {next:?}");
            assert_eq!(world.value("SELECT count(*) FROM etl_jobs WHERE state IN ('queued', 'running')"), "0", "{stage}");
        })
    });
    for stage in stages {
        stage.join().expect("a stage");
    }
}

#[test]
fn an_etl_is_stopped_and_its_end_is_kept_although_nothing_can_be_recorded() {
    let world = World::new(Kind::Postgres);
    world.single_etl(&format!("echo run >> marks\n{WAITS}echo report > \"$4\"\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
    let direct = world.read("etl-orch.yaml");
    // It is asked once a second while an ETL runs.
    let way = Way::silent_at(&world, "state = 'running' ORDER BY position");
    way.lead(&world);
    let running = world.spawn(&[]);
    way.until_silent();
    stops_soon(running, "waiting for an ETL");
    assert_eq!(spooled(&world).len(), 1);
    world.write("etl-orch.yaml", &direct);
    world.write("go", "");
    world.run_to(0, &[]);
    assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|interrupted", "RY-CA/2025Q2/call_summary|1|succeeded"]);
}

#[test]
fn a_lock_that_somebody_holds_on_a_file_does_not_hold_up_a_stop() {
    let world = World::new(Kind::Sqlite);
    world.single_etl(&format!("echo run >> marks\n{WAITS}echo report > \"$4\"\n"), &[]);
    world.available("RY", 1, 2025, "Q2");
    let running = world.spawn(&[]);
    until("the ETL runs", || world.path("waiting").exists());
    let mut holder = Command::new("sqlite3");
    holder.arg(world.path("var/etl-orch.db")).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut holder = holder.spawn().expect("sqlite3 is installed; scripts/test.sh does it");
    let mut stdin = holder.stdin.take().expect("piped");
    stdin.write_all(b".timeout 20000\nBEGIN IMMEDIATE;\nSELECT 'held';\n").expect("sqlite3 reads");
    let mut held = [0; 4];
    holder.stdout.take().expect("piped").read_exact(&mut held).expect("sqlite3 writes");
    assert_eq!(&held, b"held");
    stops_soon(running, "waiting for a lock");
    assert_eq!(spooled(&world).len(), 1, "the end of its attempt");
    drop(stdin);
    holder.wait().expect("sqlite3");
    world.write("go", "");
    world.run_to(0, &[]);
    assert_eq!(world.reports(), ["RY 2025 Q2 Call Summary"]);
    assert_eq!(world.attempts(), ["RY-CA/2025Q2/call_summary|1|interrupted", "RY-CA/2025Q2/call_summary|1|succeeded"]);
}
