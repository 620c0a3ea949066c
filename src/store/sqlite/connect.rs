//! Opening the file: with which rights, and what is made where it is missing or empty.

use std::fs::OpenOptions;
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use rustix::fs::{Access as Right, AtFlags, CWD, accessat};
use sqlx::ConnectOptions;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteJournalMode, SqliteSynchronous};
use tokio::sync::{Mutex, OnceCell};

use super::dialect::is_busy;
use super::file::DatabaseFile;
use super::{Session, Sqlite, data_tables, failed, migrations};
use crate::os::files;
use crate::plan::model::settings::{Database, Durability};
use crate::store::error::in_words;
use crate::store::shared::cell::Named;
use crate::store::shared::connection::SqlConnection;
use crate::store::shared::operation_log::log_connection;
use crate::store::shared::patience::Patience;
use crate::store::{Access, Result, StoreError};

/// How long a statement waits for another process that writes.
const BUSY_TIMEOUT: Duration = Duration::from_secs(30);
/// How often opening is tried while another process switches the file to its journal mode.
const OPENING_TRIES: u32 = 50;

impl Sqlite {
    /// Opens the file at `path` as [`Access`] says, and makes or migrates what is to be made.
    pub(in crate::store) async fn open(database: &Database, path: &Path, access: Access) -> Result<Self> {
        let target = database.target.to_string();
        let mut store = Self {
            session: Mutex::new(Session::Away),
            path: path.to_owned(),
            durability: database.durability,
            file: None,
            is_in_memory: false,
            patience: Patience::new(target.clone()),
            target,
            availability: database.availability.clone(),
            version_column: database.version_column.clone(),
            reports: database.reports.clone(),
            state_tables: migrations::current(),
            malformed: Named::default(),
            report_columns: OnceCell::new(),
        };
        let mut connection = match access {
            Access::ReadOnly | Access::Inspect => store.connect_read_only(path).await?,
            Access::ReadWrite | Access::Init => store.connect_read_write(path).await?,
        };
        let (empty, version) = migrations::state(&mut connection).await.map_err(|error| store.unreachable(error))?;
        if matches!(access, Access::ReadOnly | Access::Inspect) {
            store.state_tables = migrations::compared(version);
            if empty {
                store.is_in_memory = true;
                connection = store.connect_again().await?;
            } else if access == Access::ReadOnly {
                migrations::compare(version, &store.target, false)?;
            }
        } else if empty || access == Access::Init || migrations::compare(version, &store.target, true)? {
            store.prepare(&mut connection, access == Access::Init).await?;
        }
        store.session = Mutex::new(Session::Idle(Box::new(connection), None));
        Ok(store)
    }

    /// Migrates our own tables, and makes the data tables where `data_tables` says so or the database is empty. One transaction: of two
    /// processes, the second finds the work of the first.
    async fn prepare(&self, connection: &mut SqliteConnection, data_tables: bool) -> Result<()> {
        let doing = "making tables";
        let mut transaction = connection.begin_write().await.map_err(failed(doing))?;
        let (empty, _) = migrations::state(&mut transaction).await.map_err(failed(doing))?;
        if empty || data_tables {
            data_tables::create(&mut transaction, &self.availability, &self.reports).await.map_err(failed(doing))?;
        }
        migrations::run(&mut transaction, &self.target).await?;
        transaction.commit().await.map_err(failed(doing))
    }

    async fn connect_read_write(&mut self, path: &Path) -> Result<SqliteConnection> {
        make_file(path).map_err(|error| self.unreachable(error))?;
        self.check_file(path, Right::WRITE_OK, "writable")?;
        self.file = Some(DatabaseFile::at(path).map_err(|error| self.unreachable(error))?);
        self.connect_again().await
    }

    /// A connection, also in place of one that is gone. A file that was removed is not made again, and one that was put in its place is
    /// not used.
    pub(super) async fn connect_again(&self) -> Result<SqliteConnection> {
        if let Some(file) = &self.file {
            file.check(&self.target, &mut None)?;
            let connection = self.connect(&read_write(&self.path, self.durability)).await?;
            file.check(&self.target, &mut None)?;
            Ok(connection)
        } else if self.is_in_memory {
            let mut connection = self.connect(&in_memory()).await?;
            self.prepare(&mut connection, true).await?;
            Ok(connection)
        } else {
            self.connect_read_only(&self.path).await
        }
    }

