//! The age of a source's newest data, from its `freshness:` query.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

use crate::plan::text::size::shortened;

/// Most bytes that are kept of an answer that is no time.
const MOST_BYTES: usize = 100;

/// What the query for the newest data found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Freshness {
    /// The newest data is of this time.
    Until(Newest),
    /// There is no data.
    Nothing,
    /// It answers with something that is neither a date nor a time. Untrusted.
    NoTime(String),
    /// It could not be asked, and why.
    Failed(String),
}

/// The time of the newest data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Newest {
    Day(NaiveDate),
    Moment(DateTime<Utc>),
}

impl Freshness {
    /// What the query's answer means.
    #[must_use]
    pub fn of(answer: Option<&str>) -> Self {
        match answer.map(str::trim) {
            None | Some("") => Self::Nothing,
            Some(text) => Newest::parse(text).map_or_else(|| Self::NoTime(shortened(text, MOST_BYTES).into_owned()), Self::Until),
        }
    }
}

impl Newest {
    /// Reads a date or a time as ISO 8601 and both databases write them; without a zone it is UTC.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
            return Some(Self::Day(day));
        }
        let text = text.replacen(['T', 't'], " ", 1);
        let zoned = ["%Y-%m-%d %H:%M:%S%.f%#z", "%Y-%m-%d %H:%M%#z", "%Y-%m-%d %H:%M:%S%.f %#z"];
        let plain = ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%d %H:%M"];
        let zoned = zoned.iter().find_map(|form| DateTime::parse_from_str(&text, form).ok()).map(|at| at.with_timezone(&Utc));
        let plain = || plain.iter().find_map(|form| NaiveDateTime::parse_from_str(&text, form).ok()).map(|at| at.and_utc());
        zoned.or_else(plain).map(Self::Moment)
    }

    /// How long ago that is, in whole seconds; a date is as old as its number of days. Negative in the future.
    #[must_use]
    pub fn age(self, now: DateTime<Utc>) -> i64 {
        match self {
            Self::Day(day) => (now.date_naive() - day).num_seconds(),
            Self::Moment(at) => (now - at).num_seconds(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_time_may_be_written_in_the_usual_ways() {
        let moment = Newest::Moment("2026-01-16T05:30:00Z".parse().unwrap());
        for text in [
            "2026-01-16T05:30:00Z",
            "2026-01-16T05:30Z",
            "2026-01-16t05:30:00+00:00",
            "2026-01-16 05:30:00+00",
            "2026-01-16 05:30:00 +00",
            "2026-01-16 06:30:00.000000+01",
            "2026-01-16T00:30:00-0500",
            "2026-01-16 05:30:00",
            "2026-01-16 05:30",
            "2026-01-16T05:30:00.000",
        ] {
            assert_eq!(Freshness::of(Some(text)), Freshness::Until(moment), "{text}");
        }
        assert_eq!(Freshness::of(Some(" 2026-01-16 ")), Freshness::Until(Newest::Day("2026-01-16".parse().unwrap())));
    }

    #[test]
    fn what_is_no_time_is_not_taken_for_one() {
        for text in ["17", "2026-01", "yesterday", "2026-13-01", "2026-01-16 25:00:00", "1768541400"] {
            assert_eq!(Freshness::of(Some(text)), Freshness::NoTime(text.to_owned()));
        }
        assert_eq!(Freshness::of(None), Freshness::Nothing);
        assert_eq!(Freshness::of(Some("")), Freshness::Nothing);
    }

    #[test]
    fn a_date_is_as_old_as_its_days() {
        let now = "2026-01-25T23:59:59Z".parse().unwrap();
        let age = |text| Newest::parse(text).unwrap().age(now);
        assert_eq!(age("2026-01-16"), 9 * 86_400);
        assert_eq!(age("2026-01-25T23:00:00Z"), 3599);
        assert_eq!(age("2026-01-26"), -86_400);
    }
}
