//! Ends of attempts that could not be recorded in the database: kept safely on disk until the next run records them.
//!
//! Each end is a file in `state_dir/spool`, named by job and fence. Its space is reserved before the attempt begins, as the disk may be full
//! when the database fails. An entry is removed only after it was recorded, and to record one twice does no harm, so none is lost and none
//! counts twice. Its name alone keeps its job from being called lost, so that an entry that nobody can read does so, too.

mod format1;

use std::collections::HashSet;
use std::fs::{self, OpenOptions};
use std::io::{self, Read as _, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

use rustix::fs::FallocateFlags;
use rustix::io::Errno;
use serde::{Deserialize, Serialize};

use crate::os::{files, input};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::Claim;
use crate::plan::run::job_end::{Artifact, JobEnd};

/// Bytes set aside for one entry: what a child printed last, two errors, each of up to 8 KiB that JSON may make six times as
/// long, and names.
const RESERVED: u64 = 256 * 1024;
/// The format of the files that this program writes. It also reads [`format1`].
const VERSION: u32 = 2;

const RESERVE: &str = "reserve-";
const ENTRY: &str = "json";
/// The file beside an entry that says why the database refused it.
const REFUSAL: &str = "why";

/// What is to be recorded of a job.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Record {
    /// The claim on the job.
    pub(super) claim: Claim,
    pub(super) gap: GapKey,
    /// The service's id of a job that is to be followed further by the next attempt.
    pub(super) remote_id: Option<String>,
    /// The file of the report, until it is put at its destination; `None` where there is none, or it was put there at once, as versions
    /// before 0.2 did.
    #[serde(default)]
    pub(super) staged: Option<PathBuf>,
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
    /// How many attempts run at once.
    attempts: usize,
    reserves: Mutex<Reserves>,
}

/// Files that hold space.
#[derive(Debug, Default)]
struct Reserves {
    files: Vec<PathBuf>,
    /// How many were made so far; numbers their names.
    made: usize,
}

/// An entry that is still to be recorded.
#[derive(Debug)]
pub(super) struct Entry {
    /// Its file.
    pub(super) path: PathBuf,
    /// The claim of its job; `None` for a file that no version of this program has named.
    pub(super) claim: Option<Claim>,
    /// Its record, or in words why it cannot be read.
    pub(super) record: Result<Record, String>,
    /// Why the database refused it the last time, where that does not pass by itself.
    pub(super) refusal: Option<String>,
}

impl Spool {
    /// Reserves disk space for the ends of as many attempts as run at once.
    ///
    /// # Errors
    /// When there is not enough space. No attempt must be started then.
    pub(super) fn reserve(state_dir: &Path, run: RunId, attempts: usize) -> io::Result<Self> {
        let spool = Self { dir: directory(state_dir), run, attempts, reserves: Mutex::default() };
        spool.refill()?;
        Ok(spool)
    }

    /// Reserves again what was used up.
    ///
    /// # Errors
    /// As [`reserve`](Self::reserve).
    pub(super) fn refill(&self) -> io::Result<()> {
        let mut reserves = self.reserves();
        while reserves.files.len() < self.attempts {
            let path = self.dir.join(format!("{RESERVE}{}-{}", self.run, reserves.made));
            reserves.made += 1;
            let file = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
            reserves.files.push(path);
            match rustix::fs::fallocate(&file, FallocateFlags::empty(), 0, RESERVED) {
                Err(Errno::OPNOTSUPP) => (&file).write_all(&vec![0; usize::try_from(RESERVED).unwrap_or_default()])?,
                done => done?,
            }
        }
        Ok(())
    }

    /// Writes a record to disk for the next run. `refusal` says why the database refused it, where that does not pass by itself.
    ///
    /// # Errors
    /// When it cannot be written.
    pub(super) fn keep(&self, record: &Record, refusal: Option<&str>) -> io::Result<()> {
        let reserve = self.reserves().files.pop();
        let path = reserve.unwrap_or_else(|| self.dir.join(format!("{RESERVE}{}-{}-{}", self.run, record.claim.job, record.claim.fence)));
        let mut record = record.clone();
        if let JobEnd::Succeeded { artifact: Artifact::ReportRow(row), .. } = &mut record.end {
            // The text is in the report's file.
            row.markdown_content = None;
        }
        let bytes = serde_json::to_vec(&Written { version: VERSION, record: &record })?;
        let mut file = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(&path)?;
        file.write_all(&bytes)?;
        file.set_len(bytes.len() as u64)?;
        let attempt = record.end.attempt().map_or(0, |end| end.attempt);
        let entry = self.dir.join(format!("{}-{}-{attempt}.{ENTRY}", record.claim.job, record.claim.fence));
        files::rename_durably(&file, &path, &entry)?;
        note_refusal(&entry, refusal);
        Ok(())
    }

