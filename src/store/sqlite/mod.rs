//! The embedded database: one file, one connection.
//!
//! Our own tables stand beside the data.

mod availability;
mod changes;
mod claims;
mod compact;
mod connect;
mod data_tables;
mod dialect;
mod endings;
mod file;
mod migrations;
mod reports;
mod scan;
mod server;
mod user_query;

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{Mutex, MutexGuard, OnceCell};

pub(super) use migrations::schema_sql;

use self::file::{DatabaseFile, FileId};
use super::implement::implement_ports;
use super::shared::cell::Named;
use super::shared::data_columns::Column;
use super::shared::patience::Patience;
use super::{Result, StoreError};
use crate::plan::model::settings::{ColumnName, Durability, TableName};

/// The adapter.
#[derive(Debug)]
pub(super) struct Sqlite {
    session: Mutex<Session>,
    path: PathBuf,
    durability: Durability,
    /// The file that is written to; `None` where nothing is written.
    file: Option<DatabaseFile>,
    /// Whether an empty database in memory stands in for a file that is not there.
    is_in_memory: bool,
    patience: Patience,
    /// The database as messages name it.
    target: String,
    availability: TableName,
    version_column: Option<ColumnName>,
    reports: TableName,
    /// Our own tables; without them history is empty.
    state_tables: StateTables,
    malformed: Named,
    report_columns: OnceCell<Vec<Column>>,
}

/// The one connection.
#[derive(Debug)]
enum Session {
    /// Nobody uses it. With the log that it was seen to have.
    Idle(Box<SqliteConnection>, Option<FileId>),
    /// An operation has it, or its last one did not succeed: then it is gone, and the next operation makes another.
    Away,
    /// Its file or its log was gone after the last operation. It is closed before another is made: that saves what is in the log.
    Leaving(Box<SqliteConnection>),
    /// The store was closed.
    Closed,
}

/// The connection in use by one operation. It is kept only if [`Lease::settle`] sees a success. Otherwise it is dropped, which ends
/// whatever transaction it has: after a failed write, or an operation that was given up, nobody knows the state it is in.
struct Lease<'a> {
    connection: Box<SqliteConnection>,
    log: Option<FileId>,
    session: MutexGuard<'a, Session>,
    home: &'a Sqlite,
}

implement_ports!(Sqlite);

impl Sqlite {
    async fn lease(&self) -> Result<Lease<'_>> {
        let mut session = self.session.lock().await;
        match std::mem::replace(&mut *session, Session::Away) {
            Session::Idle(mut connection, log) => {
                if is_between_transactions(&mut connection).await {
                    return Ok(Lease { connection, log, session, home: self });
                }
            }
            Session::Leaving(connection) => {
                if let Err(error) = connection.close().await {
                    tracing::warn!(database = %self.target, %error, "a connection to {} was not closed cleanly: {error}", self.target);
                }
            }
            Session::Away => {}
            Session::Closed => {
                *session = Session::Closed;
                return Err(failed("using a database that was closed")(sqlx::Error::PoolClosed));
            }
        }
        Ok(Lease { connection: Box::new(self.connect_again().await?), log: None, session, home: self })
    }

    /// The answer of an operation. A file always gives one, at the latest after its busy timeout, but not always in time for a caller
    /// in a hurry.
    async fn answered<T>(&self, operation: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.patience.limit(None, operation).await
    }

    async fn close(&self) {
        let closed = async {
            let session = std::mem::replace(&mut *self.session.lock().await, Session::Closed);
            match session {
                Session::Idle(connection, _) | Session::Leaving(connection) => {
                    connection.close().await.map_err(failed("closing the database"))
                }
                Session::Away | Session::Closed => Ok(()),
            }
        };
        if let Err(error) = self.answered(closed).await {
            // Everything is committed. What is left behind is a log, which the next connection merges into the file.
            tracing::warn!(database = %self.target, %error, "{} was not closed cleanly: {error}", self.target);
        }
    }
}

/// Whether no transaction is open. One that an operation dropped is rolled back in the background, which may fail.
async fn is_between_transactions(connection: &mut SqliteConnection) -> bool {
    // The ping is answered after the rollback.
    !connection.is_in_transaction() || (connection.ping().await.is_ok() && !connection.is_in_transaction())
}

impl Lease<'_> {
    /// Gives the connection back. `doing` says in an error what failed.
    ///
    /// # Errors
    /// The operation's own, or that what it did went into a file that is no longer at its path.
    fn settle<T>(self, doing: &'static str, result: sqlx::Result<T>) -> Result<T> {
        let Self { connection, mut log, mut session, home } = self;
        let value = result.map_err(failed(doing))?;
        if let Some(Err(error)) = home.file.as_ref().map(|file| file.check(&home.target, &mut log)) {
            *session = Session::Leaving(connection);
            return Err(error);
        }
        *session = Session::Idle(connection, log);
        Ok(value)
    }
}

impl Deref for Lease<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.connection
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }
}

/// Makes the error of an operation.
fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::of(doing, source, dialect::kind_of)
}
