//! Diagnostics: in systemd's journal, and what `debug` says.

use std::collections::HashMap;
use std::os::unix::net::UnixDatagram;
use std::thread::JoinHandle;

use serde_json::Value;

use crate::on_both_databases;
use crate::service_desk::{ServiceDesk, ends};
use crate::support::{Kind, World};

/// What systemd does: stderr is read by the journal. `$JOURNAL` is a directory with its socket.
const UNDER_SYSTEMD: &str = "mount -t tmpfs tmpfs /run && mkdir -p /run/systemd/journal && mount --bind \"$PWD/journal\" /run/systemd/journal && \
                             JOURNAL_STREAM=$(stat -L -c %d:%i /proc/self/fd/2) exec \"$@\"";

/// A stand-in of journald: it collects the entries that are sent to its socket.
struct Journal<'a> {
    world: &'a World,
    entries: JoinHandle<Vec<HashMap<String, String>>>,
}

impl<'a> Journal<'a> {
    fn start(world: &'a World) -> Self {
        world.write("journal/here", "");
        let socket = UnixDatagram::bind(world.path("journal/socket")).expect("a socket");
        let entries = std::thread::spawn(move || {
            let (mut entries, mut bytes) = (Vec::new(), vec![0; 1 << 20]);
            loop {
                let length = socket.recv(&mut bytes).expect("a datagram");
                let text = String::from_utf8(bytes[..length].to_vec()).expect("UTF-8");
                match text.as_str() {
                    "the end" => return entries,
                    "" => {}
                    entry => entries.push(entry.lines().filter_map(|line| line.split_once('=')).map(owned).collect()),
                }
            }
        });
        Self { world, entries }
    }

    /// All that came.
    fn stop(self) -> Vec<HashMap<String, String>> {
        let socket = UnixDatagram::unbound().expect("a socket");
        socket.send_to(b"the end", self.world.path("journal/socket")).expect("sent");
        self.entries.join().expect("it ends")
    }
}

fn owned((name, value): (&str, &str)) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

#[test]
fn under_systemd_diagnostics_are_entries_of_the_journal_with_fields() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    world.single_etl("echo 'from the child'\nexit 1\n", &["retry: {max_attempts: 1}"]);
    let journal = Journal::start(&world);
    let done = world.with_mounts(UNDER_SYSTEMD, &["-v"]);
    let refused = world.with_mounts(UNDER_SYSTEMD, &["--nonsense"]);
    let entries = journal.stop();
    assert_eq!((done.code, refused.code), (1, 2), "{done:?} {refused:?}");
    assert_eq!((done.stderr.as_str(), refused.stderr.as_str()), ("", ""), "nothing is said twice");
    assert!(done.stdout.starts_with("===="), "{}", done.stdout);

    let (run, job) = (world.value("SELECT id FROM etl_runs"), world.value("SELECT id FROM etl_jobs"));
    for entry in &entries {
        assert!(entry["SYSLOG_IDENTIFIER"] == "etl-orch" && !entry["MESSAGE"].contains(['✅', '❌']), "{entry:?}");
    }
    let of = |event: &str| entries.iter().find(|entry| entry.get("EVENT").is_some_and(|name| name == event)).expect("an entry");
    for (event, message, priority) in [
        ("attempt_started", "Executing RY 2025 Q2 [call_summary] (attempt 1/1)", "6"),
        ("output", "from the child", "6"),
        ("job_ended", "Failed RY 2025 Q2 [call_summary] after ", "3"),
    ] {
        let entry = of(event);
        assert!(entry["MESSAGE"].starts_with(message) && entry["PRIORITY"] == priority, "{entry:?}");
        let fields = ["RUN_ID", "JOB_ID", "BANK", "PERIOD", "ETL"].map(|name| entry[name].as_str());
        assert_eq!(fields, [&run, &job, "RY-CA", "2025Q2", "call_summary"]);
    }
    assert_eq!((of("attempt_started")["ATTEMPT"].as_str(), of("job_ended")["EXIT_CODE"].as_str()), ("1", "1"));
    let usage = entries.iter().find(|entry| entry["MESSAGE"].contains("--nonsense")).expect("it is in the journal too");
    assert_eq!(usage["PRIORITY"], "3");
}

