//! Services of sources in whole files.

use serde_json::json;

use super::sources::*;
use super::*;
use crate::plan::model::source::{CatchUp, Source, Verify};
use crate::plan::model::work::{HttpMethod, Rate};
use crate::plan::text::body::Body;
use crate::plan::text::placeholder::Placeholder;

#[test]
fn defaults_of_a_service_are_those_of_the_specification() {
    let source = one(&format!("every: 6h, {MINIMAL_HTTP}"));
    let spec = http(&source);
    assert_eq!((spec.trigger.method, spec.status.method, &spec.cancel), (HttpMethod::Post, HttpMethod::Get, &None));
    assert_eq!((spec.job_id.as_str(), spec.state.as_str()), ("/job_id", "/status"));
    let optional = [&spec.message, &spec.progress, &spec.total].map(|pointer| pointer.as_deref().unwrap());
    assert_eq!(optional, ["/message", "/progress", "/total"]);
    assert_eq!((&spec.succeeded[..], &spec.failed[..]), (&["completed".to_owned()][..], &["failed".to_owned(), "error".to_owned()][..]));
    assert_eq!((spec.every, spec.request_timeout, spec.timeout), (Duration::from_secs(10), Duration::from_secs(30), HOUR));
    assert_eq!((spec.rate, &spec.success_if, spec.follows_location), (None, &None, false));
    assert_eq!((&spec.ca_file, &spec.trigger.json), (&None, &None));
}

#[test]
#[expect(clippy::too_many_lines, reason = "one text, read as a whole")]
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
      success_if: {pointer: /total, pattern: '(\d+) rows', min: 5}
      ca_file: ca.pem
      records: {pointer: /m, pattern: '(\d+) inserted, (\d+) updated'}
