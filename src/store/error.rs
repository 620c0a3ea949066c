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
    /// Whether the database refused the values that it was given (a text too long for its column, a constraint), rather
    /// than failed: the same operation with other values may succeed.
    pub fn is_about_values(&self) -> bool {
        let Self::Query { source: sqlx::Error::Database(error), .. } = self else { return false };
        let code = error.code().unwrap_or_default();
        // PostgreSQL: data exception, integrity constraint violation. SQLite: SQLITE_CONSTRAINT and SQLITE_MISMATCH in
        // the low byte; its codes are decimal numbers of other lengths.
        let of_postgres = code.len() == 5 && (code.starts_with("22") || code.starts_with("23"));
        let of_sqlite = code.len() < 5 && code.parse::<u32>().is_ok_and(|code| matches!(code & 0xff, 19 | 20));
        of_postgres || of_sqlite
    }

    pub fn may_pass(&self) -> bool {
        matches!(self, Self::Unreachable { .. })
    }
}