#[test]
fn options_and_configuration_choose_another_format_and_without_a_journal_it_is_text() {
    let world = World::new(Kind::Sqlite);
    world.available("RY", 1, 2025, "Q2");
    let lines = |settings: &str, args: &[&str]| {
        world.settings(settings);
        let args = [&["--force", "--period", "2025Q2"], args].concat();
        let done = world.with_mounts(UNDER_SYSTEMD, &args);
        assert_eq!(done.code, 0, "{done:?}");
        done.stderr
    };
    // Nobody listens there.
    world.write("journal/here", "");
    let text = lines("", &[]);
    assert!(text.starts_with("[INFO] Starting") && text.contains("\n[INFO] ✅ Success RY"), "the journal has the time: {text}");
    let asked = lines("log: {format: journald, level: warn}\n", &[]);
    assert!(asked.starts_with("[WARN] the journal cannot be written to (") && asked.lines().count() == 2, "by both processes: {asked}");
    let json = lines("log: {format: text, level: error}\n", &["--log-format", "json", "--log-level", "info"]);
    assert!(json.lines().count() > 3 && json.lines().all(|line| serde_json::from_str::<Value>(line).is_ok()), "{json}");
    assert_eq!(lines("log: {format: json, level: error}\n", &[]), "");
    let quiet = lines("log: {format: json, level: debug}\n", &["-q"]);
    assert_eq!(quiet, "", "-q goes before the level of the configuration");
}

on_both_databases! {
    fn debug_says_where_the_time_goes_and_why_gaps_are_not_made(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        world.settings("cooldown: {initial: 1h, max: 1h}\n");
        world.write("etl.sh", "exit 1\n");
        let args = ["--etl-type", "call_summary", "--log-level", "debug"];
        let first = world.run_to(1, &args);
        for words in [
            "[DEBUG] Read /",
            "[DEBUG] Took the lock /",
            "[DEBUG] Connected to ",
            "[DEBUG] Planned 1 job; ",
            "[DEBUG] Database: scanning the data for reports that are missing (",
            "[DEBUG] Database: listing the running jobs (0 rows, ",
            "[DEBUG] RY 2025 Q2 [call_summary]: Database: claiming a job (",
            "[DEBUG] RY 2025 Q2 [call_summary]: Started sh (pid ",
            " exited with 1 (",
        ] {
            assert!(first.stderr.contains(words), "{words} in {}", first.stderr);
        }
        let again = world.run_to(0, &[&args[..], &["--log-format", "json"]].concat());
        let lines: Vec<Value> = again.stderr.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        let not_made = lines.iter().find(|line| line["decision"] == "cooling_down").expect("a line of the gap");
        assert_eq!((&not_made["gap"], &not_made["bank"]), (&"RY-CA/2025Q2/call_summary".into(), &"RY-CA".into()), "{not_made}");
        assert!(not_made["message"].as_str().is_some_and(|text| text.contains("cooling down after a failure, for another ")), "{not_made}");
        assert!(again.stderr.contains("The state tables have version "), "{}", again.stderr);
        let run = world.value("SELECT id FROM etl_runs WHERE planned = 0");
        let in_run = lines.iter().skip_while(|line| line.get("run_id").is_none());
        assert!(in_run.clone().count() > 10 && in_run.clone().all(|line| line["run_id"] == run.as_str()), "{lines:?}");
        assert!(lines.iter().any(|line| line["rows"].is_u64() && line["duration_seconds"].is_f64()), "{lines:?}");
    }

    fn debug_shows_the_requests_to_a_service(world: &World) {
        let desk = ServiceDesk::new(world, &[]);
        let done = ends(desk.command("01-16 00:20:00", &["--log-level", "debug"]), 0);
        let of_source = |line: &&str| line.contains("[DEBUG] us_house ") && line.contains("http://127.0.0.1:");
        let requests: Vec<&str> = done.stderr.lines().filter(of_source).collect();
        for words in ["/etl/trigger answers 20", "/etl/status/"] {
            assert!(requests.iter().any(|line| line.contains(words)), "{words} in {}", done.stderr);
        }
        let all = ends(desk.command("01-16 06:20:00", &["--log-level", "trace", "--log-format", "json"]), 0);
        let lines = all.stderr.lines().map(|line| serde_json::from_str::<Value>(line).expect("an object"));
        let of_libraries = lines.filter(|line| !line["target"].as_str().is_some_and(|target| target.starts_with("etl_orch")));
        assert_eq!(of_libraries.count(), 0, "the lines of libraries would drown ours: {}", all.stderr);
    }
}
