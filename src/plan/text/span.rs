//! Spans of time as people write and read them: `15m`, `1h 30m`.

use std::time::Duration;

/// Why a text is no span. Displays as the end of a sentence that begins with the text or with what it is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidSpan {
    /// It has another form.
    #[error("not a duration; write it like 15m or 1h 30m")]
    Form,
    /// It counts months or years.
    #[error("months and years (M, y) have no fixed length; write days, such as 30d, and m for minutes")]
    Calendar,
}

/// Reads whole numbers with units from nanoseconds to weeks.
///
/// # Errors
/// When it is something else.
pub fn parse(text: &str) -> Result<Duration, InvalidSpan> {
    let span = humantime::parse_duration(text).map_err(|_| InvalidSpan::Form)?;
    let is_calendar = |unit: &str| unit == "M" || unit.starts_with("month") || unit.starts_with('y');
    let mut units = text.split(|c: char| !c.is_alphabetic());
    if units.any(is_calendar) { Err(InvalidSpan::Calendar) } else { Ok(span) }
}

/// The units of a span, greatest first, in nanoseconds.
const UNITS: [(&str, u128); 7] = [
    ("d", 86_400 * SECOND),
    ("h", 3600 * SECOND),
    ("m", 60 * SECOND),
    ("s", SECOND),
    ("ms", SECOND / 1000),
    ("us", SECOND / 1_000_000),
    ("ns", 1),
];

const SECOND: u128 = 1_000_000_000;

/// A span as it was set, to the last unit: `15m`, `1d 1h 1m 1s`. [`parse`] reads it again.
#[must_use]
pub fn exact(span: Duration) -> String {
    let parts = parts(span.as_nanos(), UNITS.len());
    if parts.is_empty() { "0s".to_owned() } else { parts }
}

/// A span as it was measured, in at most two units: `350ms`, `9.6s`, `4m 12s`, `3h 5m`, `2d 4h`.
#[must_use]
pub fn brief(span: Duration) -> String {
    let tenths = span.as_millis().saturating_add(50) / 100;
    if span < Duration::from_secs(1) {
        format!("{}ms", span.as_millis())
    } else if tenths >= 600 {
        parts(u128::from(span.saturating_add(Duration::from_millis(500)).as_secs()) * SECOND, 2)
    } else if tenths.is_multiple_of(10) {
        format!("{}s", tenths / 10)
    } else {
        format!("{}.{}s", tenths / 10, tenths % 10)
    }
}

/// A span of time as programs read it, in all that ends in `_seconds`: to the millisecond.
#[must_use]
pub fn seconds(span: Duration) -> f64 {
    (span.as_secs_f64() * 1000.0).round() / 1000.0
}

/// The greatest unit and those after it, at most so many, but for those of which there are none.
fn parts(span: u128, most: usize) -> String {
    let greatest = UNITS.iter().position(|(_, unit)| span >= *unit).unwrap_or(UNITS.len());
    let mut left = span;
    let mut texts = Vec::new();
    for (name, unit) in UNITS.iter().skip(greatest).take(most) {
        if left >= *unit {
            texts.push(format!("{}{name}", left / unit));
        }
        left %= unit;
    }
    texts.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_written_to_the_last_unit() {
        for text in ["0s", "15m", "1h 30m", "35d", "400d 1h", "1d 1h 1m 1s", "1s 500ms", "1ns"] {
            assert_eq!(exact(parse(text).unwrap()), text);
        }
    }

    #[test]
    fn what_was_measured_is_written_in_two_units() {
        for (milliseconds, text) in [
            (0, "0ms"),
            (350, "350ms"),
            (1000, "1s"),
            (9_617, "9.6s"),
            (59_949, "59.9s"),
            (59_950, "1m"),
            (252_400, "4m 12s"),
            (3_600_000, "1h"),
            (11_159_000, "3h 5m"),
            (3_456_000_000, "40d"),
            (3_470_399_000, "40d 3h"),
        ] {
            assert_eq!(brief(Duration::from_millis(milliseconds)), text);
        }
        assert_eq!(seconds(Duration::from_nanos(9_617_499_999)).to_string(), "9.617");
    }

    #[test]
    fn units_have_a_fixed_length() {
        for (text, seconds) in [("15m", 900), ("1h 30m", 5400), ("1h30min", 5400), ("0s", 0), ("0", 0), ("1w 1day", 691_200), ("999ms", 0)]
        {
            assert_eq!(parse(text).map(|span| span.as_secs()), Ok(seconds), "{text}");
        }
        for text in ["", "15", "-5m", "5 bananas", "99999999999999999999y", "5 Min"] {
            assert_eq!(parse(text), Err(InvalidSpan::Form), "{text}");
        }
        for text in ["1M", "5M", "1month", "2 months", "1y", "1yr", "2yrs", "1year", "2years", "1h 1M", "1y1d"] {
            assert_eq!(parse(text), Err(InvalidSpan::Calendar), "{text}");
        }
    }
}
