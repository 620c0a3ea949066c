use chrono::TimeZone;
use proptest::prelude::*;

use super::*;

fn status(name: &str, state: StageState, at: Option<DateTime<Utc>>) -> Message {
    Message::Status { stage: name.to_owned(), state, at }
}

#[test]
fn messages_are_read() {
    let at = Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).single();
    let millis = at.unwrap().timestamp_millis();
    for (line, message) in [
        (
            format!(
                r#"{{"type":"TRACE","trace":{{"type":"STREAM_STATUS","emitted_at":{millis},"stream_status":{{"stream_descriptor":{{"name":"DNC Check"}},"status":"STARTED","reasons":[]}}}}}}"#
            ),
            status("DNC Check", StageState::Started, at),
        ),
        (
            format!(
                r#"{{"type":"TRACE","trace":{{"type":"STREAM_STATUS","emitted_at":{millis}.0,"stream_status":{{"stream_descriptor":{{"name":"a","namespace":"b"}},"status":"INCOMPLETE"}}}}}}"#
            ),
            status("b.a", StageState::Incomplete, at),
        ),
        (
            r#"{"type":"TRACE","trace":{"type":"ESTIMATE","estimate":{"type":"STREAM","name":"a","row_estimate":245}}}"#.to_owned(),
            Message::Estimate { stage: Some(("a".to_owned(), 245)), at: None },
        ),
        (
            r#"{"type":"TRACE","trace":{"type":"ESTIMATE","estimate":{"type":"SYNC","name":"a","row_estimate":245}}}"#.to_owned(),
            Message::Estimate { stage: None, at: None },
        ),
        (
            r#"{"type":"TRACE","trace":{"type":"ERROR","emitted_at":-5,"error":{"message":"no key","failure_type":"config_error"}}}"#.to_owned(),
            Message::Error(ChildError { message: "no key".to_owned(), fault: Some(Fault::Configuration) }),
        ),
        (
            r#"{"type":"TRACE","trace":{"type":"ERROR","error":{"message":"x","failure_type":"system_error","stack_trace":"y"}}}"#.to_owned(),
            Message::Error(ChildError { message: "x".to_owned(), fault: None }),
        ),
        (
            r#"{"type":"TRACE","trace":{"type":"ANALYTICS","analytics":{"type":"llm_cost_usd","value":"0.0123"}}}"#.to_owned(),
            Message::Metric { name: "llm_cost_usd".to_owned(), value: 0.0123 },
        ),
        (
            r#"{"type":"STATE","state":{"type":"STREAM","stream":{"stream_descriptor":{"name":"a"},"stream_state":{"x":[1]}},"sourceStats":{"recordCount":200.0},"destinationStats":{"recordCount":183,"rejectedRecordCount":17,"additionalStats":{"phones checked":594,"flagged":12}}}}"#.to_owned(),
            Message::Counts(Some(StageCounts {
                stage: "a".to_owned(),
                read: Some(200),
                written: Some(183),
                rejected: Some(17),
                named: vec![("phones checked".to_owned(), 594), ("flagged".to_owned(), 12)],
            })),
        ),
        (r#"{"type":"STATE","state":{"data":{}}}"#.to_owned(), Message::Counts(None)),
        (
            r#"{"type":"LOG","log":{"level":"WARN","message":"slow \u00e9"}}"#.to_owned(),
            Message::Log { level: LogLevel::Warn, message: "slow é".to_owned() },
        ),
    ] {
        assert_eq!(parse(line.as_bytes()), Some(message), "{line}");
    }
}

#[test]
fn whatever_is_not_quite_a_message_is_a_log_line() {
    for line in [
        "",
        "{",
        "{}",
        "plain",
        r#" {"type":"LOG","log":{"level":"INFO","message":"x"}}"#,
        r#"{"type":"LOG","log":{"level":"INFO","message":"x"}} {}"#,
        r#"{"type":"LOG","log":{"level":"info","message":"x"}}"#,
        r#"{"type":"LOG","log":{"level":"INFO"}}"#,
        r#"{"type":"LOG","log":{"level":"INFO","message":5}}"#,
        r#"{"type":"LOG"}"#,
        r#"{"type":"RECORD","record":{"stream":"a","data":{},"emitted_at":1}}"#,
        r#"{"type":"LOG","type":"LOG","log":{"level":"INFO","message":"x"}}"#,
        r#"{"type":"TRACE","trace":{"type":"STREAM_STATUS"}}"#,
        r#"{"type":"TRACE","trace":{"type":"STREAM_STATUS","stream_status":{"stream_descriptor":{},"status":"STARTED"}}}"#,
        r#"{"type":"TRACE","trace":{"type":"ERROR","error":{"message":"x","failure_type":"odd"}}}"#,
        r#"{"type":"TRACE","trace":{"type":"ANALYTICS","analytics":{"type":"os","value":"linux"}}}"#,
        r#"{"type":"TRACE","trace":{"type":"ANALYTICS","analytics":{"type":"os","value":"NaN"}}}"#,
        r#"{"type":"TRACE","trace":{"type":"ANALYTICS","analytics":{"type":"os"}}}"#,
        r#"{"type":"STATE","state":{"stream":{"stream_descriptor":{"name":"a"}},"sourceStats":{"recordCount":-1}}}"#,
        r#"{"type":"STATE","state":{"stream":{"stream_descriptor":{"name":"a"}},"sourceStats":{"recordCount":1.5}}}"#,
        r#"{"type":"STATE","state":{"stream":{"stream_descriptor":{"name":"a"}},"sourceStats":{"additionalStats":{"a":"b"}}}}"#,
        r#"{"level":"INFO","msg":"of somebody else's logger"}"#,
    ] {
        assert_eq!(parse(line.as_bytes()), None, "{line}");
    }
    assert_eq!(parse(format!("{}{}", "{\"a\":".repeat(100_000), "}".repeat(100_000)).as_bytes()), None);
}

proptest! {
    #[test]
    fn no_bytes_are_too_much(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        let _ = parse(&bytes);
        let _ = parse(&[b"{", &bytes[..], b"}"].concat());
    }

    #[test]
    fn no_damage_to_a_message_is_too_much(at in 0_usize..200, byte in any::<u8>(), cut in 0_usize..200) {
        let mut line = br#"{"type":"STATE","state":{"stream":{"stream_descriptor":{"name":"a"}},"sourceStats":{"recordCount":1e300,"additionalStats":{"b":9}}}}"#.to_vec();
        let length = line.len();
        line[at % length] = byte;
        let _ = parse(&line);
        line.truncate(cut);
        line.push(b'}');
        let _ = parse(&line);
    }
}
