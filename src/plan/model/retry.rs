//! How long to wait before the next attempt of a job.

use std::time::Duration;

/// Exponential backoff with a cap.
#[derive(Debug, Clone, PartialEq)]
pub struct RetryPolicy {
    /// Attempts in one run, the first included; at least 1.
    pub max_attempts: u32,
    /// Wait after the first failed attempt.
    pub initial_delay: Duration,
    /// Each further wait is this many times the one before; at least 1.
    pub multiplier: f64,
    /// No wait is longer, before jitter.
    pub max_delay: Duration,
    /// Share of the wait that is random, 0 to 1: the wait becomes `delay * (1 - jitter/2 ..= 1 + jitter/2)`.
    pub jitter: f64,
}

impl Default for RetryPolicy {
    fn default() -> Self {
        Self { max_attempts: 3, initial_delay: Duration::from_secs(5), multiplier: 2.0, max_delay: Duration::from_secs(300), jitter: 0.0 }
    }
}

impl RetryPolicy {
    /// The wait after `failed` attempts failed, or `None` when there is no attempt left.
    ///
    /// `random` is uniform in `0.0..1.0` and matters only where `jitter` is not 0.
    #[must_use]
    pub fn delay_after(&self, failed: u32, random: f64) -> Option<Duration> {
        if failed == 0 || failed >= self.max_attempts {
            return None;
        }
        let cap = self.max_delay.as_secs_f64();
        let exponent = i32::try_from(failed - 1).unwrap_or(i32::MAX);
        let plain = (self.initial_delay.as_secs_f64() * self.multiplier.powi(exponent)).min(cap);
        let jittered = plain * (1.0 + self.jitter * (random - 0.5));
        Some(Duration::from_secs_f64(jittered.max(0.0)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(policy: &RetryPolicy) -> Vec<u64> {
        (1..).map_while(|failed| policy.delay_after(failed, 0.5)).map(|wait| wait.as_secs()).collect()
    }

    #[test]
    fn waits_5_10_20_and_so_on_up_to_the_cap() {
        let policy = RetryPolicy { max_attempts: 10, ..RetryPolicy::default() };
        assert_eq!(waits(&policy), [5, 10, 20, 40, 80, 160, 300, 300, 300]);
    }

    #[test]
    fn three_attempts_have_two_waits() {
        assert_eq!(waits(&RetryPolicy::default()), [5, 10]);
        assert_eq!(waits(&RetryPolicy { max_attempts: 1, ..RetryPolicy::default() }), [0; 0]);
    }

    #[test]
    fn jitter_spreads_around_the_wait() {
        let policy = RetryPolicy { jitter: 0.5, ..RetryPolicy::default() };
        assert_eq!(policy.delay_after(1, 0.0), Some(Duration::from_millis(3750)));
        assert_eq!(policy.delay_after(1, 0.5), Some(Duration::from_secs(5)));
    }

    #[test]
    fn a_huge_count_does_not_overflow() {
        let policy = RetryPolicy { max_attempts: u32::MAX, ..RetryPolicy::default() };
        assert_eq!(policy.delay_after(u32::MAX - 1, 0.5), Some(Duration::from_secs(300)));
    }
}
