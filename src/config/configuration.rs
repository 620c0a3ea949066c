//! The checked configuration.

use std::path::PathBuf;
use std::sync::Arc;

use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::health::HealthSettings;
use crate::plan::model::logging::Logging;
use crate::plan::model::retention::Retention;
use crate::plan::model::settings::{Database, RunSettings, SyncRule};
use crate::plan::model::tell::TellSettings;
use crate::plan::text::secrets::Secrets;

/// Everything that configuration says, checked.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it came from; absolute.
    pub path: PathBuf,
    /// The `.env` file whose variables were used, where there is one; absolute.
    pub dotenv: Option<PathBuf>,
    /// The file that the institutions came from; absolute.
    pub institutions_file: PathBuf,
    /// The database and its data tables.
    pub database: Database,
    /// Lock, attempt logs, workspaces; absolute.
    pub state_dir: PathBuf,
    /// Absolute.
    pub lock_file: PathBuf,
    /// Where runs write the page of the report; absolute.
    pub html_file: Option<PathBuf>,
    /// How diagnostics are written, where no option says otherwise.
    pub log: Logging,
    /// The monitored banks, the ETLs and the disclosure sources. There is at least one ETL or source.
    pub catalogue: Arc<Catalogue>,
    /// What counts as healthy.
    pub health: HealthSettings,
    /// How long what is over is kept.
    pub retention: Retention,
    /// How a run goes about its work.
    pub run: RunSettings,
    /// Texts that must not be logged, stored or shown.
    pub secrets: Secrets,
    /// What other users may do with these files, and what in them is ignored, each in a sentence.
    pub warnings: Vec<String>,
    /// Who is told of runs.
    pub tell: TellSettings,
    /// Where availability is learnt from files.
    pub sync: Vec<SyncRule>,
}
