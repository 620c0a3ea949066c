//! The lines of a call, one for each change, without secrets. They go to the log, the tail and the receiver of events.

use chrono::{SecondsFormat, Utc};

use super::super::record::{Record, Recorded};
use crate::plan::text::secrets::Secrets;

/// Most characters of a service's text in one line.
pub(super) const MOST_CHARS: usize = 1000;

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
    secrets: Secrets,
}

impl Journal {
    /// Lines that go to `record`, without these secrets.
    pub(super) fn new(record: Record, secrets: Secrets) -> Self {
        Self { record, secrets }
    }

    /// Writes a line. In the log it begins with the time.
    pub(super) fn write(&mut self, line: &str) {
        let line = one_line(&self.secrets.clean(line), 4 * MOST_CHARS);
        let now = Utc::now().to_rfc3339_opts(SecondsFormat::Secs, true);
        self.record.append(format!("{now} {line}\n").as_bytes());
        self.record.line(line.as_bytes());
    }

    /// So much of the service's job is done.
    pub(super) fn progress(&mut self, done: Option<u64>, of: Option<u64>) {
        self.record.progress("service", done, of);
    }

    /// Completes the log of a call that ended well or not, and returns what else is left of it.
    pub(super) fn finish(self, well: bool) -> Recorded {
        self.record.finish(well)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_one_line_and_not_long() {
        assert_eq!(one_line("a\r\nb\u{1b}[1m", 100), "a  b [1m");
        assert_eq!(one_line("äöü", 2), "äö…");
        assert_eq!(one_line("äö", 2), "äö");
    }
}
