//! What stdout and stderr are written to: how wide it is, and whether it shows more than ASCII.

use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use rustix::fd::AsFd;

/// What is known of it; until it is set, terminals show everything.
static KNOWN: OnceLock<Known> = OnceLock::new();

/// Columns of a page where there is no terminal that has another number.
const USUAL_WIDTH: usize = 80;

/// What the environment says.
#[derive(Debug, Clone, Copy, Default)]
pub struct Known {
    /// Whether terminals show only ASCII.
    pub is_ascii: bool,
    /// `COLUMNS`: the width of pages that do not go to a terminal.
    pub columns: Option<usize>,
}

/// The characters of our own that are not ASCII, and what stands for them.
const STAND_INS: [(&str, &str); 12] = [
    ("📋 ", ""),
    ("✅", "[OK]"),
    ("❌", "[FAIL]"),
    ("⚠", "!"),
    ("•", "*"),
    (" · ", ", "),
    ("–", "-"),
    ("…", "..."),
    ("×", "x"),
    ("■", "#"),
    ("□", "o"),
    ("▶", ">"),
];

/// From now on this is known. Called once.
pub fn set_known(known: Known) {
    // A second call is a bug of ours that must not take a run down: the first one stays.
    let _ = KNOWN.set(known);
}

/// Whether the terminal that stderr is shows only ASCII.
pub(super) fn is_stderr_ascii() -> bool {
    is_ascii() && io::stderr().is_terminal()
}

/// A text as stdout shows it. Files and pipes get all characters.
pub(super) fn for_stdout(text: &str) -> Cow<'_, str> {
    if is_ascii() && io::stdout().is_terminal() { in_ascii(text) } else { Cow::Borrowed(text) }
}

/// A text as stderr shows it.
pub(super) fn for_stderr(text: &str) -> Cow<'_, str> {
    if is_stderr_ascii() { in_ascii(text) } else { Cow::Borrowed(text) }
}

fn is_ascii() -> bool {
    KNOWN.get().is_some_and(|known| known.is_ascii)
}

/// A text of ours in ASCII. What others said stays.
pub(super) fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(STAND_INS.iter().fold(text.to_owned(), |text, (ours, stand_in)| text.replace(ours, stand_in)))
}

/// The number of characters in a line of the terminal that stdout is; `None` where it is none.
pub fn stdout_width() -> Option<usize> {
    let stdout = io::stdout();
    stdout.is_terminal().then(|| size(stdout)).flatten().map(|(columns, _)| columns)
}

/// The number of columns of a page on stdout.
pub(super) fn page_width() -> usize {
    stdout_width().or(KNOWN.get().and_then(|known| known.columns)).unwrap_or(USUAL_WIDTH)
}

/// The columns and lines of a terminal that says them.
pub(super) fn size(terminal: impl AsFd) -> Option<(usize, usize)> {
    let size = rustix::termios::tcgetwinsize(terminal).ok()?;
    Some((usize::from(size.ws_col), usize::from(size.ws_row))).filter(|(columns, lines)| *columns > 0 && *lines > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn characters_of_our_own_have_stand_ins() {
        assert_eq!(in_ascii("  • 00:00–06:00Z … ✅ é"), "  * 00:00-06:00Z ... [OK] é");
        assert_eq!(in_ascii("📋 GAPS · 3"), "GAPS, 3");
    }
}
