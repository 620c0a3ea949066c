//! The connections: made when they are needed, kept for the next use, never more than the configured number.
//!
//! The driver's own pool would hide why it cannot connect behind "timed out", connect once more than needed at the
//! start, and ask the server after every use whether it is still there.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};

use super::connect_options::ConnectOptions;
use super::failed;
use crate::plan::decide::checkup::Transport;
use crate::plan::model::settings::{Database, Durability};
use crate::store::shared::operation_log::log_connection;
use crate::store::{Access, Result, StoreError};

/// A connection that was idle for longer is asked whether it still works: a firewall may have forgotten it.
const STALE: Duration = Duration::from_secs(1);

/// A commit waits at least for the disk of the server, and of the standbys that the server is to wait for. Where the server is set to wait
/// for more, it does.
const COMMIT_TO_DISK: &str = "SELECT set_config('synchronous_commit', 'on', false) \
                              WHERE current_setting('synchronous_commit') NOT IN ('on', 'remote_apply')";

/// A database of no encoding holds any bytes. Told to send UTF-8, its server would refuse a whole answer for one byte that is none.
const TAKE_ANY_BYTES: &str =
    "SELECT set_config('client_encoding', 'SQL_ASCII', false) WHERE current_setting('server_encoding') = 'SQL_ASCII'";

/// The connections of one store.
#[derive(Debug)]
pub(super) struct Connections {
    how: ConnectOptions,
    durability: Durability,
    target: String,
    permits: Semaphore,
    idle: Mutex<Vec<(PgConnection, Instant)>>,
}

/// A connection in use. It is kept only if [`Lease::settle`] sees a success. Otherwise it is dropped, which ends at once whatever
/// transaction and locks it has.
pub(super) struct Lease<'a> {
    connection: PgConnection,
    home: &'a Connections,
    _permit: SemaphorePermit<'a>,
}

impl Connections {
    pub(super) fn new(database: &Database, url: &SecretString, access: Access) -> Result<Self> {
        let target = database.target.to_string();
        let how = ConnectOptions::new(url.expose_secret(), access)
            .map_err(|error| StoreError::Unreachable { target: target.clone(), reason: error.to_string() })?;
        let permits = Semaphore::new(usize::try_from(database.max_connections.max(1)).unwrap_or(1));
        Ok(Self { how, durability: database.durability, target, permits, idle: Mutex::default() })
    }

    /// The name of the database user.
    pub(super) fn user(&self) -> &str {
        self.how.user()
    }

    /// How connections are made, given whether the server says that they are encrypted.
    pub(super) fn transport(&self, is_encrypted: bool) -> Transport {
        self.how.transport(is_encrypted)
    }

    /// A connection that works, or at once the reason why there is none.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let permit = self.permits.acquire().await.map_err(|_| self.unreachable("the connection was closed"))?;
        while let Some((mut connection, since)) = self.take_idle() {
            if since.elapsed() < STALE || matches!(timeout(self.how.timeout(), connection.ping()).await, Ok(Ok(()))) {
                return Ok(Lease { connection, home: self, _permit: permit });
            }
        }
        match timeout(self.how.timeout(), self.connect()).await {
            Ok(Ok(connection)) => Ok(Lease { connection, home: self, _permit: permit }),
            Ok(Err(error)) => Err(self.unreachable(&self.how.reason(&error))),
            Err(_) => Err(self.unreachable(&format!("{} does not answer", self.how.place()))),
        }
    }

    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let began = Instant::now();
        let mut connection = self.how.connect().await?;
        let durability = match self.durability {
            Durability::Full => COMMIT_TO_DISK,
            Durability::Relaxed => "SET synchronous_commit = off",
        };
        let settings = format!("{durability}; {TAKE_ANY_BYTES}; {}", ConnectOptions::LOOK);
        let rows = sqlx::raw_sql(AssertSqlSafe(settings)).fetch_all(&mut connection).await?;
        self.how.look(rows.last().ok_or(sqlx::Error::RowNotFound)?, &mut connection).await?;
        log_connection(&self.target, began.elapsed());
        Ok(connection)
    }

    /// Ends the connections that are not in use and hands out no more.
    pub(super) async fn close(&self) {
        self.permits.close();
        while let Some((connection, _)) = self.take_idle() {
            if let Err(error) = connection.close().await {
                // Nothing is open in it, and the server notices a closed socket.
                tracing::debug!(%error, "a connection did not end in order: {error}");
            }
        }
    }

    fn take_idle(&self) -> Option<(PgConnection, Instant)> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: PgConnection) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).push((connection, Instant::now()));
    }

    /// Drops the idle connections.
    fn forget(&self) {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }

    fn unreachable(&self, reason: &str) -> StoreError {
        StoreError::Unreachable { target: self.target.clone(), reason: reason.to_owned() }
    }
}

impl Lease<'_> {
    /// Gives the connection back. `doing` says in an error what failed.
    pub(super) fn settle<T>(self, doing: &'static str, result: sqlx::Result<T>) -> Result<T> {
        match result {
            Ok(value) => {
                if !self.home.permits.is_closed() {
                    self.home.keep(self.connection);
                }
                Ok(value)
            }
            Err(source) => {
                if is_severed(&source) {
                    self.home.forget();
                }
                Err(failed(doing)(source))
            }
        }
    }
}

/// Whether the server or the network ended this connection, as in a restart: then the idle ones have ended too.
fn is_severed(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(_) | sqlx::Error::Protocol(_) => true,
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code.starts_with("08") || code.starts_with("57P")),
        _ => false,
    }
}

impl Deref for Lease<'_> {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        &self.connection
    }
}

impl DerefMut for Lease<'_> {
    fn deref_mut(&mut self) -> &mut PgConnection {
        &mut self.connection
    }
}
