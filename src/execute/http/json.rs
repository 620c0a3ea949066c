//! Reads JSON so that numbers keep their digits.

use serde_json::Value;
use serde_json::value::RawValue;

use crate::plan::text::nul;

/// The value, if this is JSON. A number that a `Value` cannot hold as it is written becomes a text: an id like
/// `123456789012345678901234567890` must be sent back with the same digits.
pub(super) fn read(bytes: &[u8]) -> Option<Value> {
    let bytes = without_mark(bytes);
    // This also bounds the depth of what follows.
    let value: Value = serde_json::from_slice(bytes).ok()?;
    let raw: &RawValue = serde_json::from_slice(bytes).ok()?;
    Some(exact(value, raw.get()))
}

/// The value that these bytes are the beginning of, without what is not complete in them. `None` where they do not begin an object or a list.
pub(super) fn read_beginning(bytes: &[u8]) -> Option<Value> {
    let bytes = without_mark(bytes);
    let (mut open, mut whole) = (Vec::new(), 0);
    let (mut in_text, mut is_escaped) = (false, false);
    for (at, byte) in bytes.iter().enumerate() {
        if in_text {
            in_text = is_escaped || *byte != b'"';
            is_escaped = !is_escaped && *byte == b'\\';
            continue;
        }
        match byte {
            b'"' => in_text = true,
            b'{' | b'[' => {
                open.push(if *byte == b'{' { b'}' } else { b']' });
                whole = at + 1;
            }
            b'}' | b']' => {
                open.pop();
                whole = at + 1;
            }
            b',' => whole = at,
            _ => {}
        }
    }
    let mut complete = bytes.get(..whole)?.to_vec();
    complete.extend(open.iter().rev());
    read(&complete)
}

/// Without the byte order mark that some services write.
fn without_mark(bytes: &[u8]) -> &[u8] {
    bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes)
}

/// `value`, which was read from `source`.
fn exact(value: Value, source: &str) -> Value {
    match value {
        Value::Number(number) if number.to_string() != source => Value::String(source.to_owned()),
        Value::Array(items) => match serde_json::from_str::<Vec<&RawValue>>(source) {
            Ok(sources) => items.into_iter().zip(sources).map(|(item, source)| exact(item, source.get())).collect(),
            Err(_) => Value::Array(items),
        },
        Value::Object(mut entries) => {
            let sources: std::collections::HashMap<String, &RawValue> = serde_json::from_str(source).unwrap_or_default();
            for (key, value) in &mut entries {
                if let Some(source) = sources.get(key) {
                    *value = exact(value.take(), source.get());
                }
            }
            Value::Object(entries)
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_)) => other,
    }
}

/// The same with each NUL replaced, which databases refuse.
pub(super) fn without_nul(json: Value) -> Value {
    match json {
        Value::String(text) => Value::String(nul::without_nul(&text).into_owned()),
        Value::Array(items) => items.into_iter().map(without_nul).collect(),
        Value::Object(entries) => {
            entries.into_iter().map(|(key, value)| (nul::without_nul(&key).into_owned(), without_nul(value))).collect()
        }
        other @ (Value::Null | Value::Bool(_) | Value::Number(_)) => other,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn numbers_keep_their_digits() {
        let source = r#" {"ids": [ 123456789012345678901234567890, 18446744073709551615, -5, 1e30, 1.10, 1.5, {"a": 99999999999999999999} ], "n": 7} "#;
        let expected = json!({
            "ids": ["123456789012345678901234567890", 18_446_744_073_709_551_615_u64, -5, "1e30", "1.10", 1.5, {"a": "99999999999999999999"}],
            "n": 7,
        });
        let read = read(source.as_bytes()).unwrap();
        assert_eq!(read["n"], 7);
        assert_eq!(read["ids"][0], expected["ids"][0]);
        assert_eq!(read["ids"][6], expected["ids"][6]);
        assert_eq!(read["ids"][1].to_string(), "18446744073709551615");
        assert!(read["ids"][3].to_string().contains("1e30"), "{read}");
    }

    #[test]
    fn what_is_no_json_or_too_deep_is_none() {
        assert_eq!(read(b"nonsense"), None);
        assert_eq!(read("[".repeat(100_000).as_bytes()), None);
        assert_eq!(read(br#"{"a": 1, "a": 99999999999999999999}"#), Some(json!({"a": "99999999999999999999"})));
    }

    #[test]
    fn a_byte_order_mark_is_passed_over() {
        assert_eq!(read(b"\xEF\xBB\xBF{\"a\": 1}"), Some(json!({"a": 1})));
        assert_eq!(read_beginning(b"\xEF\xBB\xBF{\"a\": 1, \"b"), Some(json!({"a": 1})));
    }

    #[test]
    fn what_is_complete_in_a_beginning_is_read() {
        for (beginning, read) in [
            (r#"{"status": "completed", "message": "xxxx"#, json!({"status": "completed"})),
            (r#"{"status": "completed", "log": [1, {"a": 2}, {"b": "#, json!({"status": "completed", "log": [1, {"a": 2}, {}]})),
            (r#"{"message": "a \"b\", {c\\", "n": 1"#, json!({"message": "a \"b\", {c\\"})),
            (r#"{"id": 99999999999999999999, "n": 12"#, json!({"id": "99999999999999999999"})),
            (r#"[{"a": {}"#, json!([{"a": {}}])),
            (r#"{"a"#, json!({})),
            (r#"{"a": 1}"#, json!({"a": 1})),
        ] {
            assert_eq!(read_beginning(beginning.as_bytes()), Some(read), "{beginning}");
        }
        for other in ["", "   ", "<html>", "\"status", "{]", "xx, {"] {
            assert_eq!(read_beginning(other.as_bytes()), None, "{other}");
        }
    }

    #[test]
    fn no_text_has_a_nul() {
        assert_eq!(without_nul(json!({"a\u{0}": ["1\u{0}2", 5]})), json!({"a\u{FFFD}": ["1\u{FFFD}2", 5]}));
    }
}
