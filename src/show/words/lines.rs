//! Lines that fit into a width.

use std::borrow::Cow;

use unicode_width::UnicodeWidthStr;

/// A line, broken between words where it is wider than `width`. What follows stands under the text of the line, behind its mark if it has
/// one. A word that is too long by itself stays whole.
pub(in crate::show) fn wrapped(line: &str, width: usize) -> Cow<'_, str> {
    if line.width() <= width {
        return Cow::Borrowed(line);
    }
    let indent = indent(line).min(width / 2);
    let mut text = String::new();
    let mut used = 0;
    for word in line.split_inclusive(' ') {
        let (bare, spaced) = (word.trim_end_matches(' ').width(), word.width());
        if used + bare > width && used > indent && bare > 0 {
            text.truncate(text.trim_end_matches(' ').len());
            text.push('\n');
            text.extend(std::iter::repeat_n(' ', indent));
            used = indent;
        }
        text.push_str(word);
        used += spaced;
    }
    Cow::Owned(text)
}

/// Where the text of a line begins: behind spaces and a mark.
fn indent(line: &str) -> usize {
    let text = line.trim_start_matches(' ');
    let before = line.len() - text.len();
    let mark = text.split_once(' ').map_or("", |(first, _)| first);
    let is_mark = before > 0 && (mark.starts_with('[') || !mark.chars().any(char::is_alphanumeric));
    if is_mark { before + mark.width() + 1 } else { before + 2 }
}

/// The beginning of a line that is not wider than `width`, with an ellipsis where it is cut.
pub(in crate::show) fn fitted<'a>(line: &'a str, width: usize, ellipsis: &str) -> Cow<'a, str> {
    if line.width() <= width {
        return Cow::Borrowed(line);
    }
    let room = width.saturating_sub(ellipsis.width());
    let mut text = String::new();
    let mut used = 0;
    for character in line.chars() {
        let wide = character.to_string().as_str().width();
        if used + wide > room {
            break;
        }
        text.push(character);
        used += wide;
    }
    if ellipsis.width() <= width {
        text.push_str(ellipsis);
    }
    Cow::Owned(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words() {
        let lines = [
            "  ❌ BMO 2025 Q1 [key_themes]: Max retries exceeded - Connection timeout",
            "  • RY-CA/2025Q1/call_summary: by ann",
            "Data Availability: 30 bank-period combinations with transcripts",
            "  /srv/var/logs/2026-11-28/1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d/1.log and so on",
            "short",
        ];
        insta::assert_snapshot!(lines.map(|line| wrapped(line, 34)).join("\n"), @r"
          ❌ BMO 2025 Q1 [key_themes]: Max
             retries exceeded - Connection
             timeout
          • RY-CA/2025Q1/call_summary: by
            ann
        Data Availability: 30 bank-period
          combinations with transcripts
          /srv/var/logs/2026-11-28/1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d/1.log
            and so on
        short
        ");
    }

    #[test]
    fn a_line_may_be_cut_to_a_width() {
        assert_eq!(fitted("12345", 5, "…"), "12345");
        assert_eq!(fitted("123456", 5, "…"), "1234…");
        assert_eq!(fitted("❌❌❌", 5, "…"), "❌❌…");
        assert_eq!(fitted("123456", 5, "..."), "12...");
        assert_eq!(fitted("123456", 0, "…"), "");
    }
}
