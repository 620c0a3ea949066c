//! People are told by webhook and by mail of what changes, once, and once a day of what lasts.

use std::io::Write;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::on_both_databases;
use crate::service_refusals::everything_in;
use crate::source_desk::Desk;
use crate::support::mail::MailServer;
use crate::support::wire::{read_request, serve};
use crate::support::world::Done;
use crate::support::{Kind, World};

const GAP: &str = "RY-CA/2025Q2/call_summary";
const GOOD: &str = "echo report > \"$4\"\n";
const FAILS: &str = "echo 'Connection <timeout>'\nexit 1\n";
/// A secret as it stands in the address of a webhook, and one for a header or a password.
const KEY: &str = "T0123456789abcdef";
const PASSWORD: &str = "p@ss/w:rd#1?&%41";

/// A chat that keeps what is posted to it, while it is up.
pub(crate) struct Chat {
    port: u16,
    is_up: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Chat {
    pub(crate) fn start(world: &World) -> Self {
        let (is_up, requests) = (Arc::new(AtomicBool::new(true)), Arc::new(Mutex::new(Vec::new())));
        let (up, taken) = (is_up.clone(), requests.clone());
        let port = serve(move |_, mut connection| {
            let request = read_request(&mut connection);
            let status = if up.load(Ordering::SeqCst) { "200 OK" } else { "503 Service Unavailable" };
            if status.starts_with("200") {
                taken.lock().expect("no test panics with it").push(request);
            }
            let _ = write!(connection, "HTTP/1.1 {status}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
        });
        let url = format!("http://127.0.0.1:{port}/hooks/{KEY}");
        world.also(&format!("tell: {{webhook: {{url: \"{url}\", headers: {{X-Token: \"{PASSWORD}\"}}}}}}"));
        Self { port, is_up, requests }
    }

    /// What was posted since this was asked last.
    pub(crate) fn posted(&self) -> Vec<Value> {
        let requests = std::mem::take(&mut *self.requests.lock().expect("no test panics with it"));
        let body = |request: String| {
            let (head, body) = request.split_once("\r\n\r\n").expect("a request");
            assert!(head.starts_with(&format!("POST /hooks/{KEY} ")) && head.contains(PASSWORD), "{head}");
            serde_json::from_str(body).expect("JSON")
        };
        requests.into_iter().map(body).collect()
    }

    /// The only thing that was posted since this was asked last.
    pub(crate) fn message(&self) -> Value {
        let [message] = <[Value; 1]>::try_from(self.posted()).expect("one message");
        message
    }
}

/// `RY-CA/2025Q2/call_summary failing`, of each item.
pub(crate) fn states(items: &Value) -> Vec<String> {
    let text = |item: &Value, key: &str| item[key].as_str().expect("a text").to_owned();
    items.as_array().expect("a list").iter().map(|item| format!("{} {}", text(item, "subject"), text(item, "state"))).collect()
}

/// A command with the configuration that it is about.
fn command(world: &World, words: &str) -> String {
    format!("etl-orch {words} --config {}", world.path("etl-orch.yaml").display())
}

fn one_gap(world: &World, script: &str) {
    world.institutions("RY-CA: {id: 1, name: Royal Bank of Canada}\n");
    world.available("RY", 1, 2025, "Q2");
    world.single_etl(script, &["retry: {max_attempts: 1}"]);
}

fn has_no_secret(world: &World, done: &Done) {
    let tables = if world.kind() == Kind::Postgres { everything_in(world) } else { world.sql(".dump").concat() };
    for text in [&done.stdout, &done.stderr, &tables] {
        assert!(!text.contains(KEY) && !text.contains(PASSWORD), "{text}");
    }
}

on_both_databases! {
    fn a_failure_is_told_once_and_so_is_its_end(world: &World) {
        one_gap(world, FAILS);
        let chat = Chat::start(world);
        for _ in 0..3 {
            world.run_to(1, &[]);
        }
        let message = chat.message();
        assert_eq!((&message["kind"], &message["schema_version"]), (&"notification".into(), &1.into()));
        assert_eq!(states(&message["changes"]), [format!("{GAP} failing")]);
        let change = &message["changes"][0];
        assert_eq!(change["reason"], "exit code 1 - Connection <timeout>");
        assert_eq!(change["next"], command(world, "logs RY-CA 2025 Q2 call_summary"));
        let log = std::fs::read_to_string(change["log"].as_str().expect("a path")).expect("a log");
        assert_eq!(log, "Connection <timeout>\n");
        let text = message["text"].as_str().expect("a text");
        assert!(text.contains(": 1 failing\n") && text.contains("Connection &lt;timeout&gt;\n"), "{text}");
        world.write("etl.sh", GOOD);
        for _ in 0..2 {
            world.run_to(0, &[]);
        }
        assert_eq!(states(&chat.message()["changes"]), [format!("{GAP} recovered")]);
        assert_eq!(world.sql("SELECT subject, state FROM notifications"), [format!("{GAP}|")]);
    }

    fn what_lasts_is_told_again_after_a_day(world: &World) {
        one_gap(world, "exit 65\n");
        let chat = Chat::start(world);
        world.run_to(1, &[]);
        world.run_to(0, &["-q"]);
        assert_eq!(states(&chat.message()["changes"]), [format!("{GAP} quarantined")]);
        for _ in 0..2 {
            world.sql("UPDATE notifications SET notified_at = '2026-01-01T00:00:00.000000Z' WHERE notified_at < '2026-01-02T00:00:00.000000Z'");
            world.run_to(0, &["-q"]);
        }
        assert_eq!(chat.posted(), [Value::Null; 0], "a day is not over");
        world.sql("UPDATE notifications SET notified_at = '2026-01-01T00:00:00.000000Z'");
        for _ in 0..2 {
            world.run_to(0, &["-q"]);
        }
        let digest = chat.message();
        assert_eq!((states(&digest["changes"]), states(&digest["lasting"])), (Vec::new(), vec![format!("{GAP} quarantined")]));
        assert_eq!(digest["lasting"][0]["next"], command(world, "retry RY-CA 2025 Q2 call_summary --reason \"...\""));
    }

    fn what_is_wrong_with_the_data_is_told_once_and_so_is_its_end(world: &World) {
        world.institutions("RY-CA: {id: 1, name: Royal Bank of Canada}\nBMO-CA: {id: 2, name: Bank of Montreal}\n");
        world.single_etl(GOOD, &[]);
        let chat = Chat::start(world);
        let told = |code: i32| {
            for _ in 0..2 {
                world.run_to(code, &["-q"]);
            }
            let message = chat.message();
            (states(&message["changes"]), message)
        };
        let (empty, message) = told(0);
        assert_eq!(empty, ["data nothing_matches"]);
        assert_eq!(message["changes"][0]["reason"], "the availability table has no rows");
        assert_eq!(message["changes"][0]["next"], command(world, "doctor"));
        world.available("RY", 1, 2025, "Q2");
        world.run_to(0, &["--bank-symbol", "RY"]);
        assert_eq!(chat.posted(), [Value::Null; 0], "a selection says nothing of the whole");
        assert_eq!(told(0).0, ["bank:BMO-CA bank_without_data", "data recovered"]);

        let config = world.read("etl-orch.yaml");
        world.write("etl-orch.yaml", &config.replacen("requires: [transcripts]", "requires: [transcirpts]", 1));
        let (misspelled, message) = told(2);
        assert_eq!(misspelled, ["requires:call_summary requires_unmet"]);
        let reason = message["changes"][0]["reason"].as_str().expect("a reason");
        assert!(reason.contains(": call_summary requires \"transcirpts\", which no row of"), "{reason}");
        world.write("etl-orch.yaml", &config);
        assert_eq!(told(0).0, ["requires:call_summary recovered"]);
        world.available("BMO", 2, 2025, "Q2");
        assert_eq!(told(0).0, ["bank:BMO-CA recovered"]);
    }

    fn a_source_that_is_late_is_told_and_so_is_its_end(world: &World) {
        let desk = Desk::new(world, &["retry: {max_attempts: 1}"]);
        let chat = Chat::start(world);
        desk.run_to(0, "01-16 00:20:00", &[]);
        assert_eq!(chat.posted(), [Value::Null; 0]);
        desk.before("exit 1\n");
        for (time, told) in [
            ("01-16 06:20:00", "source:us_house failing"),
            ("01-16 07:20:00", "lateness:us_house late"),
            ("01-16 13:20:00", "lateness:us_house overdue"),
        ] {
            desk.run_to(1, time, &[]);
            assert_eq!(states(&chat.message()["changes"]), [told], "{time}");
        }
        desk.run_to(1, "01-17 06:10:00", &[]);
        assert_eq!(chat.posted(), [Value::Null; 0], "a day is not over");
        desk.run_to(1, "01-17 06:25:00", &[]);
        let lasting = ["lateness:us_house overdue", "source:us_house failing"];
        assert_eq!(states(&chat.message()["lasting"]), lasting);
        desk.run_to(1, "01-18 06:15:00", &[]);
        assert_eq!(states(&chat.message()["lasting"]), lasting, "a run that was late does not put it off");
        desk.before("");
        desk.run_to(0, "01-18 06:30:00", &[]);
        assert_eq!(states(&chat.message()["changes"]), ["source:us_house recovered", "lateness:us_house recovered"]);
    }

    fn a_receiver_that_was_down_is_told_by_the_next_run(world: &World) {
        one_gap(world, FAILS);
        let config = world.read("etl-orch.yaml").replace("cooldown: {initial: 1ms, max: 1ms}", "cooldown: {initial: 1h, max: 1h}");
        world.write("etl-orch.yaml", &config);
        let chat = Chat::start(world);
        chat.is_up.store(false, Ordering::SeqCst);
        let down = world.run_to(1, &["--log-level", "debug"]);
        let warning = format!("tell.webhook: http://127.0.0.1:{}/... answered 503 Service Unavailable", chat.port);
        assert!(down.stderr.contains(&warning), "{}", down.stderr);
        has_no_secret(world, &down);
        chat.is_up.store(true, Ordering::SeqCst);
        let up = world.run_to(0, &["--log-level", "debug"]);
        has_no_secret(world, &up);
        world.run_to(0, &[]);
        let change = &chat.message()["changes"][0];
        assert_eq!((&change["state"], &change["reason"]), (&"failing".into(), &"exit code 1 - Connection <timeout>".into()));
        assert!(change["log"].as_str().is_some_and(|log| log.ends_with("/1.log")), "{change}");
    }
}

#[test]
fn an_etl_that_is_broken_is_told_instead_of_its_failures() {
    let world = World::new(Kind::Sqlite);
    for (symbol, id) in [("RY", 1), ("BMO", 2), ("TD", 6)] {
        world.available(symbol, id, 2025, "Q2");
    }
    world.single_etl(FAILS, &["retry: {max_attempts: 1}"]);
    let chat = Chat::start(&world);
    world.run_to(1, &[]);
    world.run_to(1, &[]);
    let message = chat.message();
    assert_eq!(states(&message["changes"]), ["etl:call_summary breaker_open"]);
    assert_eq!(message["changes"][0]["reason"], "exit code 1 - Connection <timeout>");
    world.write("etl.sh", GOOD);
    world.run_to(0, &[]);
    assert_eq!(states(&chat.message()["changes"]), ["etl:call_summary recovered"]);
}

/// A world whose one gap fails, and which sends mail there.
fn with_mail(server: &str, port: u16) -> World {
    let world = World::new(Kind::Sqlite);
    one_gap(&world, "printf 'a\\rBcc: evil@example.com\\n'\nexit 1\n");
    world.also(&format!(
        "tell:\n  mail:\n    server: {server}:{port}\n    user: etl\n    password: \"${{MAIL_PASSWORD}}\"\n    from: Ünser Planer <etl@example.com>\n    \
         to: [ops@example.com, \"Ann <ann@example.com>\"]"
    ));
    world
}

fn run(world: &World, trusted: Option<&MailServer>) -> Done {
    let mut command = world.command(&["--log-level", "debug"]);
    command.env("MAIL_PASSWORD", PASSWORD);
    if let Some(server) = trusted {
        command.env("SSL_CERT_FILE", &server.authority);
    }
    let done = Done::of(&command.output().expect("the binary starts"));
    assert_eq!(done.code, 1, "{}\n{}", done.stdout, done.stderr);
    has_no_secret(world, &done);
    done
}

#[test]
fn mail_is_handed_over_by_starttls_with_a_password() {
    let home = tempfile::tempdir().expect("a directory");
    let server = MailServer::start("starttls", home.path(), PASSWORD);
    let world = with_mail("smtp://localhost", server.port);
    run(&world, None);
    run(&world, None);
    let [mail] = <[Value; 1]>::try_from(server.mails()).expect("one mail");
    assert_eq!((&mail["has_tls"], &mail["is_known"]), (&true.into(), &true.into()));
    assert_eq!((&mail["from"], mail["to"].to_string().as_str()), (&"etl@example.com".into(), r#"["ops@example.com","ann@example.com"]"#));
    let text = mail["text"].as_str().expect("a text").replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").expect("a head");
    let run = world.value("SELECT id FROM etl_runs ORDER BY started_at LIMIT 1");
    for line in
        ["To: ops@example.com, Ann <ann@example.com>", "Auto-Submitted: auto-generated", &format!("Message-ID: <{run}@example.com>")]
    {
        assert!(head.lines().any(|one| one == line), "{line}: {head}");
    }
    assert!(head.contains("\nSubject: [etl-orch] ") && head.contains(": 1 failing\n") && !head.contains("evil"), "{head}");
    assert!(body.contains(&format!("\n[FAILING] {GAP}, since ")) && body.contains("Bcc: evil@example.com\n"), "{body}");
}

#[test]
fn a_server_that_is_not_trusted_gets_neither_mail_nor_password() {
    let home = tempfile::tempdir().expect("a directory");
    let server = MailServer::start("tls", home.path(), PASSWORD);
    let world = with_mail("smtps://localhost", server.port);
    let done = run(&world, None);
    assert!(done.stderr.contains(&format!("tell.mail: smtps://localhost:{} did not take the mail", server.port)), "{}", done.stderr);
    assert_eq!(server.mails().len(), 0);
    run(&world, Some(&server));
    assert_eq!(server.mails().len(), 1);
}
