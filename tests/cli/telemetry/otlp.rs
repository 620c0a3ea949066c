//! A strict reader of OTLP's JSON: whatever the protocol does not have is refused. Where `scripts/test.sh` could install it, OpenTelemetry's own
//! decoder reads each request too.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::python;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Request {
    resource_spans: Vec<ResourceSpans>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct ResourceSpans {
    resource: Resource,
    scope_spans: Vec<ScopeSpans>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Resource {
    attributes: Vec<KeyValue>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ScopeSpans {
    scope: Scope,
    spans: Vec<Span>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Scope {
    name: String,
    version: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Span {
    pub(crate) trace_id: String,
    #[serde(rename = "spanId")]
    pub(crate) id: String,
    pub(crate) parent_span_id: Option<String>,
    pub(crate) name: String,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<KeyValue>,
    pub(crate) status: Status,
}

#[derive(Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
pub(crate) struct Status {
    pub(crate) code: u8,
    pub(crate) message: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct KeyValue {
    key: String,
    value: AnyValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
enum AnyValue {
    StringValue(String),
    IntValue(String),
}

impl Span {
    pub(crate) fn attribute(&self, key: &str) -> Option<&str> {
        let (AnyValue::StringValue(text) | AnyValue::IntValue(text)) = &self.attributes.iter().find(|one| one.key == key)?.value;
        Some(text)
    }

    fn check(&self) {
        let is_id = |id: &str, digits| id.len() == digits && id.bytes().all(|b| b.is_ascii_hexdigit()) && id.bytes().any(|b| b != b'0');
        assert!(is_id(&self.trace_id, 32) && is_id(&self.id, 16), "{self:?}");
        assert!(self.parent_span_id.as_ref().is_none_or(|id| is_id(id, 16)), "{self:?}");
        let time = |text: &str| text.parse::<u64>().expect("nanoseconds");
        assert!(time(&self.start_time_unix_nano) <= time(&self.end_time_unix_nano), "{self:?}");
        assert!((1..=5).contains(&self.kind) && self.status.code <= 2 && !self.name.is_empty(), "{self:?}");
        for one in &self.attributes {
            let is_well = match &one.value {
                AnyValue::StringValue(_) => true,
                AnyValue::IntValue(number) => number.parse::<i64>().is_ok(),
            };
            assert!(is_well, "{one:?}");
        }
    }
}

/// The spans of a request, and its resource.
pub(crate) fn read(body: &str) -> (Vec<Span>, BTreeMap<String, String>) {
    decode(body);
    let Request { resource_spans } = serde_json::from_str(body).unwrap_or_else(|error| panic!("{error}: {body}"));
    let [ResourceSpans { resource, scope_spans }] = <[_; 1]>::try_from(resource_spans).unwrap_or_else(|_| panic!("one resource: {body}"));
    let [ScopeSpans { scope, spans }] = <[_; 1]>::try_from(scope_spans).unwrap_or_else(|_| panic!("one scope: {body}"));
    assert_eq!((scope.name.as_str(), scope.version.as_str()), ("etl-orch", env!("CARGO_PKG_VERSION")));
    spans.iter().for_each(Span::check);
    let text = |value| match value {
        AnyValue::StringValue(text) | AnyValue::IntValue(text) => text,
    };
    (spans, resource.attributes.into_iter().map(|KeyValue { key, value }| (key, text(value))).collect())
}

/// Reads it with OpenTelemetry's own decoder, if that is there.
fn decode(body: &str) {
    let program = "import sys; from google.protobuf import json_format\n\
         from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest\n\
         print(sum(len(s.spans) for r in json_format.Parse(sys.stdin.read(), ExportTraceServiceRequest()).resource_spans for s in r.scope_spans))";
    if let Some(said) = python::said(program, body) {
        let spans = body.matches("\"spanId\"").count();
        assert_eq!(said, spans.to_string());
    }
}
