//! Whether this host can take the report of a job, looked at before anything is begun: an ETL whose report cannot be kept would be paid
//! for nothing.

use std::io;
use std::path::PathBuf;

use chrono::Utc;
use rustix::io::Errno;

use super::{Assignment, AttemptResult, JobOver};
use crate::os::{blocking, room};
use crate::plan::model::job::JobState;
use crate::plan::model::outcome::Outcome;
use crate::plan::run::note::JobNote;
use crate::plan::run::schedule::NextStep;
use crate::plan::run::stop::StopLevel;
use crate::store::StoreError;

/// The outcome of an attempt that this host could not carry out because of this error. Where the host is short of something for a moment
/// another attempt may help.
pub(super) fn host_outcome(error: &io::Error, why: String) -> Outcome {
    match Errno::from_io_error(error) {
        Some(Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN) => Outcome::SpawnFailed { why, may_pass: true },
        Some(_) | None => Outcome::HostUnfit(why),
    }
}

impl Assignment<'_> {
    /// Why the report cannot be put in its place, where etl-orch is to put it there.
    pub(super) async fn no_place(&self) -> Option<JobNote> {
        let path = self.context.destination(self.job.report()?)?;
        let workspaces = self.context.workspaces.clone();
        let workspace = self.context.state_dir.join("work");
        let work = move || {
            room::check_directory(&workspaces).map_err(|error| (workspace, error))?;
            room::check_file(&path).map_err(|error| {
                let is_itself = error.kind() == io::ErrorKind::IsADirectory;
                (path.parent().filter(|_| !is_itself).unwrap_or(&path).to_owned(), error)
            })
        };
        let checked: Result<(), (PathBuf, io::Error)> = tokio::select! {
            biased;
            // Without a thread for it, it shows when the attempt is begun.
            checked = blocking::run(work) => checked.unwrap_or(Ok(())),
            // A file system that hangs must not keep the run from ending.
            _ = self.stop.reached(StopLevel::Graceful) => Ok(()),
        };
        let (path, error) = checked.err()?;
        Some(JobNote::NoPlace { path: path.display().to_string(), error: error.to_string() })
    }

    /// Ends the job without an attempt, because of what this host lacks.
    ///
    /// # Errors
    /// When the end of a job that was claimed before is recorded nowhere.
    pub(super) async fn not_begun(&self, note: JobNote) -> Result<AttemptResult, StoreError> {
        let why = note.to_string();
        let is_spooled = self.drop_job(&why).await?;
        let over = JobOver::without_attempt(JobState::Cancelled, NextStep::Cancel, note);
        Ok(AttemptResult::Over(JobOver { is_spooled, host_unfit: Some(why), ..over }))
    }

    /// Records that the job is not done. Returns whether that is in the spool only.
    ///
    /// # Errors
    /// When the end of a job that was claimed before is recorded nowhere.
    pub(super) async fn drop_job(&self, why: &str) -> Result<bool, StoreError> {
        let ledger = &self.context.ledger;
        if let Some(active) = &self.active {
            return Ok(ledger.cancel(&self.job.key, active.claim, why.to_owned()).await?.is_spooled());
        }
        let now = Utc::now();
        let dropped = ledger.insist(|| self.context.store.drop_queued(self.id, why, now)).await;
        // The end of the run cancels all jobs that are still queued.
        let _ = dropped.inspect_err(|error| tracing::debug!("{error}"));
        Ok(false)
    }
}
