//! What can go wrong with the database, by what a caller can do about it.

use sqlx::migrate::MigrateError;

use crate::plan::text::size::shortened;

/// Most bytes of what the database says in an error.
const MOST_BYTES: usize = 2000;

/// An operation on the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no answer, or the server refuses us.
    #[error("cannot reach the database {target}: {}", shortened(reason, MOST_BYTES))]
    Unreachable {
        /// The database, without its password.
        target: String,
        /// In the driver's words.
        reason: String,
    },
    /// The file of the database is no longer at its path. What was recorded meanwhile may be in none that will be opened again.
    #[error(
        "{target}: {what} while it was in use, and nothing more is recorded; put back what was there, then start etl-orch again, \
         which otherwise works with what it finds"
    )]
    Replaced {
        /// The database.
        target: String,
        /// What became of the file, such as `its file was removed`.
        what: &'static str,
    },
    /// What is in the database is not what is needed; running cannot start. Says which table or column, and the way out.
    #[error("{0}")]
    Schema(String),
    /// The database user lacks rights. Says which, and the statement that grants them.
    #[error("{0}")]
    Rights(String),
    /// A row that was written is not in the table, though the database reported no error. Nothing of the operation was kept.
    #[error("{0}")]
    NotKept(NotKept),
    /// An operation failed. Says which.
    #[error("{doing}: {}", shortened(&in_words(source), MOST_BYTES))]
    Query {
        /// What was being done, such as `recording the end of an attempt`.
        doing: &'static str,
        /// What the failure means.
        kind: FailureKind,
        /// In the driver's words.
        source: sqlx::Error,
    },
}

/// What the driver says. Of the database the message alone: the driver adds a number or, of PostgreSQL, a line of the server's own source.
pub(super) fn in_words(error: &sqlx::Error) -> String {
    match error {
        sqlx::Error::Database(found) => found.message().to_owned(),
        sqlx::Error::Migrate(found) => match &**found {
            MigrateError::Execute(cause) => in_words(cause),
            MigrateError::ExecuteMigration(cause, version) => format!("version {version}: {}", in_words(cause)),
            other => other.to_string(),
        },
        other => other.to_string(),
    }
}

/// A row that was written, and is not there.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the row that was written to {table} is not there: a rule, trigger, view or policy on it keeps it out; remove that")]
pub struct NotKept {
    /// The table, with its schema where it has one.
    pub table: String,
}

impl NotKept {
    /// As an error of the driver, which ends the transaction that wrote the row. [`StoreError::of`] finds it again.
    pub(super) fn error(table: impl Into<String>) -> sqlx::Error {
        sqlx::Error::AnyDriverError(Box::new(Self { table: table.into() }))
    }
}

/// What a failure means. Each adapter knows the codes of its database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailureKind {
    /// The database is away, out of room, or another process was in the way.
    Passing,
    /// The statement took too long and was ended.
    Interrupted,
    /// The statement writes, and the connection or the database only reads.
    ReadOnly,
    /// A text has a character that the encoding of the database lacks.
    Characters,
    /// The database refused the values: a text too long for its column, a constraint, a trigger that raises.
    Values,
    /// Everything else.
    Lasting,
}

impl FailureKind {
    /// The kind of an error of the driver; `of_code` knows the codes of the database.
    pub(super) fn of(error: &sqlx::Error, of_code: impl FnOnce(&str) -> Self) -> Self {
        use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Protocol, WorkerCrashed};
        match error {
            Database(error) => error.code().map_or(Self::Lasting, |code| of_code(&code)),
            Io(_) | PoolTimedOut | PoolClosed | WorkerCrashed | Protocol(_) => Self::Passing,
            _ => Self::Lasting,
        }
    }
}

impl StoreError {
    /// The error of an operation: `of_code` knows what the codes of the database mean.
    pub(super) fn of(doing: &'static str, source: sqlx::Error, of_code: impl FnOnce(&str) -> FailureKind) -> Self {
        if let sqlx::Error::AnyDriverError(error) = &source
            && let Some(not_kept) = error.downcast_ref::<NotKept>()
        {
            return Self::NotKept(not_kept.clone());
        }
        Self::Query { doing, kind: FailureKind::of(&source, of_code), source }
    }

    /// Whether a row was written without an error and is not there: the database is set up so that it cannot be.
    pub fn is_not_kept(&self) -> bool {
        matches!(self, Self::NotKept(_))
    }

    /// Whether the database refused the values that it was given, rather than failed: the same operation with other values may
    /// succeed.
    pub fn is_about_values(&self) -> bool {
        matches!(self, Self::Query { kind: FailureKind::Values | FailureKind::Characters, .. })
    }

    /// Whether a text has a character that the encoding of the database lacks.
    pub(super) fn is_about_characters(&self) -> bool {
        matches!(self, Self::Query { kind: FailureKind::Characters, .. })
    }

    /// Whether the database cannot be reached, so that nothing else can be asked of it either.
    pub fn is_unreachable(&self) -> bool {
        matches!(self, Self::Unreachable { .. } | Self::Replaced { .. })
    }

    /// Whether the operation took too long. Others may take as long.
    pub fn is_interrupted(&self) -> bool {
        matches!(self, Self::Query { kind: FailureKind::Interrupted, .. })
    }

    /// Whether trying again, or later, may help.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Unreachable { .. } => true,
            Self::Schema(_) | Self::Rights(_) | Self::NotKept(_) | Self::Replaced { .. } => false,
            Self::Query { kind, .. } => match kind {
                // A server that stands in for another may only read for a while.
                FailureKind::Passing | FailureKind::Interrupted | FailureKind::ReadOnly => true,
                FailureKind::Characters | FailureKind::Values | FailureKind::Lasting => false,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_connection_passes_and_what_the_driver_cannot_read_does_not() {
        let kind = |error: &sqlx::Error| FailureKind::of(error, |_| FailureKind::Values);
        let gone = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        for error in [
            sqlx::Error::Io(gone()),
            sqlx::Error::PoolTimedOut,
            sqlx::Error::PoolClosed,
            sqlx::Error::WorkerCrashed,
            sqlx::Error::Protocol("x".into()),
        ] {
            assert_eq!(kind(&error), FailureKind::Passing, "{error}");
        }
        for error in [sqlx::Error::RowNotFound, sqlx::Error::ColumnNotFound("x".into()), sqlx::Error::Decode("x".into())] {
            assert_eq!(kind(&error), FailureKind::Lasting, "{error}");
        }
        assert!(StoreError::Unreachable { target: "t".into(), reason: "r".into() }.may_pass());
        assert!(!StoreError::Schema("no".into()).may_pass());
    }
}
