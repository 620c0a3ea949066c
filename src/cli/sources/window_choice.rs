//! Which windows `--window` asks for.

use chrono::{DateTime, NaiveDate, TimeDelta, Utc};

use crate::plan::decide::backfill::due_by;
use crate::plan::model::source::Source;
use crate::plan::model::window::{Cadence, Window};
use crate::plan::text::placeholder::Placeholder;
use crate::plan::text::span;

/// Most windows in one order.
const MOST: usize = 1000;

/// Windows as a person names them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum WindowChoice {
    /// Those that overlap `[start, end)`.
    Span(Point, Point),
    /// Those that overlap this day.
    Day(NaiveDate),
    /// The one in which this instant lies.
    Instant(DateTime<Utc>),
}

/// An end of a span.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum Point {
    /// The midnight at which this day begins in the source's zone.
    Day(NaiveDate),
    Instant(DateTime<Utc>),
}

/// Reads `START/END`, a day, a time, or a window as it is shown.
pub(super) fn parse(text: &str) -> Result<WindowChoice, String> {
    if let Ok(Window { start, end }) = text.parse() {
        return Ok(WindowChoice::Span(Point::Instant(start), Point::Instant(end)));
    }
    if let Some((start, end)) = text.split_once('/') {
        return Ok(WindowChoice::Span(point(start)?, point(end)?));
    }
    Ok(match point(text)? {
        Point::Day(day) => WindowChoice::Day(day),
        Point::Instant(at) => WindowChoice::Instant(at),
    })
}

fn point(text: &str) -> Result<Point, String> {
    if let Ok(day) = NaiveDate::parse_from_str(text, "%Y-%m-%d") {
        return Ok(Point::Day(day));
    }
    DateTime::parse_from_rfc3339(text).map(|at| Point::Instant(at.with_timezone(&Utc))).map_err(|_| {
        "write START/END, a day such as 2026-01-16, or a time such as 2026-01-16T09:00:00Z; START and END are days or times".to_owned()
    })
}

impl WindowChoice {
    /// The windows, oldest first: whole windows that are due, at least one. They are split at the new year if the source uses
    /// `{window_year}`.
    pub(super) fn windows(choice: Option<Self>, source: &Source, now: DateTime<Utc>) -> Result<Vec<Window>, String> {
        let cadence = source.cadence;
        let windows = match choice {
            None => cadence.last_ended(due_by(source, now)).map(|last| vec![last]).ok_or("no window of it is due yet")?,
            Some(choice) => choice.whole(source, now)?,
        };
        let by_year = source.uses(Placeholder::WindowYear);
        let years = |window| if by_year { cadence.years_between(window).collect() } else { vec![window] };
        Ok(windows.into_iter().flat_map(years).collect())
    }

    fn whole(self, source: &Source, now: DateTime<Utc>) -> Result<Vec<Window>, String> {
        let cadence = source.cadence;
        let span = self.span(cadence).ok_or("START is not before END, or lies outside the calendar")?;
        let windows: Vec<Window> = cadence.overlapping(span).take(MOST + 1).collect();
        if windows.len() > MOST {
            return Err(format!("it is more than {MOST} windows; ask for fewer at a time"));
        }
        match windows.last() {
            None => Err("it contains no window".to_owned()),
            Some(last) if last.end > now => Err(format!("its window {last} has not ended yet; it is collected once it has")),
            Some(last) if last.end > due_by(source, now) => {
                let lag = span::exact(source.lag);
                Err(format!("its window {last} is not due yet; it is collected {lag} after its end"))
            }
            Some(_) => Ok(windows),
        }
    }

    fn span(self, cadence: Cadence) -> Option<Window> {
        let at = |point| match point {
            Point::Day(day) => cadence.midnight(day),
            Point::Instant(at) => at,
        };
        match self {
            Self::Span(start, end) => Window::new(at(start), at(end)),
            Self::Day(day) => Window::new(cadence.midnight(day), cadence.midnight(day.succ_opt()?)),
            Self::Instant(at) => Window::new(at, at.checked_add_signed(TimeDelta::microseconds(1))?),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::plan::test_support::source;

    fn now() -> DateTime<Utc> {
        "2026-01-17T07:00:00Z".parse().unwrap()
    }

    fn of(text: Option<&str>, hours: u64, zone: Option<&str>) -> Result<Vec<String>, String> {
        let cadence = Cadence { every: Duration::from_secs(hours * 3600), zone: zone.map(|zone| zone.parse().unwrap()) };
        let source = Source { cadence, ..source("us_house") };
        let windows = WindowChoice::windows(text.map(parse).transpose()?, &source, now())?;
        Ok(windows.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn windows_may_be_named_in_several_ways() {
        let (a, b) = ("2026-01-16 00:00–06:00Z", "2026-01-16 06:00–12:00Z");
        assert_eq!(of(Some(a), 6, None).unwrap(), [a]);
        assert_eq!(of(Some("2026-01-16T05:59:59Z"), 6, None).unwrap(), [a]);
        assert_eq!(of(Some("2026-01-16T06:00:00Z"), 6, None).unwrap(), [b]);
        assert_eq!(of(Some("2026-01-16T05:00:00Z/2026-01-16T07:00:00Z"), 6, None).unwrap(), [a, b], "rounded out to whole windows");
        assert_eq!(of(Some("2026-01-16"), 6, None).unwrap().len(), 4);
        assert_eq!(of(Some("2026-01-14/2026-01-16"), 24, None).unwrap().len(), 2, "END itself is not in it");
        assert_eq!(of(Some(a), 6, None).unwrap(), [a], "as it is shown");
        assert_eq!(of(None, 6, None).unwrap(), ["2026-01-17 00:00–06:00Z"]);
    }

    #[test]
    fn a_day_is_one_of_the_sources_zone() {
        let day = ["2026-01-15 05:00–2026-01-16 05:00Z"];
        assert_eq!(of(Some("2026-01-15"), 24, Some("America/New_York")).unwrap(), day);
        let long = of(Some("2025-11-02"), 24, Some("America/New_York")).unwrap();
        assert_eq!(long, ["2025-11-02 04:00–2025-11-03 05:00Z"], "the clocks go back");
    }

    #[test]
    fn windows_that_cannot_be_collected_are_refused() {
        let errors: Vec<String> = [
            Some("tomorrow"),
            Some("2026-01-16/"),
            Some("2026-01-16/2026-01-16"),
            Some("2026-01-17T06:00:00Z"),
            Some("2026-01-17"),
            Some("2000-01-01/2026-01-01"),
            Some("2025-01-01/2026-01-01"),
            Some("1000000-01-01"),
        ]
        .into_iter()
        .map(|text| of(text, 6, None).unwrap_err())
        .collect();
        insta::assert_snapshot!(errors.join("\n"), @r"
        write START/END, a day such as 2026-01-16, or a time such as 2026-01-16T09:00:00Z; START and END are days or times
        write START/END, a day such as 2026-01-16, or a time such as 2026-01-16T09:00:00Z; START and END are days or times
        START is not before END, or lies outside the calendar
        its window 2026-01-17 06:00–12:00Z has not ended yet; it is collected once it has
        its window 2026-01-17 18:00–24:00Z has not ended yet; it is collected once it has
        it is more than 1000 windows; ask for fewer at a time
        it is more than 1000 windows; ask for fewer at a time
        write START/END, a day such as 2026-01-16, or a time such as 2026-01-16T09:00:00Z; START and END are days or times
        ");
    }
}
