//! How time is cut into the windows of a disclosure source (specification §8).
//!
//! A window is half-open, `[start, end)`, in UTC. Windows are aligned: to multiples of their length since 1970-01-01T00:00:00Z, or,
//! for windows of whole days in a time zone, to the midnights of that zone, counted by calendar date.

use std::fmt;
use std::time::Duration;

use chrono::{DateTime, Datelike, SecondsFormat, Utc};
use chrono_tz::Tz;
use serde::{Deserialize, Serialize};

/// A half-open interval of time; `start` is before `end`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Window {
    /// Its first instant.
    pub start: DateTime<Utc>,
    /// The first instant after it.
    pub end: DateTime<Utc>,
}

/// `2026-01-16T00:00:00Z/2026-01-16T06:00:00Z`, an interval as ISO 8601 writes it.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let time = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        write!(f, "{}/{}", time(self.start), time(self.end))
    }
}

/// How long windows are, and where they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// The length of a window, in whole seconds; whole days where there is a zone.
    pub every: Duration,
    /// Windows are of whole days of this zone, by calendar date: such a day may have 23 or 25 hours.
    pub zone: Option<Tz>,
}

impl Cadence {
    /// The calendar year of an instant, in its zone.
    #[must_use]
    pub fn year_of(&self, at: DateTime<Utc>) -> i32 {
        self.zone.map_or_else(|| at.year(), |zone| at.with_timezone(&zone).year())
    }
}
