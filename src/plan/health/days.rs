//! Whole days of data, counted in a source's own calendar.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use chrono_tz::Tz;

use crate::plan::model::source::Source;
use crate::plan::model::window::Cadence;

/// The last day that is over at this time, in the time zone of the windows.
#[must_use]
pub fn last_whole_day(cadence: Cadence, at: DateTime<Utc>) -> Option<NaiveDate> {
    at.with_timezone(&cadence.zone.unwrap_or(Tz::UTC)).date_naive().pred_opt()
}

/// The last day of which a source can have all data at this time: its last window has ended, longer ago than the `lag`.
#[must_use]
pub fn last_day_due(source: &Source, now: DateTime<Utc>) -> Option<NaiveDate> {
    let due_by = now.checked_sub_signed(TimeDelta::from_std(source.lag).ok()?)?;
    last_whole_day(source.cadence, source.cadence.last_ended(due_by)?.end)
}

/// How many days a source is behind that has all data until `last`.
#[must_use]
pub fn days_behind(source: &Source, last: NaiveDate, now: DateTime<Utc>) -> Option<u64> {
    let days = last_day_due(source, now)?.signed_duration_since(last).num_days();
    Some(u64::try_from(days).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::test_support::source;

    const HOUR: Duration = Duration::from_secs(3600);

    fn at(text: &str) -> DateTime<Utc> {
        text.parse().unwrap()
    }

    fn of(hours: u32, zone: Option<Tz>, lag: Duration) -> Source {
        Source { cadence: Cadence { every: HOUR * hours, zone }, lag, ..source("s") }
    }

    fn last(source: &Source, collected_until: &str) -> String {
        last_whole_day(source.cadence, at(collected_until)).unwrap().to_string()
    }

    #[test]
    fn a_day_has_all_its_data_once_it_was_collected_to_its_end() {
        let utc = of(6, None, Duration::ZERO);
        assert_eq!(last(&utc, "2026-01-16T00:00:00Z"), "2026-01-15");
        assert_eq!(last(&utc, "2026-01-16T18:00:00Z"), "2026-01-15");
        let new_york = of(24, Some(Tz::America__New_York), Duration::ZERO);
        assert_eq!(last(&new_york, "2026-01-16T05:00:00Z"), "2026-01-15");
        assert_eq!(last(&new_york, "2026-03-09T04:00:00Z"), "2026-03-08", "a day of 23 hours");
    }

    #[test]
    fn days_that_cannot_be_there_yet_are_not_behind() {
        let utc = of(6, None, Duration::ZERO);
        let with_lag = of(6, None, HOUR * 2);
        let new_york = of(24, Some(Tz::America__New_York), HOUR * 2);
        let weekly = of(7 * 24, None, Duration::ZERO);
        for (source, last, now, days, why) in [
            (&utc, "2026-01-15", "2026-01-16T23:59:59Z", 0, "today has not ended"),
            (&utc, "2026-01-15", "2026-01-17T00:00:00Z", 1, "it has"),
            (&with_lag, "2026-01-15", "2026-01-17T01:59:59Z", 0, "within the lag"),
            (&with_lag, "2026-01-15", "2026-01-17T02:00:00Z", 1, "after it"),
            (&new_york, "2026-01-15", "2026-01-17T06:59:59Z", 0, "within the lag, by the clock of New York"),
            (&new_york, "2026-01-15", "2026-01-17T07:00:00Z", 1, "after it"),
            (&utc, "2026-01-16", "2026-01-25T12:00:00Z", 8, "nine days of silence, the last of which has not ended"),
            (&utc, "2026-01-20", "2026-01-17T00:00:00Z", 0, "the future is not behind"),
            (&weekly, "2026-01-14", "2026-01-21T23:00:00Z", 0, "the week has not ended"),
            (&weekly, "2026-01-14", "2026-01-22T00:00:00Z", 7, "it has"),
        ] {
            assert_eq!(days_behind(source, last.parse().unwrap(), at(now)), Some(days), "{why}");
        }
    }
}
