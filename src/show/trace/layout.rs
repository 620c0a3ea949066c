//! The page of a trace: rules, sections and their lines.

use std::fmt::Write;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::terminal::stdout_width;
use super::super::words::{brief, seconds};
use crate::plan::remember::trace::between;

/// As wide as the users' own traces are.
const WIDTH: usize = 44;

/// The page with this title.
pub(super) fn page(title: &str, sections: &[(&str, Vec<String>)]) -> String {
    let width = stdout_width().unwrap_or(usize::MAX);
    let rule = "=".repeat(WIDTH);
    let mut page = format!("{rule}\n{title}\n{rule}\n\n");
    for (name, lines) in sections {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{name}:");
        for line in lines {
            write_line(&mut page, line, width);
        }
        page.push('\n');
    }
    page + &rule + "\n"
}

/// What the further lines of a line that is folded begin with.
const INDENT: &str = "      ";

/// Writes a line. Where it is wider than the terminal, it is broken between words.
fn write_line(page: &mut String, line: &str, width: usize) {
    if 2 + line.chars().count() <= width {
        let _ = writeln!(page, "  {line}");
        return;
    }
    let depth = line.chars().take_while(|character| *character == ' ').count();
    let mut column = depth + 2;
    let _ = write!(page, "  {:depth$}", "");
    for (n, word) in line.split_whitespace().enumerate() {
        let length = word.chars().count();
        if n > 0 && column + 1 + length > width && column > INDENT.len() {
            let _ = write!(page, "\n{INDENT}{word}");
            column = INDENT.len() + length;
        } else {
            let _ = write!(page, "{}{word}", if n > 0 { " " } else { "" });
            column += length + usize::from(n > 0);
        }
    }
    page.push('\n');
}

/// `T+1.5s`: a point in time since the beginning of the trace.
pub(super) fn offset(seconds: f64) -> String {
    format!("T+{seconds:.1}s")
}

/// How long after `start` that was. A clock that went back gives 0.
pub(super) fn since(start: DateTime<Utc>, at: DateTime<Utc>) -> f64 {
    seconds(between(start, at))
}

/// ` (2.3s)`.
pub(super) fn took(span: Option<Duration>) -> String {
    span.map(|span| format!(" ({})", brief(span))).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_broken_between_words_and_a_path_is_not_broken() {
        let mut page = String::new();
        for line in ["T+0.0s    Job created", "  [FAIL] T+1.0s a gap - failed (6.5s)", "Log: /a/very/long/path/to/a/log"] {
            write_line(&mut page, line, 24);
        }
        insta::assert_snapshot!(page, @r"
          T+0.0s    Job created
            [FAIL] T+1.0s a gap
              - failed (6.5s)
          Log: /a/very/long/path/to/a/log
        ");
    }
}
