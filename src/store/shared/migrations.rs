//! The versions of our own tables.

use std::fmt::Write as _;

use sqlx::migrate::{MigrateError, Migrator};

use crate::plan::decide::checkup::StateTables;
use crate::store::{FailureKind, Result, StoreError};

/// Compares the newest migration in the database with the newest that this program has.
///
/// Returns whether migrations are to be run.
pub(in crate::store) fn must_migrate(found: Option<i64>, known: i64, target: &str, may_migrate: bool) -> Result<bool> {
    match found {
        Some(found) if found > known => Err(StoreError::Schema(format!(
            "the state tables in {target} have version {found}, but this etl-orch knows versions up to {known}: \
             install the version that made them, or a later one"
        ))),
        Some(found) if found < known && !may_migrate => Err(StoreError::Schema(format!(
            "the state tables in {target} have version {found}, and this etl-orch needs version {known}: \
             `etl-orch init` (or the next run) migrates them"
        ))),
        Some(found) => Ok(found < known),
        None => Ok(may_migrate),
    }
}

/// What the tables are, for who only looks. `obstacle` keeps the database user from making or migrating them.
pub(in crate::store) fn compared(found: Option<i64>, known: i64, obstacle: Option<String>) -> StateTables {
    match found {
        None => StateTables::Absent { obstacle },
        Some(found) if found > known => StateTables::Newer { found, known },
        Some(found) if found < known => StateTables::Older { found, known, obstacle },
        Some(found) => StateTables::Current(found),
    }
}

/// The newest of the migrations that this program has.
pub(in crate::store) fn newest(migrator: &Migrator) -> i64 {
    migrator.iter().map(|migration| migration.version).max().unwrap_or(0)
}

/// A migration as text.
pub(in crate::store) struct MigrationText<'a> {
    pub(in crate::store) version: i64,
    pub(in crate::store) statements: &'a str,
    /// The statement that records that it was made.
    pub(in crate::store) record: String,
}

/// All migrations as text, for whoever applies them by hand. `bytes` writes a checksum, given in hexadecimal; `written` writes a
/// migration.
pub(in crate::store) fn printed(
    migrator: &Migrator,
    table: &str,
    bytes: impl Fn(&str) -> String,
    written: impl Fn(&MigrationText<'_>) -> String,
) -> String {
    let mut text = String::new();
    for migration in migrator.iter() {
        // Writing to a String cannot fail.
        let checksum = migration.checksum.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        });
        let (version, description) = (migration.version, &migration.description);
        let record = format!(
            "INSERT INTO {table} (version, description, success, checksum, execution_time)\n    \
             VALUES ({version}, '{description}', TRUE, {}, 0);",
            bytes(&checksum),
        );
        let statements = migration.sql.as_str();
        let _ = write!(text, "\n-- Version {version}: {description}\n{}\n", written(&MigrationText { version, statements, record }));
    }
    text
}

/// What a failed migration means to the user.
pub(in crate::store) fn migration_failed(error: MigrateError, target: &str) -> StoreError {
    match error {
        MigrateError::VersionMissing(version) => StoreError::Schema(format!(
            "the state tables in {target} have version {version}, which this etl-orch does not know: \
             install the version that made them, or a later one"
        )),
        MigrateError::VersionMismatch(version) => StoreError::Schema(format!(
            "version {version} of the state tables in {target} was made by another build of etl-orch and may differ"
        )),
        other => StoreError::Query {
            doing: "migrating the state tables",
            kind: FailureKind::Lasting,
            source: sqlx::Error::Migrate(Box::new(other)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_newer_schema_is_refused_and_an_older_one_only_where_it_cannot_be_migrated() {
        assert!(must_migrate(Some(3), 2, "db", true).unwrap_err().to_string().contains("version 3"));
        assert!(must_migrate(Some(1), 2, "db", false).unwrap_err().to_string().contains("etl-orch init"));
        assert!(must_migrate(Some(1), 2, "db", true).unwrap());
        assert!(!must_migrate(Some(2), 2, "db", true).unwrap());
        assert!(must_migrate(None, 2, "db", true).unwrap());
        assert!(!must_migrate(None, 2, "db", false).unwrap());
    }
}
