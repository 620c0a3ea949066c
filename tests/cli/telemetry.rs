//! Traces by OpenTelemetry, OpenLineage's events, and the file of events.

#[path = "telemetry/openlineage.rs"]
mod openlineage;
#[path = "telemetry/otlp.rs"]
mod otlp;
#[path = "telemetry/python.rs"]
mod python;

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;

use serde_json::Value;

use self::otlp::Span;
use crate::on_both_databases;
use crate::service_desk::ServiceDesk;
use crate::support::receiver::{Received, Receiver, Reply};
use crate::support::{Kind, World};

/// Fails once, then makes its report in two stages. For TD it always fails.
const SCRIPT: &str = r#"stage() { printf '{"type":"TRACE","trace":{"type":"STREAM_STATUS","stream_status":{"stream_descriptor":{"name":"%s"},"status":"%s"}}}\n' "$1" "$2"; }
echo "$TRACEPARENT" > "parent.$2.$ETL_ORCH_ATTEMPT"
[ "$2" != TD ] || { echo the disk is full; exit 65; }
[ "$ETL_ORCH_ATTEMPT" != 1 ] || exit 3
stage extract STARTED; stage extract COMPLETE; stage load STARTED; stage load COMPLETE
echo report > "$4"
"#;

/// RY succeeds at its second attempt, TD fails.
fn world_of(kind: Kind) -> World {
    let world = World::new(kind);
    prepare(&world);
    world
}

fn prepare(world: &World) {
    world.available("RY", 1, 2025, "Q2");
    world.available("TD", 6, 2025, "Q2");
    world.single_etl(SCRIPT, &[]);
}

fn path_of(request: &Received) -> &str {
    request.line.strip_prefix("POST ").expect("a POST")
}

fn spans(receiver: &Receiver) -> Vec<Span> {
    let requests = receiver.take();
    assert!(requests.iter().all(|request| path_of(request) == "/otlp/v1/traces"), "{requests:?}");
    requests.iter().flat_map(|request| otlp::read(&request.body).0).collect()
}

