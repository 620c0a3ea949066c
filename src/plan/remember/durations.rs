//! How long jobs take, by the last ones that succeeded.

use std::collections::HashMap;
use std::time::Duration;

use crate::plan::model::gap::GapKey;

/// So many of the last successes count.
pub const LAST: usize = 10;

/// A bank with so many successes of its own is reckoned by these.
const OF_ITS_OWN: usize = 3;

/// A job that succeeded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PastSuccess {
    /// The name of its ETL, or the id of its source.
    pub filled_by: String,
    /// The full key of its bank; `None` where it collected windows of a source.
    pub bank: Option<String>,
    /// From its first attempt to its end.
    pub took: Duration,
}

/// How long the last successes took, by ETL or source, and by bank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Durations {
    etls: HashMap<String, Lengths>,
    banks: HashMap<(String, String), Lengths>,
    sources: HashMap<String, Lengths>,
}

/// The durations of at most [`LAST`] successes, ascending; at least one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Lengths(Vec<Duration>);

/// What a job still needs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spread {
    /// A quarter of those that took as long as this one has already needed no more than this.
    pub low: Duration,
    /// Half of them.
    pub median: Duration,
    /// Three quarters of them.
    pub high: Duration,
}

impl Durations {
    /// From successes, of each ETL and source the newest first.
    pub fn of(successes: impl IntoIterator<Item = PastSuccess>) -> Self {
        let mut found = Self::default();
        for PastSuccess { filled_by, bank, took } in successes {
            if let Some(bank) = bank {
                found.banks.entry((filled_by.clone(), bank)).or_default().add(took);
                found.etls.entry(filled_by).or_default().add(took);
            } else {
                found.sources.entry(filled_by).or_default().add(took);
            }
        }
        found.banks.retain(|_, lengths| lengths.0.len() >= OF_ITS_OWN);
        for lengths in found.etls.values_mut().chain(found.banks.values_mut()).chain(found.sources.values_mut()) {
            lengths.0.sort_unstable();
        }
        found
    }

    /// Those that a job over this gap is reckoned by; `None` where nothing like it ever succeeded.
    #[must_use]
    pub fn of_gap(&self, gap: &GapKey) -> Option<&Lengths> {
        match gap {
            GapKey::Report { bank, etl, .. } => self.banks.get(&(etl.clone(), bank.clone())).or_else(|| self.etls.get(etl)),
            GapKey::Source(source) | GapKey::Window { source, .. } => self.sources.get(source),
            GapKey::Group { .. } => None,
        }
    }
}

impl Lengths {
    fn add(&mut self, took: Duration) {
        if self.0.len() < LAST {
            self.0.push(took);
        }
    }

    /// What a job still needs that is under way for this long; `None` where none took that long.
    #[must_use]
    pub fn left_after(&self, elapsed: Duration) -> Option<Spread> {
        let longer = self.0.get(self.0.partition_point(|took| *took < elapsed)..)?;
        let left = |percent: usize| {
            let rank = (longer.len() * percent).div_ceil(100);
            longer.get(rank.saturating_sub(1)).map(|took| took.saturating_sub(elapsed))
        };
        Some(Spread { low: left(25)?, median: left(50)?, high: left(75)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn success(of: &str, bank: Option<&str>, seconds: u64) -> PastSuccess {
        PastSuccess { filled_by: of.to_owned(), bank: bank.map(str::to_owned), took: Duration::from_secs(seconds) }
    }

    fn seconds(durations: &Durations, gap: &str, elapsed: u64) -> Option<[u64; 3]> {
        let spread = durations.of_gap(&gap.parse().unwrap())?.left_after(Duration::from_secs(elapsed))?;
        Some([spread.low, spread.median, spread.high].map(|span| span.as_secs()))
    }

    #[test]
    fn the_last_ten_count() {
        let durations = Durations::of((1..=12).map(|n| success("a", Some("RY-CA"), n * 10)));
        assert_eq!(seconds(&durations, "RY-CA/2025Q2/a", 0), Some([30, 50, 80]));
        assert_eq!(seconds(&durations, "TD-CA/2025Q2/a", 0), Some([30, 50, 80]));
        assert_eq!(seconds(&durations, "TD-CA/2025Q2/b", 0), None);
        assert_eq!(seconds(&durations, "source:a", 0), None, "a source of that name is something else");
    }

    #[test]
    fn a_bank_counts_by_itself_from_three_successes_on() {
        let of_others = (0..9).map(|_| success("a", Some("TD-CA"), 60));
        let of_bank = |number| (0..number).map(|_| success("a", Some("RY-CA"), 600));
        let ry = |number| seconds(&Durations::of(of_others.clone().chain(of_bank(number))), "RY-CA/2025Q2/a", 0);
        assert_eq!((ry(2), ry(3)), (Some([60; 3]), Some([600; 3])));
    }

    #[test]
    fn what_is_under_way_is_reckoned_by_those_that_took_as_long() {
        let durations = Durations::of([10, 20, 30, 40].map(|took| success("a", None, took)));
        for (elapsed, left) in [(0, Some([10, 20, 30])), (10, Some([0, 10, 20])), (35, Some([5; 3])), (40, Some([0; 3])), (41, None)] {
            assert_eq!(seconds(&durations, "source:a@2026-01-16T00:00:00Z", elapsed), left, "{elapsed}");
        }
    }
}
