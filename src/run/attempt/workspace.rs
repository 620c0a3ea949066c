//! The files of an attempt: its log, the gap's workspace, and the fresh path for its report.

use std::ffi::OsStr;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use crate::os::directory::Directory;
use crate::plan::decide::plan::PlannedJob;
use crate::plan::decide::retention::LOG_DAY;
use crate::plan::model::ids::JobId;
use crate::plan::model::source::CatchUp;
use crate::plan::model::target::Target;
use crate::run::context::{Layout, RunContext};

/// The files of one attempt. Names come from the configuration, which checked them, and from ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::run) struct Paths {
    /// Everything that it prints.
    pub(in crate::run) log: PathBuf,
    /// The gap's workspace: the same for every attempt, in every run.
    pub(in crate::run) work_dir: PathBuf,
    /// The fresh path where the ETL is to write its report, where etl-orch publishes it from there.
    pub(super) output: Option<PathBuf>,
}

impl Paths {
    /// The paths of an attempt.
    pub(in crate::run) fn of(layout: Layout<'_>, job: &PlannedJob, id: JobId, number: u32) -> Self {
        let log = log_path(layout, id, number);
        let work_dir = work_dir(layout, job);
        let output = job.report().and_then(|gap| layout.catalogue.destination(gap)).map(|destination| {
            let extension = destination.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
            work_dir.join(format!("output-{}-{number}{extension}", id.short()))
        });
        Self { log, work_dir, output }
    }

    /// Makes the workspace, and removes the outputs that earlier attempts left: an output that is there later was made by this attempt.
    /// What an ETL put in the workspace's place, a link for one, is removed and not followed.
    pub(super) fn prepare(&self, workspaces: &Directory) -> io::Result<()> {
        let name = self.name();
        if workspaces.make(name)? {
            return Ok(());
        }
        let (workspace, was_there) = workspaces.private_child(name)?;
        if !was_there {
            tracing::warn!("{} was no directory, and was replaced by one", self.work_dir.display());
        }
        for entry in workspace.names()? {
            if entry.as_bytes().starts_with(b"output-") {
                workspace.remove(&entry)?;
            }
        }
        Ok(())
    }

    /// Removes what the ETL left in the workspace of a filled gap. The directory itself stays until the run is over
    /// ([`remove_workspaces`]), as file systems are slow at making what was removed a moment ago.
    pub(super) fn clear(&self, workspaces: &Directory) {
        let is_empty = workspaces.child(self.name()).and_then(|workspace| workspace.names()).is_ok_and(|names| names.is_empty());
        if !is_empty && let Err(error) = workspaces.remove(self.name()) {
            tracing::warn!("cannot remove the workspace {}: {error}", self.work_dir.display());
        }
    }

    fn name(&self) -> &OsStr {
        self.work_dir.file_name().unwrap_or_default()
    }
}

/// The file of everything that an attempt prints.
pub(in crate::run) fn log_path(layout: Layout<'_>, id: JobId, number: u32) -> PathBuf {
    let day = layout.started_at.format(LOG_DAY).to_string();
    layout.state_dir.join("logs").join(day).join(id.to_string()).join(format!("{number}.log"))
}

/// The workspace of a gap. One level of names without dots, as making a directory is the most expensive part of a small job.
fn work_dir(layout: Layout<'_>, job: &PlannedJob) -> PathBuf {
    let catalogue = layout.catalogue;
    let name = match &job.target {
        Target::Report { gap, .. } => {
            let bank = catalogue.institutions.get(gap.bank);
            format!("{}.{}.{}", bank.key, gap.period.compact(), catalogue.etl(gap.etl).name)
        }
        Target::Collection(collection) => {
            let source = catalogue.source(collection.source);
            match source.catch_up {
                CatchUp::Coalesce | CatchUp::Each => format!("source.{}", source.id),
                CatchUp::Independent => format!("source.{}.{}", source.id, collection.window.start.timestamp()),
            }
        }
    };
    layout.state_dir.join("work").join(name)
}

/// Removes the workspaces of filled gaps.
pub(in crate::run) fn remove_workspaces<'a>(context: &RunContext, filled: impl Iterator<Item = &'a PlannedJob>) {
    for job in filled {
        // Gone already, or not empty: then its removal has failed before, and was reported.
        let _ = work_dir(context.layout(), job).file_name().map(|name| context.workspaces.remove_empty(name));
    }
}