#[test]
fn a_run_is_one_trace_and_its_programs_join_it() {
    let world = world_of(Kind::Sqlite);
    let receiver = Receiver::start();
    let endpoint = receiver.url("/otlp/");
    world.also(&format!("tell: {{opentelemetry: {{endpoint: \"{endpoint}\", headers: {{X-Key: opensesame}}, service_name: nightly}}}}"));
    world.run_to(1, &[]);

    let requests = receiver.requests();
    let [request] = requests.as_slice() else { panic!("one request: {requests:?}") };
    assert!(request.head.to_ascii_lowercase().contains("x-key: opensesame"), "{}", request.head);
    assert_eq!(otlp::read(&request.body).1["service.name"], "nightly");
    let all = spans(&receiver);
    let run = world.value("SELECT id FROM etl_runs").replace('-', "");
    assert!(all.iter().all(|span| span.trace_id == run), "{all:#?}");
    let by_id: BTreeMap<&str, &Span> = all.iter().map(|span| (span.id.as_str(), span)).collect();
    let path = |span: &Span| {
        let above = std::iter::successors(Some(span), |span| Some(by_id[span.parent_span_id.as_deref()?]));
        above.map(|span| span.name.as_str()).collect::<Vec<_>>().join(" < ")
    };
    let mut paths: Vec<String> = all.iter().map(path).collect();
    paths.sort_unstable();
    let expected = [
        "attempt < call_summary RY-CA < run",
        "attempt < call_summary RY-CA < run",
        "attempt < call_summary TD-CA < run",
        "call_summary RY-CA < run",
        "call_summary TD-CA < run",
        "extract < attempt < call_summary RY-CA < run",
        "load < attempt < call_summary RY-CA < run",
        "run",
    ];
    assert_eq!(paths, expected);
    for (bank, attempt, code, outcome) in [("RY", 1, "3", "exit_code"), ("RY", 2, "0", "succeeded"), ("TD", 1, "65", "exit_code")] {
        let parent = world.read(&format!("parent.{bank}.{attempt}"));
        let [_, trace, span, "01"] = parent.trim().split('-').collect::<Vec<_>>()[..] else { panic!("{parent}") };
        assert_eq!((trace, by_id[span].name.as_str()), (run.as_str(), "attempt"), "{parent}");
        let facts = ["etl_orch.bank", "etl_orch.attempt", "process.exit.code", "etl_orch.outcome"]
            .map(|key| by_id[span].attribute(key).unwrap_or_default());
        assert_eq!(facts, [&format!("{bank}-CA"), &attempt.to_string(), code, outcome]);
    }
    let failed = all.iter().find(|span| span.name == "call_summary TD-CA").expect("TD's job");
    assert_eq!((failed.status.code, failed.attribute("etl_orch.gap")), (2, Some("TD-CA/2025Q2/call_summary")));
    let job = world.value("SELECT id FROM etl_jobs WHERE gap_key LIKE 'TD%'");
    assert_eq!(failed.attribute("etl_orch.job_id"), Some(job.as_str()));

    // A run that is started within a trace is part of that. One without work sends nothing.
    let mut again = world.command(&["--bank-symbol", "TD"]);
    again.env("TRACEPARENT", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01");
    world.sql("DELETE FROM gap_states");
    assert_eq!(again.output().expect("the binary starts").status.code(), Some(1));
    let all = spans(&receiver);
    let root = all.iter().find(|span| span.name == "run").expect("the run");
    assert_eq!((root.trace_id.as_str(), root.parent_span_id.as_deref()), ("4bf92f3577b34da6a3ce929d0e0e4736", Some("00f067aa0ba902b7")));
    assert!(world.read("parent.TD.1").starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-"));
    world.run_to(0, &["--bank-symbol", "RY"]);
    assert!(receiver.take().is_empty());
}

/// What waits in the outbox, of this user alone.
fn kept(world: &World, channel: &str) -> usize {
    let Ok(entries) = std::fs::read_dir(world.path(&format!("var/outbox/{channel}"))) else { return 0 };
    let paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    for path in [world.path("var/outbox"), world.path(&format!("var/outbox/{channel}"))].iter().chain(&paths) {
        assert_eq!(path.metadata().expect("it is there").mode() & 0o077, 0, "{}", path.display());
    }
    paths.len()
}

#[test]
fn what_receivers_do_not_take_changes_nothing_and_is_sent_by_the_next_run() {
    let later = Reply::Answer(503, "Retry-After: 7200", "");
    for (reply, timeout) in [(Reply::Status(500), "1m"), (later, "1h"), (Reply::Never, "1ms")] {
        let world = world_of(Kind::Sqlite);
        let receiver = Receiver::start();
        receiver.replies(reply);
        let url = receiver.url("/a-path-that-nobody-knows");
        world.write("events.jsonl/is-a-directory", "");
        let (trace, lineage) = (format!("opentelemetry: {{endpoint: \"{url}\"}}"), format!("openlineage: {{url: \"{url}\"}}"));
        world.also(&format!("tell: {{timeout: {timeout}, {trace}, {lineage}, events_file: events.jsonl}}"));
        let done = world.run_to(1, &[]);
        for channel in ["opentelemetry", "openlineage", "events_file"] {
            assert_eq!(done.stderr.matches(&format!("tell.{channel}: ")).count(), 1, "{reply:?}: {}", done.stderr);
        }
        assert!(done.stdout.contains("Successful: 1") && !format!("{done:?}").contains("nobody-knows"), "{done:?}");
        assert_eq!(world.jobs(), ["RY-CA/2025Q2/call_summary|succeeded", "TD-CA/2025Q2/call_summary|failed"]);
        assert_eq!((kept(&world, "opentelemetry"), kept(&world, "openlineage")), (1, 6), "{reply:?}");
        if reply == Reply::Never {
            continue;
        }

        receiver.take();
        receiver.replies(Reply::Status(200));
        world.run_to(0, &["--bank-symbol", "RY"]);
        let got = receiver.take();
        let (traces, lineage): (Vec<_>, Vec<_>) = got.iter().partition(|request| path_of(request).ends_with("/v1/traces"));
        assert_eq!(traces.iter().map(|request| otlp::read(&request.body).0.len()).collect::<Vec<_>>(), [8]);
        let types = lineage.iter().map(|request| request.body.split('"').nth(3).expect("a type").to_owned()).collect::<Vec<_>>();
        assert_eq!((types.len(), types[0].as_str(), types[5].as_str()), (6, "START", "FAIL"), "in their order: {types:?}");
        assert_eq!((kept(&world, "opentelemetry"), kept(&world, "openlineage")), (0, 0));
    }
}

#[test]
fn what_a_receiver_refuses_for_good_is_not_sent_again() {
    let world = world_of(Kind::Sqlite);
    let receiver = Receiver::start();
    world.also(&format!("tell: {{opentelemetry: {{endpoint: \"{}\"}}}}", receiver.url("/otlp")));
    let partly = r#"{"partialSuccess": {"rejectedSpans": "2", "errorMessage": "too old"}}"#;
    for (reply, words) in [
        (Reply::Status(400), "answered 400 Bad Request; this message is not sent again"),
        (Reply::Answer(200, "Content-Type: application/json", partly), "did not take 2 of the spans: too old"),
    ] {
        receiver.replies(reply);
        world.sql("DELETE FROM gap_states");
        let done = world.run_to(1, &["--bank-symbol", "TD"]);
        assert!(done.stderr.contains(words), "{}", done.stderr);
        assert_eq!((receiver.take().len(), kept(&world, "opentelemetry")), (1, 0), "{words}");
    }
    receiver.replies(Reply::Status(200));
    world.run_to(0, &["--bank-symbol", "RY"]);
    assert_eq!(spans(&receiver).len(), 6, "its own alone");
}

#[test]
fn a_service_joins_the_trace_that_somebody_looks_at() {
    let world = World::new(Kind::Sqlite);
    let desk = ServiceDesk::new(&world, &[]);
    let parents = || {
        let seen = desk.service.requests();
        seen.iter().map(|seen| seen.headers.get("traceparent").map(|text| text.to_str().expect("a text").to_owned())).collect::<Vec<_>>()
    };
    desk.run_to(0, "01-16 00:20:00", &[]);
    let untold = parents().len();
    assert_eq!(parents(), vec![None; untold], "nobody looks at it");

    let receiver = Receiver::start();
    world.also(&format!("tell: {{opentelemetry: {{endpoint: \"{}\"}}}}", receiver.url("/otlp")));
    desk.run_to(0, "01-16 06:20:00", &[]);
    let all = spans(&receiver);
    let attempt = all.iter().find(|span| span.name == "attempt").expect("an attempt");
    let parent = format!("00-{}-{}-01", attempt.trace_id, attempt.id);
    let told = parents().split_off(untold);
    assert!(told.len() >= 2 && told.iter().all(|told| told.as_ref() == Some(&parent)), "{parent}: {told:?}");
}

on_both_databases! {
    fn openlineage_is_told_which_data_became_which_report(world: &World) {
        prepare(world);
        let receiver = Receiver::start();
        world.also(&format!("tell: {{openlineage: {{url: \"{}\", namespace: reports}}}}", receiver.url("")));
        world.run_to(1, &[]);

        let requests = receiver.take();
        assert!(requests.iter().all(|request| path_of(request) == "/api/v1/lineage"), "{requests:?}");
        let events: Vec<Value> = requests.iter().map(|request| serde_json::from_str(&request.body).expect("JSON")).collect();
        openlineage::check(&events);
        let run = world.value("SELECT id FROM etl_runs");
        let told = |job: &str| events.iter().filter(|event| event["job"]["name"] == job).collect::<Vec<_>>();
        let types = |job: &str| told(job).iter().map(|event| event["eventType"].as_str().expect("a type")).collect::<Vec<_>>();
        assert_eq!(types("etl-orch"), ["START", "FAIL"]);
        assert_eq!(types("call_summary.RY-CA"), ["START", "COMPLETE"]);
        assert_eq!(types("call_summary.TD-CA"), ["START", "FAIL"]);
        assert_eq!(events.len(), 6);
        for event in &events {
            for key in ["eventTime", "producer", "schemaURL"] {
                assert!(event[key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {event:#}");
            }
            assert_eq!(event["job"]["namespace"], "reports");
            let is_run = event["job"]["name"] == "etl-orch";
            let parent = if is_run { &event["run"]["runId"] } else { &event["run"]["facets"]["parent"]["run"]["runId"] };
            assert_eq!(*parent, run.as_str());
        }
        let complete = told("call_summary.RY-CA")[1];
        assert_eq!(complete["run"]["runId"], world.value("SELECT id FROM etl_jobs WHERE gap_key LIKE 'RY%'").as_str());
        assert_eq!(complete["inputs"], serde_json::json!([{"namespace": "reports", "name": "transcripts/RY-CA/2025Q2"}]));
        let [table, file] = complete["outputs"].as_array().expect("outputs").as_slice() else { panic!("{complete:#}") };
        assert!(table["name"].as_str().is_some_and(|name| name.ends_with("aegis_reports")), "{table}");
        assert_eq!(file["namespace"], "file");
        assert_eq!(file["name"].as_str(), world.path("reports/2025Q2/RY_call_summary.md").canonicalize().expect("the report").to_str());
        let error = &told("call_summary.TD-CA")[1]["run"]["facets"]["errorMessage"]["message"];
        assert!(error.as_str().is_some_and(|text| text.contains("exit code 65")), "{error}");
    }
}

#[test]
fn what_happens_to_jobs_is_appended_to_a_file() {
    let world = world_of(Kind::Sqlite);
    world.also("tell: {events_file: var/events.jsonl}");
    world.run_to(1, &[]);
    let told = |text: &str| -> Vec<Value> { text.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect() };
    let first = world.read("var/events.jsonl");
    let job = world.value("SELECT id FROM etl_jobs WHERE gap_key LIKE 'RY%'");
    let of_job: Vec<Value> = told(&first).into_iter().filter(|line| line["data"]["job_id"] == job.as_str()).collect();
    let types: Vec<&str> = of_job.iter().map(|line| line["event_type"].as_str().expect("a type")).collect();
    assert_eq!(types.first(), Some(&"job_progress"));
    assert_eq!(types.last(), Some(&"job_complete"));
    let logged: Vec<&Value> = of_job.iter().filter(|line| line["event_type"] == "job_log").map(|line| &line["data"]["message"]).collect();
    assert_eq!(logged, ["attempt 1 of 3 failed: exit code 3"]);
    let errors = told(&first).into_iter().filter(|line| line["event_type"] == "job_error").map(|line| line["data"]["bank"].clone());
    assert_eq!(errors.collect::<Vec<_>>(), ["TD-CA"]);
    assert_eq!(std::fs::metadata(world.path("var/events.jsonl")).expect("the file").mode() & 0o777, 0o600);

    world.sql("DELETE FROM gap_states");
    world.run_to(1, &[]);
    let both = world.read("var/events.jsonl");
    assert!(both.starts_with(&first) && told(&both).len() > told(&first).len());
}
