//! The file of the database while it is in use. SQLite goes on with a file that was removed or replaced: what it commits then is in a
//! file that nobody will open again.

use std::fs::{canonicalize, metadata, rename};
use std::io::{self, ErrorKind};
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};

use super::connect::side_file;
use crate::store::{Result, StoreError};

/// A file by device and inode.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct FileId(u64, u64);

/// The file of a database, and its write-ahead log beside it.
#[derive(Debug)]
pub(super) struct DatabaseFile {
    path: PathBuf,
    log: PathBuf,
    log_index: PathBuf,
    id: FileId,
    /// Keeps the inode from being used for another file. It is opened by its path alone (`O_PATH`): to close any other descriptor of the
    /// file would free SQLite's locks.
    _held: OwnedFd,
}

impl DatabaseFile {
    /// The file that is at `path` now.
    ///
    /// # Errors
    /// When there is none.
    pub(super) fn at(path: &Path) -> io::Result<Self> {
        let held = rustix::fs::open(path, OFlags::PATH | OFlags::CLOEXEC, Mode::empty())?;
        let stat = rustix::fs::fstat(&held)?;
        // SQLite follows a link, and has the log beside the file itself.
        let file = canonicalize(path)?;
        let (log, log_index) = (side_file(&file, "-wal"), side_file(&file, "-shm"));
        Ok(Self { path: path.to_owned(), log, log_index, id: FileId(stat.st_dev, stat.st_ino), _held: held })
    }

    /// Checks that the file is still at its path, and the log at its own. `log` is the log that the connection was seen to have.
    ///
    /// # Errors
    /// [`StoreError::Replaced`] when the file is not; an error that may pass when the log is not.
    pub(super) fn check(&self, target: &str, log: &mut Option<FileId>) -> Result<()> {
        let replaced = |what| StoreError::Replaced { target: target.to_owned(), what };
        let unreachable = |reason| StoreError::Unreachable { target: target.to_owned(), reason };
        let look = |path: &Path| id_at(path).map_err(|error| unreachable(format!("{}: {error}", path.display())));
        match look(&self.path)? {
            Some(id) if id == self.id => {}
            Some(_) => {
                self.set_log_aside(*log);
                return Err(replaced("its file was replaced"));
            }
            None => return Err(replaced("its file was removed")),
        }
        match (*log, look(&self.log)?) {
            (None, found) => *log = found,
            (Some(known), Some(found)) if known == found => {}
            // The connection is closed now, which saves what is in the log that it still has open.
            (Some(_), _) => return Err(unreachable("its -wal file was removed while it was in use".to_owned())),
        }
        Ok(())
    }

    /// Renames the log that is still beside a file that took the place of ours. SQLite would apply it to that file, and destroy it.
    fn set_log_aside(&self, log: Option<FileId>) {
        if log.is_none() || id_at(&self.log).ok().flatten() != log {
            return;
        }
        // The index of the log goes with it. SQLite makes another.
        for from in [&self.log, &self.log_index] {
            let mut to = from.clone().into_os_string();
            to.push(".replaced");
            if let Err(error) = rename(from, &to) {
                tracing::error!("{}, which belongs to a file that was replaced, cannot be renamed: {error}", from.display());
            }
        }
    }
}

/// The file at a path; `None` where there is none.
fn id_at(path: &Path) -> io::Result<Option<FileId>> {
    match metadata(path) {
        Ok(found) => Ok(Some(FileId(found.dev(), found.ino()))),
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(None),
        Err(error) => Err(error),
    }
}
