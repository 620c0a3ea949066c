//! What stdout and stderr are written to: how wide it is, and whether it shows more than ASCII.

use std::borrow::Cow;
use std::io::{self, IsTerminal};
use std::sync::OnceLock;

use rustix::fd::AsFd;

/// Whether terminals show only ASCII; until it is set they show everything.
static ASCII: OnceLock<bool> = OnceLock::new();

/// The characters of our own that are not ASCII, and what stands for them.
const STAND_INS: [(&str, &str); 9] =
    [("📋 ", ""), ("✅", "[OK]"), ("❌", "[FAIL]"), ("⚠", "!"), ("•", "*"), (" · ", ", "), ("–", "-"), ("…", "..."), ("×", "x")];

/// From now on terminals get these characters. Called once.
pub fn show_only_ascii(is_ascii: bool) {
    // A second call is a bug of ours that must not take a run down: the first one stays.
    let _ = ASCII.set(is_ascii);
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
    ASCII.get().copied().unwrap_or_default()
}

fn in_ascii(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        return Cow::Borrowed(text);
    }
    Cow::Owned(STAND_INS.iter().fold(text.to_owned(), |text, (ours, stand_in)| text.replace(ours, stand_in)))
}

/// The number of characters in a line of the terminal that stdout is; `None` where it is none.
pub(super) fn stdout_width() -> Option<usize> {
    let stdout = io::stdout();
    stdout.is_terminal().then(|| size(stdout)).flatten().map(|(columns, _)| columns)
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
