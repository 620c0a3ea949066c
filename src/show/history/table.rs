//! Tables that fit the terminal.

use std::fmt::Write;

use super::super::words::wrapped;

/// A table whose first column names the rows.
#[derive(Debug)]
pub(in crate::show) struct Table {
    pub(in crate::show) head: Vec<&'static str>,
    pub(in crate::show) rows: Vec<Row>,
}

#[derive(Debug)]
pub(in crate::show) struct Row {
    /// As many as the head has.
    pub(in crate::show) cells: Vec<String>,
    /// Lines below it.
    pub(in crate::show) below: Vec<String>,
}

/// In a column, where something is not known: how long took what nobody saw the end of.
pub(super) const UNKNOWN: &str = "unknown";

/// Between two columns.
const GAP: usize = 2;

impl Table {
    /// The table, ending in a newline. Where it is wider than `width` each row becomes a block of lines. Longer lines are broken between words.
    pub(in crate::show) fn text(&self, width: Option<usize>) -> String {
        let widths = self.widths();
        let whole = widths.iter().sum::<usize>() + GAP * widths.len().saturating_sub(1);
        let Some(width) = width else { return self.lines(&widths) };
        let text = if whole > width { self.blocks() } else { self.lines(&widths) };
        text.lines().map(|line| wrapped(line, width).into_owned() + "\n").collect()
    }

    /// Of each column, in characters.
    fn widths(&self) -> Vec<usize> {
        let cells = |n: usize| self.rows.iter().filter_map(move |row| row.cells.get(n)).map(|cell| cell.chars().count());
        self.head.iter().enumerate().map(|(n, head)| cells(n).chain([head.len()]).max().unwrap_or_default()).collect()
    }

    fn lines(&self, widths: &[usize]) -> String {
        let mut text = String::new();
        let mut line = |cells: &mut dyn Iterator<Item = &str>| {
            let mut line = String::new();
            for (cell, width) in cells.zip(widths) {
                // Writing to a String cannot fail.
                let _ = write!(line, "{cell:width$}{:GAP$}", "");
            }
            text.push_str(line.trim_end());
            text.push('\n');
        };
        line(&mut self.head.iter().copied());
        let indent = widths.first().copied().unwrap_or_default() + GAP;
        for row in &self.rows {
            line(&mut row.cells.iter().map(String::as_str));
            for below in &row.below {
                line(&mut std::iter::once(format!("{:indent$}{below}", "").as_str()));
            }
        }
        text
    }

    fn blocks(&self) -> String {
        let mut text = String::new();
        for row in &self.rows {
            let mut cells = self.head.iter().zip(&row.cells);
            if let Some((_, name)) = cells.next() {
                text.push_str(name);
                text.push('\n');
            }
            for (head, cell) in cells.filter(|(_, cell)| !cell.is_empty()) {
                let _ = writeln!(text, "  {}: {cell}", head.to_lowercase());
            }
            for below in &row.below {
                let _ = writeln!(text, "  {below}");
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Table {
        let row = |cells: [&str; 3], below: &[&str]| Row {
            cells: cells.map(str::to_owned).to_vec(),
            below: below.iter().map(|line| (*line).to_owned()).collect(),
        };
        Table {
            head: vec!["JOB", "STATE", "GAP"],
            rows: vec![row(["1a2b", "failed", "é/2025Q2/x"], &["exit code 1 - no such model"]), row(["2", "", "b"], &[])],
        }
    }

    #[test]
    fn columns_are_as_wide_as_what_stands_in_them() {
        insta::assert_snapshot!(table().text(Some(24)), @r"
        JOB   STATE   GAP
        1a2b  failed  é/2025Q2/x
              exit code 1 - no
                such model
        2             b
        ");
    }

    #[test]
    fn a_row_is_a_block_where_the_terminal_is_narrower() {
        insta::assert_snapshot!(table().text(Some(23)), @r"
        1a2b
          state: failed
          gap: é/2025Q2/x
          exit code 1 - no such
            model
        2
          gap: b
        ");
    }
}
