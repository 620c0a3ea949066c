//! How a connection is made: where to, with which TLS and which limits; and in words why there is none.

use std::net::IpAddr;
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgConnection, PgRow, PgSslMode};
use sqlx::{ConnectOptions as _, Row};
use tokio::time::timeout;
use url::Url;

use crate::plan::decide::checkup::{Transport, Verification};
use crate::store::Access;

/// A host that does not answer is given up after this time, unless the URL has a `connect_timeout`.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// What the server is told of a connection. A statement that takes longer than ten minutes is ended by the server, so that nothing waits
/// for ever. A client that is gone without a word, as behind a firewall that drops packets, does not keep its locks: the server ends a
/// transaction that is silent for 10 s, and a connection whose host does not answer for a minute.
const LIMITS: [(&str, &str); 5] = [
    ("statement_timeout", "10min"),
    ("idle_in_transaction_session_timeout", "10s"),
    ("tcp_keepalives_idle", "30"),
    ("tcp_keepalives_interval", "10"),
    ("tcp_keepalives_count", "3"),
];
const READ_ONLY: (&str, &str) = ("default_transaction_read_only", "on");

/// A pooler that shares sessions may have no second one to give; it is waited for so long.
const SECOND_SESSION: Duration = Duration::from_secs(3);

/// How to connect.
#[derive(Debug)]
pub(super) struct ConnectOptions {
    options: PgConnectOptions,
    timeout: Duration,
    access: Access,
    /// Whether a server that only stands in for the primary is refused.
    needs_primary: bool,
    /// The `sslmode` of the URL, if it has one.
    mode: Option<String>,
}

impl ConnectOptions {
    /// A query for what [`Self::look`] looks at.
    pub(super) const LOOK: &str = "SELECT current_setting('statement_timeout') = '10min', pg_catalog.pg_is_in_recovery()";

    /// Reads a URL whose parameters were checked.
    pub(super) fn new(url: &str, access: Access) -> sqlx::Result<Self> {
        let mut url: Url = url.parse().map_err(|error: url::ParseError| sqlx::Error::Configuration(error.into()))?;
        let get = |wanted: &str| url.query_pairs().find(|(name, _)| name == wanted).map(|(_, value)| value.into_owned());
        let (mode, connect_timeout, target) = (get("sslmode"), get("connect_timeout"), get("target_session_attrs"));
        let has_name = get("application_name").is_some();
        // The driver does not know the others.
        let of_driver = |name: &str| !["connect_timeout", "target_session_attrs", "channel_binding", "gssencmode"].contains(&name);
        let pairs: Vec<(String, String)> =
            url.query_pairs().filter(|(name, _)| of_driver(name)).map(|(name, value)| (name.into_owned(), value.into_owned())).collect();
        url.query_pairs_mut().clear().extend_pairs(&pairs);
        let mut options = PgConnectOptions::from_url(&url)?.disable_statement_logging().extra_float_digits(None);
        if !has_name {
            options = options.application_name("etl-orch");
        }
        // The brackets belong to the URL, and not to the address.
        let host = options.get_host().trim_matches(['[', ']']).to_owned();
        let options = with_tls(options.host(&host), mode.is_some(), pairs.iter().any(|(name, _)| name == "sslrootcert"));
        let this = Self {
            options,
            timeout: connect_timeout.and_then(|seconds| seconds.parse().ok()).map_or(CONNECT_TIMEOUT, Duration::from_secs),
            access,
            needs_primary: target.is_some_and(|target| target == "read-write" || target == "primary"),
            mode,
        };
        Ok(Self { options: this.options.clone().options(this.settings()), ..this })
    }

    /// The name of the database user.
    pub(super) fn user(&self) -> &str {
        self.options.get_username()
    }

    /// How long a connection may take.
    pub(super) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(super) async fn connect(&self) -> sqlx::Result<PgConnection> {
        self.options.connect().await
    }

