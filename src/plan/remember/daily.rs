//! What lasts is said again once a day, and every day at the same time: a run that comes late does not put off all later days.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

const DAY: TimeDelta = TimeDelta::days(1);

/// Where what was said last at `said` is to be said again now: the time that stands for that on record, so many days after `said`. Runs start
/// every `tick`, and the one that is nearest to that time says it. A time far in the future is of a clock that was wrong.
#[must_use]
pub fn again(said: DateTime<Utc>, now: DateTime<Utc>, tick: Duration) -> Option<DateTime<Utc>> {
    let since = now.signed_duration_since(said);
    let half_a_tick = TimeDelta::from_std(tick / 2).unwrap_or(DAY);
    if since.abs() < DAY - half_a_tick {
        return None;
    }
    let days = (since + DAY / 2).num_seconds().div_euclid(DAY.num_seconds());
    Some(said.checked_add_signed(DAY * i32::try_from(days).ok()?).unwrap_or(now))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TICK: Duration = Duration::from_secs(15 * 60);

    fn at(text: &str) -> DateTime<Utc> {
        format!("2026-11-{text}:00Z").parse().unwrap()
    }

    #[test]
    fn it_is_said_again_after_a_day_and_keeps_its_time() {
        for (said, now, expected) in [
            ("01T10:00", "01T10:15", None),
            ("01T10:00", "02T09:52", None),
            ("01T10:00", "02T09:53", Some("02T10:00")),
            ("01T10:00", "02T10:07", Some("02T10:00")),
            ("02T10:00", "02T09:53", None),
            ("01T10:00", "02T21:00", Some("02T10:00")),
            ("01T10:00", "09T03:00", Some("09T10:00")),
            ("20T10:00", "02T09:00", Some("02T10:00")),
        ] {
            assert_eq!(again(at(said), at(now), TICK), expected.map(at), "{said} {now}");
        }
        assert_eq!(again(at("01T10:00"), at("01T22:00"), Duration::from_secs(24 * 3600)), Some(at("02T10:00")));
        assert_eq!(again(DateTime::<Utc>::MIN_UTC, at("01T10:00"), TICK).map(|at| at.date_naive()), Some(at("01T10:00").date_naive()));
    }

    #[test]
    fn it_does_not_come_later_every_day_where_runs_are_late() {
        let mut said = at("01T10:00");
        let mut told = Vec::new();
        for tick in (1..10 * 96).filter(|tick| tick % 13 != 0) {
            // Up to 7 minutes late.
            let now = at("01T10:00") + TimeDelta::minutes(15 * tick + tick * 5 % 8);
            if let Some(slot) = again(said, now, TICK) {
                said = slot;
                told.push(now.to_string());
            }
        }
        assert_eq!(told.len(), 9, "{told:?}");
        assert!(told.iter().all(|now| now.contains(" 09:5") || now.contains(" 10:")), "{told:?}");
    }
}
