//! How long a gap that failed is left alone.

use std::time::Duration;

/// How often a gap that fails is tried (`cooldown:` in the configuration).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Cooldown {
    /// Rest after the first run that used up its attempts; doubles with each further one.
    pub initial: Duration,
    /// No rest is longer.
    pub max: Duration,
    /// After that many failed runs in a row the gap is quarantined; at least 1.
    pub quarantine_after: u32,
}

impl Default for Cooldown {
    fn default() -> Self {
        Self { initial: Duration::from_secs(600), max: Duration::from_secs(12 * 3600), quarantine_after: 8 }
    }
}

impl Cooldown {
    /// The rest after `runs` failed runs in a row.
    #[must_use]
    pub fn rest(&self, runs: u32) -> Duration {
        let doubled = 2_u32.checked_pow(runs.saturating_sub(1)).and_then(|factor| self.initial.checked_mul(factor));
        doubled.map_or(self.max, |rest| rest.min(self.max))
    }
}