    /// Checks what a new connection leads to, by the answer to [`Self::LOOK`]. A pooler in between, such as pgbouncer, may have dropped
    /// our settings. If the session is ours alone, they are made now.
    pub(super) async fn look(&self, answer: &PgRow, connection: &mut PgConnection) -> sqlx::Result<()> {
        let (has_settings, is_standby): (bool, bool) = (answer.try_get(0)?, answer.try_get(1)?);
        if is_standby && self.needs_primary {
            return Err(refusal("it is a standby, and target_session_attrs asks for the primary; name the primary's address"));
        }
        if has_settings {
            return Ok(());
        }
        if self.is_shared(connection).await? {
            return Err(refusal(IN_TRANSACTION_MODE));
        }
        for (name, value) in self.settings() {
            sqlx::query("SELECT set_config($1, $2, false)").bind(name).bind(value).execute(&mut *connection).await?;
        }
        Ok(())
    }

    /// Whether the pooler shares sessions between transactions: then this connection gets another session while a second connection
    /// holds the first.
    async fn is_shared(&self, connection: &mut PgConnection) -> sqlx::Result<bool> {
        let before = backend(connection).await?;
        let mut other = self.connect().await?;
        sqlx::raw_sql("BEGIN").execute(&mut other).await?;
        backend(&mut other).await?;
        match timeout(SECOND_SESSION, backend(connection)).await {
            Ok(after) => Ok(after? != before),
            // The pooler has no second session to give.
            Err(_) => Ok(true),
        }
    }

    /// How the connection is made, given whether the server says that it is encrypted.
    pub(super) fn transport(&self, is_encrypted: bool) -> Transport {
        let by_socket = self.options.get_socket().is_some() || self.options.get_host().starts_with('/');
        match self.options.get_ssl_mode() {
            _ if by_socket => Transport::Socket,
            _ if !is_encrypted && is_local(self.options.get_host()) => Transport::Loopback,
            _ if !is_encrypted => Transport::Plain,
            PgSslMode::VerifyFull => Transport::Encrypted(Verification::AuthorityAndHost),
            PgSslMode::VerifyCa => Transport::Encrypted(Verification::Authority),
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer | PgSslMode::Require => Transport::Encrypted(Verification::Nothing),
        }
    }

    fn settings(&self) -> impl Iterator<Item = (&'static str, &'static str)> + use<> {
        LIMITS.into_iter().chain(matches!(self.access, Access::ReadOnly | Access::Inspect).then_some(READ_ONLY))
    }

    /// The server as messages name it.
    pub(super) fn place(&self) -> String {
        match self.options.get_socket() {
            Some(directory) => format!("the socket in {}", directory.display()),
            None if self.options.get_host().contains(':') => format!("[{}]:{}", self.options.get_host(), self.options.get_port()),
            None => format!("{}:{}", self.options.get_host(), self.options.get_port()),
        }
    }

    /// Why there is no connection, and the way out where it is a setting.
    pub(super) fn reason(&self, error: &sqlx::Error) -> String {
        let place = self.place();
        match error {
            sqlx::Error::Io(error) if error.to_string().contains("certificate") => format!(
                "{place}: {error}; name the certificate of its authority by PGSSLROOTCERT, or encrypt without verifying it by \
                 PGSSLMODE=require (in the environment or in .env; or as sslrootcert and sslmode in database.url)"
            ),
            sqlx::Error::Io(error) => format!("{place}: {error}"),
            sqlx::Error::Database(error) if error.message().contains("unsupported startup parameter") => {
                format!("{place}: {IN_TRANSACTION_MODE} ({})", error.message())
            }
            sqlx::Error::Database(error) if error.message().ends_with("no encryption") => {
                format!("{}; set PGSSLMODE=verify-full, or PGSSLMODE=require, which does not verify the server", error.message())
            }
            sqlx::Error::Database(error) => error.message().to_owned(),
            sqlx::Error::Tls(error) if error.to_string().contains("does not support TLS") => {
                let why = match &self.mode {
                    Some(mode) => format!("which sslmode={mode} asks for"),
                    None => "which is the default for another host".to_owned(),
                };
                format!(
                    "{place} offers no TLS, {why}; where the network is trusted, set PGSSLMODE=disable (in the environment or in .env), or \
                     write ?sslmode=disable behind database.url"
                )
            }
            sqlx::Error::Tls(error) => {
                format!("{place}: {error}; PGSSLMODE (in the environment or in .env), or ?sslmode= in database.url, says how to use TLS")
            }
            sqlx::Error::Configuration(error) => format!("{place}: {error}"),
            other => other.to_string(),
        }
    }
}

