//! The embedded database: one file, one connection.
//!
//! Our own tables stand beside the data.

mod availability;
mod claims;
mod connect;
mod data_tables;
mod dialect;
mod endings;
mod migrations;
mod reports;
mod scan;
mod user_query;

use std::ops::{Deref, DerefMut};
use std::path::PathBuf;

use sqlx::Connection;
use sqlx::sqlite::SqliteConnection;
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, OnceCell};

pub(super) use migrations::schema_sql;

use super::implement::implement_ports;
use super::shared::data_columns::Column;
use super::{Access, Result, StoreError};
use crate::plan::model::settings::{ColumnName, TableName};

/// The adapter.
#[derive(Debug)]
pub(super) struct Sqlite {
    session: Mutex<Session>,
    path: PathBuf,
    access: Access,
    /// The database as messages name it.
    target: String,
    availability: TableName,
    version_column: Option<ColumnName>,
    reports: TableName,
    /// Whether our own tables are there; without them history is empty.
    has_history: bool,
    report_columns: OnceCell<Vec<Column>>,
}

/// The one connection.
#[derive(Debug)]
enum Session {
    /// In use.
    Open(Box<SqliteConnection>),
    /// A full disk or a write lock held by another process may have left it in the middle of a transaction. The next operation makes
    /// a new connection.
    Broken,
    /// The store was closed.
    Closed,
}

/// The connection in use by one operation.
struct Lease<'a>(MappedMutexGuard<'a, SqliteConnection>);

implement_ports!(Sqlite);

impl Sqlite {
    async fn lease(&self) -> Result<Lease<'_>> {
        let mut session = self.session.lock().await;
        if matches!(*session, Session::Broken) {
            *session = Session::Open(Box::new(self.connect_again().await?));
        }
        let open = MutexGuard::try_map(session, |session| match session {
            Session::Open(connection) => Some(&mut **connection),
            Session::Broken | Session::Closed => None,
        });
        open.map(Lease).map_err(|_| failed("using a database that was closed")(sqlx::Error::PoolClosed))
    }

    /// The answer of an operation. A file always gives one, at the latest after its busy timeout.
    async fn answered<T>(&self, operation: impl Future<Output = Result<T>> + Send) -> Result<T> {
        let answer = operation.await;
        if let Err(error) = &answer
            && error.may_pass()
            && self.access != Access::ReadOnly
        {
            let mut session = self.session.lock().await;
            if matches!(*session, Session::Open(_)) {
                *session = Session::Broken;
            }
        }
        answer
    }

    async fn close(&self) {
        let session = std::mem::replace(&mut *self.session.lock().await, Session::Closed);
        if let Session::Open(connection) = session
            && let Err(error) = connection.close().await
        {
            // Everything is committed. What is left behind is a log, which the next connection merges into the file.
            tracing::warn!(database = %self.target, %error, "the database was not closed cleanly");
        }
    }
}

impl Lease<'_> {
    /// Gives the connection back. `doing` says in an error what failed.
    fn settle<T>(self, doing: &'static str, result: sqlx::Result<T>) -> Result<T> {
        drop(self);
        result.map_err(failed(doing))
    }
}

impl Deref for Lease<'_> {
    type Target = SqliteConnection;

    fn deref(&self) -> &SqliteConnection {
        &self.0
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut SqliteConnection {
        &mut self.0
    }
}

/// Makes the error of an operation.
fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::of(doing, source, dialect::kind_of)
}
