//! The lines of a call, one for each change, without secrets. They go to the log, the tail and the receiver of events.

use chrono::{SecondsFormat, Utc};
use serde_json::Value;

use super::super::record::Record;
use crate::plan::text::nul::without_nul;

/// Most characters of a service's text in one line.
pub(super) const MOST_CHARS: usize = 1000;

/// Removes secret texts from everything that is stored or shown.
#[derive(Default)]
pub(super) struct Redaction(Vec<String>);

impl Redaction {
    /// `secrets`: the longest first.
    pub(super) fn new(secrets: Vec<String>) -> Self {
        Self(secrets)
    }

    /// The text without secrets, and without NUL, which databases refuse.
    pub(super) fn clean(&self, text: &str) -> String {
        let text = without_nul(text).into_owned();
        self.0.iter().fold(text, |text, secret| if text.contains(secret) { text.replace(secret, "[redacted]") } else { text })
    }

    /// The same for every text in it.
    pub(super) fn clean_json(&self, json: Value) -> Value {
        match json {
            Value::String(text) => Value::String(self.clean(&text)),
            Value::Array(items) => items.into_iter().map(|item| self.clean_json(item)).collect(),
            Value::Object(entries) => entries.into_iter().map(|(key, value)| (self.clean(&key), self.clean_json(value))).collect(),
            Value::Null | Value::Bool(_) | Value::Number(_) => json,
        }
    }
}

/// A text as one line of at most so many characters.
pub(super) fn one_line(text: &str, most: usize) -> String {
    let mut line: String = text.chars().take(most).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(most).is_some() {
        line.push('…');
    }
    line
}

/// The lines of one call.
pub(super) struct Journal {
    record: Record,
}

impl Journal {
    /// Lines that go to `record`.
    pub(super) fn new(record: Record) -> Self {
        Self { record }
    }

    /// Writes a line. In the log it begins with the time.
    pub(super) fn write(&mut self, line: &str) {
        let line = one_line(line, 4 * MOST_CHARS);
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        self.record.append(format!("{now} {line}\n").as_bytes());
        self.record.line(line.as_bytes());
    }

    /// Completes the log, and returns the last lines.
    pub(super) fn finish(self) -> String {
        self.record.finish()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn secrets_and_nul_are_nowhere_in_an_answer() {
        let redaction = Redaction::new(vec!["Bearer abcdef".to_owned(), "abcdef".to_owned()]);
        let cleaned = redaction.clean_json(json!({"a": ["x Bearer abcdef y", {"abcdef": "1\u{0}2", "n": 5}], "b": null}));
        assert_eq!(cleaned, json!({"a": ["x [redacted] y", {"[redacted]": "1\u{FFFD}2", "n": 5}], "b": null}));
    }

    #[test]
    fn a_line_is_one_line_and_not_long() {
        assert_eq!(one_line("a\r\nb\u{1b}[1m", 100), "a  b [1m");
        assert_eq!(one_line("äöü", 2), "äö…");
        assert_eq!(one_line("äö", 2), "äö");
    }
}
