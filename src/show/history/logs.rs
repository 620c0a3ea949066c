//! What attempts printed.

use std::io::{self, IsTerminal};

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::View;
use super::super::escape::escaped;
use super::super::stream::out_bytes;
use super::super::words::{Time, Untrusted};
use super::jobs::JobEntry;
use crate::plan::remember::past::{PastAttempt, PastJob};

/// A job with what its attempts printed.
#[derive(Debug, Serialize)]
pub struct JobLogsView<'a> {
    timestamp: Time,
    job: JobEntry<'a>,
    logs: Vec<LogEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct LogEntry<'a> {
    attempt: u32,
    text: &'a str,
}

impl<'a> JobLogsView<'a> {
    /// The view of a job at this time, with numbers of attempts and what those printed.
    pub fn new(job: &'a PastJob, texts: &'a [(u32, String)], now: DateTime<Utc>) -> Self {
        let logs = texts.iter().map(|(attempt, text)| LogEntry { attempt: *attempt, text }).collect();
        Self { timestamp: Time(now), job: JobEntry::new(job, now), logs }
    }
}

impl View for JobLogsView<'_> {
    fn kind(&self) -> &'static str {
        "logs"
    }

    fn text(&self) -> String {
        self.logs.iter().map(|log| log.text).collect()
    }
}

/// What stands before the output of an attempt: where it is, first.
pub fn log_head(job: &PastJob, attempt: &PastAttempt) -> String {
    let outcome = match (&attempt.error, &attempt.outcome) {
        (Some(error), _) => Untrusted::from(error.as_str()).excerpt().into_owned(),
        (None, Some(outcome)) => Untrusted::from(outcome.as_str()).excerpt().into_owned(),
        (None, None) => "under way".to_owned(),
    };
    format!("{} ({}, job {}, attempt {}: {outcome})", attempt.log, job.gap, job.id.short(), attempt.n)
}

/// What stands after the output of a job: how it ended.
pub fn log_end(job: &PastJob) -> String {
    let why = job.error.as_ref().map(|error| format!(": {}", Untrusted::from(error.as_str()).excerpt())).unwrap_or_default();
    format!("job {} ({}): {}{why}", job.id.short(), job.gap, job.state.name())
}

/// Why the log of an attempt that has ended is not shown, and what is instead.
pub fn no_log(path: &str, problem: &str, may_be_silent: bool, has_tail: bool) -> String {
    match (may_be_silent, has_tail) {
        (true, false) => "it printed nothing".to_owned(),
        (_, true) => format!("{path} {problem}; its last lines on record:"),
        (false, false) => format!("{path} {problem}"),
    }
}

/// Prints what a program printed: to a file or a program as it is, to a terminal so that it cannot control that.
#[derive(Debug)]
pub struct LogPrinter {
    is_terminal: bool,
    /// The beginning of a line.
    line: Vec<u8>,
}

/// Longest line that is waited for, in bytes.
const LONGEST_LINE: usize = 64 * 1024;

impl LogPrinter {
    /// A printer to stdout.
    #[expect(clippy::new_without_default, reason = "it looks at stdout")]
    pub fn new() -> Self {
        Self { is_terminal: io::stdout().is_terminal(), line: Vec::new() }
    }

    /// Prints these bytes. Returns whether somebody still reads.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn print(&mut self, bytes: &[u8]) -> io::Result<bool> {
        if !self.is_terminal {
            return out_bytes(bytes);
        }
        let mut text = String::new();
        for byte in bytes {
            match byte {
                b'\n' => text.push_str(&self.take_line()),
                _ if self.line.len() >= LONGEST_LINE => {
                    text.push_str(&self.take_line());
                    self.line.push(*byte);
                }
                _ => self.line.push(*byte),
            }
        }
        out_bytes(text.as_bytes())
    }

    /// Prints the line that was begun.
    ///
    /// # Errors
    /// When stdout cannot be written.
    pub fn end(&mut self) -> io::Result<bool> {
        let rest = if self.line.is_empty() { String::new() } else { self.take_line() };
        out_bytes(rest.as_bytes())
    }

    /// The line as it is to be read: what a progress bar has written over is gone.
    fn take_line(&mut self) -> String {
        let line = std::mem::take(&mut self.line);
        let text = String::from_utf8_lossy(&line);
        let text = text.trim_end_matches('\r');
        escaped(text.rsplit('\r').next().unwrap_or(text)).into_owned() + "\n"
    }
}
