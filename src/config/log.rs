//! `log:`.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::plan::model::logging::{LogFormat, LogLevel, Logging};

/// The diagnostics on stderr, where no option says otherwise.
#[derive(Debug, Default, Clone, Copy, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Log {
    /// Their format. Default: `journald` where systemd reads stderr, otherwise `text`.
    format: Option<Format>,
    /// The lowest level that is written. Default: `info`.
    level: Option<Level>,
}

/// How diagnostics are written.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Format {
    /// Lines for people.
    Text,
    /// One JSON object a line.
    Json,
    /// Entries of systemd's journal, with fields.
    Journald,
}

/// How much a diagnostic matters.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
enum Level {
    /// None is written.
    Off,
    Error,
    Warn,
    Info,
    /// What is decided, and how long databases, services and programs take.
    Debug,
    Trace,
}

impl From<Log> for Logging {
    fn from(Log { format, level }: Log) -> Self {
        Self {
            format: format.map(|format| match format {
                Format::Text => LogFormat::Text,
                Format::Json => LogFormat::Json,
                Format::Journald => LogFormat::Journald,
            }),
            level: level.map(|level| match level {
                Level::Off => LogLevel::Off,
                Level::Error => LogLevel::Error,
                Level::Warn => LogLevel::Warn,
                Level::Info => LogLevel::Info,
                Level::Debug => LogLevel::Debug,
                Level::Trace => LogLevel::Trace,
            }),
        }
    }
}
