//! What every view is written with: counts, durations, times, and text that comes from elsewhere. Everything of a kind is written alike.

mod lines;
mod times;

use std::borrow::Cow;
use std::fmt;

use serde::{Serialize, Serializer};

use super::escape::{escaped, excerpt};
use crate::plan::model::ids::JobId;
pub(super) use crate::plan::text::size::{bytes, count, grouped};
pub(super) use crate::plan::text::span::{brief, seconds};
pub(super) use lines::{fitted, wrapped};
pub use times::{Time, Zone, read_time, use_zones};

/// Where there is more about a job that failed: `job 1a2b3c4d, log /var/lib/…/1.log`.
pub(super) fn where_to_look(job: JobId, log: Option<&str>) -> String {
    let log = log.map_or_else(String::new, |log| format!(", log {}", escaped(log)));
    format!("job {}{log}", job.short())
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

    /// Each of its lines.
    pub(super) fn lines(&self) -> impl Iterator<Item = Untrusted<'_>> {
        self.0.lines().map(Untrusted::from)
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
