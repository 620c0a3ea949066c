//! Diagnostics on stderr: `tracing` as text or JSON, kept apart from a live display.
//!
//! Whatever is logged is escaped, cut and without secrets: the formats see to it, so that no call can forget it.

use std::fmt;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, OnceLock};

use serde_json::Value;
use tracing::field::{Field, Visit};
use tracing::{Event, Level, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields, MakeWriter};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

use super::escape::{disclosed, escaped, escaped_json};
use super::screen::Screen;
use super::terminal::for_stderr;
use super::words::Time;

/// How log lines are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// `[INFO] Executing ...`, with the time where stderr is no terminal.
    Text,
    /// One JSON object a line.
    Json,
}

/// The target of events whose message says everything to people, and whose fields say it to programs.
pub(super) const WITH_FIELDS: &str = "etl_orch::with_fields";

/// The live display that log lines must not tear apart, while there is one.
static LIVE: OnceLock<Arc<Screen>> = OnceLock::new();

/// Whether log lines are JSON; then nothing else may stand between them.
static JSON: OnceLock<bool> = OnceLock::new();

/// Whether what stands on the terminal after a line may be erased.
static ERASE: OnceLock<bool> = OnceLock::new();

/// Starts logging. Called once.
/// `can_erase`: stderr is a terminal that understands escape sequences.
pub fn start(format: LogFormat, level: LevelFilter, color: bool, can_erase: bool) {
    // The first start stays here too.
    let _ = JSON.set(format == LogFormat::Json);
    let _ = ERASE.set(can_erase);
    let filter = Targets::new().with_default(LevelFilter::WARN.min(level)).with_target("etl_orch", level);
    let registry = tracing_subscriber::registry().with(filter);
    // A second start is a bug of ours that must not take a run down: the first one stays.
    let _ = match format {
        LogFormat::Text => {
            let layout = Layout { time: !io::stderr().is_terminal() };
            registry.with(tracing_subscriber::fmt::layer().event_format(layout).with_ansi(color).with_writer(Stderr)).try_init()
        }
        LogFormat::Json => {
            let layer = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(Stderr);
            registry.with(layer.map_event_format(Objects)).try_init()
        }
    };
}

/// Whether stderr is a stream of JSON objects.
pub(super) fn are_json() -> bool {
    JSON.get().copied().unwrap_or_default()
}

/// What is written after a line that the live display does not know of: it may stand on a line of that display.
pub(super) fn line_end() -> &'static str {
    if ERASE.get().copied().unwrap_or_default() { "\x1b[K\n" } else { "\n" }
}

/// From now on log lines are written above this display.
pub(super) fn write_above(display: Arc<Screen>) {
    // There is one display in a process.
    let _ = LIVE.set(display);
}

/// stderr, above the live display.
pub(super) struct Stderr;

impl Write for Stderr {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let write = || io::stderr().lock().write_all(bytes).map(|()| bytes.len());
        match LIVE.get() {
            Some(display) => display.above(write),
            None => write(),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        io::stderr().flush()
    }
}

impl MakeWriter<'_> for Stderr {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        Self
    }
}

struct Layout {
    time: bool,
}

impl<S, N> FormatEvent<S, N> for Layout
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        if self.time {
            write!(writer, "{} ", Time(chrono::Utc::now()))?;
        }
        let level = *event.metadata().level();
        if writer.has_ansi_escapes() {
            write!(writer, "\x1b[{}m[{level}]\x1b[0m ", color_of(level))?;
        } else {
            write!(writer, "[{level}] ")?;
        }
        let mut said = String::new();
        if event.metadata().target() == WITH_FIELDS {
            event.record(&mut Message(&mut said));
        } else {
            context.field_format().format_fields(Writer::new(&mut said), event)?;
        }
        let speaker = speaker(event.metadata().target()).map(|speaker| format!("{speaker}: ")).unwrap_or_default();
        writeln!(writer, "{speaker}{}", for_stderr(&escaped(&said)))
    }
}

/// Which library says it, where it is not etl-orch: what the server of a database tells its driver, for example.
fn speaker(target: &str) -> Option<&str> {
    target.split("::").next().filter(|library| *library != "etl_orch")
}

/// Takes the message of an event alone.
struct Message<'a>(&'a mut String);

impl Visit for Message<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        if field.name() == "message" {
            // Writing to a String cannot fail.
            let _ = fmt::write(self.0, format_args!("{value:?}"));
        }
    }
}

/// The JSON objects of the format inside, their texts without secrets, of bounded length and safe for a terminal.
struct Objects<F>(F);

impl<S, N, F> FormatEvent<S, N> for Objects<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(&self, context: &FmtContext<'_, S, N>, mut writer: Writer<'_>, event: &Event<'_>) -> fmt::Result {
        let mut object = String::new();
        self.0.format_event(context, Writer::new(&mut object), event)?;
        let object: serde_json::Map<String, Value> = serde_json::from_str(&object).map_err(|_| fmt::Error)?;
        let clean = |(name, value)| match value {
            Value::String(text) => (name, Value::String(disclosed(&text).into_owned())),
            other @ (Value::Null | Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_)) => (name, other),
        };
        let object = Value::Object(object.into_iter().map(clean).collect());
        writeln!(writer, "{}", escaped_json(&object.to_string()))
    }
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

    #[test]
    fn what_others_say_begins_with_their_name() {
        assert_eq!((speaker(WITH_FIELDS), speaker("etl_orch::run")), (None, None));
        assert_eq!(speaker("hyper::client"), Some("hyper"));
    }
}
