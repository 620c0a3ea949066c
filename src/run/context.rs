//! What is the same for every attempt of a run.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::sync::mpsc::UnboundedSender;
use tokio::time::Instant;

use super::ledger::Ledger;
use super::placing::Placements;
use crate::execute::Executor;
use crate::os::directory::Directory;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::Collection;
use crate::plan::model::cooldown::Cooldown;
use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::gap::Gap;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::ReportKey;
use crate::plan::model::settings::EnvFiles;
use crate::plan::model::source::Source;
use crate::plan::model::trace_context::TraceContext;
use crate::store::Store;
use crate::tell::events::Events;

/// Where the files of attempts are.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout<'a> {
    /// Directory for logs and workspaces.
    pub(super) state_dir: &'a Path,
    /// The banks, ETLs and sources.
    pub(super) catalogue: &'a Catalogue,
    /// When the run began; names the day's log directory.
    pub(super) started_at: DateTime<Utc>,
}

/// What every attempt of a run needs.
pub(super) struct RunContext {
    pub(super) run: RunId,
    pub(super) trace: TraceContext,
    /// How long its claims stay valid without a renewal.
    pub(super) lease: Duration,
    /// The database.
    pub(super) store: Arc<dyn Store>,
    /// Where the ends of attempts are recorded.
    pub(super) ledger: Ledger,
    /// When a gap that failed may be tried again in later runs.
    pub(super) cooldown: Cooldown,
    /// What starts the programs.
    pub(super) executor: Arc<dyn Executor>,
    /// Where the events of the run are sent.
    pub(super) events: Arc<Events>,
    /// The banks, ETLs and sources.
    pub(super) catalogue: Arc<Catalogue>,
    /// ETLs without any report while there are reports of a type that is spelled like theirs.
    pub(super) suspects: BTreeSet<EtlIndex>,
    /// The variables of `env_file`s, by path.
    pub(super) env_files: EnvFiles,
    /// Directory for logs and workspaces.
    pub(super) state_dir: PathBuf,
    /// The directory of all workspaces.
    pub(super) workspaces: Arc<Directory>,
    /// What was put at its destination.
    pub(super) placements: Placements,
    /// Where an attempt says that its ETL is set up wrongly, as soon as it knows.
    pub(super) set_up_wrongly: UnboundedSender<EtlIndex>,
    /// When the lease was last renewed.
    pub(super) lease_renewed_at: Instant,
    /// When the lock was taken. The deadline and all times of the schedule count from there.
    pub(super) lock_taken_at: Instant,
    /// When the run began; names the day's log directory.
    pub(super) started_at: DateTime<Utc>,
}

impl RunContext {
    pub(super) fn etl(&self, gap: Gap) -> &Etl {
        self.catalogue.etl(gap.etl)
    }

    pub(super) fn source(&self, collection: &Collection) -> &Source {
        self.catalogue.source(collection.source)
    }

    /// The report that fills a gap.
    pub(super) fn report_key(&self, gap: Gap) -> ReportKey {
        ReportKey {
            bank_id: self.catalogue.institutions.get(gap.bank).id,
            period: gap.period,
            report_type: self.etl(gap).report_type.clone(),
            other_types: self.etl(gap).other_report_types.clone(),
        }
    }

    /// The final path of the report, where etl-orch moves it there; `None` where the ETL writes the report itself.
    pub(super) fn destination(&self, gap: Gap) -> Option<PathBuf> {
        self.catalogue.destination(gap)
    }

    /// Where the files of its attempts are.
    pub(super) fn layout(&self) -> Layout<'_> {
        Layout { state_dir: &self.state_dir, catalogue: &self.catalogue, started_at: self.started_at }
    }
}

/// A path as text, for placeholders and rows.
pub(super) fn shown(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}
