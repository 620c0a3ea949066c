//! Ends of attempts that could not be recorded in the database: kept safely on disk until the next run records them.
//!
//! Each end is a file in `state_dir/spool`, named by job and fence. Its space is reserved before the attempt begins, as the disk may be full
//! when the database fails. An entry is removed only after it was recorded, and to record one twice does no harm, so none is lost and none
//! counts twice.

mod format1;

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::os::files;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::Claim;
use crate::plan::run::job_end::{Artifact, JobEnd};

/// Bytes set aside for one entry: what a child printed last, two errors, each of up to 8 KiB that JSON may make six times as
/// long, and names.
const RESERVED: u64 = 256 * 1024;
/// The format of the files that this program writes. It also reads [`format1`].
const VERSION: u32 = 2;

const RESERVE: &str = "reserve-";
const ENTRY: &str = ".json";

/// What is to be recorded of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The claim on the job.
    pub(super) claim: Claim,
    pub(super) gap: GapKey,
    /// The service's id of a job that is to be followed further by the next attempt.
    pub(super) remote_id: Option<String>,
    pub(super) end: JobEnd,
}

#[derive(Serialize)]
struct Written<'a> {
    version: u32,
    record: &'a Record,
}

/// An entry whose version is to be checked before its record is read.
#[derive(Deserialize)]
struct Read {
    version: u32,
    record: serde_json::Value,
}

/// The spool of a state directory, as one run uses it.
#[derive(Debug)]
pub(super) struct Spool {
    dir: PathBuf,
    run: RunId,
    reserves: Mutex<Vec<PathBuf>>,
}

/// An entry that is still to be recorded.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its file.
    pub(super) path: PathBuf,
    /// Its record, or in words why it cannot be read.
    pub(super) record: Result<Record, String>,
}

impl Spool {
    /// Reserves disk space for the ends of as many attempts as run at once.
    ///
    /// # Errors
    /// When there is not enough space. No attempt must be started then.
    pub(super) fn reserve(state_dir: &Path, run: RunId, attempts: usize) -> io::Result<Self> {
        let spool = Self { dir: directory(state_dir), run, reserves: Mutex::default() };
        for n in 0..attempts {
            let path = spool.dir.join(format!("{RESERVE}{run}-{n}"));
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            spool.reserves().push(path);
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, RESERVED) {
                Err(Errno::OPNOTSUPP) => (&file).write_all(&vec![0; usize::try_from(RESERVED).unwrap_or_default()])?,
                reserved => reserved?,
            }
        }
        Ok(spool)
    }

    /// Writes a record to disk for the next run.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn keep(&self, record: &Record) -> io::Result<()> {
        let reserve = self.reserves().pop();
        let path = reserve.unwrap_or_else(|| self.dir.join(format!("{RESERVE}{}-{}-{}", self.run, record.claim.job, record.claim.fence)));
        let mut record = record.clone();
        if let JobEnd::Succeeded { artifact: Artifact::ReportRow(row), .. } = &mut record.end {
            // The text is in the report's file, whose path the row has.
            row.markdown_content = None;
        }
        let bytes = serde_json::to_vec(&Written { version: VERSION, record: &record })?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        file.write_all(&bytes)?;
        file.set_len(bytes.len() as u64)?;
        let attempt = record.end.attempt().map_or(0, |end| end.attempt);
        let entry = self.dir.join(format!("{}-{}-{attempt}{ENTRY}", record.claim.job, record.claim.fence));
        files::rename_durably(&file, &path, &entry)
    }

    fn reserves(&self) -> std::sync::MutexGuard<'_, Vec<PathBuf>> {
        // Nothing panics while it is held.
        self.reserves.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Gives back the space that was not needed.
impl Drop for Spool {
    fn drop(&mut self) {
        for path in self.reserves().drain(..) {
            // The next run removes what stays.
            let _ = fs::remove_file(path);
        }
    }
}

/// Where the spool of a state directory is.
pub(super) fn directory(state_dir: &Path) -> PathBuf {
    state_dir.join("spool")
}

/// The entries that are still to be recorded, in the order in which their attempts ended.
///
/// # Errors
/// When the directory is there and cannot be read.
pub(super) fn entries(state_dir: &Path) -> io::Result<Vec<Entry>> {
    let listing = match fs::read_dir(directory(state_dir)) {
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => return Ok(Vec::new()),
        listing => listing?,
    };
    let mut entries = Vec::new();
    for file in listing {
        let path = file?.path();
        if path.extension().is_some_and(|extension| ENTRY[1..] == *extension) {
            let record = read(&path);
            entries.push(Entry { path, record });
        }
    }
    entries.sort_by_key(|entry| (entry.record.as_ref().ok().map(|record| (record.end.at(), record.claim.fence)), entry.path.clone()));
    Ok(entries)
}

fn read(path: &Path) -> Result<Record, String> {
    let bytes = fs::read(path).map_err(|error| error.to_string())?;
    parse(&bytes)
}

fn parse(bytes: &[u8]) -> Result<Record, String> {
    let Read { version, record } = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    match version {
        VERSION => serde_json::from_value(record).map_err(|error| error.to_string()),
        1 => serde_json::from_value::<format1::Record>(record).map_err(|error| error.to_string())?.try_into(),
        other => Err(format!("its format is version {other}, and this etl-orch reads versions 1 to {VERSION}")),
    }
}

/// Removes an entry that was recorded in the database.
///
/// # Errors
/// When the file cannot be removed. To record the entry again does no harm.
pub(super) fn remove(entry: &Entry) -> io::Result<()> {
    match fs::remove_file(&entry.path) {
        // Another invocation recorded and removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Renames an entry that can never be recorded, for a person to look at. Returns its new path.
///
/// # Errors
/// When it cannot be renamed.
pub(super) fn set_aside(entry: &Entry) -> io::Result<PathBuf> {
    let aside = entry.path.with_extension("refused");
    fs::rename(&entry.path, &aside)?;
    Ok(aside)
}

/// Frees the space that dead runs had reserved.
pub(super) fn clear_reserves(state_dir: &Path, is_dead: impl Fn(RunId) -> bool) {
    let Ok(listing) = fs::read_dir(directory(state_dir)) else { return };
    for file in listing.flatten() {
        let name = file.file_name();
        let run = name.to_str().and_then(|name| name.strip_prefix(RESERVE)).and_then(|rest| rest.get(..36));
        if run.and_then(|run| RunId::parse(run).ok()).is_some_and(&is_dead) {
            // The next run tries it again.
            let _ = fs::remove_file(file.path());
        }
    }
}

#[cfg(test)]
mod tests;