    fn reserves(&self) -> std::sync::MutexGuard<'_, Reserves> {
        // Nothing panics while it is held.
        self.reserves.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Gives back the space that was not needed.
impl Drop for Spool {
    fn drop(&mut self) {
        for path in self.reserves().files.drain(..) {
            // The next run removes what stays.
            let _ = fs::remove_file(path);
        }
    }
}

/// Where the spool of a state directory is.
pub(super) fn directory(state_dir: &Path) -> PathBuf {
    state_dir.join("spool")
}

/// The state directory as a run has it on record, so that others know where to look for its spool: without links.
pub(super) fn state_dir_on_record(state_dir: &Path) -> String {
    state_dir.canonicalize().unwrap_or_else(|_| state_dir.to_owned()).to_string_lossy().into_owned()
}

/// The entries that are still to be recorded, in the order in which their attempts ended.
///
/// # Errors
/// When the directory is there and cannot be read.
pub(super) fn entries(state_dir: &Path) -> io::Result<Vec<Entry>> {
    let mut entries: Vec<Entry> = files_of_entries(state_dir)?.into_iter().map(entry).collect();
    entries.sort_by_key(|entry| (entry.record.as_ref().ok().map(|record| (record.end.at(), record.claim.fence)), entry.path.clone()));
    Ok(entries)
}

/// The claims of the jobs whose ends are in the spool, by the names of the files.
///
/// # Errors
/// As [`entries`].
pub(super) fn claims(state_dir: &Path) -> io::Result<HashSet<Claim>> {
    Ok(files_of_entries(state_dir)?.iter().filter_map(|path| claim_in(path)).collect())
}

fn files_of_entries(state_dir: &Path) -> io::Result<Vec<PathBuf>> {
    let listing = match fs::read_dir(directory(state_dir)) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        listing => listing?,
    };
    let paths: io::Result<Vec<PathBuf>> = listing.map(|file| Ok(file?.path())).collect();
    Ok(paths?.into_iter().filter(|path| path.extension().is_some_and(|extension| extension == ENTRY)).collect())
}

fn entry(path: PathBuf) -> Entry {
    let record = read(&path);
    let claim = claim_in(&path).or_else(|| record.as_ref().ok().map(|record| record.claim));
    let refusal = input::read(&path.with_extension(REFUSAL)).ok().and_then(|file| String::from_utf8(file.bytes).ok());
    Entry { path, claim, record, refusal }
}

/// The claim that the name of an entry has: `JOB-FENCE-ATTEMPT.json`.
fn claim_in(path: &Path) -> Option<Claim> {
    let name = path.file_stem()?.to_str()?;
    let (job, rest) = name.split_at_checked(36)?;
    let fence = rest.strip_prefix('-')?.split('-').next()?;
    Some(Claim { job: JobId::parse(job).ok()?, fence: fence.parse().ok()? })
}

/// Says beside an entry why the database refused it, for a dry run, which cannot try. `None`: it was not refused.
pub(super) fn note_refusal(entry: &Path, refusal: Option<&str>) {
    let path = entry.with_extension(REFUSAL);
    let noted = match refusal {
        Some(why) => OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(why.as_bytes())),
        None => fs::remove_file(&path),
    };
    match noted {
        Err(error) if error.kind() != io::ErrorKind::NotFound => tracing::debug!("{}: {error}", path.display()),
        _ => {}
    }
}

fn read(path: &Path) -> Result<Record, String> {
    let (mut file, _) = input::open(path).map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| error.to_string())?;
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
    note_refusal(&entry.path, None);
    match fs::remove_file(&entry.path) {
        // Another invocation recorded and removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}

/// Renames an entry that is not to be recorded any more, for a person to look at. Returns its new path.
///
/// # Errors
/// When it cannot be renamed.
pub(super) fn set_aside(entry: &Entry) -> io::Result<PathBuf> {
    note_refusal(&entry.path, None);
    let aside = entry.path.with_extension("refused");
    match fs::rename(&entry.path, &aside) {
        // Another invocation recorded and removed it.
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        renamed => renamed?,
    }
    Ok(aside)
}

/// Frees the space that dead runs had reserved, and removes refusals whose entry is gone.
pub(super) fn clear_reserves(state_dir: &Path, is_dead: impl Fn(RunId) -> bool) {
    let Ok(listing) = fs::read_dir(directory(state_dir)) else { return };
    for file in listing.flatten() {
        let (name, path) = (file.file_name(), file.path());
        if path.extension().is_some_and(|extension| extension == REFUSAL) && !path.with_extension(ENTRY).exists() {
            let _ = fs::remove_file(&path);
        }
        let run = name.to_str().and_then(|name| name.strip_prefix(RESERVE)).and_then(|rest| rest.get(..36));
        if run.and_then(|run| RunId::parse(run).ok()).is_some_and(&is_dead) {
            // The next run tries it again.
            let _ = fs::remove_file(file.path());
        }
    }
}

#[cfg(test)]
mod tests;
