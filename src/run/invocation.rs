//! What an invocation works with: checked values and the ports.

use std::path::PathBuf;
use std::sync::Arc;

use crate::execute::Executor;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::ids::RunId;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::{EnvFiles, RunSettings, SyncRule};
use crate::plan::model::trace_context::TraceContext;
use crate::store::Store;
use crate::tell::events::Events;

/// Everything that an invocation works with.
pub struct Invocation {
    /// The id of the run, which a dry run does not record.
    pub id: RunId,
    /// The trace that it and its programs are in.
    pub trace: TraceContext,
    /// The banks, ETLs and sources.
    pub catalogue: Arc<Catalogue>,
    /// The variables of the `env_file`s that its programs name, by path.
    pub env_files: EnvFiles,
    /// The limits of the run.
    pub settings: RunSettings,
    /// The banks, ETLs, periods and sources that the run may work on.
    pub selection: Selection,
    /// `--fail-fast`.
    pub fail_fast: bool,
    /// The rules of `availability.sync`.
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
    /// Whether somebody watches the run, to be told what is expected of it.
    pub is_watched: bool,
    /// Where the events of the run are sent.
    pub events: Arc<Events>,
}

impl Invocation {
    /// Whether the run may make any report.
    pub(super) fn has_reports(&self) -> bool {
        self.selection.has_reports() && !self.catalogue.etls.is_empty()
    }
}
