//! The page of a summary: lines, rules and lists, no wider than what they are printed on.

use unicode_width::UnicodeWidthStr;

use super::super::terminal;
use super::super::words::wrapped;

/// The width of the layout that its users know.
const WIDTH: usize = 80;

/// A page that grows.
pub(super) struct Page {
    text: String,
    width: usize,
    /// Most lines of an entry of a list; what is longer is cut.
    most_lines: Option<usize>,
}

impl Page {
    /// An empty page of so many columns.
    pub(super) fn new(width: usize) -> Self {
        Self { text: String::new(), width, most_lines: None }
    }

    /// From now on an entry of a list has at most so many lines.
    pub(super) fn limit_entries(&mut self, most_lines: Option<usize>) {
        self.most_lines = most_lines;
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        let text = terminal::for_stdout(text.as_ref());
        let lines = wrapped(&text, self.width);
        match self.most_lines.filter(|most| text.starts_with("  ") && lines.lines().count() > *most) {
            Some(most) => self.text.push_str(&first_lines(&lines, most, self.width)),
            None => self.text.push_str(&lines),
        }
        self.text.push('\n');
    }

    pub(super) fn rule(&mut self, character: char) {
        self.line(std::iter::repeat_n(character, WIDTH.min(self.width)).collect::<String>());
    }

    /// An empty line, unless there is one already.
    pub(super) fn gap(&mut self) {
        if !self.text.ends_with("\n\n") {
            self.line("");
        }
    }

    /// Entries of one line, or of several.
    pub(super) fn list(&mut self, mark: &str, entries: &[String]) {
        for entry in entries {
            for (n, line) in entry.lines().enumerate() {
                if n == 0 {
                    self.line(format!("  {mark} {line}"));
                } else {
                    self.line(format!("     {line}"));
                }
            }
        }
    }

    /// An empty line and these, if there are any.
    pub(super) fn block(&mut self, lines: Vec<String>) {
        if !lines.is_empty() {
            self.gap();
            for line in lines {
                self.line(line);
            }
        }
    }

    /// The same, as a list under a title.
    pub(super) fn section(&mut self, title: &str, mark: &str, entries: &[String]) {
        if !entries.is_empty() {
            self.gap();
            self.line(title);
            self.list(mark, entries);
        }
    }
}

/// The first lines of a text, with an ellipsis in place of the others.
fn first_lines(text: &str, most: usize, width: usize) -> String {
    let ellipsis = terminal::for_stdout("…");
    let kept: Vec<&str> = text.lines().take(most).collect();
    match kept.split_last() {
        Some((last, before)) => {
            // Cut after a word, where one more column is too much.
            let room = width.saturating_sub(ellipsis.width());
            let last = if last.width() <= room { *last } else { last.rsplit_once(' ').map_or(*last, |(kept, _)| kept) };
            let lines: Vec<&str> = before.iter().copied().chain([last]).collect();
            lines.join("\n") + &ellipsis
        }
        None => String::new(),
    }
}
