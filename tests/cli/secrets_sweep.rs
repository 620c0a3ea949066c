//! No secret is ever printed or stored: secrets of every kind are planted, every command is called with all that can be logged, and
//! everything is searched. A new command joins by `CALLS` of `one_object`; a new channel by its line in `CHANNELS`.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use etl_orch::cli::report_panics;
use etl_orch::config;
use etl_orch::show::hide;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};

use crate::bugs::{alone, run_with_a_bug};
use crate::on_both_databases;
use crate::one_object::CALLS;
use crate::secrets::tables;
use crate::support::service::{Answer, Service};
use crate::support::wire::{read_request, refusing_address, serve};
use crate::support::world::Done;
use crate::support::{Kind, World};

const OF_DATABASE: &str = "db/p@ss:w#rd%41 x";
const OF_DOTENV: &str = "dotenv/s3cret \"1\"";
const OF_ENV_FILE: &str = "envfile+s3cret&2";
const OF_ENV: &str = "env=s3cret/3";
const OF_HEADER: &str = "header~s3cret/4";
const OF_BODY: &str = "body s3cret/5";
const OF_QUERY: &str = "query/s3cret 6";
const OF_ENVIRONMENT: &str = "environment\\s3cret:7";
const OF_RECEIVER: &str = "receiver-of-tell-s3cret-8";
const PLANTED: [&str; 9] = [OF_DATABASE, OF_DOTENV, OF_ENV_FILE, OF_ENV, OF_HEADER, OF_BODY, OF_QUERY, OF_ENVIRONMENT, OF_RECEIVER];

/// Files that hold the secrets, as the test has written them.
const SOURCES: [&str; 3] = ["etl-orch.yaml", ".env", "etl.env"];

/// A secret as it may be said.
fn forms(secret: &str) -> [String; 4] {
    let json = serde_json::to_string(secret).expect("a text");
    let encoded = utf8_percent_encode(secret, NON_ALPHANUMERIC).to_string();
    [secret.to_owned(), encoded, json[1..json.len() - 1].to_owned(), STANDARD.encode(secret)]
}

fn has_none(text: &str, what: &str) {
    for secret in PLANTED {
        for form in forms(secret) {
            // The last group of base64 depends on what follows.
            let form = form.trim_end_matches('=');
            if let Some(at) = text.find(form) {
                let from = text[..at].char_indices().rev().nth(200).map_or(0, |(from, _)| from);
                panic!("{what}: {form} in ...{}", &text[from..at + form.len()]);
            }
        }
    }
}

/// All secrets at once, as an answer may repeat them.
fn echo() -> String {
    PLANTED.iter().flat_map(|secret| forms(secret)).collect::<Vec<_>>().join(" , ")
}

