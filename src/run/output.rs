//! Reports that etl-orch publishes (`reports.by: orchestrator`): what an ETL wrote is checked, staged, and put at its destination.
//!
//! A report is *staged* when it lies, safely on disk, in the directory of its destination under a name that belongs to its job alone. Only
//! then is its row written, by whoever holds the fence; and only then is it renamed to its destination (`placing`). So a run that was
//! frozen and replaced meanwhile has nothing to overwrite the new report with: either its row is refused, or its file was put in place or
//! removed before its successor began.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata, Permissions};
use std::io::{self, Read};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::io::Errno;

use crate::os::blocking::GiveUp;
use crate::os::directory::{self, Directory};
use crate::os::files;
use crate::plan::model::ids::JobId;

/// The size in bytes above which a report is not copied into `markdown_content`.
pub(super) const MAX_CONTENT: u64 = 16 * 1024 * 1024;

/// What an attempt wrote, and where it is to go.
#[derive(Debug, Clone)]
pub(super) struct Written {
    /// The directory of all workspaces.
    pub(super) workspaces: Arc<Directory>,
    /// The gap's workspace in it, and the file in that.
    pub(super) work_dir: OsString,
    pub(super) name: OsString,
    pub(super) job: JobId,
    pub(super) destination: PathBuf,
}

/// A report that is staged.
#[derive(Debug)]
pub(super) struct Staged {
    /// Its text; `None` when it is not UTF-8, contains NUL, or is larger than [`MAX_CONTENT`].
    pub(super) content: Option<String>,
}

/// Why a report was not staged. Nothing is left of it then beside its destination.
#[derive(Debug, thiserror::Error)]
pub(super) enum Unusable {
    /// The ETL wrote no file, an empty one, or something that is not a regular file, or it still writes.
    #[error("exit 0, but {0}")]
    NotThere(&'static str),
    /// What it wrote may not be read.
    #[error("exit 0, but the file at {{output}} cannot be read: {0}")]
    Unreadable(io::Error),
    /// It cannot be put at this destination.
    #[error("exit 0, but the report cannot be put at {0}: {1}")]
    NotPlaced(PathBuf, io::Error),
    /// Somebody asked to give up.
    #[error("interrupted")]
    GivenUp,
}

/// Where the report of a job is staged that is to be put at `destination`.
pub(super) fn staged_path(destination: &Path, job: JobId) -> PathBuf {
    files::staged_path(destination, &job)
}

impl Written {
    /// Checks the file that the attempt wrote, and stages it. Only the file that was opened and checked is staged, whatever has its name
    /// meanwhile. What was at the destination stays there.
    ///
    /// # Errors
    /// When there is no usable file, or it cannot be staged.
    pub(super) fn stage(&self, give_up: &GiveUp) -> Result<Staged, Unusable> {
        let not_placed = |error| Unusable::NotPlaced(self.destination.clone(), error);
        let work_dir = self.workspaces.child(&self.work_dir).map_err(|error| missing_or(error, NO_DIRECTORY))?;
        let file = work_dir.file(&self.name).map_err(|error| missing_or(error, NO_REGULAR_FILE))?;
        let before = file.metadata().map_err(Unusable::Unreadable)?;
        if !before.is_file() {
            return Err(Unusable::NotThere(NO_REGULAR_FILE));
        }
        if before.len() == 0 {
            return Err(Unusable::NotThere("the file at {output} is empty"));
        }
        let content = read_text(&file, before.len()).map_err(Unusable::Unreadable)?;
        let parent = self.destination.parent().unwrap_or(Path::new("/"));
        files::create_durable_dir(parent).map_err(not_placed)?;
        let directory = Directory::open(parent).map_err(not_placed)?;
        let path = staged_path(&self.destination, self.job);
        let staging = Staging { written: self, work_dir, file, before, directory, staged: path.file_name().unwrap_or_default(), give_up };
        let result = staging.carry_out();
        if result.is_err()
            && let Err(error) = staging.directory.remove(staging.staged)
        {
            tracing::warn!("cannot remove {}: {error}", path.display());
        }
        result.map(|()| Staged { content })
    }
}

/// A file on its way to its staged name.
struct Staging<'a> {
    written: &'a Written,
    work_dir: Directory,
    file: File,
    /// What the file was like when it was opened.
    before: Metadata,
    /// The directory of the destination.
    directory: Directory,
    /// The staged name.
    staged: &'a OsStr,
    give_up: &'a GiveUp,
}

