//! OTLP's JSON: ids in hexadecimal digits, 64-bit numbers as texts, names in camel case.

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use crate::plan::model::trace_context::TraceContext;
use crate::plan::run::spans::{Attribute, Span, Status, Value};
use crate::plan::text::size::shortened;

/// Most bytes of a receiver's message.
const LONGEST_MESSAGE: usize = 300;

/// `SPAN_KIND_INTERNAL`
const INTERNAL: u8 = 1;

/// Who the spans are of.
pub(super) struct Resource<'a> {
    pub(super) service: &'a str,
    pub(super) host: &'a str,
}

/// The body of a request.
pub(super) fn request(resource: &Resource<'_>, trace: &TraceContext, spans: &[Span]) -> serde_json::Result<Vec<u8>> {
    let version = env!("CARGO_PKG_VERSION");
    let texts = [("service.name", resource.service), ("service.version", version), ("host.name", resource.host)];
    let trace_id = trace.trace_id();
    serde_json::to_vec(&Request {
        resource_spans: [ResourceSpans {
            resource: Attributes { attributes: texts.into_iter().map(|(key, text)| KeyValue::text(key, text)).collect() },
            scope_spans: [ScopeSpans {
                scope: Scope { name: "etl-orch", version },
                spans: spans.iter().map(|span| WireSpan::new(&trace_id, span)).collect(),
            }],
        }],
    })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Request<'a> {
    resource_spans: [ResourceSpans<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ResourceSpans<'a> {
    resource: Attributes<'a>,
    scope_spans: [ScopeSpans<'a>; 1],
}

#[derive(Serialize)]
struct Attributes<'a> {
    attributes: Vec<KeyValue<'a>>,
}

#[derive(Serialize)]
struct ScopeSpans<'a> {
    scope: Scope,
    spans: Vec<WireSpan<'a>>,
}

#[derive(Serialize)]
struct Scope {
    name: &'static str,
    version: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct WireSpan<'a> {
    trace_id: &'a str,
    span_id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    parent_span_id: Option<String>,
    name: &'a str,
    kind: u8,
    start_time_unix_nano: String,
    end_time_unix_nano: String,
    attributes: Vec<KeyValue<'a>>,
    status: WireStatus<'a>,
}

impl<'a> WireSpan<'a> {
    fn new(trace_id: &'a str, span: &'a Span) -> Self {
        Self {
            trace_id,
            span_id: span.id.to_string(),
            parent_span_id: span.parent.map(|parent| parent.to_string()),
            name: &span.name,
            kind: INTERNAL,
            start_time_unix_nano: nanoseconds(span.begun_at),
            end_time_unix_nano: nanoseconds(span.ended_at),
            attributes: span.attributes.iter().map(KeyValue::new).collect(),
            status: match &span.status {
                Status::Unset => WireStatus { code: 0, message: None },
                Status::Ok => WireStatus { code: 1, message: None },
                Status::Error(message) => WireStatus { code: 2, message: Some(message) },
            },
        }
    }
}

#[derive(Serialize)]
struct WireStatus<'a> {
    code: u8,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<&'a str>,
}

#[derive(Serialize)]
struct KeyValue<'a> {
    key: &'a str,
    value: AnyValue<'a>,
}

impl<'a> KeyValue<'a> {
    fn new(attribute: &'a Attribute) -> Self {
        let value = match &attribute.value {
            Value::Text(text) => AnyValue::StringValue(text),
            Value::Integer(number) => AnyValue::IntValue(number.to_string()),
        };
        Self { key: &attribute.key, value }
    }

