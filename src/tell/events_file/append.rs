//! Appends whole lines to a file that others may append to as well, and that is of bounded size.

use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use tokio::sync::mpsc::Receiver;

/// A file that has grown beyond this many bytes is renamed to `NAME.1`, in the place of an earlier one, and begun anew.
const MOST_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes that are written at once.
const AT_ONCE: usize = 64 * 1024;

/// Appends lines until the last sender is gone. It blocks.
pub(super) fn append_all(path: &Path, mut lines: Receiver<String>) -> io::Result<()> {
    while let Some(line) = lines.blocking_recv() {
        let mut text = line + "\n";
        while text.len() < AT_ONCE
            && let Ok(next) = lines.try_recv()
        {
            text.push_str(&next);
            text.push('\n');
        }
        append(path, text.as_bytes(), MOST_BYTES)?;
    }
    Ok(())
}

/// The file is opened each time, so that one that was renamed or removed is begun anew.
fn append(path: &Path, lines: &[u8], most: u64) -> io::Result<()> {
    let mut file = open(path)?;
    if file.metadata()?.size() >= most {
        std::fs::rename(path, second(path))?;
        file = open(path)?;
    }
    if ends_within_line(&mut file)? { file.write_all(&[b"\n", lines].concat()) } else { file.write_all(lines) }
}

/// Opens a regular file, for its owner alone if it is new. Of anything else an open might wait.
fn open(path: &Path) -> io::Result<File> {
    let nonblock = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).append(true).create(true).mode(0o600).custom_flags(nonblock).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::new(ErrorKind::InvalidInput, "it is no regular file")) }
}

/// Whether whoever wrote to it last was stopped within a line.
fn ends_within_line(file: &mut File) -> io::Result<bool> {
    if file.metadata()?.size() == 0 {
        return Ok(false);
    }
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last != *b"\n")
}

fn second(path: &Path) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(".1");
    name.into()
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn lines_stay_whole_and_the_file_is_bounded() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("events.jsonl");
        append(&path, b"one\n", 8).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().mode() & 0o777, 0o600);
        fs::write(&path, "one\nto").unwrap();
        append(&path, b"two\n", 8).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "one\nto\ntwo\n", "what was torn has a line of its own");
        append(&path, b"three\n", 8).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "three\n");
        assert_eq!(fs::read_to_string(second(&path)).unwrap(), "one\nto\ntwo\n");
    }

    #[test]
    fn only_a_regular_file_is_appended_to() {
        let directory = tempfile::tempdir().unwrap();
        for path in [directory.path(), Path::new("/dev/null")] {
            append(path, b"one\n", 8).unwrap_err();
        }
    }
}