"#;
    let directory = directory(&[("etl-orch.yaml", text), ("monitored_institutions.yaml", BANKS)]);
    let config = load_in(directory.path(), &[("KEY", "s3cret{x}"), ("N", "100")]).unwrap();
    assert!(!format!("{config:?}").contains("s3cret"), "{config:?}");
    let source = &config.catalogue.sources[0];
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
    assert_eq!((spec.trigger.method, spec.status.method), (HttpMethod::Put, HttpMethod::Post));
    assert_eq!((spec.job_id.as_str(), spec.state.as_str()), ("/data/id", ""));
    let optional = [&spec.message, &spec.progress, &spec.total].map(|pointer| pointer.as_deref().unwrap());
    assert_eq!(optional, ["/m", "/p", "/n"]);
    assert_eq!((&spec.succeeded[..], &spec.failed[..]), (&["done".to_owned()][..], &["broken".to_owned()][..]));
    let cancel = spec.cancel.as_ref().unwrap();
    assert_eq!((cancel.method, body(cancel).as_str()), (HttpMethod::Delete, r#"{"id":"<remote_id>"}"#));
    assert_eq!((spec.every, spec.timeout, spec.request_timeout), (Duration::from_secs(1), 2 * HOUR, Duration::from_secs(5)));
    let success = spec.success_if.as_ref().unwrap();
    assert_eq!(success.unmet(&json!({"total": "5 rows"})), None);
    assert_eq!(success.unmet(&json!({"total": "4 rows"})).unwrap(), "the number at /total is 4, and success_if wants at least 5");
    assert_eq!(success.unmet(&json!({})).unwrap(), "there is no number at /total, and success_if wants at least 5");
    assert_eq!(spec.rate, Some(Rate { requests: 3, per: Duration::from_secs(1) }));
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
    assert_eq!(body(&http(&config.catalogue.sources[0]).trigger), expected);
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
        trigger("url: 'https://me:12/hunter@h/t'"),
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
    insta::assert_snapshot!(said(&keys.iter().map(String::as_str).collect::<Vec<_>>()), @r##"
    3:25: sources.a.http.trigger has no url; write its address, https://...
    3:43: sources.a.http.trigger.method: must be one of GET, POST, PUT, PATCH, DELETE
    3:40: sources.a.http.trigger.url must begin with http:// or https:// and a host
    3:40: sources.a.http.trigger.url must begin with http:// or https:// and a host
    3:40: sources.a.http.trigger.url is no address: empty host
    3:40: sources.a.http.trigger.url must begin with http:// or https:// and a host
    3:40: sources.a.http.trigger.url is no address: invalid port number
    3:40: sources.a.http.trigger.url has a user or a password in it; put them into a header, headers: {Authorization: "..."}
    3:40: sources.a.http.trigger.url has an "@" behind its host; write it as %40 if it belongs there, and put a user and a password into a header
    3:40: sources.a.http.trigger.url has a placeholder in its host or port, which must be known beforehand; put placeholders after them
    3:40: sources.a.http.trigger.url has a placeholder in its host or port, which must be known beforehand; put placeholders after them
    3:40: sources.a.http.trigger.url must begin with http:// or https:// and a host
    3:40: sources.a.http.trigger.url holds a space, a backslash or a control character; remove it
    3:40: sources.a.http.trigger.url has a part after "#", which is never sent; remove it
    3:40: placeholder {remote_id} has a value only in status, cancel and the verify of a source, once the trigger has been answered
    3:75: placeholder {remote_id} has a value only in status, cancel and the verify of a source, once the trigger has been answered
    3:94: placeholder {bank_key} has no value here; those that have are source, window_start, window_end, window_year, lookback_days, job_id, run_id, attempt, work_dir
    3:117: unbalanced '}'; write {{ or }} for a brace itself
    3:63: "A b" cannot name a header; write letters, digits and "-"
    3:73: "X-Ä" cannot name a header; write letters, digits and "-"
    3:86: header X-A holds a control character, such as the end of a line, or one beyond ASCII; remove it
    3:99: header X-B holds a control character, such as the end of a line, or one beyond ASCII; remove it
    3:109: header X-C is empty; give it a value, or remove it
    3:113: header x-a is given twice; keep one, capitals make no difference
    3:126: unknown placeholder {nonsense}
    3:18: http of a has no trigger; write the request that starts the job
    3:18: http of a has no status; write the request that asks for the job's state
    3:25: sources.a.http.trigger has no url; write its address, https://...
    3:50: sources.a.http.cancel has no url; write its address, https://...
    3:34: sources.a.http.trigger: expected a mapping, found a number
    3:51: the url of status must name the job; add {remote_id}
    3:70: unknown key "json" in sources.a.http.status; valid keys here are method, url, headers, every, state, succeeded, failed, message, progress, total
    "##);
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
        status("failed: [failed, COMPLETED]"),
        inside("success_if: {min: 0}"),
        inside("success_if: {pointer: total, pattern: x}"),
        inside("job_id: /id").replace("url: 'http://h/{remote_id}'", ""),
    ]
    .map(|keys| format!("every: 6h, {keys}"))
    .into();
    insta::assert_snapshot!(said(&keys.iter().map(String::as_str).collect::<Vec<_>>()), @r#"
    3:100: "status" is no JSON pointer; write "/status"
    3:117: "m" is no JSON pointer; write "/m"
    3:130: "p" is no JSON pointer; write "/p"
    3:140: "t/" is no JSON pointer; write "/t/"
    3:116: state "error" is in succeeded and in failed; keep one
    3:110: state "completed" is in succeeded and in failed; keep one
    3:121: state "b" is in succeeded and in failed; keep one
    3:93: sources.a.http.status.succeeded is empty; name the states
    3:117: sources.a.http.status.failed is empty
    3:104: sources.a.http.status.succeeded: expected a list, found text; write it like [a, b]
    3:119: sources.a.http.status.failed: expected text, found a number; quote it
    3:100: sources.a.http.status.every must be longer than 0s
    3:100: the state is asked for every 2h, which must be shorter than the timeout, which is 1h
    3:34: the state is asked for every 10s, which must be shorter than the timeout, which is 10s
    3:56: sources.a.http.request_timeout must be longer than 0s
    3:33: "id" is no JSON pointer; write "/id"
    3:46: sources.a.http.ca_file is empty
    3:67: sources.a.http.rate.requests must be from 1 to 10000
    3:75: sources.a.http.rate.per must be longer than 0s
    3:32: unknown key "request" in sources.a.http.rate; did you mean requests?
    3:45: unknown key "hedaers" in sources.a.http; did you mean headers?
    3:110: state "COMPLETED" is in succeeded and in failed; keep one
    3:25: sources.a.http.success_if has no pointer; say where the answer has the number
    3:43: sources.a.http.success_if.min must be from 1 to 1000000000
    3:47: "total" is no JSON pointer; write "/total"
    3:63: sources.a.http.success_if.pattern has no group; put ( ) around the number
    3:25: job_id has an effect only where status has a url; write that, or remove it
    "#);
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
        ("eu_parliament", "EU Parliament Disclosures", r#"{"source":"eu_parliament"}"#, others),
        ("uk_parliament", "UK Parliament Disclosures", r#"{"source":"uk_parliament"}"#, others),
        ("california", "California Disclosures", r#"{"source":"california"}"#, others),
    ];
    assert_eq!(config.catalogue.sources.len(), expected.len());
    for (source, (id, name, sent, message)) in config.catalogue.sources.iter().zip(expected) {
        assert_eq!((source.id.as_str(), source.name.as_str()), (id, name));
        assert_eq!((source.cadence.every, source.cadence.zone, source.catch_up), (6 * HOUR, None, CatchUp::Coalesce));
        assert_eq!((source.warn_after, source.error_after, source.lookback_days), (7 * HOUR, 13 * HOUR, 30));
        let spec = http(source);
        assert_eq!(body(&spec.trigger), sent, "{id}");
        assert_eq!(spec.timeout, if id == "eu_parliament" { 2 * HOUR } else { HOUR });
        assert_eq!((spec.trigger.method, spec.status.method), (HttpMethod::Post, HttpMethod::Get));
        let service = "https://politician-trading-etl.fly.dev/etl";
        assert_eq!(spec.trigger.url.render(value), format!("{service}/trigger"));
        assert_eq!(spec.status.url.render(value), format!("{service}/status/<remote_id>"));
        for request in [&spec.trigger, &spec.status] {
            assert_eq!(headers(request), [("X-API-Key".to_owned(), "s3cret".to_owned())]);
        }
        assert_eq!(spec.rate, Some(Rate { requests: 10, per: Duration::from_secs(60) }));
        let records = source.records.as_ref().unwrap();
        assert_eq!(records.in_answer(&json!({"status": "completed", "message": message})), Some(17), "{id}");
    }
    let uses = |source: &Source, placeholder| matches!(http(source).trigger.json.as_ref().map(Body::placeholders), Some(used) if used.contains(&placeholder));
    assert!(uses(&config.catalogue.sources[0], Placeholder::WindowYear) && uses(&config.catalogue.sources[1], Placeholder::LookbackDays));
}
