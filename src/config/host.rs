//! What a configuration needs of this host: programs, directories, files of variables. `etl-orch config check` looks at it beside the
//! files, so that all mistakes are told at once; a run meets each where it is needed.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::io;
use std::path::{Path, PathBuf};

use super::check::Check;
use super::env_files;
use super::error::{ConfigError, Findings};
use crate::os::{input, programs, room};
use crate::plan::model::etl::{Etl, ReportsBy};
use crate::plan::model::settings::{SyncRule, Variables};
use crate::plan::model::source::{Source, Verify};
use crate::plan::model::work::{CommandSpec, Work};
use crate::plan::text::template::{Piece, Template};

/// A file that stands for any that is made in a directory.
const ANY_FILE: &str = ".etl-orch.check";

/// What a configuration needs of the host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Programs, the directories in which they run, and their files of variables and certificates.
    Program,
    /// Directories of reports.
    Output,
    /// Directories whose files say what is available.
    SyncFiles,
    StateDir,
    LockFile,
}

/// What was found of the host.
#[derive(Debug, Default)]
pub struct Host {
    /// What it lacks. Each is among the mistakes of the configuration too.
    pub lacks: Vec<(Need, ConfigError)>,
    /// The file of each program, by the key that has its `command`, such as `etls.call_summary`. One whose name depends on the job has
    /// none.
    pub programs: BTreeMap<String, PathBuf>,
    /// The directories below which reports are put.
    pub outputs: Vec<PathBuf>,
    /// What may be a mistake, each in a sentence: what other users may do with files of variables, lines in them that are ignored,
    /// directories that are not there yet.
    pub warnings: Vec<String>,
}

/// Looks at the host, each file once.
pub(super) struct Look<'a> {
    /// The environment of this process, which programs inherit.
    environment: &'a Variables,
    env_files: BTreeMap<PathBuf, (Findings, Option<Variables>)>,
    host: Host,
}

impl<'a> Look<'a> {
    pub(super) fn new(environment: &'a Variables) -> Self {
        Self { environment, env_files: BTreeMap::new(), host: Host::default() }
    }

    /// What was found, and the mistakes in files of variables.
    pub(super) fn into_parts(mut self) -> (Host, Vec<Findings>) {
        let of_env_files: Vec<Findings> = self.env_files.into_values().map(|(findings, _)| findings).collect();
        self.host.lacks.extend(of_env_files.iter().flat_map(Findings::found).map(|error| (Need::Program, error.clone())));
        (self.host, of_env_files)
    }

    /// Notes what the host lacks, as a mistake at this key.
    fn lacks(&mut self, check: &mut Check, need: Need, path: &[&str], message: String) {
        let before = check.findings.len();
        check.wrong(path, message);
        self.host.lacks.extend(check.findings.found().iter().skip(before).map(|error| (need, error.clone())));
    }

    /// Looks at what all runs need, and each ETL and source.
    pub(super) fn all(&mut self, check: &mut Check, state_dir: &Path, lock_file: &Path, (etls, sources): (&[Etl], &[Source])) {
        self.directories(check, state_dir, lock_file);
        for etl in etls {
            self.etl(check, etl);
        }
        for source in sources {
            self.source(check, source);
        }
    }

    /// Looks for the directories in which files say what is available.
    pub(super) fn sync(&mut self, check: &mut Check, rules: &[SyncRule]) {
        for directory in rules.iter().map(|rule| fixed_directory(&rule.files)) {
            let shown = directory.display();
            match std::fs::read_dir(&directory) {
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::NotFound => {
                    self.host.warnings.push(format!("availability.sync: {shown} does not exist, so nothing is learnt from it"));
                }
                Err(error) => {
                    let message = format!("availability.sync: {shown} cannot be read: {error}");
                    self.lacks(check, Need::SyncFiles, &["availability", "sync"], message);
                }
            }
        }
    }

    /// Looks at what an ETL needs.
    fn etl(&mut self, check: &mut Check, etl: &Etl) {
        let path = ["etls", &etl.name];
        self.work(check, &path, &etl.work);
        if let ReportsBy::Orchestrator { output } = &etl.reports {
            let directory = fixed_directory(output);
            self.host.outputs.push(directory.clone());
            if let Err(error) = room::check_file(&directory.join(ANY_FILE)) {
                let message = format!(
                    "{}.output: no report can be put below {}: {error}; {}, or correct the path",
                    path.join("."),
                    directory.display(),
                    way_out(&error)
                );
                self.lacks(check, Need::Output, &[path[0], path[1], "output"], message);
            }
        }
    }

