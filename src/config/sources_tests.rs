//! Sources in whole files: what good ones say, and what is said of bad ones.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde_json::json;

use super::tests::{BANKS, directory, errors, load_in, load_text, shipped, variables, with};
use super::*;
use crate::plan::body::Body;
use crate::plan::etl::CommandSpec;
use crate::plan::source::{CatchUp, Collector, HttpSpec, Method, Rate, RequestSpec, Verify};
use crate::plan::template::Placeholder;

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);

/// A source whose keys are right, and all that a service needs.
const MINIMAL_HTTP: &str = "http: {trigger: {url: 'http://h/t'}, status: {url: 'http://h/{remote_id}'}}";

/// A file with one source that has these keys, in a flow mapping.
fn source(keys: &str) -> String {
    with(&format!("sources:\n  a: {{{keys}}}\n"))
}

fn one(keys: &str) -> Source {
    load_text(&source(keys)).unwrap().sources.remove(0)
}

fn http(source: &Source) -> &HttpSpec {
    let Collector::Http(spec) = &source.collector else { panic!("a service") };
    spec
}

fn command(source: &Source) -> &CommandSpec {
    let Collector::Command { command, .. } = &source.collector else { panic!("a program") };
    command
}

/// What a placeholder stands for on 16 January 2026.
fn value(placeholder: Placeholder) -> String {
    match placeholder {
        Placeholder::WindowYear => "2026".to_owned(),
        Placeholder::LookbackDays => "30".to_owned(),
        other => format!("<{}>", other.name()),
    }
}

fn body(request: &RequestSpec) -> String {
    request.json.as_ref().unwrap().render(&value).to_string()
}

fn headers(request: &RequestSpec) -> Vec<(String, String)> {
    request.headers.iter().map(|(name, template)| (name.clone(), template.render(value))).collect()
}

/// What is said of each of these sources, one after the other.
fn said(bad: &[&str]) -> String {
    bad.iter().map(|keys| errors(&source(keys)).replace("etl-orch.yaml:", "")).collect::<Vec<_>>().join("\n")
}

#[test]
fn defaults_of_a_source_are_those_of_the_specification() {
    let directory = directory(&[("etl-orch.yaml", &source("every: 6h, command: [x]"))]);
    let config = load_in(directory.path(), &[]).unwrap();
    assert!(config.etls.is_empty() && config.institutions.is_empty(), "sources alone need no banks");
    let source = &config.sources[0];
    assert_eq!((source.id.as_str(), source.name.as_str()), ("a", "a"));
    assert_eq!((source.cadence.every, source.cadence.zone), (6 * HOUR, None));
    assert_eq!((source.catch_up, source.max_windows, source.lag), (CatchUp::Coalesce, 28, Duration::ZERO));
    assert_eq!((source.start, source.lookback_days), (None, 30));
    assert_eq!((source.warn_after, source.error_after), (7 * HOUR, 13 * HOUR));
    assert_eq!((&source.records, &source.verify, &source.freshness), (&None, &None, &None));
    assert_eq!((&source.pool, &source.version), (&None, &None));
    assert_eq!(source.retry, crate::plan::retry::RetryPolicy::default());
    let Collector::Command { command, exit_codes } = &source.collector else { panic!("a program") };
    assert_eq!((command.timeout, command.grace), (HOUR, Duration::from_secs(10)));
    assert_eq!(command.cwd, directory.path().canonicalize().unwrap());
    assert_eq!(*exit_codes, crate::plan::outcome::ExitCodes::default());
}

#[test]
fn defaults_of_a_service_are_those_of_the_specification() {
    let source = one(&format!("every: 6h, {MINIMAL_HTTP}"));
    let spec = http(&source);
    assert_eq!((spec.trigger.method, spec.status.method, &spec.cancel), (Method::Post, Method::Get, &None));
    assert_eq!((spec.job_id.as_str(), spec.state.as_str()), ("/job_id", "/status"));
    let optional = [&spec.message, &spec.progress, &spec.total].map(|pointer| pointer.as_deref().unwrap());
    assert_eq!(optional, ["/message", "/progress", "/total"]);
    assert_eq!((&spec.succeeded[..], &spec.failed[..]), (&["completed".to_owned()][..], &["failed".to_owned(), "error".to_owned()][..]));
    assert_eq!((spec.every, spec.request_timeout, spec.timeout), (Duration::from_secs(10), Duration::from_secs(30), HOUR));
    assert_eq!(spec.rate, Rate { requests: 10, per: Duration::from_secs(60) });
    assert_eq!((&spec.ca_file, &spec.trigger.json), (&None, &None));
}

