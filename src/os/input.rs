//! Reads files that were written elsewhere. Only regular files of a bounded size are read: a FIFO would hang the reader, and a device may
//! never end.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

use super::access::{FileAccess, barred_directory};
use crate::plan::text::size::grouped;

/// Longest input file, in bytes.
pub(crate) const MAX_BYTES: u64 = 4 * 1024 * 1024;

/// A file, read to its end.
#[derive(Debug)]
pub(crate) struct InputFile {
    pub(crate) bytes: Vec<u8>,
    pub(crate) access: FileAccess,
}

/// Why a file was not read. Displays as the end of a sentence that begins with the file's name.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InputError {
    #[error("cannot be read: {0}")]
    Io(io::Error),
    /// The directory above it.
    #[error("cannot be read: the directory {} may not be entered by the user who runs etl-orch (chmod a+x)", .0.display())]
    Barred(PathBuf),
    #[error("is a directory; name a file")]
    Directory,
    /// What it is.
    #[error("is {0}, and only a regular file is read here; name a file, or copy into one what comes from there")]
    NotAFile(&'static str),
    #[error("is longer than {} bytes, the most that is read of such a file", grouped(*.0))]
    TooLong(u64),
}

impl InputError {
    /// That the file at this path cannot be read, and what is in the way.
    pub(crate) fn of(path: &Path, error: io::Error) -> Self {
        let barred = (error.kind() == io::ErrorKind::PermissionDenied).then(|| barred_directory(path)).flatten();
        barred.map_or(Self::Io(error), Self::Barred)
    }

    /// Whether there is no such file.
    pub(crate) fn is_not_found(&self) -> bool {
        matches!(self, Self::Io(error) if error.kind() == io::ErrorKind::NotFound)
    }
}

/// Reads a file of at most [`MAX_BYTES`]. It follows symbolic links, and never waits for a writer.
pub(crate) fn read(path: &Path) -> Result<InputFile, InputError> {
    let (mut file, metadata) = open(path)?;
    let mut bytes = Vec::new();
    // Files of `/proc` have the length 0, and a file may grow while it is read.
    file.by_ref().take(MAX_BYTES + 1).read_to_end(&mut bytes).map_err(InputError::Io)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(InputError::TooLong(MAX_BYTES));
    }
    Ok(InputFile { bytes, access: FileAccess::of(&metadata) })
}

/// The first bytes of a file, at most `most`.
pub(crate) fn read_head(path: &Path, most: u64) -> Result<Vec<u8>, InputError> {
    let mut head = Vec::new();
    open(path)?.0.take(most).read_to_end(&mut head).map_err(InputError::Io)?;
    Ok(head)
}

/// Opens a regular file of any length for reading.
pub(crate) fn open(path: &Path) -> Result<(File, Metadata), InputError> {
    // Asked first, as opening a device can have effects; and again below, as another file may have taken the name by then.
    check(&path.metadata().map_err(|error| InputError::of(path, error))?)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file =
        File::options().read(true).custom_flags(flags.bits().cast_signed()).open(path).map_err(|error| InputError::of(path, error))?;
    let metadata = file.metadata().map_err(InputError::Io)?;
    check(&metadata)?;
    Ok((file, metadata))
}

/// Whether a path leads to a regular file, for one that is read by a library.
pub(crate) fn look_at(path: &Path) -> Result<(), InputError> {
    check(&path.metadata().map_err(|error| InputError::of(path, error))?)
}

fn check(metadata: &Metadata) -> Result<(), InputError> {
    let kind = metadata.file_type();
    if kind.is_file() {
        return Ok(());
    }
    if kind.is_dir() {
        return Err(InputError::Directory);
    }
    Err(InputError::NotAFile(if kind.is_fifo() {
        "a pipe"
    } else if kind.is_socket() {
        "a socket"
    } else {
        "a device"
    }))
}

#[cfg(test)]
mod tests {
    use std::fs;

    use rustix::fs::{CWD, Mode, mkfifoat};

    use super::*;

    #[test]
    fn only_regular_files_are_read_and_nothing_waits() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        fs::write(at("file"), "text").unwrap();
        mkfifoat(CWD, at("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        let _listener = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
        for name in ["file", "fifo"] {
            std::os::unix::fs::symlink(at(name), at(&format!("to {name}"))).unwrap();
        }
        assert_eq!(read(&at("file")).unwrap().bytes, b"text");
        assert_eq!(read(&at("to file")).unwrap().bytes, b"text");
        assert_eq!(read_head(&at("file"), 2).unwrap(), b"te");
        for (path, what) in
            [(at("fifo"), "a pipe"), (at("to fifo"), "a pipe"), (at("socket"), "a socket"), ("/dev/zero".into(), "a device")]
        {
            for error in [read(&path).unwrap_err(), read_head(&path, 1).unwrap_err()] {
                assert!(error.to_string().starts_with(&format!("is {what}, and only a regular file is read here")), "{error}");
            }
        }
        assert_eq!(read(dir.path()).unwrap_err().to_string(), "is a directory; name a file");
        assert!(read(&at("nothing")).unwrap_err().is_not_found());
        assert!(!read(&at("fifo")).unwrap_err().is_not_found());
    }

    #[test]
    fn files_of_proc_are_read_although_they_have_no_length() {
        assert!(!read(Path::new("/proc/self/status")).unwrap().bytes.is_empty());
    }

    #[test]
    fn a_file_that_is_too_long_is_not_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("long");
        let file = File::create(&path).unwrap();
        file.set_len(MAX_BYTES).unwrap();
        assert_eq!(read(&path).unwrap().bytes.len() as u64, MAX_BYTES);
        file.set_len(MAX_BYTES + 1).unwrap();
        assert_eq!(read(&path).unwrap_err().to_string(), "is longer than 4,194,304 bytes, the most that is read of such a file");
    }
}
