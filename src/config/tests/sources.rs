//! Sources in whole files: what good ones say, and what is said of bad ones.

use std::time::Duration;

use chrono::{DateTime, Utc};

use super::*;
use crate::plan::model::source::{CatchUp, Source, Verify};
use crate::plan::model::work::{CommandSpec, HttpSpec, RequestSpec, Work};
use crate::plan::text::placeholder::Placeholder;

pub(super) const HOUR: Duration = Duration::from_secs(3600);
pub(super) const DAY: Duration = Duration::from_secs(24 * 3600);

/// A source whose keys are right, and all that a service needs.
pub(super) const MINIMAL_HTTP: &str = "http: {trigger: {url: 'http://h/t'}, status: {url: 'http://h/{remote_id}'}}";

/// A file with one source that has these keys, in a flow mapping.
pub(super) fn source(keys: &str) -> String {
    with(&format!("sources:\n  a: {{{keys}}}\n"))
}

pub(super) fn one(keys: &str) -> Source {
    load_text(&source(keys)).unwrap().catalogue.sources[0].clone()
}

pub(super) fn http(source: &Source) -> &HttpSpec {
    let Work::Http(spec) = &source.work else { panic!("a service") };
    spec
}

pub(super) fn command(source: &Source) -> &CommandSpec {
    let Work::Command { command, .. } = &source.work else { panic!("a program") };
    command
}

/// What a placeholder stands for on 16 January 2026.
pub(super) fn value(placeholder: Placeholder) -> String {
    match placeholder {
        Placeholder::WindowYear => "2026".to_owned(),
        Placeholder::LookbackDays => "30".to_owned(),
        other => format!("<{}>", other.name()),
    }
}

pub(super) fn body(request: &RequestSpec) -> String {
    request.json.as_ref().unwrap().render(&value).to_string()
}

pub(super) fn headers(request: &RequestSpec) -> Vec<(String, String)> {
    request.headers.iter().map(|(name, template)| (name.clone(), template.render(value))).collect()
}

/// What is said of each of these sources, one after the other.
pub(super) fn said(bad: &[&str]) -> String {
    bad.iter().map(|keys| errors(&source(keys)).replace("etl-orch.yaml:", "")).collect::<Vec<_>>().join("\n")
}

