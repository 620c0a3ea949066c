//! How time is cut into the windows of a disclosure source.
//!
//! A window is half-open, `[start, end)`, in UTC. Windows are aligned: to multiples of their length since 1970-01-01T00:00:00Z, or,
//! for windows of whole days in a time zone, to the midnights of that zone, counted by calendar date.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, TimeZone, Timelike, Utc};
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

impl Window {
    /// The interval between two instants; `None` unless the first is before the second.
    #[must_use]
    pub fn new(start: DateTime<Utc>, end: DateTime<Utc>) -> Option<Self> {
        (start < end).then_some(Self { start, end })
    }

    /// Whether the two have an instant in common.
    #[must_use]
    pub fn overlaps(self, other: Self) -> bool {
        self.start < other.end && other.start < self.end
    }
}

/// `2026-01-16 00:00–06:00Z`, `2026-01-16 18:00–24:00Z`, `2026-01-16 05:00–2026-01-17 05:00Z`.
impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let clock = |at: DateTime<Utc>| at.format(if at.second() == 0 { "%H:%M" } else { "%H:%M:%S" });
        let (start, end) = (self.start, self.end);
        write!(f, "{} {}–", start.date_naive(), clock(start))?;
        if end.date_naive() == start.date_naive() {
            write!(f, "{}Z", clock(end))
        } else if end.time() == NaiveTime::MIN && start.date_naive().succ_opt() == Some(end.date_naive()) {
            write!(f, "24:00Z")
        } else {
            write!(f, "{} {}Z", end.date_naive(), clock(end))
        }
    }
}

/// A text is not written like a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoWindow;

/// Reads what [`fmt::Display`] writes, with a hyphen too.
impl FromStr for Window {
    type Err = NoWindow;

    fn from_str(text: &str) -> Result<Self, NoWindow> {
        let (day, times) = text.strip_suffix('Z').and_then(|text| text.split_once(' ')).ok_or(NoWindow)?;
        let (start, end) = times.split_once(['–', '-']).ok_or(NoWindow)?;
        let (end_day, end) = end.split_once(' ').unwrap_or((day, end));
        Self::new(instant(day, start)?, instant(end_day, end)?).ok_or(NoWindow)
    }
}

fn instant(day: &str, clock: &str) -> Result<DateTime<Utc>, NoWindow> {
    let day: NaiveDate = day.parse().map_err(|_| NoWindow)?;
    let (day, clock) = if clock == "24:00" { (day.succ_opt().ok_or(NoWindow)?, "00:00") } else { (day, clock) };
    let clock = NaiveTime::parse_from_str(clock, "%H:%M").or_else(|_| NaiveTime::parse_from_str(clock, "%H:%M:%S"));
    Ok(day.and_time(clock.map_err(|_| NoWindow)?).and_utc())
}

/// How long windows are, and where they begin.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cadence {
    /// The length of a window, in whole seconds; whole days where there is a zone.
    pub every: Duration,
    /// Windows are of whole days of this zone, by calendar date: such a day may have 23 or 25 hours.
    pub zone: Option<Tz>,
}

const DAY: i64 = 24 * 3600;

/// Windows are numbered by their place since 1970-01-01. What is beyond the range of time that can be told is its first or last
/// instant.
impl Cadence {
    /// The calendar year of an instant, in its zone.
    #[must_use]
    pub fn year_of(self, at: DateTime<Utc>) -> i32 {
        self.zone.map_or_else(|| at.year(), |zone| at.with_timezone(&zone).year())
    }

    /// The begin of the window in which `at` lies.
    #[must_use]
    pub fn starting_at_or_before(self, at: DateTime<Utc>) -> DateTime<Utc> {
        self.boundary(self.number_of(at))
    }

    /// The end of the window in which `at` lies, which is the begin of the next.
    #[must_use]
    pub fn next_after(self, at: DateTime<Utc>) -> DateTime<Utc> {
        // A date that the zone left out altogether has a window without an instant.
        let mut number = self.number_of(at).saturating_add(1);
        while self.boundary(number) <= at && at < last() {
            number = number.saturating_add(1);
        }
        self.boundary(number)
    }

    /// The last window that ended at `now` or before; `None` where time does not reach back so far.
    #[must_use]
    pub fn last_ended(self, now: DateTime<Utc>) -> Option<Window> {
        let end = self.starting_at_or_before(now);
        let just_before = end.checked_sub_signed(TimeDelta::nanoseconds(1))?;
        Window::new(self.starting_at_or_before(just_before), end)
    }

    /// The windows that cover a span, oldest first; the first and the last are cut off where the span begins and ends.
    pub fn windows_between(self, span: Window) -> impl Iterator<Item = Window> {
        pieces(span, move |at| self.next_after(at))
    }

