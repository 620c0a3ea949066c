//! Whether a file system takes new files: looked at before something is begun whose result it is to hold.

use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use rustix::fs::{Access, AtFlags, CWD, StatFs, StatVfs, StatVfsMountFlags};
use rustix::io::Errno;

use super::directory::Directory;
use crate::plan::decide::checkup::{LEAST_BYTES, Volume};

/// Checks that a file can be made, or replaced, at this path: its directory, or the nearest above it that is there, may be written, and its
/// file system has room. A quota shows only in writing.
///
/// # Errors
/// Why not.
pub(crate) fn check_file(path: &Path) -> io::Result<()> {
    if path.symlink_metadata().is_ok_and(|found| found.is_dir()) {
        return Err(Errno::ISDIR.into());
    }
    let parent = path.parent().unwrap_or(Path::new("/"));
    let directory = parent.ancestors().find(|above| above.symlink_metadata().is_ok()).unwrap_or(Path::new("/"));
    if !directory.metadata()?.is_dir() {
        return Err(Errno::NOTDIR.into());
    }
    rustix::fs::accessat(CWD, directory, Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS)?;
    check(rustix::fs::statvfs(directory)?)
}

/// The file system that a path is on, or would be.
///
/// # Errors
/// When it cannot be looked at.
pub(crate) fn volume(path: &Path) -> io::Result<Volume> {
    let place = path.ancestors().find(|above| above.exists()).unwrap_or(Path::new("/"));
    let found = rustix::fs::statvfs(place)?;
    let blocks = if rustix::process::geteuid().is_root() { found.f_bfree } else { found.f_bavail };
    Ok(Volume {
        device: place.metadata()?.dev(),
        free: blocks.saturating_mul(found.f_frsize),
        total: found.f_blocks.saturating_mul(found.f_frsize),
        is_remote: is_remote(&rustix::fs::statfs(place)?),
    })
}

/// Whether a file system is one of those that other hosts serve: NFS, SMB (by its numbers of then and now), AFS, Ceph, 9P.
fn is_remote(found: &StatFs) -> bool {
    [0x6969, 0x517B, 0xFF53_4D42, 0xFE53_4D42, 0x5346_414F, 0x00C3_6400, 0x0102_1997].contains(&(i128::from(found.f_type) & 0xFFFF_FFFF))
}

/// Checks that the file system of a directory takes new files.
///
/// # Errors
/// Why not.
pub(crate) fn check_directory(directory: &Directory) -> io::Result<()> {
    check(directory.file_system()?)
}

fn check(found: StatVfs) -> io::Result<()> {
    if found.f_flag.contains(StatVfsMountFlags::RDONLY) {
        return Err(Errno::ROFS.into());
    }
    // Some blocks may be set aside for root.
    let is_root = rustix::process::geteuid().is_root();
    let (blocks, files) = if is_root { (found.f_bfree, found.f_ffree) } else { (found.f_bavail, found.f_favail) };
    // A file system without a fixed number of blocks or files says 0.
    if found.f_blocks > 0 && blocks.saturating_mul(found.f_frsize) < LEAST_BYTES {
        return Err(Errno::NOSPC.into());
    }
    if found.f_files > 0 && files == 0 {
        return Err(io::Error::other("no space left on device for another file (inodes)"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_place_that_takes_no_file_is_named_by_its_error() {
        let dir = tempfile::tempdir().unwrap();
        let path = |name: &str| dir.path().join(name);
        fs::write(path("file"), "").unwrap();
        for (place, error) in [
            (path("new"), None),
            (path("file"), None),
            (path("as/deep/as/needed"), None),
            (path(""), Some(Errno::ISDIR)),
            (path("file/below"), Some(Errno::NOTDIR)),
        ] {
            let found = check_file(&place).err().and_then(|error| Errno::from_io_error(&error));
            assert_eq!(found, error, "{}", place.display());
        }
        check_directory(&Directory::open(dir.path()).unwrap()).unwrap();
    }
}
