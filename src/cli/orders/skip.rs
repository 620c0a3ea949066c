//! `etl-orch skip`: leaves gaps alone.

use std::time::Duration;

use chrono::{DateTime, Datelike, NaiveDate, NaiveTime, TimeDelta, Utc};
use clap::Args;

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::args::{GapOrderArgs, GapWords};
use super::target;
use crate::plan::model::orders::GapOrderKind;
use crate::plan::text::span::{self, InvalidSpan};
use crate::show::Time;

/// Options of `skip`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SkipArgs {
    #[command(flatten)]
    gaps: GapWords,
    /// When it ends by itself: a date (2026-12-01, UTC), a time (2026-12-01T09:00:00Z), or a duration from now (3d)
    #[arg(long, value_name = "WHEN", value_parser = until)]
    until: Option<Until>,
    #[command(flatten)]
    order: GapOrderArgs,
}

/// When a `skip` ends, as it is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Until {
    /// At this time.
    At(DateTime<Utc>),
    /// After this time from now.
    In(Duration),
}

impl Until {
    /// The point itself, in whole seconds; it must come after `now`.
    pub(super) fn after(self, now: DateTime<Utc>) -> Result<DateTime<Utc>, String> {
        let at = match self {
            Self::At(at) => Some(at),
            Self::In(span) => TimeDelta::from_std(span).ok().and_then(|span| now.checked_add_signed(span)),
        };
        // The databases hold years of four digits.
        let Some(at) = at.filter(|at| at.year() <= 9998) else { return Err("that is beyond the year 9998".to_owned()) };
        if at <= now {
            return Err(format!("{} has passed; write a time in the future", Time(at)));
        }
        let seconds = at.timestamp() + i64::from(at.timestamp_subsec_nanos() > 0);
        Ok(DateTime::from_timestamp(seconds, 0).unwrap_or(at))
    }
}

fn until(text: &str) -> Result<Until, String> {
    if let Ok(date) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(Until::At(date.and_time(NaiveTime::MIN).and_utc()));
    }
    if let Ok(time) = DateTime::parse_from_rfc3339(text) {
        return Ok(Until::At(time.with_timezone(&Utc)));
    }
    span::parse(text).map(Until::In).map_err(|error| match error {
        InvalidSpan::Form => "write a date such as 2026-12-01, a time such as 2026-12-01T09:00:00Z, or a duration such as 3d".to_owned(),
        InvalidSpan::Calendar => error.to_string(),
    })
}

pub(in crate::cli) async fn command(context: &Context<'_>, args: &SkipArgs) -> Result<Exit, Failure> {
    let until = args.until.map(|until| until.after(Utc::now())).transpose();
    let until = until.map_err(|problem| Failure::Usage(format!("--until: {problem}")))?;
    let target = target::of_gaps(&context.config.catalogue, &args.gaps)?;
    super::give(context, GapOrderKind::Skip { until }, &target, &args.order).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_end_may_be_written_in_three_ways() {
        let now: DateTime<Utc> = "2026-11-01T10:00:00.5Z".parse().unwrap();
        let after = |text: &str| until(text).and_then(|until| until.after(now)).map(|at| Time(at).to_string());
        assert_eq!(after("2026-12-01").unwrap(), "2026-12-01T00:00:00Z");
        assert_eq!(after("2026-12-01T09:30:00+02:00").unwrap(), "2026-12-01T07:30:00Z");
        assert_eq!(after("3d").unwrap(), "2026-11-04T10:00:01Z");
        assert_eq!(after("1ms").unwrap(), "2026-11-01T10:00:01Z");
        assert_eq!(after("2026-11-01").unwrap_err(), "2026-11-01T00:00:00Z has passed; write a time in the future");
        assert_eq!(after("0s").unwrap_err(), "2026-11-01T10:00:00Z has passed; write a time in the future");
        assert_eq!(after("3285000d").unwrap_err(), "that is beyond the year 9998");
        assert!(after("1M").unwrap_err().starts_with("months and years (M, y) have no fixed length"));
        for bad in ["", "tomorrow", "3", "2026-13-01", "2026-12-01 09:00", "12026-12-01x"] {
            assert!(after(bad).unwrap_err().starts_with("write a date"), "{bad}");
        }
    }
}
