//! The options of orders.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::Args;

/// Options of every order.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct OrderArgs {
    /// Why; kept with your name and the time
    #[arg(long, value_name = "TEXT", value_parser = reason)]
    pub(in crate::cli) reason: String,
}

/// What an order is about.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct Words {
    /// A bank (RY or RY-CA, in any case); or a whole gap (RY-CA/2025Q2/call_summary), a source (us_house), or the id of a job or its
    /// beginning
    #[arg(value_name = "BANK")]
    bank: Option<String>,
    /// The fiscal year, or the period in one word (2025Q2)
    #[arg(value_name = "YEAR")]
    year: Option<String>,
    /// The quarter, Q1 to Q4
    #[arg(value_name = "QUARTER")]
    quarter: Option<String>,
    /// The ETL; all of them when it is left out
    #[arg(value_name = "ETL")]
    etl: Option<String>,
}

impl Words {
    /// The words, in their order.
    pub(super) fn words(&self) -> Vec<&str> {
        [&self.bank, &self.year, &self.quarter, &self.etl].into_iter().filter_map(Option::as_deref).collect()
    }
}

/// Options of `retry` and `unskip`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SweepArgs {
    #[command(flatten)]
    pub(super) words: Words,
    /// Every gap and source that rests or is quarantined (retry), or is skipped (unskip)
    #[arg(long, conflicts_with = "bank")]
    pub(super) all: bool,
    /// With --all: only this ETL (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) etl_type: Vec<String>,
    #[command(flatten)]
    pub(super) order: OrderArgs,
}

/// Options of `skip`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SkipArgs {
    #[command(flatten)]
    pub(super) words: Words,
    /// When it ends by itself: a date (2026-12-01, UTC), a time (2026-12-01T09:00:00Z), or a duration from now (3d)
    #[arg(long, value_name = "WHEN", value_parser = when)]
    pub(super) until: Option<When>,
    #[command(flatten)]
    pub(super) order: OrderArgs,
}

/// Options of `cancel`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct CancelArgs {
    /// The id of a job, or its beginning (at least 4 characters); or a source that is being collected
    #[arg(value_name = "ID")]
    pub(super) id: String,
    #[command(flatten)]
    pub(super) order: OrderArgs,
}

/// A point in time as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// As it stands.
    At(DateTime<Utc>),
    /// From now on.
    In(Duration),
}

impl When {
    /// The point itself, in whole seconds; it must come after `now`.
    pub(super) fn after(self, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        let at = match self {
            Self::At(at) => Some(at),
            Self::In(span) => TimeDelta::from_std(span).ok().and_then(|span| now.checked_add_signed(span)),
        };
        // The databases hold years of four digits.
        let Some(at) = at.filter(|at| at.year() <= 9998) else { return Err("that is beyond the year 9998".to_owned()) };
        if at <= now {
            return Err(format!("{} has passed; write a time in the future", super::time(at)));
        }
        let seconds = at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0);
        Ok(DateTime::from_timestamp(seconds, 0).unwrap_or(at))
    }
}

fn when(text: &str) -> Result<When, String> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(When::At(date.and_time(NaiveTime::MIN).and_utc()));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(When::At(time.with_timezone(&Utc)));
    }
    humantime::parse_duration(text)
        .map(When::In)
        .map_err(|_| "write a date such as 2026-12-01, a time such as 2026-12-01T09:00:00Z, or a duration such as 3d".to_owned())
}

/// Reads a reason.
pub(in crate::cli) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("say why, in a few words".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("it holds a control character; write it in one line".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_may_be_written_in_three_ways() {
        let now: DateTime<Utc> = "2026-11-01T10:00:00.5Z".parse().unwrap();
        let after = |text: &str| when(text).and_then(|when| when.after(now)).map(super::super::time);
        assert_eq!(after("2026-12-01").unwrap(), "2026-12-01T00:00:00Z");
        assert_eq!(after("2026-12-01T09:30:00+02:00").unwrap(), "2026-12-01T07:30:00Z");
        assert_eq!(after("3d").unwrap(), "2026-11-04T10:00:01Z");
        assert_eq!(after("1ms").unwrap(), "2026-11-01T10:00:01Z");
        assert_eq!(after("2026-11-01").unwrap_err(), "2026-11-01T00:00:00Z has passed; write a time in the future");
        assert_eq!(after("0s").unwrap_err(), "2026-11-01T10:00:00Z has passed; write a time in the future");
        assert_eq!(after("9000y").unwrap_err(), "that is beyond the year 9998");
        for bad in ["", "tomorrow", "3", "2026-13-01", "2026-12-01 09:00", "12026-12-01x"] {
            assert!(after(bad).unwrap_err().starts_with("write a date"), "{bad}");
        }
    }

    #[test]
    fn a_reason_is_a_line_with_something_in_it() {
        assert_eq!(reason(" vendor fixed it "), Ok("vendor fixed it".to_owned()));
        for bad in ["", "  ", "\t", "a\nb", "\u{1b}[31m"] {
            assert!(reason(bad).is_err(), "{bad:?}");
        }
    }
}
