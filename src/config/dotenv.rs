//! The `.env` file beside the configuration: read, never put into the environment of this process.

use std::io;
use std::path::Path;

use super::error::{Findings, Position};
use crate::plan::model::settings::Variables;

/// The variables of a `.env` file; none when there is no such file. Mistakes never show what the file holds.
pub(super) fn read(path: &Path, findings: &mut Findings) -> Variables {
    match std::fs::read_to_string(path) {
        Ok(text) => parse(&text).unwrap_or_else(|line| {
            let at = Position { line, column: 1 };
            findings.add(at, "not a NAME=value line; quote values that hold spaces, $ or # (single quotes keep them as they are)");
            Variables::new()
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Variables::new(),
        Err(error) => {
            findings.add_for_file(format!("cannot be read: {error}"));
            Variables::new()
        }
    }
}

/// The variables, or the line of the first mistake. The first of several values of a name counts.
fn parse(text: &str) -> Result<Variables, usize> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut variables = Variables::new();
    for item in dotenvy::from_read_iter(text.as_bytes()) {
        let Ok((name, value)) = item else { return Err(line_of_mistake(text)) };
        variables.entry(name).or_insert(value);
    }
    Ok(variables)
}

/// The parser does not say where it stopped. The mistake is in the line after the longest part from the start that it can read.
fn line_of_mistake(text: &str) -> usize {
    let ends: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
    let good = (0..=ends.len()).rev().find(|n| {
        let end = n.checked_sub(1).map_or(0, |last| ends[last]);
        dotenvy::from_read_iter(&text.as_bytes()[..end]).all(|item| item.is_ok())
    });
    good.unwrap_or(0) + 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_names_and_values() {
        let variables = parse("\u{feff}# comment\nA=1\nexport B='p$w # x'\n\nA=2\nC=\n").unwrap();
        assert_eq!(variables, [("A", "1"), ("B", "p$w # x"), ("C", "")].map(|(k, v)| (k.to_owned(), v.to_owned())).into());
    }

    #[test]
    fn a_mistake_has_its_line() {
        assert_eq!(parse("A=1\nB = two words\nC=3\n"), Err(2));
        assert_eq!(parse("nonsense"), Err(1));
        assert_eq!(parse("A='x\ny'\nB='open\nC=3\n"), Err(3));
    }
}
