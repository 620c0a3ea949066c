//! That a configuration was begun, and what to do next.

use std::fmt::Write;
use std::path::PathBuf;

use serde::Serialize;

use super::View;
use super::terminal::page_width;
use super::words::{Untrusted, count, wrapped};
use crate::plan::decide::found_data::FoundData;

/// The files that were written.
#[derive(Debug, Clone)]
pub struct Written {
    pub config: PathBuf,
    pub institutions: Option<PathBuf>,
    /// The file of institutions that was there already, and stays.
    pub kept_institutions: Option<PathBuf>,
    /// The file with the address of the database.
    pub env_file: Option<PathBuf>,
    /// The variable that the user has to set, as the file is there already.
    pub wanted_variable: Option<&'static str>,
}

/// A configuration that was begun.
#[derive(Debug, Serialize)]
pub struct ConfigInitView<'a> {
    config: String,
    institutions: String,
    institutions_kept: bool,
    env_file: Option<String>,
    database: Option<Untrusted<'a>>,
    banks: usize,
    report_types: usize,
    tags: usize,
    /// What keeps the files from being used as they are.
    problems: Vec<Untrusted<'a>>,
    next: Vec<String>,
}

impl<'a> ConfigInitView<'a> {
    /// The view of what was written, from what `database` holds.
    pub fn new(written: &Written, database: Option<&'a str>, found: &FoundData, problems: Vec<String>) -> Self {
        let config = written.config.display().to_string();
        let institutions = written.institutions.as_ref().or(written.kept_institutions.as_ref());
        let set = written.wanted_variable.map(|name| format!("set {name}, in .env or in the environment, to the address of the database"));
        let next = set.into_iter().chain([
            format!("write the command of each ETL into {config}, and read the comments there"),
            format!("etl-orch config check --connect --config {config}"),
            format!("etl-orch doctor --config {config}"),
            format!("etl-orch --dry-run --config {config}"),
        ]);
        Self {
            institutions: institutions.map(|path| path.display().to_string()).unwrap_or_default(),
            institutions_kept: written.kept_institutions.is_some(),
            env_file: written.env_file.as_ref().map(|path| path.display().to_string()),
            database: database.map(Untrusted::from),
            banks: found.banks.len(),
            report_types: found.report_types.len(),
            tags: found.tags.len(),
            problems: problems.into_iter().map(Untrusted::from).collect(),
            next: next.collect(),
            config,
        }
    }
}

impl View for ConfigInitView<'_> {
    fn kind(&self) -> &'static str {
        "config_init"
    }

    fn text(&self) -> String {
        let counts = [(self.banks, "symbol"), (self.report_types, "type of report"), (self.tags, "tag")];
        let [symbols, _, tags] = counts.map(|(number, noun)| count(number as u64, noun));
        let types = if self.report_types == 1 { "1 type".to_owned() } else { format!("{} types", self.report_types) };
        let from = match &self.database {
            Some(database) => format!(", from what {database} holds: {symbols}, {types} of reports, {tags}"),
            None => ", for a new database of SQLite beside it".to_owned(),
        };
        let kept = if self.institutions_kept { "was there already, and stays as it is" } else { "is written" };
        let mut lines = vec![format!("{} is written{from}", self.config), format!("{} {kept}", self.institutions)];
        lines.extend(
            self.env_file.iter().map(|file| format!("{file} is written: it has the address with the password, for this user alone")),
        );
        lines.extend(self.problems.iter().map(|problem| format!("to be corrected: {problem}")));
        lines.push("Next:".to_owned());
        lines.extend(self.next.iter().enumerate().map(|(n, step)| format!("  {}. {step}", n + 1)));
        let width = page_width();
        let mut page = String::new();
        for line in lines {
            // Writing to a String cannot fail.
            let _ = writeln!(page, "{}", wrapped(&line, width));
        }
        page
    }
}
