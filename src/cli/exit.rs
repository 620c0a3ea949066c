//! The exit codes, and the errors that lead to them.

use crate::config::{ConfigError, ConfigErrors};
use crate::run::RunError;
use crate::run::lock::LockError;
use crate::show::outcome::Cause;
use crate::store::StoreError;

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
    /// `--detailed-exit-code`: something is missing, and none of it may be made now.
    HeldBack,
    /// `health`: something does not work.
    Unhealthy,
    /// `health`: not everything is known.
    HealthUnknown,
    /// `health`: it could not be judged.
    HealthError,
    /// The lock is held and `--lock-wait` ran out.
    LockHeld,
    /// Ended by this signal, after stopping its children.
    Signal(i32),
    /// The code of the orchestrator, which this process guarded.
    PassedOn(u8),
}

impl Exit {
    /// Whether it is code 0 to who does not ask for `--detailed-exit-code`.
    pub(super) fn is_success(self) -> bool {
        match self {
            Self::Success | Self::GapsFound | Self::HeldBack | Self::PassedOn(0) => true,
            Self::JobsFailed { .. }
            | Self::Orchestrator
            | Self::Usage
            | Self::Unhealthy
            | Self::HealthUnknown
            | Self::HealthError
            | Self::LockHeld
            | Self::Signal(_)
            | Self::PassedOn(_) => false,
        }
    }

    /// The number.
    pub(super) fn code(self) -> u8 {
        match self {
            Self::Success => 0,
            Self::Orchestrator | Self::JobsFailed { detailed: false } | Self::Unhealthy => 1,
            Self::Usage => 2,
            Self::JobsFailed { detailed: true } | Self::HealthUnknown => 3,
            Self::GapsFound | Self::HealthError => 4,
            Self::HeldBack => 5,
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
    /// The lock is held, and the time to wait for it is over.
    #[error("error: {0}")]
    LockHeld(String),
    /// This signal stopped the process before anything was started.
    #[error("{}", RunError::Stopped)]
    Stopped(i32),
    /// This signal ended the process, or what it guards, before there was a result.
    #[error("error: {1}")]
    Ended(i32, String),
    /// A panic, which is on stderr already.
    #[error("{0}")]
    Bug(String),
}

impl Failure {
    /// The lines that are printed of it. What the database or the system says in one is not cut at its line ends: only our own words
    /// begin a line.
    pub(super) fn lines(&self) -> Vec<String> {
        let text = self.to_string();
        match self {
            Self::Usage(_) | Self::Config(_) => text.lines().map(str::to_owned).collect(),
            Self::Schema(_) | Self::Orchestrator(_) | Self::LockHeld(_) | Self::Stopped(_) | Self::Ended(..) => vec![text],
            Self::Bug(_) => Vec::new(),
        }
    }

    /// The whole of it for programs, without the word `error`.
    pub(super) fn message(&self) -> String {
        match self {
            Self::Usage(text) => text.replace("\nerror: ", "\n"),
            Self::Config(_) | Self::Stopped(_) => self.to_string(),
            Self::Schema(text) | Self::Orchestrator(text) | Self::LockHeld(text) | Self::Ended(_, text) | Self::Bug(text) => text.clone(),
        }
    }

    /// The single mistakes, where there may be several.
    pub(super) fn causes(&self) -> Vec<Cause> {
        match self {
            Self::Usage(_) => {
                let cause = |line: &str| Cause { file: None, line: None, column: None, message: line.to_owned() };
                self.message().lines().map(cause).collect()
            }
            Self::Config(errors) => errors.iter().map(cause_in_file).collect(),
            Self::Schema(_) | Self::Orchestrator(_) | Self::LockHeld(_) | Self::Stopped(_) | Self::Ended(..) | Self::Bug(_) => Vec::new(),
        }
    }

    /// The kind of error, for programs. These names are never changed.
    pub(super) fn class(&self) -> &'static str {
        match self {
            Self::Usage(_) => "usage",
            Self::Config(_) => "configuration",
            Self::Schema(_) => "tables",
            Self::Orchestrator(_) => "unable",
            Self::LockHeld(_) => "lock_held",
            Self::Stopped(_) | Self::Ended(..) => "ended_by_signal",
            Self::Bug(_) => "bug",
        }
    }

    pub(super) fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Config(_) | Self::Schema(_) => Exit::Usage,
            Self::Orchestrator(_) | Self::Bug(_) => Exit::Orchestrator,
            Self::LockHeld(_) => Exit::LockHeld,
            Self::Stopped(signal) | Self::Ended(signal, _) => Exit::Signal(*signal),
        }
    }
}

