//! The files of an attempt: its log, the gap's workspace, and the fresh path for its report.

use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::PathBuf;

use crate::plan::decide::plan::PlannedJob;
use crate::plan::model::ids::JobId;
use crate::plan::model::target::Target;
use crate::run::context::RunContext;

/// The files of one attempt. Names come from the configuration, which checked them, and from ids.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Paths {
    /// Everything that it prints.
    pub(super) log: PathBuf,
    /// The gap's workspace: the same for every attempt, in every run.
    pub(super) work_dir: PathBuf,
    /// The fresh path where the ETL is to write its report, where etl-orch publishes it from there.
    pub(super) output: Option<PathBuf>,
}

impl Paths {
    /// The paths of an attempt.
    pub(super) fn of(context: &RunContext, job: &PlannedJob, id: JobId, number: u32) -> Self {
        let day = context.started_at.format("%Y-%m-%d").to_string();
        let log = context.state_dir.join("logs").join(day).join(id.to_string()).join(format!("{number}.log"));
        let work_dir = work_dir(context, job);
        let output = job.report().and_then(|gap| context.destination(gap)).map(|destination| {
            let extension = destination.extension().map(|extension| format!(".{}", extension.to_string_lossy())).unwrap_or_default();
            work_dir.join(format!("output-{}-{number}{extension}", id.short()))
        });
        Self { log, work_dir, output }
    }

    /// Makes the workspace, and removes the outputs that earlier attempts left: an output that is there later was made by this attempt.
    pub(super) fn prepare(&self) -> io::Result<()> {
        let mut directory = std::fs::DirBuilder::new();
        match directory.mode(0o700).create(&self.work_dir) {
            Ok(()) => return Ok(()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(_) => directory.recursive(true).create(&self.work_dir)?,
        }
        for entry in std::fs::read_dir(&self.work_dir)? {
            let entry = entry?;
            if !entry.file_name().to_string_lossy().starts_with("output-") {
                continue;
            }
            if entry.file_type()?.is_dir() {
                std::fs::remove_dir_all(entry.path())?;
            } else {
                std::fs::remove_file(entry.path())?;
            }
        }
        Ok(())
    }

    /// Removes what the ETL left in the workspace of a filled gap. The directory itself stays until the run is over
    /// ([`remove_workspaces`]), as file systems are slow at making what was removed a moment ago.
    pub(super) fn clear(&self) {
        let is_empty = std::fs::read_dir(&self.work_dir).is_ok_and(|mut entries| entries.next().is_none());
        if !is_empty && let Err(error) = std::fs::remove_dir_all(&self.work_dir) {
            tracing::warn!("cannot remove the workspace {}: {error}", self.work_dir.display());
        }
    }
}

/// The workspace of a gap. One level of names without dots, as making a directory is the most expensive part of a small job.
fn work_dir(context: &RunContext, job: &PlannedJob) -> PathBuf {
    let name = match &job.target {
        Target::Report { gap, .. } => {
            let bank = context.catalogue.institutions.get(gap.bank);
            format!("{}.{}.{}", bank.key, gap.period.compact(), context.etl(*gap).name)
        }
        Target::Collection(collection) => format!("source.{}", context.source(collection).id),
    };
    context.state_dir.join("work").join(name)
}

/// Removes the workspaces of filled gaps.
pub(in crate::run) fn remove_workspaces<'a>(context: &RunContext, filled: impl Iterator<Item = &'a PlannedJob>) {
    for job in filled {
        // Gone already, or not empty: then its removal has failed before, and was reported.
        let _ = std::fs::remove_dir(work_dir(context, job));
    }
}
