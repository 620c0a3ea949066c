//! Puts staged reports at their destinations once their rows are written, and finishes what other runs could not.
//!
//! Which jobs may have a staged file is on record from before they begin (`destination` of a job) until nothing of it is left. Whoever
//! finds such a job of a run that is over, or claims its gap anew, puts its file in place if the job has succeeded, and removes it
//! otherwise. To do so twice does no harm: the staged name belongs to that job alone.

use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use super::output;
use super::spool::Record;
use crate::os::directory::Directory;
use crate::os::{blocking, files, identity};
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::remember::recorded_job::Unplaced;
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::store::{self, Ledger};

/// Renames the staged report of a job to its destination. Returns whether it was still staged: somebody else may have finished it.
///
/// # Errors
/// When it cannot be renamed, or there is nothing at either place.
pub(super) fn place(destination: &Path, job: JobId) -> io::Result<bool> {
    let (parent, name) = (destination.parent().unwrap_or(Path::new("/")), destination.file_name().unwrap_or_default());
    let directory = Directory::open(parent)?;
    let staged = output::staged_path(destination, job);
    match directory.rename(staged.file_name().unwrap_or_default(), &directory, name) {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == io::ErrorKind::NotFound && directory.id(name)?.is_some() => Ok(false),
        Err(error) => Err(error),
    }
}

/// Removes the staged report of a job. Returns whether there was one.
///
/// # Errors
/// When it cannot be removed.
pub(super) fn unstage(destination: &Path, job: JobId) -> io::Result<bool> {
    let directory = match Directory::open(destination.parent().unwrap_or(Path::new("/"))) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        opened => opened?,
    };
    let staged = output::staged_path(destination, job);
    let staged = staged.file_name().unwrap_or_default();
    let is_there = directory.id(staged)?.is_some();
    directory.remove(staged)?;
    Ok(is_there)
}

/// What a run has put in place, and what it has left to others.
#[derive(Debug, Default)]
pub(super) struct Placements(Mutex<Placed>);

#[derive(Debug, Default)]
struct Placed {
    /// Directories with new names, which are not yet safe from a power cut.
    directories: BTreeSet<PathBuf>,
    /// Jobs whose staged file somebody else must look after.
    left: BTreeSet<JobId>,
}

impl Placements {
    fn placed(&self) -> std::sync::MutexGuard<'_, Placed> {
        // Nothing panics while it is held.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A report was put at its destination.
    pub(super) fn add(&self, destination: &Path) {
        self.placed().directories.extend(destination.parent().map(Path::to_owned));
    }

    /// A staged file may be left of this job.
    pub(super) fn leave(&self, job: JobId) {
        self.placed().left.insert(job);
    }

    /// Makes the new names safe from a power cut, and records that nothing is left to be done of those of `jobs` of which nothing is.
    /// Until that is on record every further run looks again.
    ///
    /// # Errors
    /// When a directory cannot be written to disk; in a sentence.
    pub(super) async fn close(&self, store: &dyn Ledger, jobs: impl Iterator<Item = JobId>) -> Result<(), String> {
        let Placed { directories, left } = std::mem::take(&mut *self.placed());
        let synced = blocking::run(move || directories.into_iter().try_for_each(|path| sync(&path))).await;
        synced.map_err(|error| error.to_string()).and_then(|synced| synced)?;
        let done: Vec<JobId> = jobs.filter(|job| !left.contains(job)).collect();
        if let Err(error) = store.placed(&done).await {
            tracing::warn!("{error}; the next run looks whether all reports are at their places");
        }
        Ok(())
    }
}

fn sync(path: &Path) -> Result<(), String> {
    let synced = Directory::open(path).and_then(|directory| directory.sync());
    synced.map_err(|error| format!("the reports in {} may not survive a power cut: {error}", path.display()))
}

