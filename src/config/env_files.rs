//! Reads the files that `env_file:` names: variables for programs, read when a run needs them.

use std::collections::BTreeMap;
use std::path::Path;

use super::configuration::Config;
use super::dotenv;
use super::error::{ConfigErrors, Findings};
use super::{ownership, secrets};
use crate::plan::model::settings::{EnvFiles, Variables};
use crate::plan::model::source::Verify;
use crate::plan::text::secrets::Secrets;

/// What the files that `env_file:` names hold.
#[derive(Debug)]
pub struct ReadEnvFiles {
    /// The variables of each, by path.
    pub files: EnvFiles,
    /// What other users may do with the files, and lines that are ignored, each in a sentence.
    pub warnings: Vec<String>,
    /// Those of their values that must not be logged, stored or shown.
    pub secrets: Secrets,
}

/// Reads such a file; `None` when there is none, or none that can be used.
pub(super) fn read(path: &Path, environment: &Variables, findings: &mut Findings, warnings: &mut Vec<String>) -> Option<Variables> {
    let read = dotenv::read(path, environment, findings)?;
    warnings.extend(ownership::warnings(path, read.access, true));
    warnings.extend(findings.remarks());
    Some(read.variables)
}

impl Config {
    /// The variables of every `env_file`, by path. A variable of `environment` goes before one of the same name where a file uses it.
    ///
    /// # Errors
    /// When a file is missing or cannot be read: its program would run without variables that it needs.
    pub fn env_files(&self, environment: &Variables) -> Result<ReadEnvFiles, ConfigErrors> {
        let mut files = EnvFiles::new();
        let mut warnings = Vec::new();
        let mut all = Vec::new();
        for (path, key) in self.named_env_files() {
            let mut findings = Findings::of(path);
            match read(path, environment, &mut findings, &mut warnings) {
                Some(variables) => drop(files.insert(path.to_owned(), variables)),
                None if findings.is_empty() => findings.add_for_file(format!("there is no such file; {key} names it")),
                None => {}
            }
            all.push(findings);
        }
        Findings::into_result(all).map(|()| {
            let secrets = Secrets::new(files.values().flat_map(secrets::named));
            ReadEnvFiles { files, warnings, secrets }
        })
    }

    /// Each file once, with a key that names it.
    fn named_env_files(&self) -> BTreeMap<&Path, String> {
        let of_etls = self.catalogue.etls.iter().map(|etl| (etl.work.program(), format!("etls.{}.env_file", etl.name)));
        let of_sources = self.catalogue.sources.iter().flat_map(|source| {
            let programs = [source.work.program(), source.verify.as_ref().and_then(Verify::program)];
            programs.map(|program| (program, format!("sources.{}.env_file", source.id)))
        });
        let named = of_etls.chain(of_sources);
        named.filter_map(|(program, key)| Some((program?.env_file.as_deref()?, key))).rev().collect()
    }
}
