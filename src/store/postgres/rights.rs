//! The rights that the database user lacks, and the statements that grant them.

use std::collections::BTreeMap;

use super::Postgres;
use super::data_tables::Described;
use crate::plan::model::settings::{ColumnName, Database, TableName};
use crate::store::error::in_words;
use crate::store::shared::data_columns::DataTable;
use crate::store::{FailureKind, Grants, MissingRights, Result, StoreError, TableUse};

/// What a statement writes before the name of a sequence.
const SEQUENCE: &str = "SEQUENCE ";

/// The table of which a run must remove rows. Of others it does so only to prune.
const BREAKERS: &str = "etl_orch.breakers";

/// A right that is missing on a table or a sequence.
#[derive(sqlx::FromRow)]
struct Missing {
    /// The name, as a statement writes it.
    name: String,
    /// The right, as `GRANT` names it.
    privilege: String,
    is_sequence: bool,
}

impl Postgres {
    pub(super) async fn missing_rights(&self, of: TableUse) -> Result<MissingRights> {
        let columns = self.columns().await?;
        let (user, others) = self.ask_for_rights(of).await?;
        let mut rights = Rights::default();
        let availability = columns.availability.as_deref().unwrap_or_default();
        rights.of_table(&self.availability, DataTable::Availability, availability, self.version_column.as_ref(), of);
        rights.of_table(&self.reports, DataTable::Reports, columns.reports.as_deref().unwrap_or_default(), None, of);
        for Missing { name, privilege, is_sequence } in others {
            rights.note(if is_sequence { format!("{SEQUENCE}{name}") } else { name }, &privilege);
        }
        Ok(rights.statements(&user))
    }

    /// The name of the database user, and what is missing on our own tables and on the sequences that number new rows.
    async fn ask_for_rights(&self, of: TableUse) -> Result<(String, Vec<Missing>)> {
        let mut lease = self.lease().await?;
        let found: sqlx::Result<(String, Vec<Missing>)> = async {
            let user: String = sqlx::query_scalar("SELECT quote_ident(current_user)").fetch_one(&mut *lease).await?;
            let missing = sqlx::query_as(
                "SELECT format('etl_orch.%I', c.relname) AS name, p.privilege, FALSE AS is_sequence
                 FROM pg_catalog.pg_class c
                 JOIN (VALUES ('SELECT'), ('INSERT'), ('UPDATE'), ('DELETE')) AS p (privilege)
                   ON p.privilege <> 'DELETE'
                   OR c.relname IN ('breakers', 'etl_runs', 'etl_jobs', 'decisions', 'disclosure_queue', 'notifications')
                 WHERE c.relnamespace = to_regnamespace('etl_orch') AND c.relkind IN ('r', 'p') AND c.relname <> '_sqlx_migrations'
                 AND NOT has_table_privilege(c.oid, p.privilege)
                 UNION ALL
                 SELECT format('%I.%I', s.relnamespace::regnamespace::text, s.relname), 'USAGE', TRUE
                 FROM (VALUES (to_regclass($1), $2), (to_regclass($3), $4)) AS t (id, is_written)
                 JOIN pg_catalog.pg_attrdef d ON d.adrelid = t.id AND t.is_written
                 JOIN pg_catalog.pg_depend n ON n.classid = 'pg_catalog.pg_attrdef'::regclass AND n.objid = d.oid
                 JOIN pg_catalog.pg_class s ON s.oid = n.refobjid AND n.refclassid = 'pg_catalog.pg_class'::regclass
                 WHERE CASE s.relkind WHEN 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE') ELSE FALSE END",
            )
            .bind(self.availability.quoted())
            .bind(of.writes_availability)
            .bind(self.reports.quoted())
            .bind(of.writes_reports)
            .fetch_all(&mut *lease)
            .await?;
            Ok((user, missing))
        }
        .await;
        lease.settle("looking at the rights on the tables", found)
    }

    /// An error of a query that names a table in a schema that we may not look into.
    pub(super) fn schema_refused(&self, error: StoreError) -> StoreError {
        match error {
            StoreError::Query { source, kind: FailureKind::Lasting, .. } if is_refused(&source) => StoreError::Rights(format!(
                "{} does not let its user {} look at the data tables ({}): have a DBA run GRANT USAGE ON SCHEMA {} TO {}",
                self.target,
                self.connections.user(),
                in_words(&source),
                self.schemas(),
                identifier(self.connections.user()),
            )),
            other => other,
        }
    }

    /// The schemas of the data tables, as a statement names them.
    fn schemas(&self) -> String {
        let mut schemas: Vec<String> =
            [&self.availability, &self.reports].iter().map(|table| identifier(table.schema().unwrap_or("public"))).collect();
        schemas.dedup();
        schemas.join(", ")
    }
}

/// Whether a right is missing.
pub(super) fn is_refused(error: &sqlx::Error) -> bool {
    error.as_database_error().and_then(sqlx::error::DatabaseError::code).is_some_and(|code| code == "42501")
}

/// A table as a statement names it: only names with capitals need quotes.
fn written(table: &TableName) -> String {
    let plain = table.to_string();
    if plain.contains(|c: char| c.is_ascii_uppercase()) { table.quoted() } else { plain }
}

/// A name as a statement writes it.
pub(super) fn identifier(name: &str) -> String {
    let is_plain = name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_');
    if is_plain { name.to_owned() } else { format!("\"{}\"", name.replace('"', "\"\"")) }
}

