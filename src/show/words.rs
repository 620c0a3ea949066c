//! What every view is written with: counts, times, and text that comes from elsewhere.

use std::borrow::Cow;
use std::fmt;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use super::escape::{escaped, excerpt};

/// `1 bank`, `2 banks`.
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
}

/// A span of time as people read it: `350ms`, `9.6s`, `1m 20s`.
pub(super) fn brief(span: Duration) -> String {
    let tenths = span.as_millis().saturating_add(50) / 100;
    if span < Duration::from_secs(1) {
        format!("{}ms", span.as_millis())
    } else if tenths >= 600 {
        humantime::format_duration(Duration::from_secs(span.saturating_add(Duration::from_millis(500)).as_secs())).to_string()
    } else if tenths.is_multiple_of(10) {
        format!("{}s", tenths / 10)
    } else {
        format!("{}.{}s", tenths / 10, tenths % 10)
    }
}

/// A span of time as programs read it, in all that ends in `_seconds`: to the millisecond.
pub(super) fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1000.0).round() / 1000.0
}

/// A point in time in whole seconds: `2026-12-01T00:00:00Z`, in text and in JSON.
#[derive(Debug, Clone, Copy)]
pub struct Time(pub DateTime<Utc>);

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.to_rfc3339_opts(SecondsFormat::Secs, true))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// Text of an operator, a child, a service or the database. It is printed so that it cannot control a terminal, in text and in JSON.
#[derive(Debug, Clone)]
pub(super) struct Untrusted<'a>(Cow<'a, str>);

impl Untrusted<'_> {
    /// One line of bounded length, for a list.
    pub(super) fn excerpt(&self) -> Cow<'_, str> {
        excerpt(&self.0)
    }

    /// A part of it.
    pub(super) fn trimmed(&self, trim: impl FnOnce(&str) -> &str) -> Untrusted<'_> {
        trim(&self.0).into()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl<'a, T: Into<Cow<'a, str>>> From<T> for Untrusted<'a> {
    fn from(text: T) -> Self {
        Self(text.into())
    }
}

impl fmt::Display for Untrusted<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&escaped(&self.0))
    }
}

impl Serialize for Untrusted<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_as_long_as_it_says() {
        for (milliseconds, text) in [
            (1, "1ms"),
            (350, "350ms"),
            (1000, "1s"),
            (9_617, "9.6s"),
            (59_949, "59.9s"),
            (59_950, "1m"),
            (79_600, "1m 20s"),
            (3_600_000, "1h"),
        ] {
            assert_eq!(brief(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(seconds(Duration::from_nanos(9_617_499_999)).to_string(), "9.617");
    }
}
