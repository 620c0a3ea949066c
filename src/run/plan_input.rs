//! What a plan is made for, beside what the database knows.

use super::sync::Stamps;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::{EnvFiles, RunSettings, SyncRule};

/// The configuration, the selection and the files that a plan is made from.
#[derive(Debug, Clone, Copy)]
pub(super) struct PlanInput<'a> {
    /// The banks, ETLs and sources.
    pub(super) catalogue: &'a Catalogue,
    /// The variables of `env_file`s, by path.
    pub(super) env_files: &'a EnvFiles,
    /// The limits of the run.
    pub(super) settings: &'a RunSettings,
    /// The banks, ETLs, periods and sources that the run may work on.
    pub(super) selection: &'a Selection,
    /// The rules of `availability.sync`.
    pub(super) sync: &'a [SyncRule],
    /// The files that `availability.sync` found.
    pub(super) stamps: &'a Stamps,
}

impl PlanInput<'_> {
    /// Whether the run may make any report.
    pub(super) fn has_reports(&self) -> bool {
        self.selection.has_reports() && !self.catalogue.etls.is_empty()
    }

    /// How many of the run's jobs may be collections: half of them where it may make reports too, otherwise all.
    pub(super) fn most_collections(&self) -> usize {
        let most = self.settings.max_jobs;
        if self.has_reports() { most.div_ceil(2) } else { most }
    }
}
