//! What can go wrong with the database, by what a caller can do about it.

/// An operation on the database failed.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// There is no answer, or the server refuses us.
    #[error("cannot reach the database {target}: {reason}")]
    Unreachable {
        /// The database, without its password.
        target: String,
        /// In the driver's words.
        reason: String,
    },
    /// What is in the database is not what is needed; running cannot start. Says which table or column, and the way out.
    #[error("{0}")]
    Schema(String),
    /// An operation failed. Says which.
    #[error("{doing}: {source}")]
    Query {
        /// What was being done, such as `recording the end of an attempt`.
        doing: &'static str,
        /// In the driver's words.
        source: sqlx::Error,
    },
}

impl StoreError {
    /// Whether the database refused the values that it was given (a text too long for its column, a constraint, a trigger that
    /// raises), rather than failed: the same operation with other values may succeed.
    pub fn is_about_values(&self) -> bool {
        let Self::Query { source: sqlx::Error::Database(error), .. } = self else { return false };
        let code = error.code().unwrap_or_default();
        // PostgreSQL: data exception, integrity constraint violation, PL/pgSQL error. SQLite: SQLITE_CONSTRAINT and SQLITE_MISMATCH in
        // the low byte; its codes are decimal numbers of other lengths.
        let of_postgres = code.len() == 5 && ["22", "23", "P0"].iter().any(|class| code.starts_with(class));
        let of_sqlite = code.len() < 5 && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 19 | 20));
        of_postgres || of_sqlite
    }

    /// Whether trying again, or later, may help: the database is away, out of room, or somebody was in our way.
    pub fn may_pass(&self) -> bool {
        use sqlx::Error::{Database, Io, PoolClosed, PoolTimedOut, Protocol, WorkerCrashed};
        match self {
            Self::Unreachable { .. } => true,
            Self::Schema(_) => false,
            Self::Query { source: Database(error), .. } => code_may_pass(&error.code().unwrap_or_default()),
            Self::Query { source, .. } => matches!(source, Io(_) | PoolTimedOut | PoolClosed | WorkerCrashed | Protocol(_)),
        }
    }
}

/// A code of either database: a SQLSTATE of 5 characters, or a result code of SQLite as a decimal number of fewer digits.
fn code_may_pass(code: &str) -> bool {
    if code.len() == 5 {
        // Connection exception, transaction rollback, insufficient resources, operator intervention; lock not available,
        // read-only transaction (a server that stood in for another and does no more).
        return matches!(code.get(..2), Some("08" | "40" | "53" | "57")) || matches!(code, "55P03" | "25006");
    }
    // BUSY, LOCKED, NOMEM, READONLY, IOERR, FULL, CANTOPEN and PROTOCOL in the low byte.
    code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 5 | 6 | 7 | 8 | 10 | 13 | 14 | 15))
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;
    use std::fmt;

    use sqlx::error::{DatabaseError, ErrorKind};

    use super::*;

    #[derive(Debug)]
    struct Refused(&'static str);

    impl fmt::Display for Refused {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl std::error::Error for Refused {}

    impl DatabaseError for Refused {
        fn message(&self) -> &'static str {
            self.0
        }

        fn code(&self) -> Option<Cow<'_, str>> {
            Some(self.0.into())
        }

        fn as_error(&self) -> &(dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn as_error_mut(&mut self) -> &mut (dyn std::error::Error + Send + Sync + 'static) {
            self
        }

        fn into_error(self: Box<Self>) -> Box<dyn std::error::Error + Send + Sync + 'static> {
            self
        }

        fn kind(&self) -> ErrorKind {
            ErrorKind::Other
        }
    }

    fn query(source: sqlx::Error) -> StoreError {
        StoreError::Query { doing: "asking", source }
    }

    fn refused(code: &'static str) -> StoreError {
        query(sqlx::Error::Database(Box::new(Refused(code))))
    }

    #[test]
    fn what_the_database_says_passes_where_it_is_in_trouble_and_not_where_we_are_wrong() {
        // PostgreSQL.
        for code in ["08006", "08001", "53300", "53100", "57P01", "57P02", "57P03", "57014", "40001", "40P01", "55P03", "25006"] {
            assert!(refused(code).may_pass(), "{code}");
        }
        for code in ["42P01", "42501", "23505", "22001", "55000", "25001", "XX000", "28P01"] {
            assert!(!refused(code).may_pass(), "{code}");
        }
        // SQLite, plain and extended codes.
        for code in ["5", "6", "7", "8", "10", "13", "14", "15", "261", "517", "266", "522", "3338", "1032", "526"] {
            assert!(refused(code).may_pass(), "{code}");
        }
        for code in ["1", "11", "17", "19", "20", "26", "787", "2067", "", "a"] {
            assert!(!refused(code).may_pass(), "{code}");
        }
    }

    #[test]
    fn a_lost_connection_passes_and_what_the_driver_cannot_read_does_not() {
        let gone = || std::io::Error::from(std::io::ErrorKind::UnexpectedEof);
        for error in [
            sqlx::Error::Io(gone()),
            sqlx::Error::PoolTimedOut,
            sqlx::Error::PoolClosed,
            sqlx::Error::WorkerCrashed,
            sqlx::Error::Protocol("x".into()),
        ] {
            assert!(query(error).may_pass());
        }
        for error in [sqlx::Error::RowNotFound, sqlx::Error::ColumnNotFound("x".into()), sqlx::Error::Decode("x".into())] {
            assert!(!query(error).may_pass());
        }
        assert!(StoreError::Unreachable { target: "t".into(), reason: "r".into() }.may_pass());
        assert!(!StoreError::Schema("no".into()).may_pass());
    }
}
