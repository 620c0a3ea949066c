//! The terminal under the live display.

use std::io::{self, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

use indicatif::{ProgressDrawTarget, TermLike};

use super::terminal;

/// Drawings in a second, at most.
const DRAWINGS: u8 = 20;

/// The size of a terminal that does not say it: columns and lines.
const USUAL_SIZE: (u16, u16) = (80, 24);

/// stderr, as what a live display is drawn on.
pub(super) fn target() -> ProgressDrawTarget {
    ProgressDrawTarget::term_like_with_hz(Box::new(Screen::default()), DRAWINGS)
}

/// After each drawing the cursor goes back to the begin of its line. A `^C` that the terminal echoes then stands on a line of the display,
/// which is drawn over. At the end of the line it would begin a new one that the display does not know of, and leave a line behind.
#[derive(Debug, Default)]
struct Screen(Mutex<String>);

impl Screen {
    fn drawing(&self) -> MutexGuard<'_, String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, text: &str) {
        self.drawing().push_str(text);
    }

    fn move_cursor(&self, by: usize, direction: char) {
        if by > 0 {
            self.add(&format!("\x1b[{by}{direction}"));
        }
    }
}

impl TermLike for Screen {
    fn width(&self) -> u16 {
        size().0
    }

    fn height(&self) -> u16 {
        size().1
    }

    fn move_cursor_up(&self, by: usize) -> io::Result<()> {
        self.move_cursor(by, 'A');
        Ok(())
    }

    fn move_cursor_down(&self, by: usize) -> io::Result<()> {
        self.move_cursor(by, 'B');
        Ok(())
    }

    fn move_cursor_right(&self, by: usize) -> io::Result<()> {
        self.move_cursor(by, 'C');
        Ok(())
    }

    fn move_cursor_left(&self, by: usize) -> io::Result<()> {
        self.move_cursor(by, 'D');
        Ok(())
    }

    fn write_line(&self, text: &str) -> io::Result<()> {
        self.add(text);
        self.add("\n");
        Ok(())
    }

    fn write_str(&self, text: &str) -> io::Result<()> {
        self.add(text);
        Ok(())
    }

    fn clear_line(&self) -> io::Result<()> {
        self.add("\r\x1b[2K");
        Ok(())
    }

    fn flush(&self) -> io::Result<()> {
        let mut drawing = std::mem::take(&mut *self.drawing());
        if drawing.is_empty() {
            return Ok(());
        }
        drawing.push('\r');
        io::stderr().lock().write_all(drawing.as_bytes())
    }
}

fn size() -> (u16, u16) {
    let cells = |cells: usize| u16::try_from(cells).unwrap_or(u16::MAX);
    terminal::size(io::stderr()).map_or(USUAL_SIZE, |(columns, lines)| (cells(columns), cells(lines)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_is_written_in_one_piece() {
        let screen = Screen::default();
        screen.move_cursor_up(0).unwrap();
        screen.move_cursor_up(2).unwrap();
        screen.clear_line().unwrap();
        screen.write_line("a").unwrap();
        screen.write_str("b").unwrap();
        assert_eq!(*screen.drawing(), "\x1b[2A\r\x1b[2Ka\nb");
    }
}
