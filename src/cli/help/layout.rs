//! How the parts of a page that clap does not know are laid out: as clap lays out its own.

use std::fmt::Write;

/// The heading of a part, in the style of clap's.
pub(super) fn title(text: &str) -> String {
    let style = clap::builder::Styles::styled().get_header().to_owned();
    format!("{style}{text}:{style:#}\n")
}

/// Rows of a beginning and what it means, which is broken between words and stays in its column.
pub(super) fn table(rows: &[(&str, &str)], width: usize) -> String {
    let column = rows.iter().map(|(begin, _)| begin.len()).max().unwrap_or_default() + 4;
    let mut text = String::new();
    for (begin, says) in rows {
        if column > width / 3 {
            text.push_str(&wrapped(&format!("  {}\n", begin.trim_end()), says, 6, width));
        } else {
            text.push_str(&wrapped(&format!("  {begin:<0$}", column - 2), says, column, width));
        }
    }
    text
}

/// A line to type, and below it what it does.
pub(super) fn example(line: &str, says: &str, width: usize) -> String {
    wrapped(&format!("  {line}\n"), says, 6, width)
}

/// Words behind a beginning; lines after the first are indented.
fn wrapped(begin: &str, words: &str, indent: usize, width: usize) -> String {
    let mut text = begin.to_owned();
    if begin.ends_with('\n') {
        let _ = write!(text, "{:indent$}", "");
    }
    let mut used = indent;
    for word in words.split(' ') {
        let space = usize::from(used > indent);
        if used > indent && used + space + word.len() > width {
            let _ = write!(text, "\n{:indent$}{word}", "");
            used = indent + word.len();
        } else {
            let _ = write!(text, "{:space$}{word}", "");
            used += space + word.len();
        }
    }
    text.push('\n');
    text
}
