//! Makes untrusted text safe to show: child output and values of the database never control a terminal.

use std::borrow::Cow;

/// The text with every control character (C0, DEL, C1) and every character that turns the reading direction escaped as
/// `\n`, `\u{1b}` and so on; one line stays one line.
pub fn escaped(text: &str) -> Cow<'_, str> {
    if !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let mut safe = String::with_capacity(text.len() + 16);
    for character in text.chars() {
        if is_harmful(character) {
            safe.extend(character.escape_default());
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

/// Most characters of an untrusted text in a list.
const LONGEST: usize = 200;

/// The same for a line in a list: what is longer than 200 characters is cut.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    let safe = escaped(text);
    match safe.char_indices().nth(LONGEST) {
        None => safe,
        Some((end, _)) => Cow::Owned(format!("{}…", &safe[..end])),
    }
}

fn is_harmful(character: char) -> bool {
    character.is_control() || matches!(character, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_it_controls_a_terminal() {
        assert_eq!(escaped("plain – text ✅"), "plain – text ✅");
        assert_eq!(escaped("\u{1b}[31mred\u{7}"), "\\u{1b}[31mred\\u{7}");
        assert_eq!(escaped("a\r\nb\tc"), "a\\r\\nb\\tc");
        assert_eq!(escaped("\u{9b}31m\u{202e}"), "\\u{9b}31m\\u{202e}");
    }

    #[test]
    fn an_excerpt_is_one_line_of_bounded_length() {
        assert_eq!(excerpt("short\n"), "short\\n");
        assert_eq!(excerpt(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(excerpt(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
        assert!(excerpt(&"\n".repeat(200)).chars().count() <= 201);
    }
}
