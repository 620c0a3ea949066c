//! Logs of attempts that are not kept any longer: `logs/DAY/JOB/N.log`. What has another name is not ours, and stays, and so does the
//! directory that it is in. No link is followed.

use std::collections::VecDeque;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};

use chrono::NaiveDate;

use crate::os::blocking;
use crate::os::directory::Directory;
use crate::plan::decide::retention::{Removed, is_log, log_day, log_job};
use crate::plan::model::ids::JobId;
use crate::run::error::RunError;
use crate::store::Store;

#[derive(Debug)]
pub(super) struct OldLogs {
    path: PathBuf,
    /// The first day of which logs are kept.
    first: Option<NaiveDate>,
    /// Days that are still to be looked at; `None` before they are listed.
    days: Option<VecDeque<OsString>>,
    /// Jobs of the day that is being looked at.
    jobs: VecDeque<JobId>,
}

impl OldLogs {
    pub(super) fn new(state_dir: &Path, first: Option<NaiveDate>) -> Self {
        Self { path: state_dir.join("logs"), first, days: None, jobs: VecDeque::new() }
    }

    /// Removes the logs of at most so many jobs of a day or, with `None`, counts those of a day. Logs of gaps that are open stay. Returns
    /// whether there is more.
    pub(super) async fn step(&mut self, store: &dyn Store, most: Option<usize>, removed: &mut Removed) -> Result<bool, RunError> {
        let Some(first) = self.first else { return Ok(false) };
        let failed = |error| RunError::StateDir(self.path.clone(), error);
        if self.days.is_none() {
            let path = self.path.clone();
            self.days = Some(in_thread(move || days(&path, first)).await.map_err(failed)?);
        }
        let Some(day) = self.days.as_ref().and_then(|days| days.front().cloned()) else { return Ok(false) };
        if self.jobs.is_empty() {
            let (path, day) = (self.path.clone(), day.clone());
            self.jobs = in_thread(move || jobs(&path, &day)).await.map_err(failed)?;
        }
        let slice: Vec<JobId> = self.jobs.drain(..most.unwrap_or(usize::MAX).min(self.jobs.len())).collect();
        let mut old = slice.clone();
        for some in slice.chunks(AT_ONCE) {
            let open = store.of_open_gaps(some).await?;
            old.retain(|job| !open.contains(job));
        }
        let (path, is_last) = (self.path.clone(), self.jobs.is_empty());
        let (files, bytes) = in_thread(move || take(&path, &day, &old, (most.is_some(), is_last)))
            .await
            .map_err(|error| RunError::StateDir(self.path.clone(), error))?;
        removed.log_files += files;
        removed.log_bytes += bytes;
        if is_last {
            self.days.iter_mut().for_each(|days| drop(days.pop_front()));
        }
        Ok(true)
    }
}

/// Jobs that the database is asked about at once.
const AT_ONCE: usize = 500;

async fn in_thread<T: Send + 'static>(work: impl FnOnce() -> io::Result<T> + Send + 'static) -> io::Result<T> {
    blocking::run(work).await?
}

fn days(logs: &Path, first: NaiveDate) -> io::Result<VecDeque<OsString>> {
    let mut names = match Directory::open(logs) {
        Ok(directory) => directory.names()?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
        Err(error) => return Err(error),
    };
    names.retain(|name| name.to_str().and_then(log_day).is_some_and(|day| day < first));
    names.sort_unstable();
    Ok(names.into())
}

/// The directory of a day; `None` where it is gone, or none.
fn day_in(logs: &Path, day: &OsStr) -> io::Result<Option<Directory>> {
    present(Directory::open(logs)?.child(day))
}

/// What stands in place of a directory is not ours.
fn present(child: io::Result<Directory>) -> io::Result<Option<Directory>> {
    match child {
        Ok(directory) => Ok(Some(directory)),
        Err(error) if is_no_directory(&error) => Ok(None),
        Err(error) => Err(error),
    }
}

fn is_no_directory(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

fn jobs(logs: &Path, day: &OsStr) -> io::Result<VecDeque<JobId>> {
    let names = match day_in(logs, day)? {
        Some(day) => day.names()?,
        None => Vec::new(),
    };
    let mut jobs: Vec<JobId> = names.iter().filter_map(|name| name.to_str().and_then(log_job)).collect();
    jobs.sort_unstable();
    Ok(jobs.into())
}

/// Removes, or only counts, the logs of these jobs, and the directories that are empty then. Returns how many files they are, and their
/// bytes.
fn take(logs: &Path, day: &OsStr, jobs: &[JobId], (removes, is_last): (bool, bool)) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    let Some(directory) = day_in(logs, day)? else { return Ok((0, 0)) };
    for job in jobs {
        let name = OsString::from(job.to_string());
        let Some(of_job) = present(directory.child(&name))? else { continue };
        for file in of_job.names()?.into_iter().filter(|name| name.to_str().is_some_and(is_log)) {
            let Some(length) = of_job.length(&file)? else { continue };
            if removes {
                of_job.remove(&file)?;
            }
            files += 1;
            bytes += length;
        }
        if removes {
            // Something that is not ours may be in it.
            let _ = directory.remove_empty(&name);
        }
    }
    if removes && is_last {
        let _ = Directory::open(logs)?.remove_empty(day);
    }
    Ok((files, bytes))
}