/// The statements that give a user what `etl-orch` needs once the state tables are there. Of the data tables they grant only what is
/// missing, so that whoever runs them need not own those.
pub(super) fn granting(database: &Database, grants: &Grants) -> String {
    let Grants { role, of } = grants;
    let literal = |text: &str| format!("'{}'", text.replace('\'', "''"));
    let (user, user_name) = (format!("\"{}\"", role.replace('"', "\"\"")), literal(role));
    let (availability, writes_availability) = (literal(&database.availability.quoted()), of.writes_availability);
    let (reports, writes_reports) = (literal(&database.reports.quoted()), of.writes_reports);
    format!(
        "
-- The rights of {user}
GRANT USAGE ON SCHEMA etl_orch TO {user};
GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA etl_orch TO {user};
DO $etl_orch$
DECLARE
    one record;
    privilege text;
    sequence regclass;
BEGIN
FOR one IN
    SELECT t.name, t.is_written, c.oid AS id, c.relnamespace AS schema
    FROM (VALUES ({availability}, {writes_availability}), ({reports}, {writes_reports})) AS t (name, is_written)
    LEFT JOIN pg_catalog.pg_class c ON c.oid = to_regclass(t.name)
LOOP
    IF one.id IS NULL THEN
        RAISE WARNING 'table % is not there: run this again once it is', one.name;
        CONTINUE;
    END IF;
    IF NOT has_schema_privilege({user_name}, one.schema, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %s TO %I', one.schema::regnamespace, {user_name});
    END IF;
    FOREACH privilege IN ARRAY CASE WHEN one.is_written THEN ARRAY['SELECT', 'INSERT', 'UPDATE'] ELSE ARRAY['SELECT'] END LOOP
        IF NOT has_table_privilege({user_name}, one.id, privilege) THEN
            EXECUTE format('GRANT %s ON %s TO %I', privilege, one.id::regclass, {user_name});
        END IF;
    END LOOP;
    FOR sequence IN
        SELECT s.oid FROM pg_catalog.pg_attrdef d
        JOIN pg_catalog.pg_depend n ON n.classid = 'pg_catalog.pg_attrdef'::regclass AND n.objid = d.oid
        JOIN pg_catalog.pg_class s ON s.oid = n.refobjid AND n.refclassid = 'pg_catalog.pg_class'::regclass AND s.relkind = 'S'
        WHERE d.adrelid = one.id AND one.is_written
    LOOP
        IF NOT has_sequence_privilege({user_name}, sequence::oid, 'USAGE, UPDATE') THEN
            EXECUTE format('GRANT USAGE ON SEQUENCE %s TO %I', sequence, {user_name});
        END IF;
    END LOOP;
END LOOP;
END $etl_orch$;
"
    )
}

/// Missing rights, by what they are on.
#[derive(Default)]
struct Rights(BTreeMap<String, Vec<String>>);

impl Rights {
    /// Notes a right, each once.
    fn note(&mut self, on: String, privilege: &str) {
        let missing = self.0.entry(on).or_default();
        if !missing.iter().any(|noted| noted == privilege) {
            missing.push(privilege.to_owned());
        }
    }

    /// Notes what is missing on a data table. A right on the columns that are needed is as good as one on the table.
    fn of_table(&mut self, table: &TableName, which: DataTable, found: &[Described], version: Option<&ColumnName>, of: TableUse) {
        let (writes, whole_rows, updated): (bool, bool, &[&str]) = match which {
            DataTable::Availability => (of.writes_availability, false, &["database_names"]),
            DataTable::Reports => (of.writes_reports, of.looks_at_reports, which.written()),
        };
        for Described { column, rights, .. } in found {
            let name = column.name.as_str();
            let is_read = whole_rows || which.read().contains(&name) || version.is_some_and(|version| version.as_str() == name);
            // The key of a report is not updated, but for the type.
            let is_updated = updated.contains(&name) && !["bank_id", "fiscal_year", "quarter"].contains(&name);
            let needed = [
                ("SELECT", is_read, rights.may_select),
                ("INSERT", writes && which.written().contains(&name), rights.may_insert),
                ("UPDATE", writes && is_updated, rights.may_update),
            ];
            for (privilege, _, _) in needed.into_iter().filter(|(_, is_needed, is_there)| *is_needed && !is_there) {
                self.note(written(table), privilege);
            }
        }
    }

    /// One statement for all that lack the same.
    fn statements(self, user: &str) -> MissingRights {
        let mut alike: BTreeMap<(bool, Vec<String>), Vec<String>> = BTreeMap::new();
        for (on, mut privileges) in self.0 {
            privileges.sort_by_key(|privilege| ["SELECT", "INSERT", "UPDATE", "DELETE"].iter().position(|known| known == privilege));
            let (is_sequence, name) = on.strip_prefix(SEQUENCE).map_or((false, on.as_str()), |name| (true, name));
            alike.entry((is_sequence, privileges)).or_default().push(name.to_owned());
        }
        let mut missing = MissingRights::default();
        for ((is_sequence, privileges), names) in alike {
            let kind = if is_sequence { SEQUENCE } else { "" };
            let statement = format!("GRANT {} ON {kind}{} TO {user}", privileges.join(", "), names.join(", "));
            let is_to_read = privileges.iter().any(|privilege| privilege == "SELECT");
            let is_to_prune = privileges == ["DELETE"] && !names.iter().any(|name| name == BREAKERS);
            let missing = match (is_to_read, is_to_prune) {
                (true, _) => &mut missing.to_read,
                (false, true) => &mut missing.to_prune,
                (false, false) => &mut missing.to_write,
            };
            missing.push(statement);
        }
        missing
    }
}
