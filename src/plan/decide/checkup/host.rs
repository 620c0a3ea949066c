//! What was found of the host: directories, the lock, processes.

use std::path::PathBuf;

use super::{Faults, Looked, Status};

/// Free bytes below which a file system is soon full, unless [`FREE_SHARE`] of it is free.
const FREE_BYTES: u64 = 1024 * 1024 * 1024;
/// One part in so many of a file system.
const FREE_SHARE: u64 = 10;

/// Free bytes below which a file system counts as full.
pub const LEAST_BYTES: u64 = 64 * 1024;

/// What the configuration needs of this host.
#[derive(Debug)]
pub struct HostFacts {
    /// Programs, directories in which they run, files of variables.
    pub programs: Faults,
    /// The programs that were found.
    pub programs_found: usize,
    /// Directories of reports.
    pub outputs: Faults,
    /// How many ETLs have one.
    pub outputs_named: usize,
    /// Directories of `availability.sync`.
    pub files: Faults,
    /// How many are named.
    pub files_named: usize,
    pub state_dir: Faults,
    pub state_dir_path: PathBuf,
    /// The ends of jobs that wait for the database.
    pub spool: Looked<Spooled>,
    pub volumes: Vec<(PathBuf, Looked<Volume>)>,
    pub lock_path: PathBuf,
    pub lock: LockState,
}

/// Ends of jobs in the spool.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Spooled {
    /// Those that the next run records.
    pub waiting: usize,
    /// Those that the database refused, or that cannot be read.
    pub refused: usize,
}

impl Spooled {
    #[must_use]
    pub fn status(self) -> Status {
        if self.waiting + self.refused == 0 { Status::Ok } else { Status::Warning }
    }
}

/// A file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Volume {
    /// Its number, by which two paths on it are known.
    pub device: u64,
    /// Bytes that this user may still write.
    pub free: u64,
    pub total: u64,
    /// Whether it is another host's, where a lock may not exclude.
    pub is_remote: bool,
}

impl Volume {
    /// Whether little of it is free, or nothing.
    #[must_use]
    pub fn status(self) -> Status {
        let is_low = self.free < FREE_BYTES && self.free < self.total / FREE_SHARE;
        if self.free < LEAST_BYTES {
            Status::Failed
        } else if is_low {
            Status::Warning
        } else {
            Status::Ok
        }
    }
}

/// What was seen of the lock, without taking it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockState {
    /// No run has made its file yet.
    Absent,
    Free,
    /// This host shows no holder, but the file names one, which may be on another host or in another container.
    Named {
        holder: String,
    },
    Held {
        holder: String,
        pid: u32,
    },
    /// It cannot be a lock; in a sentence.
    Unusable(String),
    Unknown(String),
}

impl LockState {
    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Absent | Self::Free | Self::Held { .. } => Status::Ok,
            Self::Named { .. } | Self::Unknown(_) => Status::Unknown,
            Self::Unusable(_) => Status::Failed,
        }
    }
}

/// A process of etl-orch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OwnProcess {
    pub pid: u32,
    /// How it was started.
    pub command: String,
}

/// The time zone in which times are shown and read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TimeZone {
    /// `TZ`, where it is set.
    pub named: Option<String>,
    /// Whether this host knows it.
    pub is_known: bool,
    /// The offset from UTC that holds now, such as `+01:00`.
    pub offset: String,
}

impl TimeZone {
    #[must_use]
    pub fn status(&self) -> Status {
        if self.is_known { Status::Ok } else { Status::Warning }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn little_is_free_where_neither_bytes_nor_the_share_are_enough() {
        let gib = 1024 * 1024 * 1024;
        for (free, total, status) in [
            (5 * gib, 1000 * gib, Status::Ok),
            (gib / 2, 2 * gib, Status::Ok),
            (gib / 2, 100 * gib, Status::Warning),
            (4096, gib, Status::Failed),
        ] {
            assert_eq!(Volume { device: 1, free, total, is_remote: false }.status(), status, "{free} of {total}");
        }
    }
}
