//! Configuration: from the file as written to checked values of `plan`, with every error located.

use std::path::PathBuf;

use crate::plan::etl::Etl;
use crate::plan::institution::Institutions;
use crate::plan::settings::{Database, RunSettings, SyncRule};

/// Everything that configuration says, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from; absolute.
    pub path: PathBuf,
    /// The database and its data tables.
    pub database: Database,
    /// Lock, attempt logs, workspaces; absolute.
    pub state_dir: PathBuf,
    /// Absolute.
    pub lock_file: PathBuf,
    /// The monitored banks.
    pub institutions: Institutions,
    /// How a run goes about its work.
    pub run: RunSettings,
    /// Where availability is learnt from files.
    pub sync: Vec<SyncRule>,
    /// The ETLs, in the order of declaration; at least one.
    pub etls: Vec<Etl>,
}
