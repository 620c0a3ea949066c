//! Directories by descriptor: what is done to a name in one reaches no other place, wherever links that others put there point to.

use std::ffi::{OsStr, OsString};
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, Stat, StatVfs};
use rustix::io::Errno;

/// How deep directories are nested that [`Directory::remove`] still removes.
const DEEPEST: usize = 100;

/// What makes a file the same file, whatever its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct FileId {
    device: u64,
    inode: u64,
}

impl FileId {
    fn of(stat: &Stat) -> Self {
        Self { device: stat.st_dev, inode: stat.st_ino }
    }
}

/// An open directory.
#[derive(Debug)]
pub(crate) struct Directory(OwnedFd);

impl Directory {
    /// Opens a directory by its path, which may lead over symbolic links.
    ///
    /// # Errors
    /// When it is not there, is no directory, or may not be read.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        Ok(Self(rustix::fs::open(path, OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens a directory in this one. A symbolic link is none.
    ///
    /// # Errors
    /// When it is not there, is no directory, or may not be read.
    pub(crate) fn child(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(Self(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Makes a directory that only its owner may enter, or opens the one that is there. Something else of this name is removed first; a
    /// directory of ours that we may not use is made usable. Returns the directory, and whether it was there.
    ///
    /// # Errors
    /// When it cannot be made, or is another user's.
    pub(crate) fn private_child(&self, name: &OsStr) -> io::Result<(Self, bool)> {
        if self.make(name)? {
            return Ok((self.child(name)?, false));
        }
        let is_directory = self.stat(name)?.is_some_and(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::Directory);
        if !is_directory {
            self.remove(name)?;
            self.make(name)?;
            return Ok((self.child(name)?, false));
        }
        Ok((self.usable_child(name)?, true))
    }

    /// Makes a directory that only its owner may enter. Returns whether the name was free.
    ///
    /// # Errors
    /// When it cannot be made.
    pub(crate) fn make(&self, name: &OsStr) -> io::Result<bool> {
        match rustix::fs::mkdirat(&self.0, name, Mode::RWXU) {
            Ok(()) => Ok(true),
            Err(Errno::EXIST) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    /// Opens a directory in this one, and lets its owner use it where he may not.
    fn usable_child(&self, name: &OsStr) -> io::Result<Self> {
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let found = rustix::fs::openat(&self.0, name, flags, Mode::empty())?;
        let mode = Mode::from_raw_mode(rustix::fs::fstat(&found)?.st_mode);
        if !mode.contains(Mode::RWXU) {
            // The descriptor gives no right to change the mode; its name in /proc leads to the same directory in any case.
            rustix::fs::chmod(Path::new("/proc/self/fd").join(descriptor(&found)), mode | Mode::RWXU)?;
        }
        // The same directory once more, to be read.
        Ok(Self(rustix::fs::openat(&found, ".", OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?))
    }

    /// Opens a file for reading. A symbolic link is not followed, and whatever the file is, this does not wait.
    ///
    /// # Errors
    /// When it is not there, or may not be read.
    pub(crate) fn file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::empty())?))
    }

    /// Makes a file for writing, which must not be there.
    ///
    /// # Errors
    /// When it cannot be made, or is there.
    pub(crate) fn new_file(&self, name: &OsStr) -> io::Result<File> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        Ok(File::from(rustix::fs::openat(&self.0, name, flags, Mode::RUSR | Mode::WUSR)?))
    }

    /// Which file has this name; of a symbolic link, the link itself. `None` where there is none.
    ///
    /// # Errors
    /// When that cannot be said.
    pub(crate) fn id(&self, name: &OsStr) -> io::Result<Option<FileId>> {
        Ok(self.stat(name)?.map(|stat| FileId::of(&stat)))
    }

    /// How many bytes a regular file has; `None` where that name has none.
    ///
    /// # Errors
    /// When that cannot be said.
    pub(crate) fn length(&self, name: &OsStr) -> io::Result<Option<u64>> {
        let file = self.stat(name)?.filter(|stat| FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile);
        Ok(file.and_then(|stat| u64::try_from(stat.st_size).ok()))
    }

    fn stat(&self, name: &OsStr) -> io::Result<Option<Stat>> {
        match rustix::fs::statat(&self.0, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(stat)),
            Err(Errno::NOENT) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Renames `from` to `name` in the directory `to`, replacing what was there.
    ///
    /// # Errors
    /// When the disk refuses, or `to` is on another file system.
    pub(crate) fn rename(&self, from: &OsStr, to: &Self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::renameat(&self.0, from, &to.0, name)?)
    }

    /// The names in it.
    ///
    /// # Errors
    /// When it cannot be read.
    pub(crate) fn names(&self) -> io::Result<Vec<OsString>> {
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.0)? {
            let entry = entry?;
            let name = OsStr::from_bytes(entry.file_name().to_bytes());
            if name != "." && name != ".." {
                names.push(name.to_owned());
            }
        }
        Ok(names)
    }

    /// Removes what has this name; a directory with all that is in it. Nothing outside is touched. A name that is free is fine.
    ///
    /// # Errors
    /// When something cannot be removed.
    pub(crate) fn remove(&self, name: &OsStr) -> io::Result<()> {
        self.remove_to_depth(name, DEEPEST)
    }