#[test]
fn defaults_of_a_source_are_those_of_the_specification() {
    let directory = directory(&[("etl-orch.yaml", &source("every: 6h, command: [x]"))]);
    let config = load_in(directory.path(), &[]).unwrap();
    assert!(config.catalogue.etls.is_empty() && config.catalogue.institutions.is_empty(), "sources alone need no banks");
    let source = &config.catalogue.sources[0];
    assert_eq!((source.id.as_str(), source.name.as_str()), ("a", "a"));
    assert_eq!((source.cadence.every, source.cadence.zone), (6 * HOUR, None));
    assert_eq!((source.catch_up, source.max_windows, source.lag), (CatchUp::Coalesce, 28, Duration::ZERO));
    assert_eq!((source.start, source.lookback_days), (None, 30));
    assert_eq!((source.warn_after, source.error_after), (7 * HOUR, 13 * HOUR));
    assert_eq!((&source.records, &source.verify, &source.freshness), (&None, &None, &None));
    assert_eq!((&source.pool, &source.version), (&None, &None));
    assert_eq!(source.retry, crate::plan::model::retry::RetryPolicy::default());
    let Work::Command { command, exit_codes } = &source.work else { panic!("a program") };
    assert_eq!((command.timeout, command.grace), (HOUR, Duration::from_secs(10)));
    assert_eq!(command.cwd, directory.path().canonicalize().unwrap());
    assert_eq!(*exit_codes, crate::plan::model::outcome::ExitCodes::default());
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
    verify: {command: [check, '{window_start}', '{job_id}'], cwd: /srv, env: {SOURCE: '{source}'}, timeout: 1m, grace: 1s}
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
    let source = load_text(text).unwrap().catalogue.sources[0].clone();
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
    let Work::Command { exit_codes, .. } = &source.work else { panic!("a program") };
    assert_eq!(exit_codes.config, [2].into());
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
    insta::assert_snapshot!(errors(&names), @r#"etl-orch.yaml:2:11: "A b" cannot name a source; write small letters, digits, "_" and "-", the first a letter or digit"#);
    // ETLs and sources are not told apart by their names.
    let both = with("etls: {a: {report_type: A, requires: [t], command: [x]}}\nsources: {a: {every: 1h, command: [x]}}\n");
    assert!(load_text(&both).is_ok());
}

#[test]
fn a_broken_source_is_no_missing_one() {
    insta::assert_snapshot!(errors(&with("sources: {a: 5}\n")), @r"etl-orch.yaml:2:14: sources.a: expected a mapping, found a number");
    insta::assert_snapshot!(errors(&with("sources: 5\n")), @r"etl-orch.yaml:2:10: sources: expected a mapping, found a number");
    insta::assert_snapshot!(errors(&with("sources: {}\n")), @r"etl-orch.yaml:1:1: nothing is configured; add an ETL under etls, or a source under sources");
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
        "every: 6h, catch_up: coalesce, independent: true, command: [x]",
        "every: 6h, independent: maybe, max_windows: 2, command: [x]",
    ]), @r#"
    3:3: a has no every; say how long its windows are, every: 6h
    3:14: sources.a.every must be at least 1m
    3:14: sources.a.every must be whole seconds
    3:14: sources.a.every: not a duration; write it like 15m or 1h 30m
    3:18: timezone has an effect only where every is whole days; make it 1d, or remove it
    3:28: "America/New_Yrok" is no time zone; write a name such as America/New_York; did you mean America/New_York, America/Fort_Wayne, America/Dawson_Creek?
    3:28: "nowhere" is no time zone; write a name such as America/New_York
    3:28: sources.a.catch_up: must be one of coalesce, each
    3:59: sources.a.lookback must be whole days, such as 30d
    3:18: max_windows has an effect only with catch_up: each; set that, or remove it
    3:47: sources.a.max_windows must be from 1 to 10000
    3:55: sources.a.lag: not a duration; write it like 15m or 1h 30m
    3:25: "yesterday" is no time; write a date like 2026-01-01, or a time like 2026-01-01T06:00:00Z
    3:46: sources.a.lookback must be whole days, such as 30d
    3:25: sources.a.start must be from 1970 to 2999
    3:25: sources.a.start must be from 1970 to 2999
    3:30: warn_after, which is 20h, must not be longer than error_after, which is 13h
    3:30: sources.a.warn_after must be longer than 0s
    3:31: warn_after, which is 7h, must not be longer than error_after, which is 6h
    3:38: independent windows are collected by a job for each; set catch_up: each, or remove one of the two
    3:31: sources.a.independent: expected a boolean, found text
    "#);
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
    ]), @r#"
    3:3: a has neither command nor http; write what collects it
    3:18: a has command and http; keep one of the two
    3:95: timeout has an effect only beside command; write it in http
    3:108: cwd has an effect only beside command; remove it
    3:116: env has an effect only beside command; remove it
    3:125: env_file has an effect only beside command; remove it
    3:138: grace has an effect only beside command; remove it
    3:149: exit_codes has an effect only beside command; remove it
    3:27: sources.a.command: expected a list, found text; write it like [a, b]
    3:3: a has no command; write it as a list, [program, argument, ...]
    3:31: unknown key "htp" in sources.a; did you mean http?
    3:28: the program of a is empty
    3:32: placeholder {bank_symbol} has no value here; those that have are source, window_start, window_end, window_year, lookback_days, job_id, run_id, attempt, work_dir
    3:49: placeholder {output} has no value here; those that have are source, window_start, window_end, window_year, lookback_days, job_id, run_id, attempt, work_dir
    3:61: placeholder {remote_id} has a value only in status, cancel and the verify of a source, once the trigger has been answered
    3:76: unknown placeholder {window_strt}; did you mean window_start, window_year, window_end?
    3:100: ETL_ORCH_SOURCE is set by etl-orch itself; choose a name without ETL_ORCH_
    3:143: an exit code in a class must be from 1 to 255; 0 is success
    3:39: grace 5m must be shorter than a third of the lease, which is 10m; shorten it, or lengthen the lease
    3:52: sources.a.timeout must be longer than 0s
    3:86: grace 5m must be shorter than a third of the lease, which is 10m; shorten it, or lengthen the lease
    3:97: sources.a.pool is "p", which is no pool here; there are none, add it under pools
    3:109: sources.a.version is empty
    3:120: sources.a.name is empty
    "#);
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
    ]), @r#"
    3:32: verify of a has neither sql nor command; write one of them
    3:44: freshness of a has no sql; write a query for the time of the newest data
    3:58: verify of a is sql, which has no command; keep one of the two
    3:72: verify of a is sql, which has no grace; keep one of the two
    3:46: sources.a.verify.sql is empty
    3:69: sources.a.freshness.sql is empty
    3:46: placeholder {work_dir} has no value here; those that have are source, window_start, window_end, window_year, lookback_days, job_id, run_id
    3:46: unknown placeholder {window_ende}; did you mean window_end, window_year, window_start?
    3:46: unbalanced '{'; write {{ or }} for a brace itself
    3:109: freshness is the same for all windows; {window_end} is not filled in here
    3:51: placeholder {remote_id} has a value only in status, cancel and the verify of a source, once the trigger has been answered
    3:66: placeholder {period} has no value here; those that have are source, window_start, window_end, window_year, lookback_days, job_id, run_id, attempt, work_dir
    3:50: sources.a.verify.command: expected a list, found text; write it like [a, b]
    3:32: sources.a.records is empty; write a pattern, such as "Completed: (\d+) transactions"
    3:42: a program's lines have no pointer; write a pattern for the line that has the number
    3:51: sources.a.records.pattern has no group; put ( ) around the number
    3:51: sources.a.records.pattern is no regular expression: unclosed group
    3:18: records stands here and in http; keep one of the two
    3:37: "n" is no JSON pointer; write "/n"
    "#);
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
    insta::assert_snapshot!(said, @r#"
    etl-orch.yaml:6:12: sources.a.every: not a duration; write it like 15m or 1h 30m
    etl-orch.yaml:8:15: sources.a.catch_up: must be one of coalesce, each
    etl-orch.yaml:9:12: (from ${S}) is no time; write a date like 2026-01-01, or a time like 2026-01-01T06:00:00Z
    etl-orch.yaml:10:15: sources.a.lookback: not a duration; write it like 15m or 1h 30m
    etl-orch.yaml:11:11: sources.a.pool is (from ${S}), which is no pool here; there are none, add it under pools
    etl-orch.yaml:13:19: unknown placeholder
    etl-orch.yaml:15:28: header X-API-Key holds a control character, such as the end of a line, or one beyond ASCII; remove it
    etl-orch.yaml:15:47: variable UNSET is not set; set it in the environment or in .env beside the configuration, or write ${UNSET:-default}
    etl-orch.yaml:16:25: sources.a.http.trigger.method: must be one of GET, POST, PUT, PATCH, DELETE
    etl-orch.yaml:16:38: sources.a.http.trigger.url must begin with http:// or https:// and a host
    etl-orch.yaml:16:61: unknown placeholder
    etl-orch.yaml:16:71: variable UNSET is not set; set it in the environment or in .env beside the configuration, or write ${UNSET:-default}
    etl-orch.yaml:17:15: (from ${S}) is no JSON pointer; begin it with "/"
    etl-orch.yaml:18:21: sources.a.http.status.url has a user or a password in it; put them into a header, headers: {Authorization: "..."}
    etl-orch.yaml:18:57: (from ${S}) is no JSON pointer; begin it with "/"
    etl-orch.yaml:18:95: state (from ${S}) is in succeeded and in failed; keep one
    etl-orch.yaml:18:111: sources.a.http.status.every: not a duration; write it like 15m or 1h 30m
    etl-orch.yaml:19:21: sources.a.http.cancel.url is no address: invalid port number
    etl-orch.yaml:20:26: (from ${S}) is no JSON pointer; begin it with "/"
    etl-orch.yaml:20:43: sources.a.http.records.pattern is no regular expression: unclosed group
    etl-orch.yaml:21:28: (from ${S}) is no time zone; write a name such as America/New_York
    etl-orch.yaml:21:43: (from ${S}) is no time; write a date like 2026-01-01, or a time like 2026-01-01T06:00:00Z
    etl-orch.yaml:21:57: sources.b.pool is (from ${S}), which is no pool here; there are none, add it under pools
    etl-orch.yaml:21:75: unknown placeholder
    etl-orch.yaml:21:105: sources.b.records.pattern has no group; put ( ) around the number
    "#);
}
