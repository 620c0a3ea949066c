//! Values on their way into columns and out of them.

use chrono::{DateTime, Datelike, Utc};
use serde_json::Value;

use super::encoding::storable;

/// The texts and keys inside of a JSON value as the database can hold them, as JSON text.
pub(in crate::store) fn storable_json(value: &Value) -> String {
    fn clean(value: &Value) -> Value {
        match value {
            Value::String(text) => Value::String(storable(text).into_owned()),
            Value::Array(items) => items.iter().map(clean).collect(),
            Value::Object(fields) => fields.iter().map(|(key, value)| (storable(key).into_owned(), clean(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }
    clean(value).to_string()
}

/// A count or id for a signed column. None of ours comes near the bound.
pub(in crate::store) fn signed(number: impl TryInto<i64>) -> i64 {
    number.try_into().unwrap_or(i64::MAX)
}

/// A time as text of one length in UTC, so that texts sort as times. A time later than the year 9999 has no such text, and
/// becomes the last one that has.
pub(in crate::store) fn rfc3339(at: DateTime<Utc>) -> String {
    if at.year() > 9999 { "9999-12-31T23:59:59.999999Z".to_owned() } else { at.to_rfc3339_opts(chrono::SecondsFormat::Micros, true) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nul_is_replaced_in_texts_and_in_json() {
        assert_eq!(storable("a\0b"), "a\u{fffd}b");
        let json = serde_json::json!({"k\0": ["\0", "\\u0000", 1, null]});
        assert_eq!(storable_json(&json), "{\"k\u{fffd}\":[\"\u{fffd}\",\"\\\\u0000\",1,null]}");
    }
}