/// Finishes what other runs left: of those that are over, or `of` one gap. Returns what cannot be put in place, each in a sentence.
///
/// # Errors
/// When the database fails.
pub(super) async fn finish_all(store: &dyn Ledger, is_living: impl Fn(RunId) -> bool) -> store::Result<Vec<String>> {
    let unplaced: Vec<Unplaced> = store.unplaced(None).await?.into_iter().filter(|job| !is_living(job.run)).collect();
    if unplaced.is_empty() {
        return Ok(Vec::new());
    }
    let (done, troubles) = finish_each(unplaced).await;
    store.placed(&done).await?;
    Ok(troubles)
}

/// Finishes what is left of these jobs. Returns the jobs of which nothing is left, and what cannot be put in place, each in a sentence.
pub(super) async fn finish_each(unplaced: Vec<Unplaced>) -> (Vec<JobId>, Vec<String>) {
    let here = identity::this_process();
    let work = move || {
        let (mut done, mut troubles) = (Vec::new(), Vec::new());
        for job in unplaced {
            match finish_one(&job, job.is_of_host_of(&here)) {
                Ok(true) => done.push(job.job),
                Ok(false) => {}
                Err(error) => troubles.push(job.trouble(&error)),
            }
        }
        (done, troubles)
    };
    blocking::run(work).await.unwrap_or_else(|error| (Vec::new(), vec![format!("staged reports cannot be looked at: {error}")]))
}

/// Whether nothing is left to be done of a job. Another host's disk may have what is not found here.
fn finish_one(job: &Unplaced, is_of_this_host: bool) -> io::Result<bool> {
    match job.state {
        // How it ended is in the spool.
        JobState::Running => Ok(false),
        JobState::Succeeded if !job.is_superseded => match place(&job.destination, job.job) {
            Ok(_) => files::sync_directory_of(&job.destination).map(|()| true),
            Err(error) if error.kind() == io::ErrorKind::NotFound && !is_of_this_host => Ok(false),
            Err(error) => Err(error),
        },
        JobState::Succeeded | JobState::Queued | JobState::Failed | JobState::Skipped | JobState::Cancelled | JobState::Lost => {
            unstage(&job.destination, job.job).map(|_| true)
        }
    }
}

impl Unplaced {
    fn trouble(&self, error: &io::Error) -> String {
        let (to, from) = (self.destination.display(), output::staged_path(&self.destination, self.job));
        match self.state {
            JobState::Succeeded => format!("the report for {to} is on record and cannot be put there from {}: {error}", from.display()),
            _ => format!("{} cannot be removed: {error}", from.display()),
        }
    }
}

/// The record of a published report with the text of its row, which the spool leaves out, as it is in the report's file.
pub(super) fn with_content(record: &Record) -> Record {
    let mut record = record.clone();
    if let JobEnd::Succeeded { artifact: Artifact::ReportRow(row), .. } = &mut record.end {
        let staged = record.staged.as_deref().filter(|staged| staged.exists());
        row.markdown_content = output::content(staged.unwrap_or(Path::new(&row.local_filepath)));
    }
    record
}

/// Where the report of a record that was in the spool should be, if it is not there. Until its row is written it is staged; an earlier
/// version had put it in place by then.
pub(super) fn missing_report(record: &Record) -> Option<&Path> {
    let Artifact::ReportRow(row) = record.end.artifact() else { return None };
    let path = record.staged.as_deref().unwrap_or(Path::new(&row.local_filepath));
    (!path.is_file()).then_some(path)
}

/// Puts the report of a record that was in the spool in its place, or removes it, by what the database says of its job now.
pub(super) fn follow(record: &Record, finished: Finished) {
    let (Some(_), Artifact::ReportRow(row)) = (&record.staged, record.end.artifact()) else { return };
    let (destination, job) = (Path::new(&row.local_filepath), record.claim.job);
    let done = match finished {
        Finished::Recorded(JobState::Succeeded) => place(destination, job).and_then(|_| files::sync_directory_of(destination)),
        Finished::Recorded(_) | Finished::ClaimLost => unstage(destination, job).map(drop),
    };
    if let Err(error) = done {
        // The job's record keeps its destination, so that the next run tries again.
        tracing::warn!("the report for {} cannot be put in place: {error}", destination.display());
    }
}

#[cfg(test)]
mod tests;