    fn remove_to_depth(&self, name: &OsStr, depth: usize) -> io::Result<()> {
        match rustix::fs::unlinkat(&self.0, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => return Ok(()),
            Err(Errno::ISDIR | Errno::PERM) => {}
            Err(error) => return Err(error.into()),
        }
        if self.remove_empty(name).is_ok() {
            return Ok(());
        }
        let Some(depth) = depth.checked_sub(1) else {
            return Err(io::Error::other(format!("its directories are nested more than {DEEPEST} deep")));
        };
        let directory = self.usable_child(name)?;
        for inner in directory.names()? {
            directory.remove_to_depth(&inner, depth)?;
        }
        self.remove_empty(name)
    }

    /// Removes an empty directory.
    ///
    /// # Errors
    /// When it is not empty, or no directory.
    pub(crate) fn remove_empty(&self, name: &OsStr) -> io::Result<()> {
        Ok(rustix::fs::unlinkat(&self.0, name, AtFlags::REMOVEDIR)?)
    }

    /// When this returns, a power cut does not take back what was done to the names in it.
    ///
    /// # Errors
    /// When the disk refuses.
    pub(crate) fn sync(&self) -> io::Result<()> {
        Ok(rustix::fs::fsync(&self.0)?)
    }

    /// What its file system has room for.
    ///
    /// # Errors
    /// When that cannot be said.
    pub(crate) fn file_system(&self) -> io::Result<StatVfs> {
        Ok(rustix::fs::fstatvfs(&self.0)?)
    }

    /// The device of the file system that it is on.
    ///
    /// # Errors
    /// When that cannot be said.
    pub(crate) fn device(&self) -> io::Result<u64> {
        Ok(rustix::fs::fstat(&self.0)?.st_dev)
    }
}

/// Which file this is.
///
/// # Errors
/// When that cannot be said.
pub(crate) fn id_of(file: &File) -> io::Result<FileId> {
    Ok(FileId::of(&rustix::fs::fstat(file)?))
}

/// The number of a descriptor, as `/proc/self/fd` names it.
fn descriptor(fd: &impl AsFd) -> String {
    use std::os::fd::AsRawFd;
    fd.as_fd().as_raw_fd().to_string()
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    use super::*;

    fn name(name: &str) -> &OsStr {
        OsStr::new(name)
    }

    /// A directory `inside` to work in, beside a directory `outside` with a file that nothing may touch.
    fn scene() -> (tempfile::TempDir, Directory) {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir(dir.path().join("inside")).unwrap();
        fs::create_dir(dir.path().join("outside")).unwrap();
        fs::write(dir.path().join("outside/file"), "untouched").unwrap();
        let directory = Directory::open(&dir.path().join("inside")).unwrap();
        (dir, directory)
    }

    #[test]
    fn a_link_is_never_followed() {
        let (dir, inside) = scene();
        for (link, target) in [("to directory", "../outside"), ("to file", "../outside/file")] {
            symlink(target, dir.path().join("inside").join(link)).unwrap();
            assert!(inside.child(name(link)).is_err(), "{link}");
            assert_eq!(inside.file(name(link)).unwrap_err().raw_os_error(), Some(Errno::LOOP.raw_os_error()), "{link}");
            assert!(inside.new_file(name(link)).is_err(), "{link}");
            inside.remove(name(link)).unwrap();
        }
        assert_eq!(inside.names().unwrap(), [""; 0]);
        assert_eq!(fs::read_to_string(dir.path().join("outside/file")).unwrap(), "untouched");
    }

    #[test]
    fn what_stands_where_a_directory_is_needed_makes_room_and_what_is_in_one_stays() {
        let (dir, inside) = scene();
        symlink("../outside", dir.path().join("inside/work")).unwrap();
        let (_, was_there) = inside.private_child(name("work")).unwrap();
        assert!(!was_there && dir.path().join("outside/file").exists());
        fs::write(dir.path().join("inside/work/kept"), "").unwrap();
        fs::set_permissions(dir.path().join("inside/work"), fs::Permissions::from_mode(0o000)).unwrap();
        let (work, was_there) = inside.private_child(name("work")).unwrap();
        assert!(was_there);
        assert_eq!(work.names().unwrap(), ["kept"]);
        assert_eq!(dir.path().join("inside/work").metadata().unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[test]
    fn a_tree_is_removed_with_what_nobody_may_enter_in_it() {
        let (dir, inside) = scene();
        let deep = dir.path().join("inside/tree/closed/deep");
        fs::create_dir_all(&deep).unwrap();
        symlink("../../../outside", deep.join("link")).unwrap();
        fs::write(deep.join("file"), "").unwrap();
        for closed in ["inside/tree/closed/deep", "inside/tree/closed"] {
            fs::set_permissions(dir.path().join(closed), fs::Permissions::from_mode(0o000)).unwrap();
        }
        inside.remove(name("tree")).unwrap();
        inside.remove(name("nothing")).unwrap();
        assert_eq!(inside.names().unwrap(), [""; 0]);
        assert!(dir.path().join("outside/file").exists());
    }

    #[test]
    fn a_tree_of_any_depth_ends_in_an_error_and_not_in_a_crash() {
        let (dir, inside) = scene();
        let deep: std::path::PathBuf = std::iter::repeat_n("d", DEEPEST + 2).collect();
        fs::create_dir_all(dir.path().join("inside").join(deep)).unwrap();
        let error = inside.remove(name("d")).unwrap_err().to_string();
        assert_eq!(error, "its directories are nested more than 100 deep");
    }

    #[test]
    fn opening_a_pipe_does_not_wait() {
        let (dir, inside) = scene();
        rustix::fs::mkfifoat(rustix::fs::CWD, dir.path().join("inside/pipe"), Mode::RUSR | Mode::WUSR).unwrap();
        assert!(!inside.file(name("pipe")).unwrap().metadata().unwrap().is_file());
    }
}
