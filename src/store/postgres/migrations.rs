//! Our own tables and their versions.

use sqlx::Row;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;

use super::connections::Connections;
use super::failed;
use super::rights::is_refused;
use crate::store::shared::migrations::{migration_failed, must_migrate, newest, recorded};
use crate::store::{Access, Result, StoreError};

const SCHEMA: &str = "etl_orch";
const TABLE: &str = "etl_orch._sqlx_migrations";

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// Looks at the version of our own tables, migrates where that is needed and allowed, and says whether they are there.
pub(super) async fn bring_up(connections: &Connections, target: &str, access: Access) -> Result<bool> {
    let mut lease = connections.lease().await?;
    let found = version(&mut lease).await;
    if let Err(refused) = &found
        && is_refused(refused)
    {
        let user = connections.user();
        return Err(StoreError::Rights(format!(
            "{target} does not let its user {user} look at the state tables ({refused}): have a DBA run \
             GRANT USAGE ON SCHEMA {SCHEMA} TO {user}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {user}"
        )));
    }
    let found = lease.settle("looking at the state tables", found)?;
    let may_migrate = access != Access::ReadOnly;
    let migrator = migrator();
    if must_migrate(found, newest(&migrator), target, may_migrate)? {
        // Dropped on an error, since it would keep the migrator's lock.
        let mut lease = connections.lease().await?;
        migrate(&mut lease, migrator, target).await?;
        lease.settle("migrating the state tables", Ok(()))?;
    }
    Ok(may_migrate || found.is_some())
}

/// The newest migration in the database. One round trip, since every invocation asks.
async fn version(connection: &mut PgConnection) -> sqlx::Result<Option<i64>> {
    match sqlx::raw_sql("SELECT max(version) FROM etl_orch._sqlx_migrations").fetch_one(connection).await {
        Ok(row) => row.try_get(0),
        // No such table, no such schema.
        Err(sqlx::Error::Database(error)) if matches!(error.code().as_deref(), Some("42P01" | "3F000")) => Ok(None),
        Err(error) => Err(error),
    }
}

async fn migrate(connection: &mut PgConnection, mut migrator: Migrator, target: &str) -> Result<()> {
    let has_schema: bool = sqlx::query_scalar("SELECT to_regnamespace('etl_orch') IS NOT NULL")
        .fetch_one(&mut *connection)
        .await
        .map_err(failed("looking at the state tables"))?;
    if !has_schema {
        // Even where the schema exists, asking for it takes a right that a DBA who made it need not have granted.
        migrator.create_schema(SCHEMA);
    }
    migrator.run_direct(None, connection, false).await.map_err(|error| match &error {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) if is_refused(cause) => StoreError::Schema(format!(
            "{target} does not let us make the state tables ({cause}): have a DBA apply `etl-orch init --print-sql`"
        )),
        _ => migration_failed(error, target),
    })
}

/// All migrations as text, with the record that they were made.
pub(in crate::store) fn schema_sql() -> String {
    let migrations = recorded(&migrator(), TABLE, |checksum| format!("'\\x{checksum}'"));
    format!(
        "CREATE SCHEMA IF NOT EXISTS {SCHEMA};\n\nCREATE TABLE IF NOT EXISTS {TABLE} (\n    version bigint PRIMARY KEY,\n    \
         description text NOT NULL,\n    installed_on timestamptz NOT NULL DEFAULT now(),\n    success boolean NOT NULL,\n    \
         checksum bytea NOT NULL,\n    execution_time bigint NOT NULL\n);\n{migrations}"
    )
}
