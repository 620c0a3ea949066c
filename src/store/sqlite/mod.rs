//! The embedded database: one file, one connection.
//!
//! Our own tables stand beside the data. Everything that writes is a transaction that takes the write lock at its
//! beginning, since one that reads first and then writes would be refused when another process wrote in between.

mod availability;
mod claims;
mod collected;
mod connect;
mod containment;
mod data_tables;
mod endings;
mod history;
mod migrations;
mod orders;
mod question;
mod reports;
mod scan;
mod sources;

use std::path::PathBuf;

use chrono::{DateTime, Utc};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Connection, Sqlite as Driver, Transaction};
use tokio::sync::{MappedMutexGuard, Mutex, MutexGuard, OnceCell};

pub(super) use migrations::schema_sql;

use super::columns::Column;
use super::delegate::implement_store;
use super::{Access, Available, Result, ScanRequest, Scanned, StoreError};
use crate::plan::model::etl::Pool;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{
    AttemptEnd, Begun, Claim, ClaimRequest, Claimed, NewJob, NewRun, ReportKey, RunCounts, RunState, RunningJob, RunningRun, Watched,
};
use crate::plan::model::orders::{CancelAnswer, FoundJob, GapOrder, SourceOrder};
use crate::plan::model::period::Period;
use crate::plan::model::settings::{ColumnName, TableName};
use crate::plan::model::window::Window;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::{FailureHistory, GapState};
use crate::plan::remember::source_state::{QueuedWindow, SourceState};
use crate::plan::run::job_end::{Finished, JobEnd};

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
    /// A disk that was full or a write lock that was not to be had may have left it in the middle of a transaction: it is made
    /// anew for the next operation.
    Broken,
    /// The store was closed.
    Closed,
}

implement_store!(Sqlite);

impl Sqlite {
    async fn connection(&self) -> Result<MappedMutexGuard<'_, SqliteConnection>> {
        let mut session = self.session.lock().await;
        if matches!(*session, Session::Broken) {
            *session = Session::Open(Box::new(self.connect_again().await?));
        }
        let open = MutexGuard::try_map(session, |session| match session {
            Session::Open(connection) => Some(&mut **connection),
            Session::Broken | Session::Closed => None,
        });
        open.map_err(|_| StoreError::Query { doing: "using a database that was closed", source: sqlx::Error::PoolClosed })
    }

    /// The answer. A file always gives one, at the latest after its busy timeout.
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
            // Everything is committed by now; what is left behind is a log that the next connection folds in.
            tracing::warn!(database = %self.target, %error, "the database was not closed cleanly");
        }
    }
}

/// A transaction that is going to write.
async fn begin_write(connection: &mut SqliteConnection) -> sqlx::Result<Transaction<'_, Driver>> {
    connection.begin_with("BEGIN IMMEDIATE").await
}
