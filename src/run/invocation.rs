//! What an invocation works with: checked values and the ports.

use std::path::PathBuf;
use std::sync::Arc;

use crate::execute::Executor;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::ids::RunId;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::{EnvFiles, RunSettings, SyncRule};
use crate::store::Store;
use crate::tell::events::Events;

/// Everything that an invocation works with.
pub struct Invocation {
    /// Its id, should it be recorded.
    pub id: RunId,
    /// The banks, ETLs and sources.
    pub catalogue: Arc<Catalogue>,
    /// The variables of the `env_file`s that its programs name, by path.
    pub env_files: EnvFiles,
    /// How it goes about its work.
    pub settings: RunSettings,
    /// What it was asked to look at.
    pub selection: Selection,
    /// `--fail-fast`.
    pub fail_fast: bool,
    /// Where availability is learnt from files.
    pub sync: Vec<SyncRule>,
    /// Directory for logs and workspaces.
    pub state_dir: PathBuf,
    /// Who started it.
    pub user: String,
    /// The options, for the record.
    pub options: serde_json::Value,
    /// The database.
    pub store: Arc<dyn Store>,
    /// What starts the programs.
    pub executor: Arc<dyn Executor>,
    /// What happens is sent there.
    pub events: Arc<Events>,
}

impl Invocation {
    /// Whether it is about reports.
    pub(super) fn has_reports(&self) -> bool {
        self.selection.has_reports() && !self.catalogue.etls.is_empty()
    }
}
