//! Reads the files that `env_file:` names: variables for programs, read when a run needs them.

use std::collections::BTreeMap;
use std::path::Path;

use super::configuration::Config;
use super::dotenv;
use super::error::{ConfigErrors, Findings};
use crate::plan::model::settings::EnvFiles;
use crate::plan::model::source::Verify;

impl Config {
    /// The variables of every `env_file`, by path.
    ///
    /// # Errors
    /// When a file is missing or cannot be read: its program would run without variables that it needs.
    pub fn env_files(&self) -> Result<EnvFiles, ConfigErrors> {
        let mut files = EnvFiles::new();
        let mut all = Vec::new();
        for (path, key) in self.named_env_files() {
            let mut findings = Findings::of(path);
            if path.is_file() {
                files.insert(path.to_owned(), dotenv::read(path, &mut findings));
            } else {
                findings.add_for_file(format!("there is no such file; {key} names it"));
            }
            all.push(findings);
        }
        Findings::into_result(all).map(|()| files)
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
