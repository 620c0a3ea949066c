//! Who may change or read a file, by its owner and its mode.

use std::fs::Metadata;
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, AtFlags, CWD};
use rustix::io::Errno;
use rustix::process::geteuid;

/// Users from this number on are people, whose own group has the same number and nobody else in it.
const FIRST_PERSON: u32 = 1000;
/// The user and group that stand for nobody in particular.
const NOBODY: u32 = 65534;
const STICKY: u32 = 0o1000;

/// Who owns a file, and what its mode lets others do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileAccess {
    uid: u32,
    gid: u32,
    /// The permission bits, of a directory the sticky one too.
    mode: u32,
}

/// Why a file is not ours alone to change. Displays as the end of a sentence that begins with the file's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Exposed {
    #[error("belongs to another user (uid {0})")]
    Owner(u32),
    #[error("lets other users write to it (mode {0:04o})")]
    Mode(u32),
}

impl FileAccess {
    pub(crate) fn of(metadata: &Metadata) -> Self {
        // The sticky bit means something in a directory alone.
        let bits = if metadata.is_dir() { 0o777 | STICKY } else { 0o777 };
        Self { uid: metadata.uid(), gid: metadata.gid(), mode: metadata.mode() & bits }
    }

    /// Of what a path leads to.
    pub(crate) fn at(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&path.metadata()?))
    }

    /// Of the path itself, where it is a symbolic link.
    pub(crate) fn of_link(path: &Path) -> io::Result<Self> {
        Ok(Self::of(&path.symlink_metadata()?))
    }

    /// The owner, if that is neither root nor the user of this process.
    pub(crate) fn foreign_owner(self) -> Option<u32> {
        (self.uid != 0 && self.uid != geteuid().as_raw()).then_some(self.uid)
    }

    /// How others may write to the file. In a directory they may then replace files, unless it is sticky, as `/tmp` is.
    pub(crate) fn exposed(self) -> Option<Exposed> {
        let has_own_group = self.gid == self.uid && (FIRST_PERSON..NOBODY).contains(&self.uid);
        let written_by = if has_own_group { 0o002 } else { 0o022 };
        match self.foreign_owner() {
            Some(uid) => Some(Exposed::Owner(uid)),
            None if self.mode & written_by != 0 && self.mode & STICKY == 0 => Some(Exposed::Mode(self.mode)),
            None => None,
        }
    }

    /// Whether every user of the host may read it.
    pub(crate) fn is_readable_by_all(self) -> bool {
        self.mode & 0o004 != 0
    }

    /// The permission bits.
    pub(crate) fn mode(self) -> u32 {
        self.mode
    }
}

/// The first directory above a path that this process may not enter.
pub(crate) fn barred_directory(path: &Path) -> Option<PathBuf> {
    let absolute = std::path::absolute(path).ok()?;
    let mut above: Vec<&Path> = absolute.ancestors().skip(1).collect();
    above.reverse();
    let is_barred = |directory: &&Path| rustix::fs::accessat(CWD, *directory, Access::EXEC_OK, AtFlags::EACCESS) == Err(Errno::ACCESS);
    above.into_iter().find(is_barred).map(Path::to_owned)
}

/// The error with the directory that is in the way, where it is one above the path.
pub(crate) fn named(path: &Path, error: io::Error) -> io::Error {
    match barred_directory(path).filter(|_| error.kind() == io::ErrorKind::PermissionDenied) {
        Some(barred) => io::Error::new(error.kind(), format!("the directory {} may not be entered by this user", barred.display())),
        None => error,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_else_may_write() {
        let us = geteuid().as_raw();
        for (uid, gid, mode, exposed) in [
            (us, us, 0o600, None),
            (us, us, 0o644, None),
            (0, 0, 0o644, None),
            (us, us, 0o666, Some(Exposed::Mode(0o666))),
            (0, 5, 0o664, Some(Exposed::Mode(0o664))),
            (0, 0, 0o1777, None),
            (us + 1, us, 0o600, Some(Exposed::Owner(us + 1))),
        ] {
            assert_eq!(FileAccess { uid, gid, mode }.exposed(), exposed, "{uid} {gid} {mode:o}");
        }
    }
}
