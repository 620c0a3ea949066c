//! Why a run could not be done.

use std::path::PathBuf;

use crate::store::StoreError;

/// The orchestrator could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A process that a dead run left cannot be ended, so its gap must not be started again.
    #[error(transparent)]
    Survivors(std::io::Error),
    /// The files that availability is learnt from cannot be read.
    #[error("cannot look for files of availability.sync: {0}")]
    Sync(std::io::Error),
    /// Logs and workspaces have no place.
    #[error("cannot write to {0}: {1}; make it writable and see that it has room, or name another directory as state_dir")]
    StateDir(PathBuf, std::io::Error),
    /// Planning took longer than the lease.
    #[error("another host took this run for dead before it had planned; lengthen the lease")]
    TakenForDead,
    /// The database keeps silent at the very end.
    #[error("the database does not answer, so that the end of the run is not on record; the next run closes it")]
    Silent,
    /// A stop was asked for while the run found out what there is to do.
    #[error("stopped before anything was started")]
    Stopped,
}