#[test]
fn every_key_of_a_program_arrives() {
    let text = "
database: {url: 'sqlite://x.db'}
retry: {max_attempts: 5, jitter: 0.5}
pools: {net: 2}
sources:
  daily:
    name: A daily source
    every: 1d
    timezone: America/New_York
    catch_up: each
    lag: 2h
    max_windows: 7
    start: 2026-01-01
    lookback: 1w
    warn_after: 1d 4h
    error_after: 2d
    freshness: {sql: \"select max(disclosure_date) from t where tags = '{1,2}'\"}
    verify:
      command: [check, '{window_start}', '{job_id}']
      cwd: /srv
      env: {SOURCE: '{source}'}
      timeout: 1m
      grace: 1s
    records: {pattern: 'collected (\\d+)'}
    retry: {max_attempts: 1}
    pool: net
    version: 1.10
    command: [collect, '{source}', '{window_start}', '{window_end}', '{lookback_days}', '{attempt}', '{work_dir}', 5]
    cwd: here
    env: {YEAR: '{window_year}'}
    env_file: .env.daily
    timeout: 10m
    grace: 30s
    exit_codes: {config: [2]}
";
    let source = load_text(text).unwrap().sources.remove(0);
    assert_eq!(source.name, "A daily source");
    assert_eq!((source.cadence.every, source.cadence.zone), (DAY, Some(chrono_tz::America::New_York)));
    assert_eq!((source.catch_up, source.max_windows, source.lag), (CatchUp::Each, 7, 2 * HOUR));
    assert_eq!(source.start, Some("2026-01-01T05:00:00Z".parse::<DateTime<Utc>>().unwrap()), "midnight in New York");
    assert_eq!(source.lookback_days, 7);
    assert_eq!((source.warn_after, source.error_after), (28 * HOUR, 48 * HOUR));
    assert_eq!(source.freshness.as_deref(), Some("select max(disclosure_date) from t where tags = '{1,2}'"));
    let Some(Verify::Command(verify)) = &source.verify else { panic!("a program") };
    let argv = |command: &CommandSpec| command.argv.iter().map(|argument| argument.render(value)).collect::<Vec<_>>();
    assert_eq!(argv(verify), ["check", "<window_start>", "<job_id>"]);
    assert_eq!((verify.timeout, verify.grace, verify.cwd.to_str()), (Duration::from_secs(60), Duration::from_secs(1), Some("/srv")));
    assert_eq!(source.records.as_ref().unwrap().in_lines("collected 7"), Some(7));
    assert_eq!((source.retry.max_attempts, source.retry.jitter.to_bits()), (1, 0.5_f64.to_bits()));
    assert_eq!((source.pool.as_ref().unwrap().limit, source.version.as_deref()), (2, Some("1.10")));
    let command = command(&source);
    assert_eq!(argv(command), ["collect", "<source>", "<window_start>", "<window_end>", "30", "<attempt>", "<work_dir>", "5"]);
    assert!(command.cwd.ends_with("here") && command.env_file.as_ref().unwrap().ends_with(".env.daily"));
    assert_eq!(command.env[0].1.render(value), "2026");
    assert_eq!((command.timeout, command.grace), (Duration::from_secs(600), Duration::from_secs(30)));
    let Collector::Command { exit_codes, .. } = &source.collector else { panic!("a program") };
    assert_eq!(exit_codes.config, [2].into());
}

#[test]
fn every_key_of_a_service_arrives() {
    let text = r#"
database: {url: 'sqlite://x.db'}
sources:
  a:
    every: 90s
    verify: {sql: "select count(*) from t where at >= '{window_start}' and run = '{run_id}'"}
    http:
      headers: {X-API-Key: "${KEY}", Accept: "application/json", X-Run: "{run_id}"}
      trigger:
        method: PUT
        url: "https://h:8443/t/{source}?from={window_start}"
        headers: {accept: "text/json"}
        json: {z: 1.5, year: "{window_year}", id: "{window_year}", of: ["{source}", true, ~], key: "${KEY}", limit: "${N}"}
      job_id: /data/id
      status:
        method: POST
        url: "HTTPS://h/s/{remote_id}"
        headers: {X-Job: "{remote_id}"}
        every: 1s
        state: ""
        succeeded: [done]
        failed: [broken]
        message: /m
        progress: /p
        total: /n
      cancel: {method: DELETE, url: "https://h/s/{remote_id}", json: {id: "{remote_id}"}}
      timeout: 2h
      request_timeout: 5s
      rate: {requests: 3, per: 1s}
      ca_file: ca.pem
      records: {pointer: /m, pattern: '(\d+) inserted, (\d+) updated'}
"#;
    let directory = directory(&[("etl-orch.yaml", text), ("monitored_institutions.yaml", BANKS)]);
    let config = load_in(directory.path(), &[("KEY", "s3cret{x}"), ("N", "100")]).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
    let source = &config.sources[0];
    let Some(Verify::Sql(sql)) = &source.verify else { panic!("a query") };
    assert_eq!(sql.render(value), "select count(*) from t where at >= '<window_start>' and run = '<run_id>'");
    let spec = http(source);
    assert_eq!(spec.trigger.url.render(value), "https://h:8443/t/<source>?from=<window_start>");
    let general = [("X-API-Key", "s3cret{x}"), ("X-Run", "<run_id>")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    let and = |more: (&str, &str)| [&general[..], &[(more.0.to_owned(), more.1.to_owned())]].concat();
    assert_eq!(headers(&spec.trigger), and(("accept", "text/json")), "its own replaces that of all requests");
    assert_eq!(headers(&spec.status).last(), and(("X-Job", "<remote_id>")).last());
    assert_eq!(
        body(&spec.trigger),
        r#"{"z":1.5,"year":2026,"id":2026,"of":["<source>",true,null],"key":"s3cret{x}","limit":"100"}"#,
        "what is quoted is text"
    );
    assert_eq!((spec.trigger.method, spec.status.method), (Method::Put, Method::Post));
    assert_eq!((spec.job_id.as_str(), spec.state.as_str()), ("/data/id", ""));
    let optional = [&spec.message, &spec.progress, &spec.total].map(|pointer| pointer.as_deref().unwrap());
    assert_eq!(optional, ["/m", "/p", "/n"]);
    assert_eq!((&spec.succeeded[..], &spec.failed[..]), (&["done".to_owned()][..], &["broken".to_owned()][..]));
    let cancel = spec.cancel.as_ref().unwrap();
    assert_eq!((cancel.method, body(cancel).as_str()), (Method::Delete, r#"{"id":"<remote_id>"}"#));
    assert_eq!((spec.every, spec.timeout, spec.request_timeout), (Duration::from_secs(1), 2 * HOUR, Duration::from_secs(5)));
    assert_eq!(spec.rate, Rate { requests: 3, per: Duration::from_secs(1) });
    assert!(spec.ca_file.as_ref().unwrap().is_absolute());
    let records = source.records.as_ref().unwrap();
    assert_eq!(records.in_answer(&json!({"m": "5 inserted, 7 updated"})), Some(12));
}

#[test]
fn a_variable_in_a_body_is_what_it_would_be_in_its_place() {
    let text = "
database: {url: 'sqlite://x.db'}
sources:
  a:
    every: 1h
    http:
      trigger:
        url: http://h
        json:
          limit: ${N}
          quoted: \"${N}\"
          year: \"${N}{window_year}\"
          brace: ${BRACE}
      status: {url: \"http://h/{remote_id}\"}
";
    let directory = directory(&[("etl-orch.yaml", text)]);
    let config = load_in(directory.path(), &[("N", "100"), ("BRACE", "{window_year}")]).unwrap();
    let expected = r#"{"limit":100,"quoted":"100","year":"1002026","brace":"{window_year}"}"#;
    assert_eq!(body(&http(&config.sources[0]).trigger), expected);
}

#[test]
fn start_is_a_date_of_the_zone_or_a_time() {
    for (start, zone, expected) in [
        ("2026-01-01", "", "2026-01-01T00:00:00Z"),
        ("'2026-01-01'", "timezone: Asia/Tokyo, ", "2025-12-31T15:00:00Z"),
        // Here clocks went from midnight to one.
        ("2018-11-04", "timezone: America/Sao_Paulo, ", "2018-11-04T03:00:00Z"),
        ("'2026-01-01T06:00:00+02:00'", "timezone: Asia/Tokyo, ", "2026-01-01T04:00:00Z"),
    ] {
        let source = one(&format!("every: 1d, {zone}start: {start}, command: [x]"));
        assert_eq!(source.start, Some(expected.parse::<DateTime<Utc>>().unwrap()), "{start} {zone}");
    }
}

#[test]
fn records_stand_beside_a_command_or_with_a_service_in_either_place() {
    let pattern = "records: {pattern: '(\\d+)'}";
    let inside = MINIMAL_HTTP.replace("http: {", &format!("http: {{{pattern}, "));
    for keys in [format!("command: [x], {pattern}"), format!("{MINIMAL_HTTP}, {pattern}"), inside] {
        assert!(one(&format!("every: 1h, {keys}")).records.is_some(), "{keys}");
    }
}

#[test]
fn what_a_source_may_be_named() {
    let names = with("sources: {A b: {every: 1h, command: [x]}, us_house: {every: 1h, command: [x]}}\n");
    insta::assert_snapshot!(errors(&names), @"");
    // ETLs and sources are not told apart by their names.
    let both = with("etls: {a: {report_type: A, requires: [t], command: [x]}}\nsources: {a: {every: 1h, command: [x]}}\n");
    assert!(load_text(&both).is_ok());
}

#[test]
fn a_broken_source_is_no_missing_one() {
    insta::assert_snapshot!(errors(&with("sources: {a: 5}\n")), @"");
    insta::assert_snapshot!(errors(&with("sources: 5\n")), @"");
    insta::assert_snapshot!(errors(&with("sources: {}\n")), @"");
}

#[test]
fn windows_are_of_a_sensible_length() {
    insta::assert_snapshot!(said(&[
        "command: [x]",
        "every: 30s, command: [x]",
        "every: 90s 5ms, command: [x]",
        "every: six hours, timezone: Europe/Berlin, command: [x]",
        "every: 6h, timezone: America/New_York, command: [x]",
        "every: 1d, timezone: America/New_Yrok, command: [x]",
        "every: 1d, timezone: nowhere, command: [x]",
        "every: 1d, catch_up: all, max_windows: 3, lookback: 36h, command: [x]",
        "every: 1d, max_windows: 3, command: [x]",
        "every: 1d, catch_up: each, max_windows: 0, lag: -1h, command: [x]",
        "every: 1d, start: yesterday, lookback: 1h, command: [x]",
        "every: 1d, start: 1969-12-31, command: [x]",
        "every: 1d, start: '3000-01-01T00:00:00Z', command: [x]",
        "every: 6h, warn_after: 20h, command: [x]",
        "every: 6h, warn_after: 0s, error_after: 1h, command: [x]",
        "every: 6h, error_after: 6h, command: [x]",
    ]), @"");
}

#[test]
fn one_collector_with_what_belongs_to_it() {
    insta::assert_snapshot!(said(&[
        "every: 6h",
        &format!("every: 6h, command: [x], {MINIMAL_HTTP}"),
        &format!("every: 6h, {MINIMAL_HTTP}, timeout: 1m, cwd: x, env: {{}}, env_file: x, grace: 1s, exit_codes: {{}}"),
        "every: 6h, command: x",
        "every: 6h, command: [], htp: {}",
        "every: 6h, command: ['', '{bank_symbol}', '{output}', '{remote_id}', '{window_strt}'], env: {ETL_ORCH_SOURCE: x}, exit_codes: {config: [0]}",
        "every: 6h, command: [x], grace: 5m, timeout: 0s, verify: {command: [x], grace: 5m}, pool: p, version: ' ', name: ''",
    ]), @"");
}

#[test]
fn what_sees_the_data_is_a_query_or_a_program() {
    insta::assert_snapshot!(said(&[
        "every: 6h, command: [x], verify: {}, freshness: {}",
        "every: 6h, command: [x], verify: {sql: 'select 1', command: [x], grace: 1s}",
        "every: 6h, command: [x], verify: {sql: ' '}, freshness: {sql: ''}",
        "every: 6h, command: [x], verify: {sql: \"select '{work_dir}', '{window_ende}', '{'\"}, freshness: {sql: \"select '{window_end}'\"}",
        "every: 6h, command: [x], verify: {command: ['{remote_id}', '{period}']}",
        "every: 6h, command: [x], verify: {command: x}",
        "every: 6h, command: [x], records: {}",
        "every: 6h, command: [x], records: {pointer: /n, pattern: '(\\d+)'}",
        "every: 6h, command: [x], records: {pattern: '\\d+'}",
        "every: 6h, command: [x], records: {pattern: '(\\d+'}",
        &format!("every: 6h, records: {{pointer: n}}, {}", MINIMAL_HTTP.replace("http: {", "http: {records: {pointer: n}, ")),
        &format!("every: 6h, records: {{pointer: n}}, {MINIMAL_HTTP}"),
    ]), @"");
}

#[test]
fn requests_are_such_as_can_be_made() {
    let trigger = |trigger: &str| MINIMAL_HTTP.replace("url: 'http://h/t'", trigger);
    let keys: Vec<String> = [
        trigger("method: FETCH"),
        trigger("url: 'ftp://h/t'"),
        trigger("url: 'h/t'"),
        trigger("url: 'http://'"),
        trigger("url: 'http:///etl/trigger'"),
        trigger("url: 'http://h:99999/'"),
        trigger("url: 'http://me:hunter2@h/t'"),
        trigger("url: 'https://h.{source}/t'"),
        trigger("url: 'https://h:{window_year}'"),
        trigger("url: '{source}://h/'"),
        trigger("url: 'http://h/a b'"),
        trigger("url: 'http://h/t#{source}'"),
        trigger("url: 'http://h/{remote_id}', json: {a: ['{remote_id}', {b: '{bank_key}'}], '{x}': '}'}"),
        trigger("url: 'http://h/', headers: {'A b': x, X-Ä: x, X-A: \"a\\nb\", X-B: 'é', X-C: '', x-a: y, X-D: '{nonsense}'}"),
        "http: {}".to_owned(),
        "http: {trigger: {}, status: {}, cancel: {}}".to_owned(),
        "http: {trigger: 5, status: {url: 'http://h/status', json: {}}}".to_owned(),
    ]
    .map(|keys| format!("every: 6h, {keys}"))
    .into();
    insta::assert_snapshot!(said(&keys.iter().map(String::as_str).collect::<Vec<_>>()), @"");
}

#[test]
fn answers_are_such_as_can_be_read() {
    let status = |more: &str| MINIMAL_HTTP.replace("{remote_id}'", &format!("{{remote_id}}', {more}"));
    let inside = |more: &str| MINIMAL_HTTP.replace("http: {", &format!("http: {{{more}, "));
    let keys: Vec<String> = [
        status("state: status, message: m, progress: p, total: 't/'"),
        status("succeeded: [completed, error]"),
        status("failed: [failed, completed]"),
        status("succeeded: [a, b], failed: [b]"),
        status("succeeded: [], failed: ['']"),
        status("succeeded: done, failed: [1]"),
        status("every: 0s"),
        status("every: 2h"),
        inside("timeout: 10s, request_timeout: 0s"),
        inside("job_id: id, ca_file: '', rate: {requests: 0, per: 0s}"),
        inside("rate: {request: 5}, hedaers: {}"),
    ]
    .map(|keys| format!("every: 6h, {keys}"))
    .into();
    insta::assert_snapshot!(said(&keys.iter().map(String::as_str).collect::<Vec<_>>()), @"");
}

#[test]
fn a_value_from_a_variable_is_in_no_message_about_a_source() {
    let text = "
database: {url: 'sqlite://x.db'}
sources:
  a:
    name: '${S}'
    every: ${S}
    timezone: ${S}
    catch_up: ${S}
    start: ${S}
    lookback: ${S}
    pool: ${S}
    freshness: {sql: '${S}'}
    verify: {sql: '{${S}}'}
    http:
      headers: {X-API-Key: \"${S}\\n\", X-Unset: '${UNSET}'}
      trigger: {method: '${S}', url: '${S}', json: ['${S}', '{${S}}', '${UNSET}']}
      job_id: ${S}
      status: {url: 'http://${S}@h/{remote_id}', state: '${S}', succeeded: ['${S}'], failed: ['${S}'], every: '${S}'}
      cancel: {url: 'http://h:${S}/{remote_id}'}
      records: {pointer: '${S}', pattern: '(${S}'}
  b: {every: 1d, timezone: '${S}', start: '${S}', pool: '${S}', command: ['{${S}}'], records: {pattern: '${S}'}}
";
    let directory = directory(&[("etl-orch.yaml", text)]);
    let said = load_in(directory.path(), &[("S", "s3cret")]).unwrap_err();
    assert!(!said.contains("s3cret"), "{said}");
    insta::assert_snapshot!(said, @"");
}

/// The five sources of the example, with what their services are sent and say.
#[test]
fn the_production_example_sends_what_the_services_know() {
    let environment = [
        ("POSTGRES_HOST", "db"),
        ("POSTGRES_DATABASE", "finance"),
        ("POSTGRES_USER", "aegis"),
        ("POSTGRES_PASSWORD", "s3cret"),
        ("ETL_API_KEY", "s3cret"),
    ];
    let config = load(&shipped("production.example.yaml"), &variables(&environment)).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"));
    let house = "Completed: 17 transactions from 3 PDFs";
    let senate = "Completed [playwright]: 12 senators, 30 disclosures, 17 transactions, 1 errors";
    let others = "Completed: 9 inserted, 8 updated, 7 skipped, 6 failed";
    let expected = [
        ("us_house", "US House Disclosures (ETL)", r#"{"source":"house","year":2026,"limit":100}"#, house),
        ("us_senate", "US Senate Disclosures (ETL)", r#"{"source":"senate","lookback_days":30,"limit":100}"#, senate),
        ("quiver", "Quiver Trading Data", r#"{"source":"quiverquant","lookback_days":30}"#, others),
        ("eu_parliament", "EU Parliament Disclosures", r#"{"source":"eu_parliament"}"#, others),
        ("california", "California Disclosures", r#"{"source":"california"}"#, others),
    ];
    assert_eq!(config.sources.len(), expected.len());
    for (source, (id, name, sent, message)) in config.sources.iter().zip(expected) {
        assert_eq!((source.id.as_str(), source.name.as_str()), (id, name));
        assert_eq!((source.cadence.every, source.cadence.zone, source.catch_up), (6 * HOUR, None, CatchUp::Coalesce));
        assert_eq!((source.warn_after, source.error_after, source.lookback_days), (7 * HOUR, 13 * HOUR, 30));
        let spec = http(source);
        assert_eq!(body(&spec.trigger), sent, "{id}");
        assert_eq!((spec.trigger.method, spec.status.method), (Method::Post, Method::Get));
        let service = "https://politician-trading-etl.fly.dev/etl";
        assert_eq!(spec.trigger.url.render(value), format!("{service}/trigger"));
        assert_eq!(spec.status.url.render(value), format!("{service}/status/<remote_id>"));
        for request in [&spec.trigger, &spec.status] {
            assert_eq!(headers(request), [("X-API-Key".to_owned(), "s3cret".to_owned())]);
        }
        assert_eq!(spec.rate, Rate { requests: 10, per: Duration::from_secs(60) });
        let records = source.records.as_ref().unwrap();
        assert_eq!(records.in_answer(&json!({"status": "completed", "message": message})), Some(17), "{id}");
    }
    let uses = |source: &Source, placeholder| matches!(http(source).trigger.json.as_ref().map(Body::placeholders), Some(used) if used.contains(&placeholder));
    assert!(uses(&config.sources[0], Placeholder::WindowYear) && uses(&config.sources[1], Placeholder::LookbackDays));
}
