//! The way to a service, and what comes back on it that was not meant for people.

use crate::on_both_databases;
use crate::service_desk::{ServiceDesk, ends};
use crate::support::service::Course;
use crate::support::wire::{Certificates, refusing_address};
use crate::support::world::Done;
use crate::support::{Kind, World};

/// Longer than anything that is shown to people.
const LONG: usize = 1_000_000;

/// What a service says that wants to do harm, or is long.
fn hostile() -> [String; 2] {
    ["Completed: 3 transactions\u{1b}[2J\u{1b}]0;owned\u{7}\r\n\nSUCCESS: all is well \u{202e}\u{0}<script>".to_owned(), "x".repeat(LONG)]
}

fn is_harmless(text: &str) -> bool {
    !text.chars().any(|c| c != '\n' && c.is_control() || c == '\u{202e}') && !text.lines().any(|line| line.starts_with("SUCCESS"))
}

on_both_databases! {
    fn what_a_service_says_does_no_harm_where_it_is_shown(world: &World) {
        for (day, hostile) in (16..).zip(hostile()) {
            let desk = ServiceDesk::new(world, &["retry: {max_attempts: 1}"]);
            desk.service.goes(Course::Fails(hostile.clone()));
            let failed = desk.run_to(1, &format!("01-{day} 00:20:00"), &["-v"]);
            let listed = desk.run_to(0, &format!("01-{day} 00:21:00"), &["sources"]);
            let dry = desk.run_to(0, &format!("01-{day} 00:22:00"), &["--dry-run"]);
            let as_json = desk.run_to(0, &format!("01-{day} 00:23:00"), &["sources", "--format", "json"]);
            desk.service.goes(Course::Says(hostile.clone()));
            let succeeded = desk.run_to(0, &format!("01-{day} 00:24:00"), &["-v"]);
            let listed_then = desk.run_to(0, &format!("01-{day} 00:25:00"), &["sources"]);
            let as_json_then = desk.run_to(0, &format!("01-{day} 00:26:00"), &["sources", "--format", "json"]);
            let again = ["--source", "us_house", "--force", "--format", "json", "--log-format", "json", "-v"];
            let run_as_json = desk.run_to(0, &format!("01-{day} 00:27:00"), &again);
            for done in [&as_json, &as_json_then, &run_as_json] {
                assert!(done.json().is_object());
            }
            for done in [&failed, &listed, &dry, &as_json, &succeeded, &listed_then, &as_json_then, &run_as_json] {
                assert!(is_harmless(&done.stdout), "{:?}", done.stdout);
                assert!(is_harmless(&done.stderr), "{:?}", done.stderr);
                assert!(done.stdout.len() + done.stderr.len() < 20_000, "{} bytes", done.stdout.len() + done.stderr.len());
            }
            assert_eq!(desk.frontier("us_house"), format!("2026-01-{day}T00:00"));
            desk.service.goes(Course::CompletesEmpty);
            desk.run_to(0, &format!("01-{day} 23:20:00"), &[]);
        }
    }
}

#[test]
fn where_nobody_listens_that_is_said_and_tried_again() {
    let world = World::new(Kind::Sqlite);
    let desk = ServiceDesk::new(&world, &[]);
    let (taken, address) = refusing_address();
    desk.configure_at(&format!("http://{address}"), &[("us_house", &[])]);
    let refused = desk.run_to(1, "01-16 00:20:00", &[]);
    let words = format!("Max retries exceeded - cannot connect to {address}: connection refused");
    assert!(refused.stdout.contains(&words), "{}", refused.stdout);
    assert_eq!(desk.outcomes().len(), 3);
    drop(taken);
    desk.configure(&[("us_house", &[])]);
    desk.run_to(0, "01-16 00:35:00", &[]);
    assert_eq!(desk.service.triggers(), 1);
}

#[test]
fn a_certificate_of_an_authority_that_is_not_known_needs_a_ca_file() {
    let world = World::new(Kind::Sqlite);
    let desk = ServiceDesk::new(&world, &[]);
    let certificates = Certificates::new(&world.path(""), "IP:127.0.0.1");
    let url = format!("https://127.0.0.1:{}", certificates.serve());
    desk.configure_at(&url, &[("us_house", &[])]);
    let refused = ends(desk.command_now(&[]), 1);
    let words = "its certificate is signed by an authority that is not trusted here; name the signer's certificate in `ca_file`";
    assert!(refused.stdout.contains(&format!("cannot connect to {url}: {words}")), "{}", refused.stdout);
    assert_eq!(desk.outcomes(), ["source:us_house|1|reported_error"], "it is a matter of configuration");
    desk.configure_at(&url, &[("us_house", &["http.ca_file: ca.pem"])]);
    let accepted = ends(desk.command_now(&[]), 0);
    assert!(accepted.stdout.contains("number of records unknown, reported"), "{}", accepted.stdout);
}

#[test]
fn a_proxy_that_is_not_there_is_told_without_its_password() {
    let world = World::new(Kind::Sqlite);
    let desk = ServiceDesk::new(&world, &["retry: {max_attempts: 1}"]);
    desk.configure_at("http://service.invalid", &[("us_house", &["retry: {max_attempts: 1}"])]);
    let (_taken, address) = refusing_address();
    let mut command = desk.command("01-16 00:20:00", &["-v"]);
    command.env("http_proxy", format!("http://user:proxy-password@{address}"));
    let done = ends(command, 1);
    let words = "cannot connect to service.invalid:80: connection refused (the environment names a proxy)";
    assert!(done.stdout.contains(words), "{}", done.stdout);
    assert!(!format!("{done:?}").contains("proxy-password"), "{done:?}");
}

/// The stand-in is its own proxy: it answers whatever host is asked for.
#[test]
fn the_proxy_of_the_environment_is_used_unless_it_excepts_the_service() {
    let world = World::new(Kind::Sqlite);
    let desk = ServiceDesk::new(&world, &[]);
    desk.configure_at("http://service.invalid", &[("us_house", &[])]);
    let by_proxy = |time: &str, variable: &str, no_proxy: &str| -> Done {
        let mut command = desk.command(time, &[]);
        command.env(variable, desk.service.url()).env("NO_PROXY", no_proxy);
        Done::of(&command.output().expect("the binary starts"))
    };
    for (time, variable) in [("01-16 00:20:00", "http_proxy"), ("01-16 06:20:00", "HTTP_PROXY"), ("01-16 12:20:00", "ALL_PROXY")] {
        let asked = desk.service.requests().len();
        let done = by_proxy(time, variable, "elsewhere.example");
        assert_eq!(done.code, 0, "{variable}: {done:?}");
        let requests = desk.service.requests().split_off(asked);
        assert!(requests.iter().all(|seen| seen.headers["host"] == "service.invalid"), "{requests:?}");
        assert_eq!(requests.len(), 4, "{variable}");
    }
    let asked = desk.service.requests().len();
    let excepted = by_proxy("01-16 18:20:00", "http_proxy", "localhost,.invalid");
    assert_eq!(excepted.code, 1, "{excepted:?}");
    assert!(excepted.stdout.contains("cannot connect to service.invalid:80: "), "{}", excepted.stdout);
    assert_eq!(desk.service.requests().len(), asked);
}
