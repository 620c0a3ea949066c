//! Diagnostics on stderr or in systemd's journal: `tracing` as text, as JSON or as fields, kept apart from a live display.
//!
//! Whatever is logged is escaped, cut and without secrets: `line` sees to it, so that no call can forget it.

mod journal;
mod line;

use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, PoisonError, RwLock};

use tracing::span::{Attributes, Id};
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt};
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{Registry, reload};

use self::journal::Journal;
use self::line::{Fields, Line};
use super::screen::Screen;
use crate::plan::model::logging::{LogFormat, LogLevel, Logging};

pub use self::journal::reads_stderr as journal_reads_stderr;

/// What stderr is.
#[derive(Debug, Clone, Copy, Default)]
pub struct LogStream {
    /// Whether lines get colors.
    pub has_color: bool,
    /// Whether it is a terminal that understands escape sequences.
    pub can_erase: bool,
    /// Whether systemd's journal reads it.
    pub is_journal: bool,
}

/// How lines are written.
#[derive(Debug, Clone, Copy)]
struct Style {
    format: LogFormat,
    has_color: bool,
    /// Whether a line of text begins with the time.
    has_time: bool,
}

/// What was set when logging started.
#[derive(Debug)]
struct Started {
    asked: Logging,
    stream: LogStream,
    level: reload::Handle<Targets, Registry>,
}

static STARTED: OnceLock<Started> = OnceLock::new();

static STYLE: RwLock<Style> = RwLock::new(Style { format: LogFormat::Text, has_color: false, has_time: false });

static JOURNAL: OnceLock<Journal> = OnceLock::new();

/// Whether it was said that there is none.
static WARNED: AtomicBool = AtomicBool::new(false);

/// The live display that log lines must not tear apart, while there is one.
static LIVE: OnceLock<Arc<Screen>> = OnceLock::new();

/// Starts logging, as options ask for it. Called once.
pub fn start(asked: Logging, stream: LogStream) {
    let (filter, level) = reload::Layer::new(filter(asked));
    // A second start is a bug of ours that must not take a run down: the first one stays.
    let _ = STARTED.set(Started { asked, stream, level });
    let _ = tracing_subscriber::registry().with(filter).with(Lines).try_init();
    use_format(asked.format);
}

/// From now on what the options left open is as it is configured.
pub fn configure(configured: Logging) {
    let Some(started) = STARTED.get() else { return };
    let logging = started.asked.or(configured);
    // It fails only where nothing is logged.
    let _ = started.level.reload(filter(logging));
    use_format(logging.format);
}

/// The format in which log lines are written.
pub fn format() -> LogFormat {
    style().format
}

/// Libraries are heard from warnings on: their other lines are for their authors.
fn filter(logging: Logging) -> Targets {
    let level = match logging.level.unwrap_or(LogLevel::Info) {
        LogLevel::Off => LevelFilter::OFF,
        LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    Targets::new().with_default(LevelFilter::WARN.min(level)).with_target("etl_orch", level)
}

fn use_format(asked: Option<LogFormat>) {
    let stream = STARTED.get().map(|started| started.stream).unwrap_or_default();
    let wanted = asked.unwrap_or(if stream.is_journal { LogFormat::Journald } else { LogFormat::Text });
    let no_journal = if wanted == LogFormat::Journald { open_journal().err() } else { None };
    *STYLE.write().unwrap_or_else(PoisonError::into_inner) = Style {
        format: if no_journal.is_some() { LogFormat::Text } else { wanted },
        has_color: stream.has_color,
        // The journal has its own.
        has_time: !stream.is_journal && !io::stderr().is_terminal(),
    };
    // Who did not ask for it misses nothing.
    if let Some(error) = no_journal.filter(|_| asked.is_some() && !WARNED.swap(true, Ordering::Relaxed)) {
        tracing::warn!("the journal cannot be written to ({error}), so that diagnostics are text on stderr");
    }
}

fn open_journal() -> io::Result<()> {
    if JOURNAL.get().is_none() {
        // Another thread has set it, or this one does.
        let _ = JOURNAL.set(Journal::open()?);
    }
    Ok(())
}

fn style() -> Style {
    *STYLE.read().unwrap_or_else(PoisonError::into_inner)
}

/// Whether diagnostics are for programs, so that nothing else may stand between them.
pub(super) fn are_for_programs() -> bool {
    format() != LogFormat::Text
}

/// What is written after a line that the live display does not know of: it may stand on a line of that display.
pub(super) fn line_end() -> &'static str {
    if STARTED.get().is_some_and(|started| started.stream.can_erase) { "\x1b[K\n" } else { "\n" }
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

/// Writes each event as a line, with the fields of the spans that it is in.
struct Lines;

impl<S: Subscriber + for<'a> LookupSpan<'a>> Layer<S> for Lines {
    fn on_new_span(&self, attributes: &Attributes<'_>, id: &Id, context: Context<'_, S>) {
        let Some(span) = context.span(id) else { return };
        span.extensions_mut().insert(Fields::of_span(attributes));
    }

    fn on_event(&self, event: &Event<'_>, context: Context<'_, S>) {
        let mut line = Line::of(event);
        for span in context.event_scope(event).into_iter().flatten() {
            if let Some(fields) = span.extensions().get::<Fields>() {
                line.add(fields);
            }
        }
        write(&line);
    }
}

fn write(line: &Line) {
    let Style { format, has_color, has_time } = style();
    let text = match format {
        LogFormat::Json => line.json(),
        LogFormat::Journald if JOURNAL.get().is_some_and(|journal| journal.send(line).is_ok()) => return,
        // The journal is gone, perhaps for a moment; what reads stderr then may show the line all the same.
        LogFormat::Journald | LogFormat::Text => line.text(has_time, has_color),
    };
    // If stderr is gone, there is nowhere left to say so.
    let _ = Stderr.write_all(text.as_bytes());
}
