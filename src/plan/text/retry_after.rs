//! `Retry-After`: how long a server asks not to be asked again.

use std::time::Duration;

use chrono::{DateTime, Utc};

const SHORTEST: Duration = Duration::from_secs(1);
/// Longer waits are cut to this, so that adding one to a time never overflows.
const LONGEST: Duration = Duration::from_secs(30 * 24 * 3600);

/// Reads the value of the header: seconds, or a date. A date is taken relative to the answer's own, so that clocks that differ do no harm;
/// relative to `now` where the answer has none. `None` where it is neither.
#[must_use]
pub fn wait(value: &str, date: Option<&str>, now: DateTime<Utc>) -> Option<Duration> {
    let read = |text: &str| DateTime::parse_from_rfc2822(text).ok();
    let wait = if let Ok(seconds) = value.trim().parse::<u64>() {
        Duration::from_secs(seconds)
    } else {
        let now = date.and_then(read).unwrap_or_else(|| now.fixed_offset());
        (read(value.trim())? - now).to_std().unwrap_or_default()
    };
    Some(wait.clamp(SHORTEST, LONGEST))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_read_in_both_forms() {
        for (value, date, seconds) in [
            ("37", None, Some(37)),
            ("0", None, Some(1)),
            ("Thu, 01 Jan 1970 00:01:00 GMT", Some("Thu, 01 Jan 1970 00:00:23 GMT"), Some(37)),
            ("Thu, 01 Jan 1970 00:01:00 GMT", Some("Thu, 01 Jan 1970 00:02:00 GMT"), Some(1)),
            ("Thu, 01 Jan 1970 00:01:00 GMT", None, Some(60)),
            ("99999999999999999", None, Some(30 * 24 * 3600)),
            ("soon", None, None),
            ("-5", None, None),
        ] {
            assert_eq!(wait(value, date, DateTime::UNIX_EPOCH), seconds.map(Duration::from_secs), "{value} at {date:?}");
        }
    }
}
