//! The log file of one attempt: everything the child printed, in order of arrival.
//!
//! Each chunk read from the child is written at once and in the same thread, so that `tail -f` sees it; a local file takes it into the
//! page cache in microseconds. The file is created with the first byte: an attempt that prints nothing has none. A log that cannot be
//! written does not fail the attempt: the rest is dropped, with one warning and one note in the tail.
//!
//! At most [`MAX_LOG_BYTES`] reach the disk: the beginning, up to 1 MiB less than that, and once the child has ended a line that says how
//! many bytes were left out, followed by the last 64 KiB.

use std::collections::VecDeque;
use std::fs::{File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use crate::os::files;

/// Most bytes in a log, whatever the child prints.
pub const MAX_LOG_BYTES: u64 = 64 * 1024 * 1024;

/// Bytes that are kept of the beginning and of the end.
#[derive(Debug, Clone, Copy)]
struct Limits {
    head: u64,
    end: usize,
}

const LIMITS: Limits = Limits { head: MAX_LOG_BYTES - 1024 * 1024, end: 64 * 1024 };

/// What the line in a log that is not whole begins with; the number of bytes follows.
const NOTE: &str = "\n[etl-orch: ";
const LEFT_OUT: &str = " bytes left out here, the log is limited]\n";

/// What the note in the tail of a log that could not be written begins with.
const NOT_WRITTEN: &str = "[etl-orch: the log ";

#[derive(Debug)]
enum Sink {
    NotCreated,
    Open(File),
    Broken,
}

#[derive(Debug)]
pub(super) struct AttemptLog {
    path: PathBuf,
    sink: Sink,
    limits: Limits,
    written: u64,
    /// The last bytes that came after the head was full.
    end: VecDeque<u8>,
    /// Bytes between head and end that were dropped.
    left_out: u64,
    /// Sentences for the tail.
    notes: Vec<String>,
}

impl AttemptLog {
    /// A log that is created at `path` with its first byte.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, sink: Sink::NotCreated, limits: LIMITS, written: 0, end: VecDeque::new(), left_out: 0, notes: Vec::new() }
    }

    pub(super) fn append(&mut self, bytes: &[u8]) {
        let room = usize::try_from(self.limits.head.saturating_sub(self.written)).unwrap_or(usize::MAX);
        let (head, rest) = bytes.split_at(room.min(bytes.len()));
        if !head.is_empty() {
            self.write(head);
            self.written += head.len() as u64;
        }
        self.keep_end(rest);
    }

    /// Writes the end that was kept, and returns notes for the tail.
    pub(super) fn finish(mut self) -> Vec<String> {
        if self.left_out > 0 {
            self.write(format!("{NOTE}{}{LEFT_OUT}", self.left_out).as_bytes());
        }
        let end = std::mem::take(&mut self.end);
        let (first, second) = end.as_slices();
        self.write(first);
        self.write(second);
        self.notes
    }

    fn keep_end(&mut self, bytes: &[u8]) {
        let kept = bytes.get(bytes.len().saturating_sub(self.limits.end)..).unwrap_or_default();
        let surplus = (self.end.len() + kept.len()).saturating_sub(self.limits.end);
        self.end.drain(..surplus);
        self.end.extend(kept);
        self.left_out += (surplus + bytes.len() - kept.len()) as u64;
    }

    fn write(&mut self, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        if let Sink::NotCreated = self.sink {
            match create(&self.path) {
                Ok(file) => self.sink = Sink::Open(file),
                Err(error) => self.give_up(&error),
            }
        }
        if let Sink::Open(file) = &mut self.sink
            && let Err(error) = file.write_all(bytes)
        {
            self.give_up(&error);
        }
    }

    fn give_up(&mut self, error: &io::Error) {
        self.sink = Sink::Broken;
        let path = self.path.display();
        tracing::warn!(%path, %error, "the log {path} cannot be written: {error}; the attempt goes on");
        self.notes.push(format!("{NOT_WRITTEN}{path} could not be written, output is missing there: {error}]"));
    }
}

/// How many bytes are left out of a log that has ended; `None` where it is whole.
///
/// # Errors
/// When it cannot be read.
pub fn left_out(log: &File) -> io::Result<Option<u64>> {
    left_out_after(LIMITS.head, log)
}

fn left_out_after(head: u64, mut log: &File) -> io::Result<Option<u64>> {
    let mut line = Vec::new();
    log.seek(SeekFrom::Start(head))?;
    log.take(100).read_to_end(&mut line)?;
    let line = String::from_utf8_lossy(&line);
    let number = line.strip_prefix(NOTE).and_then(|rest| rest.split_once(LEFT_OUT));
    Ok(number.and_then(|(number, _)| number.parse().ok()))
}

/// Whether the last lines of an attempt say that its log could not be written.
pub fn was_not_written(tail: &str) -> bool {
    tail.lines().any(|line| line.starts_with(NOT_WRITTEN))
}

/// Creates the file and its directories. It must not exist: nothing is overwritten, and no symbolic link is followed.
fn create(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            if let Some(directory) = path.parent() {
                files::create_private_dir(directory)?;
            }
            open()
        }
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;

    fn limited(path: PathBuf) -> AttemptLog {
        AttemptLog { limits: Limits { head: 10, end: 4 }, ..AttemptLog::new(path) }
    }

    #[test]
    fn the_file_and_its_directories_are_private() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/1.log");
        let mut log = AttemptLog::new(path.clone());
        log.append(b"x\n");
        assert!(log.finish().is_empty());
        let mode = |path: &Path| path.metadata().unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        assert_eq!(mode(path.parent().unwrap()), 0o700);
        assert_eq!(mode(path.parent().unwrap().parent().unwrap()), 0o700);
    }

    #[test]
    fn beginning_and_end_of_a_long_log_are_kept_and_the_bytes_between_are_counted() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.log");
        let mut log = limited(path.clone());
        for chunk in ["0123", "456789abcdefg", "h", "ijklmn", "op"] {
            log.append(chunk.as_bytes());
        }
        assert!(log.finish().is_empty());
        let expected = "0123456789\n[etl-orch: 12 bytes left out here, the log is limited]\nmnop";
        assert_eq!(std::fs::read_to_string(&path).unwrap(), expected);
        assert_eq!(left_out_after(10, &File::open(path).unwrap()).unwrap(), Some(12));
    }

    #[test]
    fn a_log_that_just_fits_is_complete() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("1.log");
        let mut log = limited(path.clone());
        log.append(b"0123456789abcd");
        assert!(log.finish().is_empty());
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "0123456789abcd");
        assert_eq!(left_out_after(10, &File::open(path).unwrap()).unwrap(), None);
    }

    #[test]
    fn a_full_disk_is_noted_once() {
        let full = OpenOptions::new().write(true).open("/dev/full").unwrap();
        let mut log = AttemptLog { sink: Sink::Open(full), ..AttemptLog::new("the.log".into()) };
        log.append(b"x");
        log.append(b"y");
        let notes = log.finish();
        assert_eq!(notes.len(), 1);
        assert!(was_not_written(&notes[0]));
        assert!(notes[0].contains("the.log") && notes[0].contains("No space left"), "{notes:?}");
    }
}
