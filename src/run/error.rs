//! Why a run could not be done.

use std::path::PathBuf;

use crate::store::StoreError;

/// The orchestrator could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The database user lacks rights. The statements grant them.
    #[error("the database does not let its user do what a run must, so nothing is started; have a DBA run: {0}")]
    Rights(String),
    /// It cannot be seen whether processes of a dead run go on, so that its gaps must not be started again.
    #[error("cannot look for processes that a dead run left: {0}")]
    Survivors(std::io::Error),
    /// A directory of `availability.sync` cannot be read.
    #[error("cannot look for files of availability.sync: {0}")]
    Sync(std::io::Error),
    /// A directory or file of `state_dir` cannot be written or read.
    #[error("cannot write to {0}: {1}; make it writable and see that it has room, or name another directory as state_dir")]
    StateDir(PathBuf, std::io::Error),
    /// The spool cannot be read. Jobs whose end may be in it are neither called lost nor started again.
    #[error("cannot read {0}, where the ends of jobs may wait: {1}; make it readable for the user that runs etl-orch")]
    Spool(PathBuf, std::io::Error),
    /// There is no SQLite file, and the spool holds ends that belong into one.
    #[error(
        "{0} is not there, but {1} holds ends that are to be recorded in it; put the file back, or remove them to begin with a new one"
    )]
    DatabaseGone(String, PathBuf),
    /// Another user could have written what is in `state_dir`.
    #[error(
        "{path} belongs to another user (uid {uid}), who can write there what etl-orch would take for its own records; run etl-orch as that \
             user, name another directory as state_dir, or chown it"
    )]
    ForeignStateDir { path: PathBuf, uid: u32 },
    /// Nobody could ask this process to stop.
    #[error("cannot listen for signals: {0}")]
    Signals(std::io::Error),
    /// Planning took longer than the lease, and another invocation recorded this run as lost.
    #[error("another host took this run for dead before it had planned; lengthen the lease")]
    LeaseLost,
    /// The database did not answer in time when the end of the run was to be recorded.
    #[error("the database does not answer, so that the end of the run is not on record; the next run closes it")]
    NoAnswer,
    /// A stop was asked for before the plan was recorded.
    #[error("stopped before anything was started")]
    Stopped,
}
