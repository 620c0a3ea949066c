//! Spans of time as people write them: `15m`, `1h 30m`.

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

#[cfg(test)]
mod tests {
    use super::*;

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
