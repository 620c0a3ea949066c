//! Checks that several settings share.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::document::Document;
use super::error::Findings;
use super::paths::{meant_for_a_shell, resolve, resolve_template};
use super::scalars::WrittenDuration;
use crate::plan::model::settings::{ColumnName, TableName};
use crate::plan::text::placeholder::{Placeholder, Scope};
use crate::plan::text::template::{Template, TemplateError};

/// A document that is being checked. Each method takes the path of a setting and its value, and adds the mistakes to `findings`.
pub(super) struct Check<'a> {
    pub(super) document: &'a Document,
    /// Directory of the file; absolute.
    pub(super) base: &'a Path,
    pub(super) findings: &'a mut Findings,
}

impl Check<'_> {
    /// Adds a mistake in the value at a path.
    pub(super) fn wrong(&mut self, path: &[&str], message: impl Into<String>) {
        self.findings.add(self.document.position(path), message);
    }

    /// Where the value at a path stands, as messages name it.
    pub(super) fn place(&self, path: &[&str]) -> String {
        format!("{}:{}", self.findings.file().display(), self.document.position(path))
    }

    /// Adds a mistake in the key at a path.
    pub(super) fn wrong_key(&mut self, path: &[&str], message: impl Into<String>) {
        self.findings.add(self.document.key_position(path), message);
    }

    /// Adds that a key is missing, unless it is there and its value has a mistake of its own.
    pub(super) fn missing(&mut self, path: &[&str], message: impl Into<String>) {
        if !self.document.is_broken(path) {
            self.wrong_key(path.split_last().map_or(path, |(_, parent)| parent), message);
        }
    }

    /// Checks that a number is within bounds. Returns `default` when none is given.
    pub(super) fn within<N: PartialOrd + Display + Copy>(
        &mut self,
        path: &[&str],
        given: Option<N>,
        bounds: RangeInclusive<N>,
        default: N,
    ) -> N {
        let Some(number) = given else { return default };
        if bounds.contains(&number) {
            return number;
        }
        self.wrong(path, format!("{} must be from {} to {}", self.document.named(path), bounds.start(), bounds.end()));
        default
    }

    /// Checks that a duration is not zero.
    pub(super) fn not_zero(&mut self, path: &[&str], given: Option<WrittenDuration>) -> Option<Duration> {
        let WrittenDuration(duration) = given?;
        if duration.is_zero() {
            self.wrong(path, format!("{} must be longer than 0s", self.document.named(path)));
        }
        Some(duration)
    }

    /// Checks that a text is not blank and has no control characters.
    pub(super) fn text(&mut self, path: &[&str], text: &str) {
        if text.trim().is_empty() {
            self.wrong(path, format!("{} is empty", self.document.named(path)));
        } else if text.chars().any(char::is_control) {
            self.wrong(path, format!("{} holds a control character; remove it", self.document.named(path)));
        }
    }

    /// Checks a name that users choose as a key. `what` says in messages what has that name: `an ETL`.
    pub(super) fn name(&mut self, path: &[&str], name: &str, what: &str) {
        let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
            && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'));
        if !is_plain {
            let advice = "write small letters, digits, \"_\" and \"-\", the first a letter or digit";
            self.wrong_key(path, format!("{name:?} cannot name {what}; {advice}"));
        }
    }

    /// Checks the name of a column.
    pub(super) fn column(&mut self, path: &[&str], given: Option<String>) -> Option<ColumnName> {
        let name = given?;
        let column = ColumnName::parse(&name);
        if column.is_none() {
            let shown = self.document.shown(path, &name);
            self.wrong(path, format!("{shown} is no column; write its name, of letters, digits and underscores"));
        }
        column
    }

    /// Checks a path and makes it absolute.
    pub(super) fn path(&mut self, path: &[&str], given: Option<String>) -> Option<PathBuf> {
        let given = given?;
        self.path_text(path, &given);
        if let Some(placeholder) = Placeholder::ALL.iter().find(|placeholder| given.contains(&format!("{{{}}}", placeholder.name()))) {
            let name = self.document.named(path);
            self.wrong(path, format!("{name} is one path for all jobs; {{{}}} is not filled in here", placeholder.name()));
        }
        (!given.trim().is_empty()).then(|| resolve(self.base, Path::new(&given)))
    }

    /// Checks the text of a path.
    fn path_text(&mut self, path: &[&str], text: &str) {
        self.text(path, text);
        if let Some(problem) = meant_for_a_shell(text) {
            self.wrong(path, format!("{} {problem}", self.document.named(path)));
        }
    }

    /// Checks the name of a table.
    pub(super) fn table(&mut self, path: &[&str], given: Option<String>, default: &str) -> Option<TableName> {
        let name = given.unwrap_or_else(|| default.to_owned());
        let table = TableName::parse(&name);
        if table.is_none() {
            let shown = self.document.shown(path, &name);
            self.wrong(path, format!("{shown} is no table; write table or schema.table, of letters, digits and underscores"));
        }
        table
    }

    /// Checks a template.
    pub(super) fn template(&mut self, path: &[&str], source: &str, allowed: &[Scope]) -> Option<Template> {
        match Template::parse(source, allowed) {
            Ok(template) => Some(template),
            Err(errors) => {
                for error in errors {
                    let message = self.template_error(path, error, allowed);
                    self.wrong(path, message);
                }
                None
            }
        }
    }

    /// Checks a template of a path and makes it absolute.
    pub(super) fn path_template(&mut self, path: &[&str], source: &str, allowed: &[Scope]) -> Option<Template> {
        self.path_text(path, source);
        self.template(path, source, allowed)?;
        let Some(absolute) = resolve_template(self.base, source) else {
            self.wrong(path, "the directory of this file has a name that is not UTF-8; move the file, or write an absolute path");
            return None;
        };
        Template::parse(&absolute, allowed).ok()
    }

    fn template_error(&self, path: &[&str], error: TemplateError, allowed: &[Scope]) -> String {
        let is_secret = self.document.variable(path).is_some();
        match error {
            TemplateError::Unknown { name, .. } if let Some(placeholder) = Placeholder::named(&name) => {
                let has = |scope| allowed.contains(&scope);
                if placeholder.scope() == Scope::Output && has(Scope::Etl) && has(Scope::Job) {
                    if path.get(2) == Some(&"http") {
                        return "placeholder {output} has no value in http: a service stores its report itself, and etl-orch prepares no file"
                            .to_owned();
                    }
                    return "placeholder {output} has a value only where reports.by is orchestrator".to_owned();
                }
                if placeholder.scope() == Scope::RemoteId && has(Scope::Attempt) {
                    return "placeholder {remote_id} has a value only in status, cancel and the verify of a source, once the trigger has been answered".to_owned();
                }
                let names: Vec<&str> = Placeholder::within(allowed).map(Placeholder::name).collect();
                format!("placeholder {{{name}}} has no value here; those that have are {}", names.join(", "))
            }
            TemplateError::Unknown { .. } if is_secret => "unknown placeholder".to_owned(),
            TemplateError::Unbalanced(brace, _) => format!("unbalanced {brace:?}; write {{{{ or }}}} for a brace itself"),
            TemplateError::Unknown { .. } => error.to_string(),
        }
    }
}
