//! The connections: made when they are needed, kept for the next use, never more than the configured number.
//!
//! The driver's own pool would hide why it cannot connect behind "timed out", connect once more than needed at the
//! start, and ask the server after every use whether it is still there.

use std::ops::{Deref, DerefMut};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::postgres::{PgConnectOptions, PgConnection, PgSslMode};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection};
use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::{Instant, timeout};
use url::Url;

use super::failed;
use crate::plan::model::settings::{Database, Durability};
use crate::store::{Access, Result, StoreError};

/// A host that does not answer is given up after this time.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
/// A statement that takes longer is ended by the server, so that nothing waits forever.
const STATEMENT_TIMEOUT: &str = "10min";
/// A client that is gone without a word, as behind a firewall that drops packets, does not keep its locks: the server ends a transaction
/// that is silent for 10 s, and a connection whose host does not answer for a minute.
const LIMITS_OF_GONE_CLIENTS: [(&str, &str); 4] = [
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];
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
    options: PgConnectOptions,
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
        let options = options(url.expose_secret(), access)
            .map_err(|error| StoreError::Unreachable { target: target.clone(), reason: error.to_string() })?;
        let permits = Semaphore::new(usize::try_from(database.max_connections.max(1)).unwrap_or(1));
        Ok(Self { options, durability: database.durability, target, permits, idle: Mutex::default() })
    }

    /// The name of the database user.
    pub(super) fn user(&self) -> &str {
        self.options.get_username()
    }

    /// A connection that works, or at once the reason why there is none.
    pub(super) async fn lease(&self) -> Result<Lease<'_>> {
        let permit = self.permits.acquire().await.map_err(|_| self.unreachable("the connection was closed"))?;
        while let Some((mut connection, since)) = self.take_idle() {
            if since.elapsed() < STALE || matches!(timeout(CONNECT_TIMEOUT, connection.ping()).await, Ok(Ok(()))) {
                return Ok(Lease { connection, home: self, _permit: permit });
            }
        }
        match timeout(CONNECT_TIMEOUT, self.connect()).await {
            Ok(Ok(connection)) => Ok(Lease { connection, home: self, _permit: permit }),
            Ok(Err(error)) => Err(self.unreachable(&self.reason(&error))),
            Err(_) => Err(self.unreachable(&format!("{} does not answer", self.place()))),
        }
    }

    async fn connect(&self) -> sqlx::Result<PgConnection> {
        let mut connection = self.options.connect().await?;
        let durability = match self.durability {
            Durability::Full => COMMIT_TO_DISK,
            Durability::Relaxed => "SET synchronous_commit = off",
        };
        sqlx::raw_sql(AssertSqlSafe(format!("{durability}; {TAKE_ANY_BYTES}"))).execute(&mut connection).await?;
        Ok(connection)
    }

    /// Ends the connections that are not in use and hands out no more.
    pub(super) async fn close(&self) {
        self.permits.close();
        while let Some((connection, _)) = self.take_idle() {
            if let Err(error) = connection.close().await {
                // Nothing is open in it, and the server notices a closed socket.
                tracing::debug!(%error, "a connection did not end in order");
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

    fn place(&self) -> String {
        match self.options.get_socket() {
            Some(directory) => format!("the socket in {}", directory.display()),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    fn reason(&self, error: &sqlx::Error) -> String {
        match error {
            sqlx::Error::Io(error) => format!("{}: {error}", self.place()),
            sqlx::Error::Database(error) => error.message().to_owned(),
            sqlx::Error::Tls(error) => {
                format!("{}: {error}; `?sslmode=` in the URL says otherwise how to use TLS", self.place())
            }
            other => other.to_string(),
        }
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

fn options(url: &str, access: Access) -> sqlx::Result<PgConnectOptions> {
    let url: Url = url.parse().map_err(|error: url::ParseError| sqlx::Error::Configuration(error.into()))?;
    let mut options = PgConnectOptions::from_url(&url)?.application_name("etl-orch").disable_statement_logging();
    // TLS is verified by default where there is a network between.
    let says_how = url.query_pairs().any(|(key, _)| key == "sslmode" || key == "ssl-mode") || std::env::var_os("PGSSLMODE").is_some();
    if !says_how && !is_local(&options) {
        options = options.ssl_mode(PgSslMode::VerifyFull);
    }
    options = options.options([("statement_timeout", STATEMENT_TIMEOUT)]).options(LIMITS_OF_GONE_CLIENTS);
    if access == Access::ReadOnly {
        options = options.options([("default_transaction_read_only", "on")]);
    }
    Ok(options)
}

fn is_local(options: &PgConnectOptions) -> bool {
    let host = options.get_host();
    options.get_socket().is_some()
        || host.starts_with('/')
        || host == "localhost"
        || host.trim_matches(['[', ']']).parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tls_is_verified_by_default_but_not_asked_of_this_host() {
        let mode = |url: &str| options(url, Access::ReadWrite).unwrap().get_ssl_mode();
        assert!(matches!(mode("postgres://u@db.example.com/d"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://u@db.example.com/d?sslmode=disable"), PgSslMode::Disable));
        assert!(!matches!(mode("postgres://u@127.0.0.1/d"), PgSslMode::VerifyFull));
        assert!(!matches!(mode("postgres://u@localhost/d?host=/run/postgresql"), PgSslMode::VerifyFull));
    }
}