fn cause_in_file(error: &ConfigError) -> Cause {
    Cause {
        file: error.file.as_ref().map(|file| file.display().to_string()),
        line: error.at.map(|at| at.line),
        column: error.at.map(|at| at.column),
        message: error.message.clone(),
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
            | RunError::Signals(_)
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
    use std::io;
    use std::path::PathBuf;

    use super::super::help::exit_status::exit_status;
    use super::*;
    use crate::store::NotKept;

    #[test]
    fn every_exit_has_its_documented_code() {
        for (exit, code) in [
            (Exit::Success, 0),
            (Exit::JobsFailed { detailed: false }, 1),
            (Exit::Orchestrator, 1),
            (Exit::Usage, 2),
            (Exit::JobsFailed { detailed: true }, 3),
            (Exit::GapsFound, 4),
            (Exit::HeldBack, 5),
            (Exit::Unhealthy, 1),
            (Exit::HealthUnknown, 3),
            (Exit::HealthError, 4),
            (Exit::LockHeld, 75),
            (Exit::Signal(2), 130),
            (Exit::Signal(15), 143),
        ] {
            assert_eq!(exit.code(), code, "{exit:?}");
            let text = if code > 128 { "128+n".to_owned() } else { code.to_string() };
            assert!(["", "health"].iter().any(|path| exit_status(path).any(|(code, _)| code == text)), "{text} is not explained");
        }
    }

    /// One of each kind; a new kind finds its place by the matches above, which name them all.
    #[test]
    fn alike_causes_have_alike_codes() {
        let (io, path) = (|| io::Error::other("no"), || PathBuf::from("p"));
        let unreachable = || StoreError::Unreachable { target: "t".into(), reason: "r".into() };
        let failures: [(Failure, &str, u8); 20] = [
            (Failure::Usage("x".into()), "usage", 2),
            (StoreError::Schema("x".into()).into(), "tables", 2),
            (RunError::Store(StoreError::Schema("x".into())).into(), "tables", 2),
            (unreachable().into(), "unable", 1),
            (RunError::Store(unreachable()).into(), "unable", 1),
            (StoreError::Replaced { target: "t".into(), what: "gone" }.into(), "unable", 1),
            (StoreError::Rights("x".into()).into(), "unable", 1),
            (RunError::Rights("x".into()).into(), "unable", 1),
            (StoreError::NotKept(NotKept { table: "t".into() }).into(), "unable", 1),
            (RunError::Survivors(io()).into(), "unable", 1),
            (RunError::Sync(io()).into(), "unable", 1),
            (RunError::StateDir(path(), io()).into(), "unable", 1),
            (RunError::Spool(path(), io()).into(), "unable", 1),
            (RunError::ForeignStateDir { path: path(), uid: 1 }.into(), "unable", 1),
            (RunError::DatabaseGone("t".into(), path()).into(), "unable", 1),
            (LockError::Io(path(), io()).into(), "unable", 1),
            (io().into(), "unable", 1),
            (Failure::LockHeld("x".into()), "lock_held", 75),
            (Failure::Stopped(15), "ended_by_signal", 143),
            (Failure::Bug("x".into()), "bug", 1),
        ];
        for (failure, class, code) in failures {
            assert_eq!((failure.class(), failure.exit().code()), (class, code), "{failure:?}");
        }
    }
}