    fn text(key: &'a str, text: &'a str) -> Self {
        Self { key, value: AnyValue::StringValue(text) }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
enum AnyValue<'a> {
    StringValue(&'a str),
    IntValue(String),
}

fn nanoseconds(at: DateTime<Utc>) -> String {
    // Within the years that fit.
    at.timestamp_nanos_opt().unwrap_or_default().to_string()
}

/// What a receiver says of spans that it did not take, and never will; `None` where it took all. A warning that comes with all of them is no
/// refusal.
pub(super) fn complaint(answer: &[u8]) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Answer {
        partial_success: Option<PartialSuccess>,
    }
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct PartialSuccess {
        rejected_spans: Option<Json>,
        error_message: Option<String>,
    }
    // An answer in another form has said by its status that all is well.
    let partial = serde_json::from_slice::<Answer>(answer).ok()?.partial_success?;
    let rejected = match partial.rejected_spans? {
        Json::String(text) => text.parse().ok()?,
        number => number.as_u64()?,
    };
    let why =
        partial.error_message.filter(|message| !message.is_empty()).map(|message| format!(": {}", shortened(&message, LONGEST_MESSAGE)));
    (rejected > 0).then(|| format!("did not take {rejected} of the spans{}", why.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::run::spans::Spans;
    use crate::plan::test_events::{at, end, events, run_id};

    #[test]
    fn a_request_is_as_the_protocol_has_it() {
        let trace = TraceContext::new(run_id(), None);
        let mut all = Spans::new(run_id(), trace, at(0));
        let job: Vec<Span> =
            events().iter().flat_map(|event| all.event(event)).filter(|span| span.name.starts_with("key_themes")).collect();
        let spans: Vec<Span> = job.into_iter().chain(all.run(&end(1))).collect();
        let body = request(&Resource { service: "reports", host: "etl-1" }, &trace, &spans).unwrap();
        let version = format!("\"{}\"", env!("CARGO_PKG_VERSION"));
        let json = String::from_utf8(body).unwrap().replace(&version, "\"VERSION\"").replace("},{", "},\n{");
        insta::assert_snapshot!(json, @r#"
        {"resourceSpans":[{"resource":{"attributes":[{"key":"service.name","value":{"stringValue":"reports"}},
        {"key":"service.version","value":{"stringValue":"VERSION"}},
        {"key":"host.name","value":{"stringValue":"etl-1"}}]},"scopeSpans":[{"scope":{"name":"etl-orch","version":"VERSION"},"spans":[{"traceId":"00000000000000000000000000007007","spanId":"8bea429d88eb4dcd","parentSpanId":"5d427754512bc5c3","name":"key_themes TD-CA","kind":1,"startTimeUnixNano":"1768544102000000000","endTimeUnixNano":"1768544106000000000","attributes":[{"key":"etl_orch.job_id","value":{"stringValue":"00000000-0000-0000-0000-000000002002"}},
        {"key":"etl_orch.gap","value":{"stringValue":"TD-CA/2025Q2/key_themes"}},
        {"key":"etl_orch.bank","value":{"stringValue":"TD-CA"}},
        {"key":"etl_orch.period","value":{"stringValue":"2025Q2"}},
        {"key":"etl_orch.etl","value":{"stringValue":"key_themes"}},
        {"key":"etl_orch.state","value":{"stringValue":"failed"}},
        {"key":"etl_orch.attempts","value":{"intValue":"1"}},
        {"key":"etl_orch.outcome","value":{"stringValue":"signal"}},
        {"key":"error.type","value":{"stringValue":"signal"}},
        {"key":"etl_orch.signal","value":{"intValue":"11"}},
        {"key":"log.file.path","value":{"stringValue":"/var/logs/2026-01-16/1001/1.log"}}],"status":{"code":2,"message":"ended by signal 11"}},
        {"traceId":"00000000000000000000000000007007","spanId":"5d427754512bc5c3","name":"run","kind":1,"startTimeUnixNano":"1768544100000000000","endTimeUnixNano":"1768544116000000000","attributes":[{"key":"etl_orch.run_id","value":{"stringValue":"00000000-0000-0000-0000-000000007007"}},
        {"key":"process.exit.code","value":{"intValue":"1"}},
        {"key":"etl_orch.jobs","value":{"intValue":"3"}},
        {"key":"etl_orch.jobs.succeeded","value":{"intValue":"1"}},
        {"key":"etl_orch.jobs.failed","value":{"intValue":"1"}},
        {"key":"etl_orch.jobs.cancelled","value":{"intValue":"1"}}],"status":{"code":2,"message":"1 of 3 jobs failed"}}]}]}]}
        "#);
    }

    #[test]
    fn an_answer_tells_of_spans_that_were_not_taken() {
        let of = |answer: &str| complaint(answer.as_bytes());
        for all_well in ["", "{}", "ok", r#"{"partialSuccess":{}}"#, r#"{"partialSuccess":{"errorMessage":"deprecated"}}"#] {
            assert_eq!(of(all_well), None, "{all_well}");
        }
        let refused = r#"{"partialSuccess":{"rejectedSpans":"3","errorMessage":"too old"}}"#;
        assert_eq!(of(refused).unwrap(), "did not take 3 of the spans: too old");
        assert_eq!(of(r#"{"partialSuccess":{"rejectedSpans":1}}"#).unwrap(), "did not take 1 of the spans");
    }
}
