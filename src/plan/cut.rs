//! Stands in for what `window` is to have; goes at the merge.

use chrono::{DateTime, TimeDelta, TimeZone, Utc};

use super::window::{Cadence, Window};

/// Cuts time into windows.
pub(crate) trait Cut {
    /// The windows that overlap a span, oldest first.
    fn overlapping(&self, span: Window) -> Vec<Window>;
    /// The last window that has ended.
    fn last_ended(&self, now: DateTime<Utc>) -> Window;
}

impl Cut for Cadence {
    fn overlapping(&self, span: Window) -> Vec<Window> {
        let mut windows = vec![window_at(*self, span.start)];
        while let Some(last) = windows.last().filter(|last| last.end < span.end) {
            windows.push(window_at(*self, last.end));
        }
        windows
    }

    fn last_ended(&self, now: DateTime<Utc>) -> Window {
        window_at(*self, window_at(*self, now).start - TimeDelta::seconds(1))
    }
}

fn window_at(cadence: Cadence, at: DateTime<Utc>) -> Window {
    let every = i64::try_from(cadence.every.as_secs()).unwrap_or(i64::MAX);
    let Some(zone) = cadence.zone else {
        let start = at.timestamp().div_euclid(every) * every;
        let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap_or(at);
        return Window { start: at(start), end: at(start + every) };
    };
    let day = at.with_timezone(&zone).date_naive();
    let midnight =
        |day: chrono::NaiveDate| zone.from_local_datetime(&day.and_time(chrono::NaiveTime::MIN)).earliest().map(|at| at.to_utc());
    Window { start: midnight(day).unwrap_or(at), end: midnight(day + TimeDelta::days(every / 86_400)).unwrap_or(at) }
}
