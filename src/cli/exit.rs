//! The exit codes, and the errors that lead to them.

use crate::config::ConfigErrors;
use crate::run::RunError;
use crate::run::lock::LockError;
use crate::store::StoreError;

/// The exit codes as users read them, in `--help` and in the manual.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0      success, nothing to do, or a dry run; also: another run is active and one already waits
  1      some jobs failed after their retries, or etl-orch could not do its work
  2      usage or configuration error; nothing was started
  75     the lock is held and --lock-wait ran out
  128+n  ended by signal n after stopping its children
With --detailed-exit-code: 3 some jobs failed, 4 a dry run found gaps";

/// How the process ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Exit {
    /// Success, nothing to do, or a dry run.
    Success,
    /// Some jobs failed after their retries.
    JobsFailed {
        /// `--detailed-exit-code`.
        detailed: bool,
    },
    /// The orchestrator could not do its work.
    Orchestrator,
    /// Usage or configuration error; nothing was started.
    Usage,
    /// `--detailed-exit-code`: a dry run found gaps.
    GapsFound,
    /// The lock is held and `--lock-wait` ran out.
    LockHeld,
    /// Ended by this signal, after stopping its children.
    Signal(i32),
    /// The code of the orchestrator, which this process guarded.
    PassedOn(u8),
}

impl Exit {
    /// The number.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Orchestrator | Self::JobsFailed { detailed: false } => 1,
            Self::Usage => 2,
            Self::JobsFailed { detailed: true } => 3,
            Self::GapsFound => 4,
            Self::LockHeld => 75,
            Self::PassedOn(code) => code,
            Self::Signal(signal) => 128_u8.saturating_add(u8::try_from(signal).unwrap_or_default()),
        }
    }
}

/// Why a command could not do its work, as the user reads it.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    /// The options contradict each other, or name something unknown.
    #[error("error: {0}")]
    Usage(String),
    /// The configuration has these errors, one on each line.
    #[error("{0}")]
    Config(#[from] ConfigErrors),
    /// The tables of the database are not as they must be.
    #[error("error: {0}")]
    Schema(String),
    /// The orchestrator could not do its work.
    #[error("error: {0}")]
    Orchestrator(String),
}

impl Failure {
    /// The lines that are printed of it. What the database or the system says in one is not cut at its line ends: only our own words
    /// begin a line.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = self.to_string();
        match self {
            Self::Usage(_) | Self::Config(_) => text.lines().map(str::to_owned).collect(),
            Self::Schema(_) | Self::Orchestrator(_) => vec![text],
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Schema(_) => Exit::Usage,
            Self::Orchestrator(_) => Exit::Orchestrator,
        }
    }
}

impl From<StoreError> for Failure {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Schema(_) => Self::Schema(error.to_string()),
            StoreError::Unreachable { .. }
            | StoreError::Replaced { .. }
            | StoreError::Rights(_)
            | StoreError::NotKept(_)
            | StoreError::Query { .. } => Self::Orchestrator(error.to_string()),
        }
    }
}

impl From<RunError> for Failure {
    fn from(error: RunError) -> Self {
        match error {
            RunError::Store(error) => error.into(),
            RunError::Sync(_)
            | RunError::StateDir(..)
            | RunError::Spool(..)
            | RunError::Rights(_)
            | RunError::ForeignStateDir { .. }
            | RunError::Survivors(_)
            | RunError::DatabaseGone(..)
            | RunError::NoAnswer
            | RunError::LeaseLost
            | RunError::Stopped => Self::Orchestrator(error.to_string()),
        }
    }
}

impl From<LockError> for Failure {
    fn from(error: LockError) -> Self {
        Self::Orchestrator(error.to_string())
    }
}

/// stdout could not be written.
impl From<std::io::Error> for Failure {
    fn from(error: std::io::Error) -> Self {
        Self::Orchestrator(format!("cannot write to stdout: {error}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exit_has_its_documented_code() {
        for (exit, code) in [
            (Exit::Success, 0),
            (Exit::JobsFailed { detailed: false }, 1),
            (Exit::Orchestrator, 1),
            (Exit::Usage, 2),
            (Exit::JobsFailed { detailed: true }, 3),
            (Exit::GapsFound, 4),
            (Exit::LockHeld, 75),
            (Exit::Signal(2), 130),
            (Exit::Signal(15), 143),
        ] {
            assert_eq!(exit.code(), code, "{exit:?}");
            let text = if code > 128 { "128+n".to_owned() } else { code.to_string() };
            assert!(EXIT_CODES.split_whitespace().any(|word| word == text), "{text} is not explained");
        }
    }
}
