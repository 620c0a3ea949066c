//! Results that are no view of anything: errors, a run that had nothing to add, pages of text.

use serde::Serialize;

use super::View;
use super::escape::escaped;
use super::words::Untrusted;

/// Why a command could not do its work.
#[derive(Debug, Serialize)]
pub struct ErrorView {
    exit_code: u8,
    error: Error,
}

/// What went wrong.
#[derive(Debug, Serialize)]
pub(super) struct Error {
    class: &'static str,
    /// A line for each mistake.
    message: String,
    causes: Vec<Cause>,
}

/// One of several mistakes, and its place where it has one. Lines and columns count from 1.
#[derive(Debug, Serialize)]
pub struct Cause {
    pub file: Option<String>,
    pub line: Option<usize>,
    pub column: Option<usize>,
    pub message: String,
}

impl ErrorView {
    /// The view of an error that ends the process with this code. `class` is its kind, for programs; `causes` are the single mistakes where
    /// there may be several.
    pub fn new(exit_code: u8, class: &'static str, message: String, causes: Vec<Cause>) -> Self {
        Self { exit_code, error: Error::new(class, &message, causes) }
    }
}

impl Error {
    pub(super) fn new(class: &'static str, message: &str, causes: Vec<Cause>) -> Self {
        Self { class, message: message.lines().map(escaped).collect::<Vec<_>>().join("\n"), causes }
    }

    /// In a line for each mistake.
    pub(super) fn message(&self) -> &str {
        &self.message
    }
}

impl View for ErrorView {
    fn kind(&self) -> &'static str {
        "error"
    }

    fn text(&self) -> String {
        format!("error: {}\n", self.error.message)
    }
}

/// A run is active and another waits for it, so that this one had nothing to add.
#[derive(Debug, Serialize)]
pub struct RedundantView<'a> {
    exit_code: u8,
    holder: Untrusted<'a>,
}

impl<'a> RedundantView<'a> {
    /// The view, with who holds the lock.
    pub fn new(exit_code: u8, holder: &'a str) -> Self {
        Self { exit_code, holder: holder.into() }
    }
}

impl View for RedundantView<'_> {
    fn kind(&self) -> &'static str {
        "redundant"
    }

    /// Nothing: that it had nothing to add is on stderr.
    fn text(&self) -> String {
        String::new()
    }
}

/// A page of text: the help, the manual, a script, SQL.
#[derive(Debug, Serialize)]
pub struct PageView {
    #[serde(skip)]
    kind: &'static str,
    text: String,
}

impl PageView {
    /// The view of a page that ends in a newline.
    pub fn new(kind: &'static str, text: String) -> Self {
        Self { kind, text }
    }
}

impl View for PageView {
    fn kind(&self) -> &'static str {
        self.kind
    }

    fn text(&self) -> String {
        self.text.clone()
    }
}

/// The JSON Schema of the configuration.
#[derive(Debug, Serialize)]
pub struct SchemaView {
    schema: serde_json::Value,
}

impl SchemaView {
    /// The view of this schema.
    pub fn new(schema: serde_json::Value) -> Self {
        Self { schema }
    }
}

impl View for SchemaView {
    fn kind(&self) -> &'static str {
        "config_schema"
    }

    fn text(&self) -> String {
        format!("{:#}\n", self.schema)
    }
}
