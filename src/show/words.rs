//! What every view is written with: counts, times, and text that comes from elsewhere.

use std::borrow::Cow;
use std::fmt;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Serialize, Serializer};

use super::escape::{escaped, excerpt};

/// `1 bank`, `2 banks`.
pub(super) fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{number} {noun}s") }
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
