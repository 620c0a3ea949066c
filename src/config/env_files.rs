//! The `env_file` of each ETL: variables for its programs, read when a run needs them.

use super::error::{ConfigErrors, Findings};
use super::{Config, dotenv};
use crate::plan::settings::Variables;

impl Config {
    /// The variables of each ETL's `env_file`, in the order of the ETLs; none for an ETL without one.
    ///
    /// # Errors
    /// When a file is missing or cannot be read; it was asked for, so its ETL would lack what it needs.
    pub fn env_files(&self) -> Result<Vec<Variables>, ConfigErrors> {
        let mut all = Vec::new();
        let mut files = Vec::new();
        for etl in &self.etls {
            let Some(path) = &etl.command.env_file else {
                all.push(Variables::new());
                continue;
            };
            let mut findings = Findings::of(path);
            if path.is_file() {
                all.push(dotenv::read(path, &mut findings));
            } else {
                findings.whole(format!("there is no such file; etls.{}.env_file names it", etl.name));
            }
            files.push(findings);
        }
        Findings::check(files).map(|()| all)
    }
}