    /// A connection that reads. It opens the file for writing where it may, since only such a connection takes its
    /// side files away when it closes; `query_only` keeps it from using that right.
    async fn connect_read_only(&self, path: &Path) -> Result<SqliteConnection> {
        let holds_something = self.holds_something(path)?;
        if holds_something {
            self.check_file(path, Right::READ_OK, "readable")?;
        }
        let options = if !holds_something {
            in_memory()
        } else if is_writable(path) {
            base().filename(path).pragma("query_only", "ON")
        } else {
            unwritable(path)
        };
        self.connect(&options).await
    }

    /// Another connection, which can never write.
    pub(super) async fn connect_to_look(&self) -> Result<SqliteConnection> {
        let options = if self.holds_something(&self.path)? { unwritable(&self.path) } else { in_memory() };
        self.connect(&options).await
    }

    /// Whether there is a file that is not empty.
    fn holds_something(&self, path: &Path) -> Result<bool> {
        match std::fs::metadata(path) {
            Ok(file) => Ok(file.len() > 0),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.unreachable(error)),
        }
    }

    /// Names what is wrong with the file, where SQLite only says that it cannot open it.
    fn check_file(&self, path: &Path, right: Right, adjective: &str) -> Result<()> {
        if path.is_dir() {
            return Err(self.unreachable("it is a directory; name a file in database.url"));
        }
        if !permits(path, right) {
            return Err(self.unreachable(format!("the file is not {adjective} for this user")));
        }
        Ok(())
    }

    async fn connect(&self, options: &SqliteConnectOptions) -> Result<SqliteConnection> {
        let began = Instant::now();
        let mut tries = 1;
        loop {
            match options.connect().await {
                // Changing the journal mode does not wait for others as every other statement does.
                Err(error) if tries < OPENING_TRIES && is_busy(&error) => {
                    tries += 1;
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Ok(connection) => {
                    log_connection(&self.target, began.elapsed());
                    return Ok(connection);
                }
                Err(error) => return Err(self.unreachable(in_words(&error))),
            }
        }
    }

    fn unreachable(&self, reason: impl std::fmt::Display) -> StoreError {
        StoreError::Unreachable { target: self.target.clone(), reason: reason.to_string() }
    }
}

fn base() -> SqliteConnectOptions {
    SqliteConnectOptions::new().create_if_missing(false).busy_timeout(BUSY_TIMEOUT).foreign_keys(true).disable_statement_logging()
}

fn read_write(path: &Path, durability: Durability) -> SqliteConnectOptions {
    let options = base().filename(path).journal_mode(SqliteJournalMode::Wal);
    options.synchronous(match durability {
        // A commit returns once the log is on disk.
        Durability::Full => SqliteSynchronous::Full,
        // The log is written to disk before the file is: the database stays whole, and loses the newest commits.
        Durability::Relaxed => SqliteSynchronous::Normal,
    })
}

/// Reads a file. Where it has no side files, and none can be made, SQLite reads it only if told that nobody changes it.
fn unwritable(path: &Path) -> SqliteConnectOptions {
    base().filename(path).read_only(true).immutable(!is_writable(path) && !side_file(path, "-wal").exists())
}

fn in_memory() -> SqliteConnectOptions {
    base().in_memory(true)
}

/// Makes an empty file, and its directory, for nobody else to read. A power cut does not take them back.
fn make_file(path: &Path) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    if let Some(directory) = path.parent() {
        files::create_durable_dir(directory)?;
    }
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
        Ok(_) | Err(_) => files::sync_directory_of(path),
    }
}

/// Whether the file may be written, and side files made beside it.
fn is_writable(path: &Path) -> bool {
    path.parent().is_some_and(|directory| permits(directory, Right::WRITE_OK)) && permits(path, Right::WRITE_OK)
}

fn permits(path: &Path, right: Right) -> bool {
    accessat(CWD, path, right, AtFlags::EACCESS).is_ok()
}

pub(super) fn side_file(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
