//! Our own tables and their versions.

use sqlx::Row;
use sqlx::migrate::{MigrateError, Migrator};
use sqlx::postgres::PgConnection;

use super::connections::Connections;
use super::failed;
use super::rights::{granting, identifier, is_refused};
use crate::plan::decide::checkup::StateTables;
use crate::plan::model::settings::Database;
use crate::store::error::in_words;
use crate::store::shared::migrations::{MigrationText, compared, migration_failed, must_migrate, newest, printed};
use crate::store::shared::operation_log::{log_version, logged};
use crate::store::{Access, Grants, Result, StoreError};

const SCHEMA: &str = "etl_orch";
const TABLE: &str = "etl_orch._sqlx_migrations";
const LOOKING: &str = "looking at the state tables";
const MIGRATING: &str = "migrating the state tables";

fn migrator() -> Migrator {
    let mut migrator = sqlx::migrate!("migrations/postgres");
    migrator.dangerous_set_table_name(TABLE);
    migrator
}

/// Looks at the version of our own tables, migrates where that is needed and allowed, and says what they are.
pub(super) async fn bring_up(connections: &Connections, target: &str, access: Access) -> Result<StateTables> {
    let mut lease = connections.lease().await?;
    let found = version(&mut lease).await;
    if let Err(refused) = &found
        && is_refused(refused)
    {
        let user = identifier(connections.user());
        let refused = format!(
            "{target} does not let its user {user} look at the state tables ({}): have a DBA run \
             GRANT USAGE ON SCHEMA {SCHEMA} TO {user}; GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA {SCHEMA} TO {user}",
            in_words(refused)
        );
        return if access == Access::Inspect { Ok(StateTables::Refused(refused)) } else { Err(StoreError::Rights(refused)) };
    }
    let found = lease.settle(LOOKING, found)?;
    let migrator = migrator();
    let known = newest(&migrator);
    log_version(target, found, known);
    let may_migrate = match access {
        Access::Inspect => return inspect(connections, found, known).await,
        Access::ReadOnly => false,
        Access::ReadWrite | Access::Init => true,
    };
    if must_migrate(found, known, target, may_migrate)? {
        // Dropped on an error, since it would keep the migrator's lock.
        let mut lease = connections.lease().await?;
        logged(MIGRATING, migrate(&mut lease, migrator, found, target)).await?;
        lease.settle(MIGRATING, Ok(()))?;
    }
    Ok(compared(if may_migrate { Some(known) } else { found }, known, None))
}

