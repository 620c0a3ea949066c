//! Whether a clock was ever set.

use chrono::{DateTime, Utc};

/// The beginning of 2024, in seconds since 1970. This program has never seen an earlier time.
const EARLIEST: i64 = 1_704_067_200;

/// Whether a time is so long past that the clock that says it was not set.
#[must_use]
pub fn is_long_past(now: DateTime<Utc>) -> bool {
    now.timestamp() < EARLIEST
}
