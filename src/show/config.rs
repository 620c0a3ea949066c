//! What a configuration means, for `etl-orch config check` and `init`.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::View;
use super::escape::escaped;
use super::misnamed::{self, MisnamedView};
use super::words::Untrusted;
use crate::plan::decide::mismatch::NameIssues;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::ReportsBy;
use crate::plan::model::settings::{Database, DatabaseTarget};
use crate::plan::model::tell::{Configured, TellSettings};
use crate::plan::model::work::Work;
use crate::plan::text::span;

/// A checked configuration.
#[derive(Debug, Serialize)]
pub struct ConfigView<'a> {
    config: &'a Path,
    database: String,
    tables: Tables,
    state_dir: &'a Path,
    lock_file: &'a Path,
    institutions: usize,
    max_parallel: usize,
    etls: Vec<EtlLine<'a>>,
    sources: Vec<SourceLine<'a>>,
    tell: Vec<ChannelLine>,
    warnings: Vec<Untrusted<'a>>,
    /// What the database says of it, where that was asked.
    #[serde(flatten)]
    misnamed: Option<MisnamedView<'a>>,
}

#[derive(Debug, Serialize)]
struct Tables {
    availability: String,
    reports: String,
}

#[derive(Debug, Serialize)]
struct EtlLine<'a> {
    name: &'a str,
    report_type: &'a str,
    other_report_types: &'a [String],
    requires: &'a [String],
    program: Option<&'a Path>,
    #[serde(skip)]
    reports: &'a ReportsBy,
}

#[derive(Debug, Serialize)]
struct SourceLine<'a> {
    id: &'a str,
    name: &'a str,
    every_seconds: u64,
    program: Option<&'a Path>,
    verify_program: Option<&'a Path>,
    #[serde(skip)]
    every: String,
    #[serde(skip)]
    work: &'a Work,
}

/// A channel that is told of runs.
#[derive(Debug, Serialize)]
struct ChannelLine {
    channel: &'static str,
    /// Without what is secret.
    to: String,
}

/// The files that a configuration is about.
#[derive(Debug, Clone, Copy)]
pub struct ConfigFiles<'a> {
    /// The configuration itself.
    pub config: &'a Path,
    /// Where logs and workspaces are.
    pub state_dir: &'a Path,
    /// The lock of a run.
    pub lock_file: &'a Path,
    /// The files of programs, by the key that has their `command`.
    pub programs: &'a BTreeMap<String, PathBuf>,
}

impl<'a> ConfigView<'a> {
    /// The view of a configuration with these parts.
    ///
    /// `names`: what the database says of the names in it, where that was asked.
    pub fn new(
        files: ConfigFiles<'a>,
        database: &Database,
        max_parallel: usize,
        catalogue: &'a Catalogue,
        warnings: &'a [String],
        names: Option<&'a NameIssues>,
    ) -> Self {
        let etls = catalogue.etls.iter();
        let sources = catalogue.sources.iter();
        let program = |key: String| files.programs.get(&key).map(PathBuf::as_path);
        Self {
            config: files.config,
            database: database.target.to_string(),
            tables: Tables { availability: database.availability.to_string(), reports: database.reports.to_string() },
            state_dir: files.state_dir,
            lock_file: files.lock_file,
            institutions: catalogue.institutions.len(),
            max_parallel,
            etls: etls
                .map(|etl| EtlLine {
                    name: &etl.name,
                    report_type: &etl.report_type,
                    other_report_types: &etl.other_report_types,
                    requires: &etl.requires,
                    program: program(format!("etls.{}", etl.name)),
                    reports: &etl.reports,
                })
                .collect(),
            sources: sources
                .map(|source| SourceLine {
                    id: &source.id,
                    name: &source.name,
                    every_seconds: source.cadence.every.as_secs(),
                    program: program(format!("sources.{}", source.id)),
                    verify_program: program(format!("sources.{}.verify", source.id)),
                    every: span::exact(source.cadence.every),
                    work: &source.work,
                })
                .collect(),
            tell: Vec::new(),
            warnings: (warnings.iter().map(|warning| warning.as_str().into()))
                .chain(names.iter().flat_map(|names| misnamed::lines(names, catalogue)).map(Untrusted::from))
                .collect(),
            misnamed: names.map(|names| MisnamedView::new(names, catalogue)),
        }
    }

    /// The same with who is told of runs.
    #[must_use]
    pub fn telling(self, settings: &TellSettings) -> Self {
        let line = |channel: Configured<'_>| ChannelLine { channel: channel.name, to: escaped(&channel.shown).into_owned() };
        Self { tell: settings.channels().into_iter().map(line).collect(), ..self }
    }
}

impl View for ConfigView<'_> {
    fn kind(&self) -> &'static str {
        "config_check"
    }

    fn text(&self) -> String {
        let is_wrong = self.misnamed.as_ref().is_some_and(|misnamed| !misnamed.unknown_tags.is_empty());
        let verdict = if is_wrong { "an ETL requires what the data does not have (see below)" } else { "ok" };
        let mut page = format!("{}: {verdict}\n", self.config.display());
        let mut line = |name: &str, value: &dyn std::fmt::Display| {
            // Writing to a String cannot fail.
            let _ = writeln!(page, "  {name:<14}{value}");
        };
        line("database", &self.database);
        line("tables", &format!("{}, {}", self.tables.availability, self.tables.reports));
        line("state_dir", &self.state_dir.display());
        line("lock_file", &self.lock_file.display());
        line("institutions", &self.institutions);
        line("max_parallel", &self.max_parallel);
        for etl in &self.etls {
            let by = match etl.reports {
                ReportsBy::Etl => "the ETL writes its row".to_owned(),
                ReportsBy::Orchestrator { output } => format!("etl-orch writes the row; file {output}"),
            };
            let types = std::iter::once(etl.report_type).chain(etl.other_report_types.iter().map(String::as_str)).collect::<Vec<_>>();
            line("etl", &format!("{} -> {} (requires {}; {by})", etl.name, types.join(" or "), etl.requires.join(", ")));
            if let Some(program) = etl.program {
                line("  program", &program.display());
            }
        }
        if !self.sources.is_empty() {
            line("sources", &self.sources.len());
        }
        for source in &self.sources {
            let by = match source.work {
                Work::Command { .. } => "by a command",
                Work::Http(_) => "over HTTP",
            };
            line("source", &format!("{} -> {} (every {}, {by})", source.id, source.name, source.every));
            for (name, program) in [("  program", source.program), ("  verified by", source.verify_program)] {
                if let Some(program) = program {
                    line(name, &program.display());
                }
            }
        }
        for channel in &self.tell {
            line("tell", &channel.to);
        }
        for warning in &self.warnings {
            line("warning", warning);
        }
        page
    }
}

/// That `etl-orch init` has made the database ready.
#[derive(Debug, Serialize)]
pub struct InitView {
    database: String,
    tables: &'static str,
}

impl InitView {
    /// The view of this database.
    pub fn new(database: &DatabaseTarget) -> Self {
        let tables = match database {
            DatabaseTarget::Sqlite(_) => "state tables and data tables are there",
            DatabaseTarget::Postgres { .. } => "state tables are there (schema etl_orch), data tables fit",
        };
        Self { database: database.to_string(), tables }
    }
}

impl View for InitView {
    fn kind(&self) -> &'static str {
        "init"
    }

    fn text(&self) -> String {
        format!("{}: {}\n", self.database, self.tables)
    }
}
