//! The production database.
//!
//! Our own tables are in the schema `etl_orch`, always named with it, so that nobody's `search_path` matters.

mod availability;
mod claims;
mod connect_options;
mod connections;
mod data_tables;
mod dialect;
mod endings;
mod migrations;
mod reports;
mod rights;
mod scan;
mod server;
mod user_query;

use std::time::Duration;

use secrecy::SecretString;
use tokio::sync::OnceCell;

pub(super) use migrations::schema_sql;

use self::connections::{Connections, Lease};
use self::data_tables::DataColumns;
use super::implement::implement_ports;
use super::shared::cell::Named;
use super::shared::patience::Patience;
use super::{Access, Result, StoreError};
use crate::plan::model::settings::{ColumnName, Database, TableName};

/// How long a small statement may take before the server counts as gone. Giving up drops the connection with it.
const MOST: Duration = Duration::from_secs(60);

/// The adapter.
#[derive(Debug)]
pub(super) struct Postgres {
    connections: Connections,
    /// The database as messages name it.
    target: String,
    availability: TableName,
    version_column: Option<ColumnName>,
    reports: TableName,
    /// Our own tables; without them history is empty.
    state_tables: StateTables,
    malformed: Named,
    columns: OnceCell<DataColumns>,
    patience: Patience,
}

implement_ports!(Postgres);

impl Postgres {
    /// Connects, and migrates our own tables where [`Access`] allows it.
    pub(super) async fn open(database: &Database, url: &SecretString, access: Access) -> Result<Self> {
        let target = database.target.to_string();
        let connections = Connections::new(database, url, access)?;
        let state_tables = migrations::bring_up(&connections, &target, access).await?;
        Ok(Self {
            connections,
            target,
            availability: database.availability.clone(),
            version_column: database.version_column.clone(),
            reports: database.reports.clone(),
            state_tables,
            malformed: Named::default(),
            columns: OnceCell::new(),
            patience: Patience::new(database.target.to_string()),
        })
    }

    /// The answer of an operation, or an error when the server does not answer in time. The scan may take longer: the server ends it
    /// by its `statement_timeout`.
    async fn answered<T>(&self, operation: impl Future<Output = Result<T>> + Send) -> Result<T> {
        self.patience.limit(Some(MOST), operation).await
    }

    async fn lease(&self) -> Result<Lease<'_>> {
        self.connections.lease().await
    }

    /// The server's vacuum does it.
    #[expect(clippy::unused_async, reason = "SQLite has something to do")]
    async fn compact(&self) -> Result<Option<Compacted>> {
        Ok(None)
    }

    async fn close(&self) {
        let closed = async {
            self.connections.close().await;
            Ok(())
        };
        if let Err(error) = self.answered(closed).await {
            // Nothing is open in them, and the server notices closed sockets.
            tracing::debug!(%error, "the connections did not end in order: {error}");
        }
    }
}

/// Makes the error of an operation.
fn failed(doing: &'static str) -> impl FnOnce(sqlx::Error) -> StoreError {
    move |source| StoreError::of(doing, source, dialect::kind_of)
}
