//! A log line with its fields, without secrets, of bounded length: as text, as a JSON object, as an entry of the journal.

use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value};
use tracing::field::{Field, Visit};
use tracing::span::Attributes;
use tracing::{Event, Level};

use super::super::escape::{disclosed, escaped, escaped_json};
use super::super::terminal::for_stderr;
use super::super::words::Time;

/// The field that has the message itself.
const MESSAGE: &str = "message";
/// The field of a sign that people see before the message. Programs get none.
const SIGN: &str = "sign";
/// The field that names the job for people. A line of a span with it begins with it.
const JOB: &str = "job";

/// A log line.
pub(super) struct Line {
    at: DateTime<Utc>,
    level: Level,
    /// The module that says it.
    target: &'static str,
    own: Fields,
    /// Those of the spans that it is in; its own go before.
    of_spans: Fields,
}

/// Fields by name, in the order in which they were recorded.
#[derive(Default)]
pub(super) struct Fields(Vec<(&'static str, Value)>);

impl Line {
    pub(super) fn of(event: &Event<'_>) -> Self {
        let mut own = Fields::default();
        event.record(&mut own);
        let metadata = event.metadata();
        Self { at: Utc::now(), level: *metadata.level(), target: metadata.target(), own, of_spans: Fields::default() }
    }

    /// Adds the fields of a span; the innermost comes first.
    pub(super) fn add(&mut self, of_span: &Fields) {
        for (name, value) in &of_span.0 {
            if self.own.get(name).is_none() && self.of_spans.get(name).is_none() {
                self.of_spans.0.push((name, value.clone()));
            }
        }
    }

    pub(super) fn level(&self) -> Level {
        self.level
    }

    pub(super) fn message(&self) -> String {
        self.own.text(MESSAGE)
    }

    /// What programs get beside the message.
    pub(super) fn fields(&self) -> impl Iterator<Item = (&'static str, &Value)> {
        let all = self.own.0.iter().chain(&self.of_spans.0);
        all.map(|(name, value)| (*name, value)).filter(|(name, _)| ![MESSAGE, SIGN].contains(name))
    }

    /// `[INFO] Executing ...`, with a line break at its end.
    pub(super) fn text(&self, has_time: bool, has_color: bool) -> String {
        let time = if has_time { format!("{} ", Time(self.at)) } else { String::new() };
        let level = match (has_color, self.level) {
            (true, level) => format!("\x1b[{}m[{level}]\x1b[0m", color_of(level)),
            (false, level) => format!("[{level}]"),
        };
        let sign = self.own.get(SIGN).map(|_| self.own.text(SIGN) + " ").unwrap_or_default();
        let speaker = match library(self.target) {
            Some(library) => format!("{library}: "),
            None => self.of_spans.get(JOB).map(|_| self.of_spans.text(JOB) + ": ").unwrap_or_default(),
        };
        // Libraries say in fields what their message is about.
        let of_library = self.own.0.iter().filter(|(name, _)| *name != MESSAGE && library(self.target).is_some());
        let fields: String = of_library.map(|(name, _)| [" ", name, "=", &self.own.text(name)].concat()).collect();
        let said = format!("{sign}{speaker}{}{fields}", self.message());
        format!("{time}{level} {}\n", for_stderr(&escaped(&said)))
    }

    /// One JSON object, with a line break at its end.
    pub(super) fn json(&self) -> String {
        let mut object = Map::new();
        object.insert("timestamp".to_owned(), self.at.to_rfc3339_opts(SecondsFormat::Micros, true).into());
        object.insert("level".to_owned(), self.level.as_str().into());
        object.insert(MESSAGE.to_owned(), self.message().into());
        for (name, value) in self.fields() {
            object.entry(name).or_insert_with(|| value.clone());
        }
        object.entry("target").or_insert_with(|| self.target.into());
        escaped_json(&Value::Object(object).to_string()).into_owned() + "\n"
    }
}

impl Fields {
    pub(super) fn of_span(attributes: &Attributes<'_>) -> Self {
        let mut fields = Self::default();
        attributes.record(&mut fields);
        fields
    }

    fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(known, _)| *known == name).map(|(_, value)| value)
    }

    fn text(&self, name: &str) -> String {
        self.get(name).map(text_of).unwrap_or_default()
    }

    fn put(&mut self, field: &Field, value: impl Into<Value>) {
        self.0.push((field.name(), value.into()));
    }
}

/// A value as text.
pub(super) fn text_of(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        self.record_str(field, &format!("{value:?}"));
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        self.put(field, disclosed(value).into_owned());
    }

    fn record_i64(&mut self, field: &Field, value: i64) {
        self.put(field, value);
    }

    fn record_u64(&mut self, field: &Field, value: u64) {
        self.put(field, value);
    }

    fn record_f64(&mut self, field: &Field, value: f64) {
        self.put(field, value);
    }

    fn record_bool(&mut self, field: &Field, value: bool) {
        self.put(field, value);
    }
}

/// Which library says it, where it is not etl-orch: what the server of a database tells its driver, for example.
fn library(target: &str) -> Option<&str> {
    target.split("::").next().filter(|library| *library != "etl_orch")
}

fn color_of(level: Level) -> u8 {
    match level {
        Level::ERROR => 31,
        Level::WARN => 33,
        Level::INFO => 32,
        Level::DEBUG | Level::TRACE => 34,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(target: &'static str, own: &[(&'static str, Value)], of_span: &[(&'static str, Value)]) -> Line {
        let at = "2026-11-28T13:03:22.123456Z".parse().unwrap();
        let mut line = Line { at, level: Level::WARN, target, own: Fields(own.to_vec()), of_spans: Fields::default() };
        line.add(&Fields(of_span.to_vec()));
        line
    }

    #[test]
    fn people_get_a_sentence_and_programs_its_fields() {
        let own = [("message", "Success RY\u{1b}".into()), ("sign", "✅".into()), ("attempt", 2.into())];
        let of_span = [("run_id", "a1".into()), ("attempt", 1.into())];
        let line = line("etl_orch::run", &own, &of_span);
        assert_eq!(line.text(true, false), "2026-11-28 13:03:22Z [WARN] ✅ Success RY\\u{1b}\n");
        assert_eq!(line.text(false, true), "\u{1b}[33m[WARN]\u{1b}[0m ✅ Success RY\\u{1b}\n");
        let json = "{\"timestamp\":\"2026-11-28T13:03:22.123456Z\",\"level\":\"WARN\",\"message\":\"Success RY\\u001b\",\"attempt\":2,\
                    \"run_id\":\"a1\",\"target\":\"etl_orch::run\"}\n";
        assert_eq!(line.json(), json);
    }

    #[test]
    fn a_line_says_whose_it_is() {
        let job = [("job", "RY 2025 Q2 [a]".into())];
        assert_eq!(line("etl_orch::run", &[("message", "gone".into())], &job).text(false, false), "[WARN] RY 2025 Q2 [a]: gone\n");
        let own = [("message", "gone".into()), ("error", "e\n".into())];
        assert_eq!(line("hyper::client", &own, &job).text(false, false), "[WARN] hyper: gone error=e\\n\n");
    }
}
