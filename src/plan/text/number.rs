//! Numbers as databases print them.

/// The whole number that a text stands for: `2025`, and also `2025.0` and `2025.00`, as columns of a type with a fraction print it. `None`
/// for anything else.
pub fn whole(text: &str) -> Option<i64> {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    if fraction.bytes().all(|digit| digit == b'0') { whole.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fraction_of_nothing_changes_nothing() {
        for (text, number) in [
            ("2025", Some(2025)),
            ("2025.0", Some(2025)),
            ("7.00", Some(7)),
            ("-1.0", Some(-1)),
            ("9007199254740993.00", Some(9_007_199_254_740_993)),
        ] {
            assert_eq!(whole(text), number, "{text}");
        }
        for text in ["2025.5", "2025.01", "", ".", ".0", "x", "2025.x", "1e3", "NaN", "2025 .0", "2.0.0"] {
            assert_eq!(whole(text), None, "{text}");
        }
    }
}
