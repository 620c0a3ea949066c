//! The page of a summary: lines, rules and lists, no wider than what they are printed on.

use super::super::terminal;
use super::super::words::wrapped;

/// The width of the layout that its users know.
const WIDTH: usize = 80;

/// A page that grows.
pub(super) struct Page {
    text: String,
    width: usize,
}

impl Page {
    /// An empty page of so many columns.
    pub(super) fn new(width: usize) -> Self {
        Self { text: String::new(), width }
    }

    pub(super) fn into_text(self) -> String {
        self.text
    }

    pub(super) fn line(&mut self, text: impl AsRef<str>) {
        self.text.push_str(&wrapped(&terminal::for_stdout(text.as_ref()), self.width));
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
