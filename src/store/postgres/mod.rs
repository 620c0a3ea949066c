//! The production database.
//!
//! Our own tables are in the schema `etl_orch`, always named with it, so that nobody's `search_path` matters. A
//! session commits without waiting for the disk; what must be there after a power cut begins with [`DURABLE`].

mod availability;
mod claims;
mod collected;
mod connections;
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

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use tokio::sync::OnceCell;

pub(super) use migrations::schema_sql;

use self::connections::Connections;
use self::data_tables::DataColumns;
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
use crate::plan::model::settings::{ColumnName, Database, TableName};
use crate::plan::model::window::Window;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::{FailureHistory, GapState};
use crate::plan::remember::source_state::{QueuedWindow, SourceState};
use crate::plan::run::job_end::{Finished, JobEnd};

/// Begins a transaction whose commit has reached the disk before it returns.
const DURABLE: &str = "BEGIN ISOLATION LEVEL READ COMMITTED; SET LOCAL synchronous_commit = on";

/// Begins a transaction for several statements, of which each sees what was committed before it.
const SMALL: &str = "BEGIN ISOLATION LEVEL READ COMMITTED";

/// How long a small statement may take before the server counts as gone. Giving up drops the connection with it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The adapter.
#[derive(Debug)]
pub(super) struct Postgres {
    connections: Connections,
    /// The database as messages name it.
    target: String,
    availability: TableName,
    version_column: Option<ColumnName>,
    reports: TableName,
    /// Whether our own tables are there; without them history is empty.
    has_history: bool,
    columns: OnceCell<DataColumns>,
}

implement_store!(Postgres);

impl Postgres {
    /// Connects, and migrates our own tables where [`Access`] allows it.
    pub(super) async fn open(database: &Database, url: &SecretString, access: Access) -> Result<Self> {
        let target = database.target.to_string();
        let connections = Connections::new(url, target.clone(), access, database.max_connections)?;
        let has_history = migrations::bring_up(&connections, &target, access).await?;
        Ok(Self {
            connections,
            target,
            availability: database.availability.clone(),
            version_column: database.version_column.clone(),
            reports: database.reports.clone(),
            has_history,
            columns: OnceCell::new(),
        })
    }

    /// The answer, unless the server keeps silent. The scan is not bounded so: the server itself ends it by its
    /// `statement_timeout`.
    async fn answered<T>(&self, operation: impl Future<Output = Result<T>> + Send) -> Result<T> {
        tokio::time::timeout(PATIENCE, operation).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", PATIENCE.as_secs());
            Err(StoreError::Unreachable { target: self.target.clone(), reason })
        })
    }

    async fn close(&self) {
        self.connections.close().await;
    }
}