    /// Looks at what a source needs.
    fn source(&mut self, check: &mut Check, source: &Source) {
        let path = ["sources", &source.id, "verify"];
        self.work(check, &path[..2], &source.work);
        self.program(check, &path, source.verify.as_ref().and_then(Verify::program));
    }

    fn work(&mut self, check: &mut Check, path: &[&str], work: &Work) {
        match work {
            Work::Command { command, .. } => self.program(check, path, Some(command)),
            Work::Http(spec) => {
                let Some(file) = spec.ca_file.as_deref() else { return };
                if let Err(error) = input::look_at(file) {
                    let path = [path, &["http", "ca_file"]].concat();
                    self.lacks(check, Need::Program, &path, format!("{}: {} {error}", path.join("."), file.display()));
                }
            }
        }
    }

    fn program(&mut self, check: &mut Check, path: &[&str], spec: Option<&CommandSpec>) {
        let Some(spec) = spec else { return };
        let (at, owner) = (|key| [path, &[key]].concat(), path.join("."));
        let of_file = spec.env_file.as_deref().and_then(|file| self.env_file(check, &at("env_file"), file));
        let bad_directory = programs::bad_directory(&spec.cwd);
        let is_entered = bad_directory.is_none();
        if let Some(fault) = bad_directory {
            let key = if check.document.get(&at("cwd")).is_some() { "cwd" } else { "command" };
            self.lacks(check, Need::Program, &at(key), format!("{owner}.{key}: {fault}"));
        }
        let of_env = spec.env.iter().rev().find(|(name, _)| name == "PATH").map(|(_, path)| fixed(path));
        // What depends on the job is known to the job alone.
        let (Some(name), false) = (spec.argv.first().and_then(fixed), matches!(of_env, Some(None))) else { return };
        if !is_entered && name.contains('/') && !name.starts_with('/') {
            return;
        }
        let search = of_env.flatten().or(of_file).or_else(|| self.environment.get("PATH").cloned());
        let found = programs::find(&name, search.as_deref().map(OsStr::new), &spec.cwd);
        match found.as_deref().map_or_else(|| Some(programs::not_found(&name)), programs::fault) {
            Some(fault) => self.lacks(check, Need::Program, &[path, &["command", "0"]].concat(), format!("{owner}.command: {fault}")),
            None => self.host.programs.extend(found.map(|file| (owner, file))),
        }
    }

    /// Reads a file of variables, unless that was done. Returns its PATH.
    fn env_file(&mut self, check: &mut Check, path: &[&str], file: &Path) -> Option<String> {
        let (findings, variables) = self.env_files.entry(file.to_owned()).or_insert_with(|| {
            let mut findings = Findings::of(file);
            let variables = env_files::read(file, self.environment, &mut findings, &mut self.host.warnings);
            (findings, variables)
        });
        let search = variables.as_ref().and_then(|variables| variables.get("PATH").cloned());
        if variables.is_none() && findings.is_empty() {
            let name = check.document.named(path);
            self.lacks(check, Need::Program, path, format!("{}: there is no such file; {name} names it", file.display()));
        }
        search
    }

    /// Looks at what all runs need.
    fn directories(&mut self, check: &mut Check, state_dir: &Path, lock_file: &Path) {
        let logs = state_dir.join("logs").join(ANY_FILE);
        for (need, key, named, file) in
            [(Need::StateDir, "state_dir", state_dir, logs.as_path()), (Need::LockFile, "lock_file", lock_file, lock_file)]
        {
            if let Err(error) = room::check_file(file) {
                let message = format!("{key}: {} cannot be written: {error}; {}, or name another", named.display(), way_out(&error));
                self.lacks(check, need, &[key], message);
            }
        }
    }
}

/// What lets a directory be written again.
fn way_out(error: &io::Error) -> &'static str {
    if error.kind() == io::ErrorKind::StorageFull { "make room there" } else { "make it writable" }
}

/// The text of a template without placeholders.
fn fixed(template: &Template) -> Option<String> {
    template.placeholders().next().is_none().then(|| template.fill(&BTreeMap::new()))
}

/// The directory below which all files of this template are.
fn fixed_directory(template: &Template) -> PathBuf {
    let mut text = String::new();
    for piece in template.pieces() {
        match piece {
            Piece::Text(part) => text.push_str(part),
            Piece::Value(_) => break,
        }
    }
    PathBuf::from(text.rsplit_once('/').map_or("/", |(directory, _)| directory))
}
