//! Secrets and hostile texts: what an ETL, a service or a database says, in logs, tables and on the terminal.

use serde_json::json;

use crate::on_both_databases;
use crate::service_desk::{ServiceDesk, ends};
use crate::service_refusals::everything_in;
use crate::support::service::{Answer, KEY};
use crate::support::{Kind, World};

const TOKEN: &str = "t0k/en \"é\" 9";
/// The token as it may stand in what is said.
const FORMS: [&str; 6] =
    [TOKEN, "t0k%2Fen%20%22%C3%A9%22%209", "t0k%2fen+%22%c3%a9%22+9", r#"t0k/en \"é\" 9"#, r#"t0k\/en \"\u00e9\" 9"#, "dDBrL2VuICLDqSIgO"];
const PIN: &str = "48151623";

/// All that is in the database.
pub(crate) fn tables(world: &World) -> String {
    match world.kind() {
        Kind::Sqlite => {
            let files = world.bytes_below("var").into_iter().filter(|(path, _)| path.to_string_lossy().contains("etl-orch.db"));
            files.map(|(_, bytes)| String::from_utf8_lossy(&bytes).into_owned()).collect()
        }
        Kind::Postgres => everything_in(world),
    }
}

fn has_no_secret(world: &World, said: &[&str]) {
    let tables = tables(world);
    let said: Vec<&str> = said.iter().copied().chain([tables.as_str()]).collect();
    for secret in FORMS.into_iter().chain([PIN, KEY]) {
        for text in &said {
            assert!(!text.contains(secret), "{secret} in {text}");
        }
    }
}

on_both_databases! {
    fn what_an_etl_prints_of_its_own_secrets_is_in_its_log_alone(world: &World) {
        world.available("RY", 1, 2025, "Q2");
        let script = "printf '%s\\n' \"$SERVICE_TOKEN\"; cat forms; echo \"pin $PIN_CODE, file $FROM_FILE_SECRET\"; exit 9\n";
        world.single_etl(script, &["env: {SERVICE_TOKEN: \"${MY_TOKEN}\"}", "env_file: etl.env", "retry: {max_attempts: 1}"]);
        world.write("forms", &FORMS.join("\n"));
        world.write("etl.env", &format!("FROM_FILE_SECRET='{KEY}'\nPIN_CODE={PIN}\n"));
        let run = |args: &[&str]| {
            let mut command = world.command(args);
            command.env("MY_TOKEN", TOKEN);
            ends(command, 1)
        };
        let first = run(&["-v"]);
        assert!(first.stderr.contains("RY") && first.stderr.contains("pin [redacted], file [redacted]"), "{}", first.stderr);
        let second = run(&["-v", "--format", "json", "--log-format", "json"]);
        has_no_secret(world, &[&first.stdout, &first.stderr, &second.stdout, &second.stderr]);
        let log = world.bytes_below("var/logs").into_iter().find(|(path, _)| path.extension().is_some_and(|end| end == "log")).expect("a log").1;
        assert!(String::from_utf8_lossy(&log).contains(TOKEN), "the program's own log has what it printed");
    }

    fn what_a_service_repeats_of_a_request_is_redacted_in_every_form(world: &World) {
        let json = "http.trigger: {url: \"{url}/etl/trigger\", json: {source: house, api_token: \"${MY_TOKEN}\", pin: 48151623}}";
        let desk = ServiceDesk::new(world, &[json]);
        let run = |answer: &'static str, time: &str| {
            desk.service.next([Answer::Status(422, answer)]);
            let mut command = desk.command(time, &["-v"]);
            command.env("MY_TOKEN", TOKEN);
            let done = ends(command, 1);
            assert!(done.stdout.contains("[redacted]"), "{}", done.stdout);
            has_no_secret(world, &[&done.stdout, &done.stderr]);
        };
        run(r#"{"detail": "bad body {\"api_token\": \"t0k/en \\\"\u00e9\\\" 9\", \"pin\": 48151623}"}"#, "01-16 00:20:00");
        assert_eq!(desk.bodies()[0], json!({"source": "house", "api_token": TOKEN, "pin": 48_151_623}), "it is sent as it is");
        run(r#"{"detail": "see /etl/trigger?token=t0k%2fen+%22%c3%a9%22+9 of dDBrL2VuICLDqSIgOQ=="}"#, "01-16 06:20:00");
        run("{\"detail\": 48151623}", "01-16 12:20:00");
    }

    fn no_text_from_outside_begins_a_line_or_controls_a_terminal(world: &World) {
        let forged = "x\\n[ERROR] forged \\e[31m\\u009b \\u202e";
        world.configure("", &format!("sources:\n  a:\n    every: 6h\n    command: [\"true\"]\n    freshness: {{sql: \"select * from \\\"{forged}\\\"\"}}\n"));
        let text = world.run_to(0, &["sources"]);
        assert!(text.stderr.contains("freshness cannot be asked") && text.stderr.contains("forged"), "{}", text.stderr);
        let json = world.run_to(0, &["sources", "--log-format", "json", "--format", "json"]);
        for said in [&text.stdout, &text.stderr, &json.stdout, &json.stderr] {
            assert!(!said.contains(['\u{1b}', '\u{9b}', '\u{202e}']) && !said.lines().any(|line| line.starts_with("[ERROR] forged")), "{said}");
        }
        let logged: Vec<serde_json::Value> = json.stderr.lines().map(|line| serde_json::from_str(line).expect("an object")).collect();
        assert!(logged.iter().any(|line| line["message"].as_str().expect("text").contains("\n[ERROR] forged")), "{logged:?}");
    }

    fn ten_megabytes_from_the_database_are_cut(world: &World) {
        let query = match world.kind() {
            Kind::Sqlite => "select printf('%.*c', 10485760, 'x')",
            Kind::Postgres => "select cast(repeat('x', 10485760) as integer)",
        };
        let verify = format!("    verify: {{sql: \"{query}\"}}\n    retry: {{max_attempts: 1}}\n");
        world.configure("", &format!("sources:\n  a:\n    every: 6h\n    command: [\"true\"]\n    freshness: {{sql: \"{query}\"}}\n{verify}"));
        let done = world.run(&["run"]);
        let listed = world.run_to(0, &["sources"]);
        for said in [&done.stdout, &done.stderr, &listed.stdout, &listed.stderr] {
            assert!(said.len() < 20_000, "{} bytes", said.len());
        }
        let all = [done.stdout, listed.stdout, listed.stderr].concat();
        assert!(all.contains("x… (10,485,"), "{all}");
        assert!(tables(world).len() < 2_000_000);
    }
}

#[test]
fn a_part_of_a_password_that_is_misread_from_an_address_is_not_printed() {
    let world = World::new(Kind::Sqlite);
    for url in [
        "postgres://u:12/topsecret@h/db",
        "postgres://u:p@x/topsecret@h/db",
        "postgres://u:1/p#topsecret@h/db",
        "postgres://u:topsecret:1/2@h/db",
    ] {
        let config = world.read("etl-orch.yaml").lines().skip(1).collect::<Vec<_>>().join("\n");
        world.write("other.yaml", &format!("database: {{url: \"{url}\"}}\n{config}"));
        let command = std::process::Command::new(env!("CARGO_BIN_EXE_etl-orch"))
            .args(["config", "check", "--config", "other.yaml"])
            .current_dir(world.path(""))
            .output();
        let output = command.expect("the binary starts");
        let said = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("database.url") && said.contains("as %2F") && !said.contains("topsecret"), "{said}");
    }
}

#[test]
fn an_id_beyond_64_bits_keeps_its_digits() {
    let world = World::new(Kind::Sqlite);
    let desk = ServiceDesk::new(&world, &[]);
    desk.service.next([
        Answer::Status(200, "{\"job_id\": 123456789012345678901234567890}"),
        Answer::Status(200, "{\"status\": \"completed\", \"message\": \"Completed: 5 transactions\"}"),
    ]);
    desk.run_to(0, "01-16 00:20:00", &[]);
    let asked = desk.service.requests().last().expect("a status request").path.clone();
    assert_eq!(asked, "/etl/status/123456789012345678901234567890");
}