/// A bank whose report is made, one whose ETL fails, one whose program is not there, a source that a service collects, and one by a program.
fn plant(world: &World, service: &Service, receiver: &str) {
    let shown = "[ \"$2\" != TD ] || exit 65\nfor of in /proc/[0-9]*; do tr '\\0' ' ' < $of/cmdline; echo; done > cmdlines 2>&1\necho report > \"$4\"\n";
    world.single_etl(shown, &["env: {API_TOKEN: \"${ENV_TOKEN}\"}", "env_file: etl.env"]);
    let config = world.read("etl-orch.yaml").replace("postgres://postgres@", "postgres://postgres:${DB_PASSWORD}@");
    let url = service.url();
    let more = format!(
        "  absent:\n    report_type: Absent\n    requires: [transcripts]\n    command: [no-such-program]\n    reports: {{by: etl}}\n    \
         env: {{ABSENT_TOKEN: \"${{ENV_TOKEN}}\"}}\n\
         sources:\n  daily:\n    every: 1d\n    command: [\"true\"]\n    freshness: {{sql: \"select '${{DOTENV_SECRET}}'\"}}\n  \
         served:\n    every: 1d\n    http:\n      headers: {{X-API-Key: \"${{HEADER_KEY}}\"}}\n      \
         trigger: {{url: \"{url}/etl/trigger?sig=${{QUERY_SIGNATURE}}\", json: {{source: house, note: \"${{BODY_NOTE}}\"}}}}\n      \
         status: {{url: \"{url}/etl/status/{{remote_id}}?sig=${{QUERY_SIGNATURE}}\", every: 10ms}}\n      timeout: 1m\n{}",
        channels(world, receiver)
    );
    world.write("etl-orch.yaml", &(config + &more));
    let quoted = |secret: &str| format!("'{secret}'");
    let dotenv = [
        ("DB_PASSWORD", OF_DATABASE),
        ("DOTENV_SECRET", OF_DOTENV),
        ("ENV_TOKEN", OF_ENV),
        ("HEADER_KEY", OF_HEADER),
        ("BODY_NOTE", OF_BODY),
        ("QUERY_SIGNATURE", &utf8_percent_encode(OF_QUERY, NON_ALPHANUMERIC).to_string()),
    ];
    let lines = dotenv.map(|(name, value)| format!("{name}={}\n", quoted(value))).concat();
    world.write(".env", &(lines + &format!("no assignment {OF_DOTENV}\n")));
    world.write("etl.env", &format!("FILE_PASSWORD={}\nno assignment {OF_ENV_FILE}\n", quoted(OF_ENV_FILE)));
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
}

/// Every channel that may tell of runs, with a secret in each of its keys that may hold one.
const CHANNELS: &[(&str, &str)] = &[
    ("pings", "{url: \"URL/SECRET?token=SECRET\"}"),
    ("textfile", "metrics.prom"),
    ("webhook", "{url: \"URL/services/SECRET\", headers: {Authorization: \"Bearer SECRET\"}}"),
    ("mail", "{server: \"smtp://127.0.0.1:1\", user: ops, password: SECRET, from: etl-orch@example.com, to: [ops@example.com]}"),
    ("opentelemetry", "{endpoint: \"URL/SECRET\", headers: {Authorization: \"Bearer SECRET\"}}"),
    ("openlineage", "{url: \"URL/SECRET\", headers: {Authorization: \"Bearer SECRET\"}}"),
    ("events_file", "events.jsonl"),
];

/// `tell:` with all channels that there are, whose receiver is here.
fn channels(world: &World, url: &str) -> String {
    let schema = world.run_to(0, &["config", "schema", "--format", "json"]).json();
    let keys = schema["schema"]["$defs"]["Tell"]["properties"].as_object().expect("the keys of `tell`");
    let section = |key: &String| {
        let (_, section) = CHANNELS.iter().find(|(name, _)| name == key).unwrap_or_else(|| panic!("tell.{key} belongs into CHANNELS"));
        format!("  {key}: {}\n", section.replace("URL", url).replace("SECRET", OF_RECEIVER))
    };
    let sections: Vec<String> = keys.keys().filter(|key| *key != "timeout").map(section).collect();
    format!("tell:\n{}", sections.concat())
}

/// A receiver of all that is told, and the bodies that came.
fn receiver() -> (String, Arc<Mutex<Vec<String>>>) {
    let bodies = Arc::<Mutex<Vec<String>>>::default();
    let received = bodies.clone();
    let port = serve(move |_, mut connection| {
        let request = read_request(&mut connection);
        let body = request.split_once("\r\n\r\n").map(|(_, body)| body.to_owned());
        received.lock().expect("whole").extend(body);
        // It may be gone.
        let _ = connection.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n");
    });
    (format!("http://127.0.0.1:{port}"), bodies)
}

fn call(world: &World, words: &[&str], logs: &[&str]) -> Done {
    let mut command = world.command(&[words, &["--log-level", "trace"], logs].concat());
    command.env("SOME_API_KEY", OF_ENVIRONMENT);
    Done::of(&command.output().expect("the binary starts"))
}

fn search(done: &Done, what: &str) {
    has_none(&done.stdout, &format!("stdout of {what}"));
    has_none(&done.stderr, &format!("stderr of {what}"));
}

