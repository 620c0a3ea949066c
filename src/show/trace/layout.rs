//! The page of a trace: rules, sections and their lines.

use std::fmt::Write;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::terminal::stdout_width;
use super::super::words::{Time, brief, seconds, wrapped};
use crate::plan::remember::trace::between;

/// As wide as the users' own traces are.
const WIDTH: usize = 44;

/// The page with this title.
pub(super) fn page(title: &str, sections: &[(&str, Vec<String>)]) -> String {
    let width = stdout_width().unwrap_or(usize::MAX);
    let rule = "=".repeat(WIDTH.min(width));
    let mut page = format!("{rule}\n{title}\n{rule}\n\n");
    for (name, lines) in sections {
        // Writing to a String cannot fail.
        let _ = writeln!(page, "{name}:");
        for line in lines {
            let _ = writeln!(page, "{}", wrapped(&format!("  {line}"), width));
        }
        page.push('\n');
    }
    page + &rule + "\n"
}

/// When something was completed. Where its run died, nobody knows: the end on record is when that was noticed.
pub(super) fn completed(ended_at: Option<DateTime<Utc>>, is_open: bool, is_lost: bool) -> String {
    match ended_at {
        Some(noticed) if is_lost => format!("unknown, as its run died; a later run noticed it at {}", Time(noticed)),
        Some(at) => Time(at).to_string(),
        None if is_open => "not yet".to_owned(),
        None => "not on record".to_owned(),
    }
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
