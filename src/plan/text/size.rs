//! Numbers and sizes for people, and texts that are cut to a size.

use std::borrow::Cow;

/// `1,411`.
#[must_use]
pub fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// `1 bank`, `1,680 banks`.
#[must_use]
pub fn count(number: u64, noun: &str) -> String {
    if number == 1 { format!("1 {noun}") } else { format!("{} {noun}s", grouped(number)) }
}

/// `512 bytes`, `9.6 GiB`, `120 GiB`.
#[must_use]
pub fn bytes(number: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if number < 1024 {
        return count(number, "byte");
    }
    let exponent = (number.ilog2() / 10).min(5);
    let tenths = (u128::from(number) * 10) >> (10 * exponent);
    let unit = UNITS.get(exponent as usize - 1).copied().unwrap_or_default();
    if tenths < 100 { format!("{}.{} {unit}", tenths / 10, tenths % 10) } else { format!("{} {unit}", tenths / 10) }
}

/// The text, if it has at most `most` bytes. Of a longer one the beginning, and how long it was: `abc… (10,485,760 bytes)`.
#[must_use]
pub fn shortened(text: &str, most: usize) -> Cow<'_, str> {
    if text.len() <= most {
        return Cow::Borrowed(text);
    }
    let end = (0..=most).rev().find(|at| text.is_char_boundary(*at)).unwrap_or_default();
    Cow::Owned(format!("{}… ({} bytes)", &text[..end], grouped(text.len() as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 999, 1411, 100_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,411", "100,000", "1,234,567"]);
        assert_eq!([0, 1, 1680].map(|number| count(number, "bank")), ["0 banks", "1 bank", "1,680 banks"]);
    }

    #[test]
    fn sizes_have_a_unit() {
        assert_eq!([512, 1536, 1024 * 1024 * 119, u64::MAX].map(bytes), ["512 bytes", "1.5 KiB", "119 MiB", "16383 PiB"]);
    }

    #[test]
    fn a_long_text_says_how_long_it_was() {
        assert_eq!(shortened("äöü", 6), "äöü");
        assert_eq!(shortened("äöü", 5), "äö… (6 bytes)");
        assert_eq!(shortened(&"x".repeat(10 * 1024 * 1024), 3), "xxx… (10,485,760 bytes)");
    }
}
