//! When something is expected, in words and for programs.

use chrono::{DateTime, DurationRound, TimeDelta, Utc};
use serde::Serialize;

use super::words::Time;
use crate::plan::run::forecast::{Expected, Interval, Prospect};
use crate::plan::run::outlook::Expectation;

/// When a job is expected to have ended, and how many start before it.
#[derive(Debug, Serialize)]
pub(super) struct ExpectedView {
    from: Time,
    to: Time,
    before: usize,
}

impl ExpectedView {
    /// `None` where nothing is expected.
    pub(super) fn of(prospect: Option<&Prospect>) -> Option<Self> {
        match prospect? {
            Prospect::Expected(Expected { end, before }) => Some(Self { from: Time(end.from), to: Time(end.to), before: *before }),
            Prospect::LeftByDeadline | Prospect::MayMissDeadline | Prospect::Unknown(_) => None,
        }
    }
}

/// From when to when something is expected.
#[derive(Debug, Serialize)]
pub(super) struct Span {
    from: Time,
    to: Time,
}

impl From<Interval> for Span {
    fn from(interval: Interval) -> Self {
        Self { from: Time(interval.from), to: Time(interval.to) }
    }
}

/// `expected 14:10–14:25 (9 before it)`, as it is seen at `now`; `None` where nothing can be said.
pub(super) fn words(prospect: Option<&Prospect>, now: DateTime<Utc>) -> Option<String> {
    let text = match prospect? {
        Prospect::Expected(Expected { end, before: 0 }) => format!("expected {}", interval(*end, now)),
        Prospect::Expected(Expected { end, before }) => format!("expected {} ({before} before it)", interval(*end, now)),
        Prospect::LeftByDeadline => "left to a later run by the deadline".to_owned(),
        Prospect::MayMissDeadline => "left to a later run by the deadline, unless all is fast".to_owned(),
        Prospect::Unknown(_) => return None,
    };
    Some(text)
}

/// The same as a sentence, with the run that it is expected of.
pub(super) fn sentence(expectation: &Expectation, now: DateTime<Utc>) -> Option<String> {
    let (text, by) = match expectation {
        Expectation::UnderWay(prospect) => (words(Some(prospect), now)?, "by the run that is under way".to_owned()),
        Expectation::Planned { begin, is_regular, prospect } => {
            let by = match (begin.from <= now, is_regular) {
                (true, _) => "by a run that starts now".to_owned(),
                (false, true) => format!("by the run that is expected to start {}", interval(*begin, now)),
                (false, false) => format!("by a run that waits for the one under way until {}", interval(*begin, now)),
            };
            (words(Some(prospect), now)?, by)
        }
        Expectation::TriedAt(at) => {
            return Some(format!("Next tried by the run that is expected to start {}.", Time(*at).beside(Time(now))));
        }
    };
    let mut letters = text.chars();
    let first = letters.next()?.to_ascii_uppercase();
    Some(format!("{first}{}, {by}.", letters.as_str()))
}

/// `14:10–14:25`, whole minutes that hold the interval.
pub(super) fn interval(interval: Interval, now: DateTime<Utc>) -> String {
    let minute = TimeDelta::minutes(1);
    let first = interval.from.duration_trunc(minute).unwrap_or(interval.from);
    let last = interval.to.duration_trunc(minute).unwrap_or(interval.to);
    let last = if last < interval.to { last + minute } else { last };
    let clock = |at| Time(at).beside(Time(now));
    if first == last { clock(first) } else { format!("{}–{}", clock(first), clock(last)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::run::forecast::Unreckoned;

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-{text}Z").parse().unwrap()
    }

    #[test]
    fn an_expectation_is_a_span_of_minutes() {
        let now = at("28T14:03:22");
        let expected = |from, to, before| Prospect::Expected(Expected { end: Interval { from: at(from), to: at(to) }, before });
        for (prospect, text) in [
            (expected("28T14:10:59", "28T14:24:01", 9), Some("expected 14:10–14:25 (9 before it)")),
            (expected("28T14:10:00", "28T14:10:00", 0), Some("expected 14:10")),
            (expected("28T23:50:00", "29T00:05:00", 0), Some("expected 23:50–2026-11-29 00:05")),
            (Prospect::LeftByDeadline, Some("left to a later run by the deadline")),
            (Prospect::MayMissDeadline, Some("left to a later run by the deadline, unless all is fast")),
            (Prospect::Unknown(Unreckoned::NeverSucceeded), None),
        ] {
            assert_eq!(words(Some(&prospect), now).as_deref(), text);
        }
        assert_eq!(words(None, now), None);
        let prospect = expected("28T14:10:59", "28T14:24:01", 9);
        let planned = |begin, is_regular| Expectation::Planned { begin: Interval::at(at(begin)), is_regular, prospect };
        for (expectation, text) in [
            (Expectation::UnderWay(prospect), "Expected 14:10–14:25 (9 before it), by the run that is under way."),
            (planned("28T14:03:22", false), "Expected 14:10–14:25 (9 before it), by a run that starts now."),
            (planned("28T14:05:00", true), "Expected 14:10–14:25 (9 before it), by the run that is expected to start 14:05."),
            (planned("28T14:05:00", false), "Expected 14:10–14:25 (9 before it), by a run that waits for the one under way until 14:05."),
            (Expectation::TriedAt(at("28T14:30:00")), "Next tried by the run that is expected to start 14:30."),
        ] {
            assert_eq!(sentence(&expectation, now).as_deref(), Some(text));
        }
    }
}