/// Everything that the commands have left.
fn search_remains(world: &World) {
    has_none(&tables(world), "the tables");
    let planted = SOURCES.map(|name| world.path(name));
    for (path, bytes) in world.bytes_below("").into_iter().filter(|(path, _)| !planted.contains(path)) {
        has_none(&String::from_utf8_lossy(&bytes), &path.display().to_string());
    }
}

on_both_databases! {
    fn no_command_prints_or_stores_a_secret(world: &World) {
        let (service, (receiver, bodies)) = (Service::start(), receiver());
        plant(world, &service, &receiver);
        let repeats = |status, text: &str| Answer::Status(status, text.replace("ECHO", &serde_json::to_string(&echo()).expect("a text")).leak());
        service.next([
            repeats(401, "{\"detail\": ECHO}"),
            repeats(200, "{\"job_id\": \"j1\", \"note\": ECHO}"),
            repeats(200, "{\"status\": \"running\", \"message\": ECHO}"),
            repeats(200, "{\"status\": \"failed\", \"message\": ECHO}"),
        ]);
        // Text of one database and JSON of the other: what is said is the same.
        let formats: &[&str] = match world.kind() {
            Kind::Sqlite => &["--log-format", "text"],
            Kind::Postgres => &["--log-format", "json", "--format", "json"],
        };
        for _ in 0..2 {
            let done = call(world, &["-v"], formats);
            search(&done, "a run");
            assert!([done.stdout, done.stderr].concat().contains("[redacted]"), "the service has repeated them");
        }
        for (command, cases) in CALLS {
            for (args, ..) in *cases {
                let words: Vec<&str> = command.split_whitespace().chain(args.split_whitespace()).collect();
                search(&call(world, &words, formats), &format!("etl-orch {command} {args}"));
            }
        }
        search_remains(world);
        assert!(world.read("cmdlines").contains("etl-orch"), "the command lines of all processes were seen");
        let told = bodies.lock().expect("whole").join("\n");
        assert!(told.contains("EXECUTION SUMMARY"), "the pings have the summary: {told}");
        has_none(&told, "what receivers are told");
    }
}

#[test]
fn no_panic_shows_or_stores_a_secret() {
    if let Some(said) = alone("secrets_sweep::no_panic_shows_or_stores_a_secret") {
        assert!(said.contains("error: this is a bug of etl-orch") && said.contains("[redacted]"), "{said}");
        return has_none(&said, "what a panic prints");
    }
    let world = World::new(Kind::Sqlite);
    let (service, (receiver, _)) = (Service::start(), receiver());
    plant(&world, &service, &receiver);
    world.available("BMO", 2, 2025, "Q2");
    let environment = [("SOME_API_KEY".to_owned(), OF_ENVIRONMENT.to_owned())].into();
    let config = config::load(&world.path("etl-orch.yaml"), &environment).expect("the configuration");
    let of_env_files = config.env_files(&environment).expect("the files").secrets;
    let secrets = config.secrets.and(&of_env_files);
    hide(secrets.clone());
    report_panics();
    let summary = run_with_a_bug(&world, &echo(), secrets);
    assert!(summary.results.is_some_and(|results| results.counts().failed > 0), "it has panicked");
    search_remains(&world);
}

/// A server of PostgreSQL that repeats the password in its refusal.
fn repeating_server() -> u16 {
    serve(|_, mut connection| {
        // It may be gone at any time.
        let _ = refuse(&mut connection);
    })
}

