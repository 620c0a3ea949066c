//! `tell.opentelemetry`, `tell.openlineage` and `tell.events_file` in whole files.

use super::*;
use crate::plan::model::tell::{Headers, OpenTelemetry, TellSettings};

fn told(tell: &str, environment: &[(&str, &str)]) -> Result<Config, String> {
    let text = etl_with(&format!("tell:\n{tell}"));
    let directory = directory(&[("etl-orch.yaml", &text), ("monitored_institutions.yaml", BANKS)]);
    load_in(directory.path(), environment)
}

fn exposed(headers: &Headers) -> Vec<(&str, &str)> {
    headers.iter().map(|(name, value)| (name.as_str(), value.expose_secret())).collect()
}

const VARIABLES: [(&str, &str); 3] = [
    ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4318"),
    ("OTEL_EXPORTER_OTLP_HEADERS", "api-key=opensesame%21, x-tenant = reports"),
    ("OTEL_SERVICE_NAME", "nightly"),
];

#[test]
fn opentelemetrys_variables_serve_where_the_file_says_nothing_but_only_if_it_has_the_section() {
    assert!(told("  timeout: 1s\n", &VARIABLES).unwrap().tell.opentelemetry.is_none());
    let config = told("  opentelemetry: {}\n", &VARIABLES).unwrap();
    let OpenTelemetry { endpoint, headers, service_name } = config.tell.opentelemetry.unwrap();
    assert_eq!((endpoint.expose(), service_name.as_str()), ("http://collector:4318", "nightly"));
    assert_eq!(exposed(&headers), [("api-key", "opensesame!"), ("x-tenant", "reports")]);
    assert_eq!(config.secrets.clean("the key opensesame!"), "the key [redacted]");
    let written = "  opentelemetry: {endpoint: 'https://h/otlp', headers: {Authorization: Bearer opensesame}, service_name: etl}\n";
    let config = told(written, &VARIABLES).unwrap();
    let OpenTelemetry { endpoint, headers, service_name } = config.tell.opentelemetry.unwrap();
    assert_eq!((endpoint.expose(), service_name.as_str()), ("https://h/otlp", "etl"));
    assert_eq!(exposed(&headers), [("Authorization", "Bearer opensesame")]);
    assert_eq!(config.secrets.clean("opensesame"), "[redacted]");
}

#[test]
fn openlineage_and_the_events_file_have_their_defaults() {
    let config = told("  openlineage: {url: 'http://marquez:5000'}\n  events_file: var/events.jsonl\n", &[]).unwrap();
    let TellSettings { openlineage, events_file, .. } = config.tell;
    let openlineage = openlineage.unwrap();
    assert_eq!((openlineage.url.expose(), openlineage.namespace.as_str()), ("http://marquez:5000", "etl-orch"));
    assert!(events_file.unwrap().ends_with("var/events.jsonl"));
}

#[test]
fn mistakes_are_named_with_their_places() {
    let wrong = "  opentelemetry: {endpoint: 'collector:4318', headers: {'a b': x, ok: ''}, service_name: ' '}\n  openlineage: {namespace: ''}\n  events_file: ~/x\n";
    insta::assert_snapshot!(told(wrong, &[]).unwrap_err(), @r#"
    etl-orch.yaml:8:29: tell.opentelemetry.endpoint must begin with http:// or https:// and a host
    etl-orch.yaml:8:57: "a b" cannot name a header; write letters, digits and "-"
    etl-orch.yaml:8:71: header ok is empty; give it a value, or remove it
    etl-orch.yaml:8:90: tell.opentelemetry.service_name is empty
    etl-orch.yaml:9:3: tell.openlineage.url is missing; write its address, https://...
    etl-orch.yaml:9:28: tell.openlineage.namespace is empty
    etl-orch.yaml:10:16: tell.events_file begins with ~, which only a shell fills in; write ${HOME}
    "#);
    insta::assert_snapshot!(told("  opentelemetry: {}\n", &[]).unwrap_err(), @"etl-orch.yaml:8:3: tell.opentelemetry.endpoint is missing; write its address, https://..., or set OTEL_EXPORTER_OTLP_ENDPOINT");
    let environment = [("OTEL_EXPORTER_OTLP_ENDPOINT", "collector:4318")];
    insta::assert_snapshot!(told("  opentelemetry: {}\n", &environment).unwrap_err(), @"etl-orch.yaml:8:3: OTEL_EXPORTER_OTLP_ENDPOINT must begin with http:// or https:// and a host");
}