    /// How many those are. (One too many for each date in the span that the zone left out altogether, such as Samoa's
    /// 2011-12-30.)
    #[must_use]
    pub fn count_between(self, span: Window) -> u64 {
        let last = span.end.checked_sub_signed(TimeDelta::nanoseconds(1)).unwrap_or(span.end);
        self.number_of(last).saturating_sub(self.number_of(span.start)).unsigned_abs() + 1
    }

    /// The whole windows that have an instant in common with a span, oldest first.
    pub fn overlapping(self, span: Window) -> impl Iterator<Item = Window> {
        let start = self.starting_at_or_before(span.start);
        pieces(Window { start, end: span.end }, move |at| self.next_after(at))
            .map(move |window| Window { end: self.next_after(window.start), ..window })
    }

    /// A span, cut at each new year of the zone that is in it.
    pub fn years_between(self, span: Window) -> impl Iterator<Item = Window> {
        pieces(span, move |at| {
            let new_year = |year| NaiveDate::from_ymd_opt(year, 1, 1).map_or(last(), |date| self.midnight(date));
            let next = new_year(self.year_of(at).saturating_add(1));
            if next > at { next } else { last() }
        })
    }

    /// The number of the window in which `at` lies.
    fn number_of(self, at: DateTime<Utc>) -> i64 {
        let Some(zone) = self.zone else {
            return at.timestamp().div_euclid(self.seconds());
        };
        let at = at.clamp(first(), last());
        let date = at.with_timezone(&zone).date_naive();
        let days = date.signed_duration_since(DateTime::UNIX_EPOCH.date_naive()).num_days();
        let mut number = days.div_euclid(self.days());
        // Where clocks are put back across midnight, a date comes twice: what follows its first midnight is its own.
        while self.boundary(number.saturating_add(1)) <= at && at < last() {
            number = number.saturating_add(1);
        }
        number
    }

    /// The begin of the window with this number.
    fn boundary(self, number: i64) -> DateTime<Utc> {
        let beyond = if number < 0 { first() } else { last() };
        if self.zone.is_none() {
            let at = number.checked_mul(self.seconds()).and_then(|seconds| DateTime::from_timestamp(seconds, 0));
            return at.unwrap_or(beyond).clamp(first(), last());
        }
        let days = number.checked_mul(self.days()).and_then(TimeDelta::try_days);
        let date = days.and_then(|days| DateTime::UNIX_EPOCH.date_naive().checked_add_signed(days));
        date.map_or(beyond, |date| self.midnight(date))
    }

    /// The first instant of a date in the zone of the windows; see [`midnight`].
    #[must_use]
    pub fn midnight(self, date: NaiveDate) -> DateTime<Utc> {
        midnight(self.zone.unwrap_or(Tz::UTC), date)
    }

    fn seconds(self) -> i64 {
        i64::try_from(self.every.as_secs()).unwrap_or(i64::MAX).max(1)
    }

    fn days(self) -> i64 {
        (self.seconds() / DAY).max(1)
    }
}

/// The first instant of a date in a zone. Where the clocks skip midnight the date begins later; where they skip the whole date it is
/// the first instant after it. A date at the ends of time is moved to where local times can still be computed.
#[must_use]
pub fn midnight(zone: Tz, date: NaiveDate) -> DateTime<Utc> {
    let midnight = date.and_time(NaiveTime::MIN);
    let as_utc = midnight.and_utc().clamp(first(), last());
    if as_utc == first() || as_utc == last() {
        return as_utc;
    }
    zone.from_local_datetime(&midnight).earliest().map_or_else(|| after_leap(zone, as_utc), |at| at.to_utc())
}

/// The first instant at which the clocks of a zone show at least this time, which they leap over.
fn after_leap(zone: Tz, shown: DateTime<Utc>) -> DateTime<Utc> {
    // No zone is further from UTC, and none has leapt further.
    let mut before = shown - TimeDelta::days(2);
    let mut after = shown + TimeDelta::days(2);
    while after - before > TimeDelta::seconds(1) {
        let middle = before + TimeDelta::seconds((after - before).num_seconds() / 2);
        if middle.with_timezone(&zone).naive_local() < shown.naive_utc() {
            before = middle;
        } else {
            after = middle;
        }
    }
    after
}

/// Cuts a span; `next` is where the piece ends that begins at an instant.
fn pieces(span: Window, next: impl Fn(DateTime<Utc>) -> DateTime<Utc>) -> impl Iterator<Item = Window> {
    let mut at = span.start;
    std::iter::from_fn(move || {
        let end = next(at);
        // Time ends here, and the last piece is what is left.
        let end = if end <= at { span.end } else { end.min(span.end) };
        let window = Window::new(at, end)?;
        at = end;
        Some(window)
    })
}

/// The first instant that windows know: local times around it can be told.
fn first() -> DateTime<Utc> {
    DateTime::<Utc>::MIN_UTC + TimeDelta::days(5)
}

/// The last instant that windows know.
fn last() -> DateTime<Utc> {
    (DateTime::<Utc>::MAX_UTC - TimeDelta::days(5)).with_timezone(&Utc)
}

#[cfg(test)]
mod tests;