fn refuse(connection: &mut TcpStream) -> std::io::Result<()> {
    let message = |connection: &mut TcpStream, begin: usize| -> std::io::Result<Vec<u8>> {
        let mut head = vec![0; begin + 4];
        connection.read_exact(&mut head)?;
        let length = u32::from_be_bytes(head[begin..].try_into().expect("4 bytes"));
        let mut body = vec![0; length as usize - 4];
        connection.read_exact(&mut body)?;
        Ok(body)
    };
    message(connection, 0)?;
    connection.write_all(b"R\0\0\0\x08\0\0\0\x03")?;
    let password = String::from_utf8_lossy(&message(connection, 1)?).trim_end_matches('\0').to_owned();
    let fields = format!("SFATAL\0C28P01\0Mpassword \"{password}\" is wrong, so is {}\0\0", forms(&password).join(" and "));
    let length = u32::try_from(fields.len() + 4).expect("small").to_be_bytes();
    connection.write_all(&[b"E", &length[..], fields.as_bytes()].concat())
}

#[test]
fn no_failure_shows_a_secret() {
    let (_held, refusing) = refusing_address();
    let server = repeating_server();
    let encoded = utf8_percent_encode(OF_DATABASE, NON_ALPHANUMERIC).to_string();
    let database = |url: String| format!("database: {{url: \"{url}\"}}\nsources: {{a: {{every: 1d, command: [\"true\"]}}}}\n");
    let source = |keys: &str| format!("database: {{url: \"sqlite://x.db\"}}\nsources: {{a: {{every: 1d, {keys}}}}}\n");
    let http = |keys: &str| source(&format!("http: {{{keys}}}"));
    let cases = [
        ("a wrong password", 1, database(format!("postgres://u:${{DB_PASSWORD}}@127.0.0.1:{server}/d?sslmode=disable"))),
        ("one that is encoded", 1, database(format!("postgres://u:{encoded}@127.0.0.1:{server}/d?sslmode=disable"))),
        ("an odd user", 1, database(format!("postgres://${{DB_USER}}:${{DB_PASSWORD}}@127.0.0.1:{server}/d?sslmode=disable"))),
        ("a refused connection", 1, database(format!("postgres://u:${{DB_PASSWORD}}@{refusing}/d"))),
        ("a host that is not there", 1, database("postgres://u:${DB_PASSWORD}@host.invalid/d".to_owned())),
        ("a wrong scheme", 2, database("${DB_PASSWORD}://u@h/d".to_owned())),
        ("a wrong port", 2, database("postgres://u:${DB_PASSWORD}@h:port/d".to_owned())),
        ("an unknown parameter", 2, database("postgres://u:${DB_PASSWORD}@h/d?nonsense=${DB_PASSWORD}".to_owned())),
        ("a secret in the place of a duration", 2, source("command: [\"true\"], timeout: \"${DB_PASSWORD}\"")),
        ("a secret in the place of a key", 2, source("command: [\"true\"], outcomes: \"${DB_PASSWORD}\"")),
        (
            "a password in an address",
            2,
            http("trigger: {url: \"https://u:${DB_PASSWORD}@h/t\"}, status: {url: \"https://h/s/{remote_id}\"}"),
        ),
        ("an address that is none", 2, http("trigger: {url: \"${DB_PASSWORD}\"}, status: {url: \"https://h/s/{remote_id}\"}")),
        (
            "a header that cannot be",
            2,
            http("headers: {\"a b\": \"${DB_PASSWORD}\"}, trigger: {url: \"https://h/t\"}, status: {url: \"https://h/s\"}"),
        ),
    ];
    let world = World::new(Kind::Sqlite);
    for (what, code, config) in cases {
        world.write("etl-orch.yaml", &config);
        world.write(".env", &format!("DB_PASSWORD='{OF_DATABASE}'\nDB_USER='who/a:m@i#%41'\n"));
        for args in [&["config", "check", "--connect"][..], &["run"], &["jobs", "--log-format", "json", "--format", "json"]] {
            let done = call(&world, args, &[]);
            search(&done, &format!("{what}: {args:?}"));
            assert_eq!(done.code, code, "{what}: {args:?}: {done:?}");
        }
        search(&call(&world, &["health", "--format", "json"], &[]), what);
        for (path, bytes) in world.bytes_below("var") {
            has_none(&String::from_utf8_lossy(&bytes), &format!("{what}: {}", path.display()));
        }
    }
}
