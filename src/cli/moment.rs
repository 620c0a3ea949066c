//! Points in time as people write them: a date, a time, or a span from now.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, NaiveTime, TimeDelta, Utc};

use crate::plan::text::span::{self, InvalidSpan};
use crate::show::{self, Time};

/// A point in time, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Moment {
    At(DateTime<Utc>),
    /// Local time or, with `--utc`, UTC.
    Local(NaiveDateTime),
    /// So far from now; in which direction depends on the option.
    Away(Duration),
}

impl Moment {
    /// Reads `2026-12-01`, `2026-12-01 09:00`, times as they are shown, `2026-12-01T09:00:00Z` or `3d`.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Ok(Self::Local(date.and_time(NaiveTime::MIN)));
        }
        let local = |form| NaiveDateTime::parse_from_str(text, form).ok();
        if let Some(time) = ["%Y-%m-%d %H:%M", "%Y-%m-%d %H:%M:%S"].into_iter().find_map(local) {
            return Ok(Self::Local(time));
        }
        if let Ok(time) = DateTime::parse_from_rfc3339(text).or_else(|_| DateTime::parse_from_str(text, "%Y-%m-%d %H:%M:%S %:z")) {
            return Ok(Self::At(time.to_utc()));
        }
        span::parse(text).map(Self::Away).map_err(|error| match error {
            InvalidSpan::Form => {
                "write a date such as 2026-12-01, a time such as \"2026-12-01 09:00\" or 2026-12-01T09:00:00Z, or a duration such as 3d"
                    .to_owned()
            }
            InvalidSpan::Calendar => error.to_string(),
        })
    }

    /// The point itself, in whole seconds; it must come after `now`.
    pub(super) fn after(self, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        let at = match self {
            Self::At(at) => Some(at),
            Self::Local(time) => Some(instant(time)?),
            Self::Away(span) => TimeDelta::from_std(span).ok().and_then(|span| now.checked_add_signed(span)),
        };
        // The databases hold years of four digits.
        let Some(at) = at.filter(|at| at.year() <= 9998) else { return Err("that is beyond the year 9998".to_owned()) };
        if at <= now {
            return Err(format!("{} has passed; write a time in the future", Time(at)));
        }
        let seconds = at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0);
        Ok(DateTime::from_timestamp(seconds, 0).unwrap_or(at))
    }

    /// The point itself, where a span counts back from `now`.
    pub(super) fn before(self, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        let at = match self {
            Self::At(at) => Some(at),
            Self::Local(time) => Some(instant(time)?),
            Self::Away(span) => TimeDelta::from_std(span).ok().and_then(|span| now.checked_sub_signed(span)),
        };
        at.filter(|at| (1900..=9998).contains(&at.year())).ok_or_else(|| "that is not in the years 1900 to 9998".to_owned())
    }
}

fn instant(time: NaiveDateTime) -> Result<DateTime<Utc>, String> {
    show::read_time(time).ok_or_else(|| format!("no clock here shows {time}, as it is then put forward"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_point_may_be_written_in_several_ways() {
        let now: DateTime<Utc> = "2026-11-01T10:00:00.5Z".parse().unwrap();
        let after = |text: &str| Moment::parse(text).and_then(|moment| moment.after(now)).map(|at| Time(at).to_string());
        assert_eq!(after("2026-12-01").unwrap(), "2026-12-01 00:00:00Z");
        for text in
            ["2026-12-01T09:30:00+02:00", "2026-12-01 07:30", "2026-12-01 07:30:00", "2026-12-01 07:30:00Z", "2026-12-01 08:30:00 +01:00"]
        {
            assert_eq!(after(text).unwrap(), "2026-12-01 07:30:00Z", "{text}");
        }
        assert_eq!(after("3d").unwrap(), "2026-11-04 10:00:01Z");
        assert_eq!(after("1ms").unwrap(), "2026-11-01 10:00:01Z");
        assert_eq!(after("2026-11-01").unwrap_err(), "2026-11-01 00:00:00Z has passed; write a time in the future");
        assert_eq!(after("0s").unwrap_err(), "2026-11-01 10:00:00Z has passed; write a time in the future");
        assert_eq!(after("3000000d").unwrap_err(), "that is beyond the year 9998");
        assert!(after("1M").unwrap_err().starts_with("months and years (M, y) have no fixed length"));
        for bad in ["", "tomorrow", "3", "2026-13-01", "2026-12-01 9 h", "12026-12-01x"] {
            assert!(after(bad).unwrap_err().starts_with("write a date"), "{bad}");
        }
    }

    #[test]
    fn a_span_may_count_back() {
        let now: DateTime<Utc> = "2026-11-04T10:00:00Z".parse().unwrap();
        let before = |text: &str| Moment::parse(text).and_then(|moment| moment.before(now)).map(|at| Time(at).to_string());
        assert_eq!(before("3d").unwrap(), "2026-11-01 10:00:00Z");
        assert_eq!(before("2026-12-01").unwrap(), "2026-12-01 00:00:00Z");
        assert_eq!(before("3000000d").unwrap_err(), "that is not in the years 1900 to 9998");
    }
}