impl Staging<'_> {
    fn carry_out(&self) -> Result<(), Unusable> {
        // A file with other names is copied: what is done to it by those names does not reach the report.
        let has_one_name = self.before.nlink() == 1;
        let is_near = self.directory.device().map_err(|error| self.not_placed(error))? == self.before.dev();
        if !(has_one_name && is_near && self.rename()?) {
            self.copy()?;
        }
        let after = self.file.metadata().map_err(Unusable::Unreadable)?;
        let before = &self.before;
        if (after.len(), after.mtime(), after.mtime_nsec()) != (before.len(), before.mtime(), before.mtime_nsec()) {
            return Err(Unusable::NotThere(CHANGES));
        }
        self.directory.sync().map_err(|error| self.not_placed(error))?;
        self.go_on()
    }

    /// Gives the file its staged name. Returns whether that was possible: the directory may be on another file system all the same.
    fn rename(&self) -> Result<bool, Unusable> {
        self.file.sync_all().map_err(|error| self.not_placed(error))?;
        self.go_on()?;
        match self.work_dir.rename(&self.written.name, &self.directory, self.staged) {
            Err(error) if error.kind() == io::ErrorKind::CrossesDevices => return Ok(false),
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Err(Unusable::NotThere(REPLACED)),
            renamed => renamed.map_err(|error| self.not_placed(error))?,
        }
        // The name may have been given to something else since the file was opened.
        let opened = directory::id_of(&self.file).map_err(|error| self.not_placed(error))?;
        let renamed = self.directory.id(self.staged).map_err(|error| self.not_placed(error))?;
        if renamed == Some(opened) { Ok(true) } else { Err(Unusable::NotThere(REPLACED)) }
    }

    /// Copies the file under the staged name.
    fn copy(&self) -> Result<(), Unusable> {
        let copy = || {
            self.directory.remove(self.staged)?;
            let copy = self.directory.new_file(self.staged)?;
            copy.set_permissions(Permissions::from_mode(self.before.mode() & 0o777))?;
            files::copy_durably(&self.file, self.before.len(), &copy, self.give_up)
        };
        let is_whole = copy().map_err(|error| self.not_placed(error))?;
        self.go_on()?;
        if is_whole { Ok(()) } else { Err(Unusable::NotThere(CHANGES)) }
    }

    fn go_on(&self) -> Result<(), Unusable> {
        if self.give_up.is_asked() { Err(Unusable::GivenUp) } else { Ok(()) }
    }

    fn not_placed(&self, error: io::Error) -> Unusable {
        Unusable::NotPlaced(self.written.destination.clone(), error)
    }
}

const NO_DIRECTORY: &str = "its {work_dir} is no directory any more";
const NO_REGULAR_FILE: &str = "{output} is no regular file";
const CHANGES: &str = "the file at {output} is still being written";
const REPLACED: &str = "the file at {output} was replaced while it was being published";

/// Why a name cannot be opened.
fn missing_or(error: io::Error, otherwise: &'static str) -> Unusable {
    match Errno::from_io_error(&error) {
        Some(Errno::NOENT) => Unusable::NotThere("no file at {output}"),
        // A link, a file where a directory is needed, a socket.
        Some(Errno::LOOP | Errno::NOTDIR | Errno::NXIO) => Unusable::NotThere(otherwise),
        _ => Unusable::Unreadable(error),
    }
}

/// The text of the report at a path, as in [`Staged::content`]; `None` also where it is gone or cannot be read.
pub(super) fn content(path: &Path) -> Option<String> {
    let directory = Directory::open(path.parent()?).ok()?;
    let file = directory.file(path.file_name()?).ok()?;
    let metadata = file.metadata().ok().filter(Metadata::is_file)?;
    read_text(&file, metadata.len()).ok().flatten()
}

fn read_text(file: &File, length: u64) -> io::Result<Option<String>> {
    if length > MAX_CONTENT {
        return Ok(None);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or_default());
    file.take(length).read_to_end(&mut bytes)?;
    Ok(String::from_utf8(bytes).ok().filter(|text| !text.contains('\0')))
}

#[cfg(test)]
mod tests;
