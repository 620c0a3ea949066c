//! When an ETL has failed for one bank after another, the ETL is broken, and not the banks.
//!
//! ```text
//! closed --as many different banks in a row failed--> open --a probe succeeded--> closed
//! ```
//!
//! While it is open each run lets one job through first, the probe, each time of a different bank; the rest waits for it.

use chrono::{DateTime, Utc};

use crate::plan::model::institution::BankIndex;
use crate::plan::model::job::JobState;

/// The open breaker of an ETL, as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBreaker {
    /// Name of the ETL.
    pub etl: String,
    /// When it opened.
    pub since: DateTime<Utc>,
    /// The full keys of the banks whose failures opened it.
    pub banks: Vec<String>,
    /// The digest of the ETL then ([`crate::plan::remember::fingerprint::of_etl`]): another ETL is another breaker.
    pub etl_digest: String,
    /// The full key of the bank that was probed last.
    pub probed: Option<String>,
    pub probed_at: Option<DateTime<Utc>>,
}

/// Counts the banks in a row for which an ETL failed finally and transiently.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Streak {
    needed: usize,
    banks: Vec<BankIndex>,
}

impl Streak {
    /// A streak for an ETL of which jobs of `banks` banks are planned. It is full after `most` different banks, or all that
    /// are planned where those are fewer, but never after fewer than 2.
    #[must_use]
    pub fn new(most: u32, banks: usize) -> Self {
        let most = usize::try_from(most).unwrap_or(usize::MAX);
        Self { needed: most.min(banks).max(2), banks: Vec::new() }
    }

    /// Counts the end of a job. `transient`: it failed because its attempts were used up. What was neither that nor a success
    /// says nothing of the ETL. Returns whether the streak is full now.
    pub fn ended(&mut self, bank: BankIndex, state: JobState, transient: bool) -> bool {
        if state == JobState::Succeeded {
            self.banks.clear();
        } else if state == JobState::Failed && transient && !self.banks.contains(&bank) {
            self.banks.push(bank);
        }
        self.banks.len() >= self.needed
    }

    /// The banks in it, in the order of their failures.
    #[must_use]
    pub fn banks(&self) -> &[BankIndex] {
        &self.banks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAILED: (JobState, bool) = (JobState::Failed, true);

    #[test]
    fn it_takes_as_many_banks_as_are_planned_but_2_to_5() {
        for (most, planned, needed) in [(5, 14, 5), (5, 3, 3), (5, 2, 2), (5, 1, 2), (5, 0, 2), (1, 14, 2), (0, 0, 2), (20, 14, 14)] {
            let mut streak = Streak::new(most, planned);
            let full = (0..20).find(|bank| streak.ended(*bank, FAILED.0, FAILED.1));
            assert_eq!(full, Some(needed - 1), "{most} {planned}");
            assert_eq!(streak.banks(), (0..needed).collect::<Vec<_>>());
        }
    }

    #[test]
    fn only_different_banks_count() {
        let mut streak = Streak::new(2, 14);
        assert!(!streak.ended(3, FAILED.0, FAILED.1));
        assert!(!streak.ended(3, FAILED.0, FAILED.1));
        assert!(streak.ended(4, FAILED.0, FAILED.1));
    }

    #[test]
    fn a_success_breaks_it_and_what_is_neither_says_nothing() {
        let mut streak = Streak::new(2, 14);
        streak.ended(0, FAILED.0, FAILED.1);
        for state in [JobState::Queued, JobState::Running, JobState::Skipped, JobState::Cancelled, JobState::Lost] {
            assert!(!streak.ended(1, state, true), "{state:?}");
        }
        assert!(!streak.ended(1, JobState::Failed, false), "another attempt could not help");
        assert_eq!(streak.banks(), [0]);
        assert!(!streak.ended(2, JobState::Succeeded, false));
        assert_eq!(streak.banks(), [0; 0]);
        assert!(!streak.ended(1, FAILED.0, FAILED.1));
    }
}
