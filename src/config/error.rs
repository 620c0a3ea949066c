//! Mistakes in the configuration files, each with its position.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::plan::text::size::shortened;

/// After about this many mistakes of a kind reading stops: such a file is probably not a configuration.
pub(super) const MAX_MISTAKES: usize = 100;

/// Longest message, in bytes. Messages quote what the file holds.
const MAX_MESSAGE: usize = 2000;

/// A place in a file; both numbers count from 1, columns in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: usize,
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// One mistake in a file. Its message never holds a value that came from a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file, as the user would write its path; `None` when no file was found at all.
    pub file: Option<PathBuf>,
    /// Where in the file; `None` when the mistake concerns the whole file.
    pub at: Option<Position>,
    /// What is wrong, and what to do.
    pub message: String,
}

/// `path:line:column: message`, on one line and without control characters.
impl fmt::Display for ConfigError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = self.file.as_ref().map(|file| format!("{}:", file.display())).unwrap_or_default();
        let at = self.at.map(|at| format!("{at}:")).unwrap_or_default();
        let line = format!("{file}{at} {}", self.message);
        for c in line.trim_start().chars() {
            if c.is_control() { write!(f, "{}", c.escape_debug())? } else { write!(f, "{c}")? }
        }
        Ok(())
    }
}

/// Every mistake that was found; at least one. Displays one line for each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigErrors(Vec<ConfigError>);

impl ConfigErrors {
    /// The mistakes, sorted by file and position.
    pub fn iter(&self) -> impl Iterator<Item = &ConfigError> {
        self.0.iter()
    }

    /// These mistakes, and then those of other files.
    pub(super) fn and(mut self, more: Self) -> Self {
        self.0.extend(more.0);
        self
    }

    /// A single mistake that belongs to no file.
    pub(super) fn without_file(message: String) -> Self {
        Self(vec![ConfigError { file: None, at: None, message }])
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            if n > 0 {
                writeln!(f)?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects the mistakes of one file.
#[derive(Debug)]
pub(super) struct Findings {
    file: PathBuf,
    found: Vec<ConfigError>,
    /// What is no mistake by itself, but may be the cause of one.
    remarks: Vec<ConfigError>,
}

impl Findings {
    pub(super) fn of(file: &Path) -> Self {
        Self { file: file.to_owned(), found: Vec::new(), remarks: Vec::new() }
    }

    /// The file, as its user writes its path.
    pub(super) fn file(&self) -> &Path {
        &self.file
    }

    /// Adds a mistake at a position.
    pub(super) fn add(&mut self, at: Position, message: impl Into<String>) {
        self.push(Some(at), message.into());
    }

    /// Adds a mistake that concerns the whole file.
    pub(super) fn add_for_file(&mut self, message: impl Into<String>) {
        self.push(None, message.into());
    }

    /// The bytes as text. If they are not UTF-8, that is a mistake with its place.
    pub(super) fn utf8(&mut self, bytes: Vec<u8>) -> Option<String> {
        match String::from_utf8(bytes) {
            Ok(text) => Some(text),
            Err(error) => {
                let good = String::from_utf8_lossy(&error.as_bytes()[..error.utf8_error().valid_up_to()]);
                let line = good.matches('\n').count() + 1;
                let column = good.rsplit('\n').next().unwrap_or_default().chars().count() + 1;
                self.add(Position { line, column }, "not UTF-8; save the file as UTF-8");
                None
            }
        }
    }

    /// Adds what is a warning, unless something is wrong too: then it is listed among the mistakes.
    pub(super) fn add_remark(&mut self, at: Position, message: impl Into<String>) {
        let remark = self.error(Some(at), &message.into());
        self.remarks.push(remark);
    }

    /// The remarks, each with file and position.
    pub(super) fn remarks(&self) -> impl Iterator<Item = String> {
        self.remarks.iter().map(ConfigError::to_string)
    }

    fn push(&mut self, at: Option<Position>, message: String) {
        let error = self.error(at, &message);
        self.found.push(error);
    }

    fn error(&self, at: Option<Position>, message: &str) -> ConfigError {
        ConfigError { file: Some(self.file.clone()), at, message: shortened(message, MAX_MESSAGE).into_owned() }
    }

    /// Adds that there are more mistakes than are looked for.
    pub(super) fn too_many(&mut self) {
        self.add_for_file(format!("more than {MAX_MISTAKES} mistakes; correct these first"));
    }

    /// The mistakes so far, in the order in which they were found.
    pub(super) fn found(&self) -> &[ConfigError] {
        &self.found
    }

    pub(super) fn len(&self) -> usize {
        self.found.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.found.is_empty()
    }

    /// `Ok` without mistakes. Otherwise the mistakes and remarks of all files: file by file, sorted by position.
    pub(super) fn into_result(files: impl IntoIterator<Item = Self>) -> Result<(), ConfigErrors> {
        let files: Vec<Self> = files.into_iter().collect();
        if files.iter().all(Self::is_empty) {
            return Ok(());
        }
        let mut all = Vec::new();
        for mut file in files {
            file.found.append(&mut file.remarks);
            file.found.sort_by_key(|error| error.at);
            file.found.dedup();
            all.append(&mut file.found);
        }
        Err(ConfigErrors(all))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_each_by_place() {
        let mut findings = Findings::of(Path::new("etl-orch.yaml"));
        findings.add(Position { line: 9, column: 1 }, "later");
        findings.add(Position { line: 2, column: 3 }, "control \u{1b}[31m character");
        findings.add_for_file("everything");
        let errors = Findings::into_result([findings]).unwrap_err();
        insta::assert_snapshot!(errors, @r"
        etl-orch.yaml: everything
        etl-orch.yaml:2:3: control \u{1b}[31m character
        etl-orch.yaml:9:1: later
        ");
    }
}