/// What they are, and whether they could be made or migrated.
async fn inspect(connections: &Connections, found: Option<i64>, known: i64) -> Result<StateTables> {
    if found.is_some_and(|found| found >= known) {
        return Ok(compared(found, known, None));
    }
    let mut lease = connections.lease().await?;
    let rights: sqlx::Result<RightsToMake> = sqlx::query_as(RightsToMake::QUERY).fetch_one(&mut *lease).await;
    let rights = lease.settle(LOOKING, rights)?;
    let obstacle = rights.missing(found, known).map(|missing| format!("the database does not let its user {missing}"));
    Ok(compared(found, known, obstacle))
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

async fn migrate(connection: &mut PgConnection, mut migrator: Migrator, found: Option<i64>, target: &str) -> Result<()> {
    let rights: RightsToMake = sqlx::query_as(RightsToMake::QUERY).fetch_one(&mut *connection).await.map_err(failed(LOOKING))?;
    if let Some(missing) = rights.missing(found, newest(&migrator)) {
        return Err(StoreError::Rights(format!("{target} does not let its user {missing}")));
    }
    if !rights.has_schema {
        // Even where the schema exists, asking for it takes a right that a DBA who made it need not have granted.
        migrator.create_schema(SCHEMA);
    }
    migrator.run_direct(None, connection, false).await.map_err(|error| match &error {
        MigrateError::Execute(cause) | MigrateError::ExecuteMigration(cause, _) if is_refused(cause) => StoreError::Rights(format!(
            "{target} does not let its user {} make the state tables ({}): have a DBA run {}",
            rights.role,
            in_words(cause),
            rights.by_a_dba()
        )),
        _ => migration_failed(error, target),
    })
}

/// What the database user needs to make or to change the state tables.
#[derive(sqlx::FromRow)]
struct RightsToMake {
    /// The user, and the database, as a statement names them.
    role: String,
    database: String,
    has_schema: bool,
    may_make_schema: bool,
    may_make_tables: bool,
    owns_tables: bool,
}

impl RightsToMake {
    const QUERY: &str = "SELECT quote_ident(current_user) AS role, quote_ident(current_database()) AS database,
            n.oid IS NOT NULL AS has_schema, has_database_privilege(current_database(), 'CREATE') AS may_make_schema,
            COALESCE(has_schema_privilege(n.oid, 'CREATE'), FALSE) AS may_make_tables,
            NOT EXISTS (SELECT FROM pg_catalog.pg_class c
                        WHERE c.relnamespace = n.oid AND c.relkind IN ('r', 'p') AND NOT pg_has_role(c.relowner, 'USAGE')) AS owns_tables
     FROM (VALUES ('etl_orch')) AS wanted (name) LEFT JOIN pg_catalog.pg_namespace n ON n.nspname = wanted.name";

    /// Who lacks which right, and the way out, given the version of the tables and the one that they are to get.
    fn missing(&self, found: Option<i64>, newest: i64) -> Option<String> {
        let Self { role, database, .. } = self;
        let by_a_dba = self.by_a_dba();
        if !self.has_schema {
            return (!self.may_make_schema).then(|| {
                format!(
                    "{role} make the schema {SCHEMA} for the state tables: it lacks CREATE on the database {database}; have a DBA run \
                     {by_a_dba}, or GRANT CREATE ON DATABASE {database} TO {role}"
                )
            });
        }
        match found {
            Some(found) if !self.owns_tables => Some(format!(
                "{role} change the state tables, which have version {found} and need version {newest}: another user owns them; have that \
                 user run `etl-orch init`, or a DBA {by_a_dba}"
            )),
            Some(_) | None if !self.may_make_tables => Some(format!(
                "{role} make the state tables: it lacks CREATE on the schema {SCHEMA}; have a DBA run {by_a_dba}, or \
                 GRANT CREATE ON SCHEMA {SCHEMA} TO {role}"
            )),
            Some(_) | None => None,
        }
    }

    /// The command that prints what a DBA has to run.
    fn by_a_dba(&self) -> String {
        format!("`etl-orch init --print-sql --grant-to {} | psql -v ON_ERROR_STOP=1`", self.role)
    }
}

/// All migrations as text, with the record that they were made, and the rights of a user: one transaction, which leaves what is there
/// already as it is.
pub(in crate::store) fn schema_sql(database: &Database, grants: Option<&Grants>) -> String {
    let migrations = printed(
        &migrator(),
        TABLE,
        |checksum| format!("'\\x{checksum}'"),
        |migration| {
            let MigrationText { version, statements, record } = migration;
            format!(
                "DO $etl_orch$ BEGIN\nIF NOT EXISTS (SELECT FROM {TABLE} WHERE version = {version}) THEN\nEXECUTE $version$\n{statements}\n\
                 $version$;\n{record}\nEND IF;\nEND $etl_orch$;"
            )
        },
    );
    let grants = grants.map(|grants| granting(database, grants)).unwrap_or_default();
    format!(
        "-- The state tables of etl-orch, in one transaction. It can be run again, and then adds what is missing.\nBEGIN;\n\n\
         DO $etl_orch$ BEGIN\nIF to_regnamespace('{SCHEMA}') IS NULL THEN\n    CREATE SCHEMA {SCHEMA};\nEND IF;\n\
         IF to_regclass('{TABLE}') IS NULL THEN\n    CREATE TABLE {TABLE} (\n        version bigint PRIMARY KEY,\n        \
         description text NOT NULL,\n        installed_on timestamptz NOT NULL DEFAULT now(),\n        success boolean NOT NULL,\n        \
         checksum bytea NOT NULL,\n        execution_time bigint NOT NULL\n    );\nEND IF;\nEND $etl_orch$;\n{migrations}{grants}\nCOMMIT;\n"
    )
}