/// The words for a pooler through which etl-orch does not work.
const IN_TRANSACTION_MODE: &str = "this is a pooler (pgbouncer) that does not give each connection a session of its own, which etl-orch \
    needs for its limits and prepared statements; name the address of PostgreSQL itself, or set pool_mode = session and \
    ignore_startup_parameters = options for this database in pgbouncer.ini";

fn refusal(why: &str) -> sqlx::Error {
    sqlx::Error::Configuration(why.into())
}

/// The number of the server's process that answers.
async fn backend(connection: &mut PgConnection) -> sqlx::Result<i32> {
    sqlx::raw_sql("SELECT pg_catalog.pg_backend_pid()").fetch_one(connection).await?.try_get(0)
}

/// TLS is verified by default where there is a network between, and of no use where there is none.
fn with_tls(options: PgConnectOptions, is_chosen: bool, has_authority: bool) -> PgConnectOptions {
    let mode = options.get_ssl_mode();
    if options.get_socket().is_some() || options.get_host().starts_with('/') {
        options.ssl_mode(PgSslMode::Disable)
    } else if !is_chosen && !is_local(options.get_host()) {
        options.ssl_mode(PgSslMode::VerifyFull)
    } else if matches!(mode, PgSslMode::Require) && has_authority {
        // As psql does.
        options.ssl_mode(PgSslMode::VerifyCa)
    } else {
        options
    }
}

fn is_local(host: &str) -> bool {
    host == "localhost" || host.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connect_options(url: &str) -> ConnectOptions {
        ConnectOptions::new(url, Access::ReadWrite).unwrap()
    }

    #[test]
    fn tls_is_verified_by_default_but_not_asked_of_this_host() {
        let mode = |url: &str| connect_options(url).options.get_ssl_mode();
        assert!(matches!(mode("postgres://u@db.example.com/d"), PgSslMode::VerifyFull));
        assert!(matches!(mode("postgres://u@db.example.com/d?sslmode=disable"), PgSslMode::Disable));
        assert!(matches!(mode("postgres://u@db.example.com/d?sslmode=require"), PgSslMode::Require));
        assert!(matches!(mode("postgres://u@db.example.com/d?sslmode=require&sslrootcert=/ca.pem"), PgSslMode::VerifyCa));
        for local in ["127.0.0.1", "[::1]", "localhost"] {
            assert!(matches!(mode(&format!("postgres://u@{local}/d")), PgSslMode::Prefer), "{local}");
        }
        assert!(matches!(mode("postgres://u@localhost/d?host=/run/postgresql&sslmode=require"), PgSslMode::Disable));
    }

    #[test]
    fn parameters_that_the_driver_does_not_know_have_their_effect() {
        let found = connect_options("postgres://u@[::1]:5433/d?connect_timeout=3&target_session_attrs=primary&channel_binding=prefer");
        assert_eq!((found.timeout(), found.needs_primary), (Duration::from_secs(3), true));
        assert_eq!((found.options.get_host(), found.place().as_str()), ("::1", "[::1]:5433"));
        assert_eq!(found.options.get_application_name(), Some("etl-orch"));
        assert_eq!(connect_options("postgres://u@h/d?application_name=mine").options.get_application_name(), Some("mine"));
    }

    #[test]
    fn a_server_without_tls_is_explained_by_the_setting() {
        let error = sqlx::Error::Tls("server does not support TLS".into());
        let reason = connect_options("postgres://u@db/d").reason(&error);
        assert!(reason.starts_with("db:5432 offers no TLS, which is the default for another host"), "{reason}");
        assert!(reason.contains("set PGSSLMODE=disable (in the environment or in .env)"), "{reason}");
        let reason = connect_options("postgres://u@db/d?sslmode=require").reason(&error);
        assert!(reason.contains("offers no TLS, which sslmode=require asks for"), "{reason}");
    }
}
