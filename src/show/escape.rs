//! Makes untrusted text safe to show: child output and values of the database never control a terminal, hold no secret and have an end.

use std::borrow::Cow;
use std::fmt::Write;
use std::sync::{PoisonError, RwLock};

use crate::plan::text::secrets::Secrets;
use crate::plan::text::size::shortened;

/// Most bytes that are shown of one text. A line of a child is never longer.
const MOST_BYTES: usize = 16 * 1024;

/// Most characters of an untrusted text in a list.
const LONGEST: usize = 200;

/// What is taken out of every text that is shown; `None` until the configuration was read.
static HIDDEN: RwLock<Option<Secrets>> = RwLock::new(None);

/// From now on these secrets, and those of earlier calls, are taken out of every log line and every text from outside that is shown.
pub fn hide(secrets: Secrets) {
    // Nothing panics while it is held.
    let mut hidden = HIDDEN.write().unwrap_or_else(PoisonError::into_inner);
    *hidden = Some(hidden.as_ref().map_or(secrets.clone(), |before| before.and(&secrets)));
}

/// The text without secrets and not longer than 16 KiB. It still has its control characters.
pub(super) fn disclosed(text: &str) -> Cow<'_, str> {
    let hidden = HIDDEN.read().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default();
    // Cut first, as the rest of a very long text is not worth the search. A secret that the cut divides is not whole.
    match shortened(text, MOST_BYTES) {
        Cow::Borrowed(text) => hidden.clean(text),
        Cow::Owned(cut) => Cow::Owned(hidden.clean(&cut).into_owned()),
    }
}

/// The text without secrets, not longer than 16 KiB, and with every control character (C0, DEL, C1), every separator of lines and every
/// character that turns the reading direction escaped as `\n`, `\u{1b}` and so on; one line stays one line.
pub fn escaped(text: &str) -> Cow<'_, str> {
    let text = disclosed(text);
    if !text.chars().any(is_harmful) {
        return text;
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

/// The same for a line in a list: what is longer than 200 characters is cut, after a word where it has any.
pub fn excerpt(text: &str) -> Cow<'_, str> {
    let safe = escaped(text);
    match safe.char_indices().nth(LONGEST) {
        None => safe,
        Some((end, _)) => {
            let cut = safe.get(..end).unwrap_or_default();
            let at_word = safe.get(..=end).unwrap_or(cut).rfind(' ').filter(|at| *at > end / 2).and_then(|at| cut.get(..at));
            Cow::Owned(format!("{}…", at_word.unwrap_or(cut).trim_end_matches([' ', ',', ';', ':'])))
        }
    }
}

/// A JSON text in which these characters are escaped as JSON has it. They can stand only within its strings.
pub(super) fn escaped_json(json: &str) -> Cow<'_, str> {
    if !json.chars().any(is_harmful) {
        return Cow::Borrowed(json);
    }
    let mut safe = String::with_capacity(json.len() + 16);
    for character in json.chars() {
        if is_harmful(character) {
            // Writing to a String cannot fail.
            let _ = write!(safe, "\\u{:04x}", u32::from(character));
        } else {
            safe.push(character);
        }
    }
    Cow::Owned(safe)
}

pub(super) fn is_harmful(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
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
        assert_eq!(escaped("a\u{2028}b\u{85}c"), "a\\u{2028}b\\u{85}c");
    }

    #[test]
    fn a_json_text_stays_one() {
        let json = serde_json::json!({"a": "x\u{9b}31m\u{2028}\n"});
        let safe = escaped_json(&json.to_string()).into_owned();
        assert_eq!(safe, r#"{"a":"x\u009b31m\u2028\n"}"#);
        assert_eq!(serde_json::from_str::<serde_json::Value>(&safe).unwrap(), json);
    }

    #[test]
    fn an_excerpt_is_one_line_of_bounded_length() {
        assert_eq!(excerpt("short\n"), "short\\n");
        assert_eq!(excerpt(&"é".repeat(200)), "é".repeat(200));
        assert_eq!(excerpt(&"é".repeat(201)), format!("{}…", "é".repeat(200)));
        assert!(excerpt(&"\n".repeat(200)).chars().count() <= 201);
        assert_eq!(excerpt(&"four ".repeat(50)), format!("{}…", ["four"; 40].join(" ")));
        assert_eq!(excerpt(&format!("{}, cut in this word", "1234567890".repeat(19))), format!("{}, cut in…", "1234567890".repeat(19)));
    }

    #[test]
    fn ten_megabytes_are_cut() {
        let shown = escaped(&"x".repeat(10 * 1024 * 1024)).into_owned();
        assert!(shown.len() < 17_000 && shown.ends_with("x… (10,485,760 bytes)"), "{}", shown.len());
    }

    #[test]
    fn what_is_hidden_is_not_shown() {
        hide(Secrets::new(["hidden-by-a-test".to_owned()]));
        hide(Secrets::new(["another-of-this-test".to_owned()]));
        assert_eq!(escaped("a hidden%2Dby-a-test\nb another-of-this-test"), "a [redacted]\\nb [redacted]");
    }
}
