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
