//! Our own tables and their versions.

use sqlx::migrate::Migrator;
use sqlx::sqlite::SqliteConnection;

use super::data_tables;
use crate::plan::decide::checkup::StateTables;
use crate::plan::model::settings::Database;
use crate::store::Result;
use crate::store::shared::migrations::{self as shared, migration_failed, must_migrate, newest, printed};
use crate::store::shared::operation_log::{log_version, logged};

/// A name of our own: the application whose data this is may use the same library for its migrations.
const TABLE: &str = "etl_migrations";

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/sqlite");
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// Whether the database holds nothing at all, and the newest migration in it.
pub(super) async fn state(connection: &mut SqliteConnection) -> sqlx::Result<(bool, Option<i64>)> {
    let (objects, migrated): (i64, bool) =
        sqlx::query_as("SELECT count(*), coalesce(max(name = 'etl_migrations'), 0) FROM sqlite_master").fetch_one(&mut *connection).await?;
    let version =
        if migrated { sqlx::query_scalar("SELECT max(version) FROM etl_migrations").fetch_one(&mut *connection).await? } else { None };
    Ok((objects == 0, version))
}

/// Whether migrations are to be run, given the newest one in the database.
pub(super) fn compare(found: Option<i64>, target: &str, may_migrate: bool) -> Result<bool> {
    let known = newest(&migrator());
    log_version(target, found, known);
    must_migrate(found, known, target, may_migrate)
}

/// What our own tables are, given the newest migration in the database.
pub(super) fn compared(found: Option<i64>) -> StateTables {
    shared::compared(found, newest(&migrator()), None)
}

/// What they are once they were migrated.
pub(super) fn current() -> StateTables {
    StateTables::Current(newest(&migrator()))
}

/// Migrates forward, in the caller's transaction.
pub(super) async fn run(connection: &mut SqliteConnection, target: &str) -> Result<()> {
    let migrator = migrator();
    let run = async { migrator.run_direct(None, connection, false).await.map_err(|error| migration_failed(error, target)) };
    logged("migrating the state tables", run).await
}

/// The data tables and all migrations as text, with the record that they were made: one transaction, for a database without them.
pub(in crate::store) fn schema_sql(database: &Database) -> String {
    let data_tables = data_tables::statements(&database.availability, &database.reports);
    let migrations = printed(
        &migrator(),
        TABLE,
        |checksum| format!("X'{checksum}'"),
        |migration| format!("{}\n{}", migration.statements, migration.record),
    );
    format!(
        "BEGIN;\n\n{data_tables}\nCREATE TABLE {TABLE} (\n    version BIGINT PRIMARY KEY,\n    description TEXT NOT NULL,\n    \
         installed_on TIMESTAMP NOT NULL DEFAULT CURRENT_TIMESTAMP,\n    success BOOLEAN NOT NULL,\n    \
         checksum BLOB NOT NULL,\n    execution_time BIGINT NOT NULL\n);\n{migrations}\nCOMMIT;\n"
    )
}
