//! The production database.
//!
//! Our own tables are in the schema `etl_orch`, always named with it, so that nobody's `search_path` matters. A
//! session commits without waiting for the disk; what must be there after a power cut begins with `BEGIN_DURABLE`.

mod availability;
mod claims;
mod connections;
mod data_tables;
mod dialect;
mod endings;
mod migrations;
mod reports;
mod scan;
mod user_query;

use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::OnceCell;

pub(super) use migrations::schema_sql;

use self::connections::{Connections, Lease};
use self::data_tables::DataColumns;
use super::implement::implement_ports;
use super::{Access, Result, StoreError};
use crate::plan::model::settings::{ColumnName, Database, TableName};

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

implement_ports!(Postgres);

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

    /// The answer of an operation, or an error when the server does not answer in time. The scan may take longer: the server ends it
    /// by its `statement_timeout`.
    async fn answered<T>(&self, operation: impl Future<Output = Result<T>> + Send) -> Result<T> {
        tokio::time::timeout(PATIENCE, operation).await.unwrap_or_else(|_| {
            let reason = format!("no answer within {} s", PATIENCE.as_secs());
            Err(StoreError::Unreachable { target: self.target.clone(), reason })
        })
    }

    async fn lease(&self) -> Result<Lease<'_>> {
        self.connections.lease().await
    }

    async fn close(&self) {
        self.connections.close().await;
    }
}

/// Makes the error of an operation.
fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::of(doing, source, dialect::kind_of)
}
