//! The log of an attempt, read again.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path};

use chrono::Utc;

use crate::execute;
use crate::os::input::{self, InputError};
use crate::plan::decide::retention::KeptSince;
use crate::plan::model::retention::{Keep, Retention};
use crate::plan::remember::past::PastAttempt;

/// Bytes that are read at once.
const PIECE: usize = 64 * 1024;

/// The log of an attempt, which may still grow.
#[derive(Debug)]
pub(super) struct LogFile(File);

/// Why a log is not read. Displays as the end of a sentence that begins with its path.
#[derive(Debug, thiserror::Error)]
pub(super) enum NoLog {
    /// The attempt printed nothing so far, its log was removed, or it was run on another host.
    #[error("is not there")]
    Missing,
    /// It was removed, as it is older.
    #[error("is not there: logs are kept for {0}")]
    NotKept(Keep),
    /// The record may have been changed by others.
    #[error("is not below the state_dir of this configuration, and is not read")]
    Elsewhere,
    #[error(transparent)]
    Unreadable(InputError),
}

impl LogFile {
    /// Opens it, where it is a file that a run with this state directory made.
    pub(super) fn open(state_dir: &Path, attempt: &PastAttempt, retention: &Retention) -> Result<Self, NoLog> {
        let path = Path::new(&attempt.log);
        let climbs = path.components().any(|component| component == Component::ParentDir);
        if climbs || !path.starts_with(state_dir.join("logs")) {
            return Err(NoLog::Elsewhere);
        }
        match input::open(path) {
            Ok((file, _)) => Ok(Self(file)),
            Err(error) if error.is_not_found() && is_over(attempt, retention) => Err(NoLog::NotKept(retention.logs)),
            Err(error) if error.is_not_found() => Err(NoLog::Missing),
            Err(error) => Err(NoLog::Unreadable(error)),
        }
    }

    /// How many bytes are left out of it; `None` where it is whole.
    pub(super) fn left_out(&self) -> io::Result<Option<u64>> {
        execute::left_out(&self.0)
    }

    /// Gives what was not read yet to `take`, in pieces, until that returns `false`. Returns whether it never did.
    pub(super) fn read(&mut self, mut take: impl FnMut(&[u8]) -> io::Result<bool>) -> io::Result<bool> {
        let mut piece = vec![0; PIECE];
        loop {
            let length = self.0.read(&mut piece)?;
            match piece.get(..length) {
                Some([]) | None => return Ok(true),
                Some(bytes) if !take(bytes)? => return Ok(false),
                Some(_) => {}
            }
        }
    }
}

/// Whether runs have removed what was printed so long ago, unless its gap is open.
fn is_over(attempt: &PastAttempt, retention: &Retention) -> bool {
    KeptSince::of(retention, Utc::now()).is_without_logs(attempt.started_at)
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;

    fn attempt(log: &Path, started_at: DateTime<Utc>) -> PastAttempt {
        PastAttempt {
            n: 1,
            outcome: None,
            number: None,
            error: None,
            log: log.to_string_lossy().into_owned(),
            remote_id: None,
            started_at,
            ended_at: None,
            duration_ms: None,
        }
    }

    #[test]
    fn only_files_below_the_logs_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let logs = dir.path().join("logs");
        std::fs::create_dir_all(logs.join("d")).unwrap();
        std::fs::write(logs.join("1.log"), "out").unwrap();
        std::fs::write(dir.path().join("secret"), "s").unwrap();
        let began = |path: &str, at| LogFile::open(dir.path(), &attempt(&dir.path().join(path), at), &Retention::default());
        let open = |path: &str| began(path, Utc::now()).map_err(|error| error.to_string());
        let mut seen = Vec::new();
        let read = open("logs/1.log").unwrap().read(|bytes| {
            seen.extend_from_slice(bytes);
            Ok(true)
        });
        assert_eq!((read.unwrap(), seen), (true, b"out".to_vec()));
        assert_eq!(open("logs/2.log").unwrap_err(), "is not there");
        assert_eq!(began("logs/2.log", DateTime::UNIX_EPOCH).unwrap_err().to_string(), "is not there: logs are kept for 30d");
        assert!(open("logs/d").unwrap_err().contains("a directory"));
        for path in ["secret", "logs/../secret", "/etc/passwd"] {
            assert!(open(path).unwrap_err().contains("is not below"), "{path}");
        }
    }
}
