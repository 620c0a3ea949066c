//! The data tables, as the catalogue describes them. For reading, views and foreign tables are as good.

use super::Postgres;
use crate::plan::model::settings::TableName;
use crate::store::shared::data_columns::{Column, DataTable};
use crate::store::{Result, TableFault};

/// The columns of the two data tables; `None` for a table that is not there.
#[derive(Debug)]
pub(super) struct DataColumns {
    pub(super) availability: Option<Vec<Described>>,
    pub(super) reports: Option<Vec<Described>>,
    /// Those of the reports table, as both adapters know them.
    reports_plain: Vec<Column>,
}

impl DataColumns {
    /// Whether `fiscal_year` is of a type that has the operators on bits.
    pub(super) fn has_integer_years(&self) -> bool {
        let columns = self.availability.iter().flatten().map(|one| &one.column);
        columns
            .filter(|column| column.name == "fiscal_year")
            .any(|column| matches!(column.kind.as_str(), "integer" | "smallint" | "bigint"))
    }
}

/// A column with the category of its type: `N` a number, `S` a text, `A` an array, which then has that of its elements too.
#[derive(Debug)]
pub(super) struct Described {
    pub(super) column: Column,
    category: String,
    of: Option<String>,
    /// What the database user may do with it.
    pub(super) rights: ColumnRights,
}

#[derive(Debug, Clone, Copy, sqlx::FromRow)]
pub(super) struct ColumnRights {
    pub(super) may_select: bool,
    pub(super) may_insert: bool,
    pub(super) may_update: bool,
    /// Whether its table takes new and changed rows at all; some views do not.
    takes_rows: bool,
}

#[derive(sqlx::FromRow)]
struct CatalogueRow {
    is_reports: bool,
    name: String,
    kind: String,
    not_null: bool,
    has_default: bool,
    category: String,
    of: Option<String>,
    #[sqlx(flatten)]
    rights: ColumnRights,
}

impl Postgres {
    pub(super) async fn table_faults(&self, writes_reports: bool, writes_availability: bool) -> Result<Vec<TableFault>> {
        let mut faults = Vec::new();
        let columns = self.columns().await?;
        let tables = [
            (DataTable::Availability, &self.availability, &columns.availability, writes_availability),
            (DataTable::Reports, &self.reports, &columns.reports, writes_reports),
        ];
        for (which, name, found, writes) in tables {
            let Some(found) = found else {
                faults.push(TableFault {
                    found: format!("table {name} is missing from {}", self.target),
                    mend: format!("create it, or set `{}`", which.setting()),
                });
                continue;
            };
            let plain: Vec<Column> = found.iter().map(|one| one.column.clone()).collect();
            faults.extend(which.faults(name, &self.target, &plain, writes, self.version_column.as_ref()));
            faults.extend(found.iter().filter_map(|one| self.fault_of_type(which, name, one)));
            if writes && found.iter().any(|one| !one.rights.takes_rows) {
                faults.push(TableFault {
                    found: format!("etl-orch cannot write rows of {name} in {}: it is a view that takes none", self.target),
                    mend: which.instead_of_writing().to_owned(),
                });
            }
        }
        Ok(faults)
    }

    fn fault_of_type(&self, which: DataTable, table: &TableName, found: &Described) -> Option<TableFault> {
        let (fits, needed) = match found.column.name.as_str() {
            "bank_id" | "fiscal_year" => (found.category == "N", "a whole number"),
            "bank_symbol" | "quarter" | "report_type" => (found.category == "S", "a text"),
            "database_names" => (found.category == "A" && found.of.as_deref() == Some("S"), "an array of text (TEXT[])"),
            _ => return None,
        };
        (!fits).then(|| TableFault {
            found: format!(
                "column {} of {table} in {} is of type {}, and must be {needed}",
                found.column.name, self.target, found.column.kind
            ),
            mend: format!("change its type, or let `{}` name another table, or a view", which.setting()),
        })
    }

    /// The data tables' columns, asked for once.
    pub(super) async fn columns(&self) -> Result<&DataColumns> {
        self.columns.get_or_try_init(|| self.describe()).await
    }

    /// The columns of the reports table.
    pub(super) async fn report_columns(&self) -> Result<&[Column]> {
        Ok(&self.columns().await?.reports_plain)
    }

    async fn describe(&self) -> Result<DataColumns> {
        let mut lease = self.lease().await?;
        // A type modifier of -1 names CHAR(2) as bpchar, to which a cast does not cut anything off.
        let rows: sqlx::Result<Vec<CatalogueRow>> = sqlx::query_as(
            "SELECT t.is_reports, a.attname::text AS name, format_type(a.atttypid, -1) AS kind, a.attnotnull AS not_null,
                    (a.atthasdef OR a.attidentity <> '') AS has_default, k.typcategory::text AS category,
                    (SELECT e.typcategory::text FROM pg_catalog.pg_type e WHERE e.oid = k.typelem) AS of,
                    has_column_privilege(t.id, a.attnum, 'SELECT') AS may_select,
                    has_column_privilege(t.id, a.attnum, 'INSERT') AS may_insert,
                    has_column_privilege(t.id, a.attnum, 'UPDATE') AS may_update,
                    (pg_relation_is_updatable(t.id, TRUE) & 12) = 12 AS takes_rows
             FROM (VALUES (FALSE, to_regclass($1)), (TRUE, to_regclass($2))) AS t (is_reports, id)
             JOIN pg_catalog.pg_attribute a ON a.attrelid = t.id AND a.attnum > 0 AND NOT a.attisdropped
             JOIN pg_catalog.pg_type k ON k.oid = a.atttypid
             ORDER BY a.attnum",
        )
        .bind(self.availability.quoted())
        .bind(self.reports.quoted())
        .fetch_all(&mut *lease)
        .await;
        let rows = lease.settle("looking at the columns of the data tables", rows).map_err(|error| self.schema_refused(error))?;
        let (reports, availability): (Vec<_>, Vec<_>) = rows.into_iter().partition(|row| row.is_reports);
        let [availability, reports] = [availability, reports].map(|rows| rows.into_iter().map(CatalogueRow::described).collect::<Vec<_>>());
        Ok(DataColumns {
            reports_plain: reports.iter().map(|one| one.column.clone()).collect(),
            availability: Some(availability).filter(|columns| !columns.is_empty()),
            reports: Some(reports).filter(|columns| !columns.is_empty()),
        })
    }
}

impl CatalogueRow {
    fn described(self) -> Described {
        let Self { is_reports: _, name, kind, not_null, has_default, category, of, rights } = self;
        Described { column: Column { name, kind, not_null, has_default }, category, of, rights }
    }
}
