//! At which distance runs start, where they do so regularly.

use chrono::{DateTime, TimeDelta, Utc};

/// So many of the last starts are looked at.
pub const STARTS: u32 = 10;

/// Fewer distances show no rhythm.
const FEWEST: usize = 3;

/// Runs that start at regular times.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rhythm {
    every: TimeDelta,
    /// A start in this rhythm.
    last: DateTime<Utc>,
}

impl Rhythm {
    /// The rhythm of these starts, the newest first. `None` where three quarters of their distances are not alike, or where it has been left
    /// by `now`.
    #[must_use]
    pub fn of(starts: &[DateTime<Utc>], now: DateTime<Utc>) -> Option<Self> {
        let distances: Vec<(TimeDelta, DateTime<Utc>)> =
            starts.iter().zip(starts.iter().skip(1)).map(|(later, earlier)| (*later - *earlier, *later)).collect();
        let mut sorted: Vec<TimeDelta> = distances.iter().map(|(distance, _)| *distance).collect();
        sorted.sort_unstable();
        let every = *sorted.get(sorted.len() / 2).filter(|every| **every >= TimeDelta::seconds(1))?;
        let is_alike = |distance: TimeDelta| (distance - every).abs() <= every / 10;
        let alike = distances.iter().filter(|(distance, _)| is_alike(*distance));
        let (_, last) = *alike.clone().next()?;
        let is_kept = last <= now && now - last <= every * 2;
        (distances.len() >= FEWEST && alike.count() * 4 >= distances.len() * 3 && is_kept).then_some(Self { every, last })
    }

    /// The first start of it that is not before this time.
    #[must_use]
    pub fn next(&self, at: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let (every, since) = (self.every.num_microseconds()?, (at - self.last).num_microseconds()?.max(1));
        let times = since.checked_add(every - 1)? / every;
        self.last.checked_add_signed(TimeDelta::microseconds(every.checked_mul(times)?))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(minute: i64) -> DateTime<Utc> {
        DateTime::UNIX_EPOCH + TimeDelta::minutes(minute)
    }

    /// The next start after `now`, given earlier ones.
    fn next(starts: &[i64], now: i64) -> Option<i64> {
        let starts: Vec<_> = starts.iter().map(|minute| at(*minute)).collect();
        Some((Rhythm::of(&starts, at(now))?.next(at(now))? - at(0)).num_minutes())
    }

    #[test]
    fn the_next_start_is_known_where_the_last_ones_were_regular() {
        assert_eq!(next(&[60, 45, 30, 15], 60), Some(75));
        assert_eq!(next(&[60, 45, 30, 15], 62), Some(75));
        assert_eq!(next(&[60, 45, 30, 15], 75), Some(75));
        assert_eq!(next(&[60, 45, 30, 15], 76), Some(90));
        assert_eq!(next(&[62, 60, 45, 30, 15, 0], 63), Some(75), "one by hand leaves the rhythm as it is");
    }

    #[test]
    fn nothing_is_known_where_they_were_not() {
        for (starts, now) in [(&[][..], 0), (&[45, 30, 15], 46), (&[100, 45, 40, 0], 101), (&[60, 45, 30, 15], 91), (&[60, 60, 60, 60], 60)]
        {
            assert_eq!(next(starts, now), None, "{starts:?}");
        }
    }
}
