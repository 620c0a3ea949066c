//! The last lines of a terminal, which change in place while other lines are written above them.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use unicode_width::UnicodeWidthStr;

use super::terminal;

/// The size of a terminal that does not say it: columns and lines.
const USUAL_SIZE: (usize, usize) = (80, 24);

/// The columns and lines of stderr.
pub(super) fn size() -> (usize, usize) {
    terminal::size(io::stderr()).unwrap_or(USUAL_SIZE)
}

/// What stands there now. Between two changes the cursor is at the begin of the last line: a `^C` that the terminal echoes is then drawn
/// over. At the end of the line it would begin a new one that nobody takes away.
#[derive(Debug, Default)]
pub(super) struct Screen(Mutex<Vec<String>>);

impl Screen {
    /// Draws these lines in the place of those before.
    pub(super) fn draw(&self, lines: Vec<String>) {
        let mut drawn = self.drawn();
        if *drawn != lines {
            write(&(top(&drawn, size().0) + &text(&lines)));
            *drawn = lines;
        }
    }

    /// Has something written above the lines.
    pub(super) fn above<T>(&self, write_it: impl FnOnce() -> T) -> T {
        let drawn = self.drawn();
        if drawn.is_empty() {
            return write_it();
        }
        write(&(top(&drawn, size().0) + "\x1b[J"));
        let written = write_it();
        write(&text(&drawn));
        written
    }

    fn drawn(&self) -> MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Takes the cursor to the begin of the first line, as a terminal of so many columns shows them: one that became narrower has broken some.
fn top(drawn: &[String], columns: usize) -> String {
    let above = drawn.len().saturating_sub(1);
    let up: usize = drawn.iter().take(above).map(|line| line.width().div_ceil(columns.max(1)).max(1)).sum();
    if up > 0 { format!("\x1b[{up}A\r") } else { "\r".to_owned() }
}

fn text(lines: &[String]) -> String {
    lines.join("\x1b[K\n") + "\x1b[J\r"
}

/// A terminal that is gone is no error.
fn write(text: &str) {
    let mut stderr = io::stderr().lock();
    let _ = stderr.write_all(text.as_bytes()).and_then(|()| stderr.flush());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    #[test]
    fn lines_are_drawn_over_those_before() {
        assert_eq!(top(&[], 80), "\r");
        assert_eq!(top(&lines(&["one"]), 80), "\r");
        assert_eq!(top(&lines(&["one", "two", "three"]), 80), "\x1b[2A\r");
        assert_eq!(text(&lines(&["one", "two"])), "one\x1b[K\ntwo\x1b[J\r");
        assert_eq!(text(&[]), "\x1b[J\r", "nothing is left");
    }

    #[test]
    fn a_terminal_that_became_narrower_has_broken_lines() {
        assert_eq!(top(&lines(&["12345678", "❌❌", "last"]), 3), "\x1b[5A\r");
        assert_eq!(top(&lines(&["", "last"]), 3), "\x1b[1A\r");
    }
}
