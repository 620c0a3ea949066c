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
    fn a_long_text_says_how_long_it_was() {
        assert_eq!(shortened("äöü", 6), "äöü");
        assert_eq!(shortened("äöü", 5), "äö… (6 bytes)");
        assert_eq!(shortened(&"x".repeat(10 * 1024 * 1024), 3), "xxx… (10,485,760 bytes)");
    }
}
