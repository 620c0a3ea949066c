//! Which columns the data tables must have, and what to say where they are missing.

use std::collections::{BTreeMap, HashSet};

use crate::plan::decide::found_data::FoundTables;
use crate::plan::model::settings::{ColumnName, TableName};
use crate::store::TableFault;

/// A column of a data table, as the catalogue describes it.
#[derive(Debug, Clone)]
pub(in crate::store) struct Column {
    pub(in crate::store) name: String,
    /// Its type, as a cast names it.
    pub(in crate::store) kind: String,
    pub(in crate::store) not_null: bool,
    /// Whether a new row may leave it out.
    pub(in crate::store) has_default: bool,
}

/// Which of the two data tables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum DataTable {
    Availability,
    Reports,
}

const AVAILABILITY: [&str; 5] = ["bank_id", "bank_symbol", "fiscal_year", "quarter", "database_names"];
const AVAILABILITY_WRITTEN: [&str; 6] = ["bank_id", "bank_name", "bank_symbol", "fiscal_year", "quarter", "database_names"];
const REPORTS: [&str; 4] = ["bank_id", "fiscal_year", "quarter", "report_type"];
const REPORTS_WRITTEN: [&str; 14] = [
    "bank_id",
    "fiscal_year",
    "quarter",
    "report_type",
    "report_name",
    "report_description",
    "bank_name",
    "bank_symbol",
    "local_filepath",
    "markdown_content",
    "generation_date",
    "generated_by",
    "execution_id",
    "metadata",
];

/// The tables that have all columns of a data table, from names of tables with names of their columns.
pub(in crate::store) fn data_tables_among(columns: Vec<(String, String)>) -> FoundTables {
    let mut tables: BTreeMap<String, HashSet<String>> = BTreeMap::new();
    for (table, column) in columns {
        tables.entry(table).or_default().insert(column);
    }
    // What etl-orch cannot name it cannot use.
    tables.retain(|name, _| TableName::parse(name).is_some());
    let with = |wanted: &[&str]| {
        let has_all = |columns: &HashSet<String>| wanted.iter().all(|column| columns.contains(*column));
        tables.iter().filter(|(_, columns)| has_all(columns)).map(|(name, _)| name.clone()).collect()
    };
    FoundTables { availability: with(&AVAILABILITY_WRITTEN), reports: with(&REPORTS) }
}

impl DataTable {
    /// The configuration key that names it.
    pub(in crate::store) fn setting(self) -> &'static str {
        match self {
            Self::Availability => "availability.table",
            Self::Reports => "reports.table",
        }
    }

    /// The columns that are read whatever a run does.
    pub(in crate::store) fn read(self) -> &'static [&'static str] {
        self.needed(false)
    }

    fn needed(self, writes: bool) -> &'static [&'static str] {
        match (self, writes) {
            (Self::Availability, false) => &AVAILABILITY,
            (Self::Availability, true) => &AVAILABILITY_WRITTEN,
            (Self::Reports, _) => &REPORTS,
        }
    }

    /// The columns that are written, so far as the table has them.
    pub(in crate::store) fn written(self) -> &'static [&'static str] {
        match self {
            Self::Availability => &AVAILABILITY_WRITTEN,
            Self::Reports => &REPORTS_WRITTEN,
        }
    }

    /// What to do where rows cannot be written.
    pub(in crate::store) fn instead_of_writing(self) -> &'static str {
        match self {
            Self::Availability => "leave `availability.sync` out",
            Self::Reports => "set `reports.by: etl`",
        }
    }

    /// What is wrong with the columns that were found, against those that are needed. `version` is the column of availability that
    /// `availability.version_column` names.
    pub(in crate::store) fn faults(
        self,
        table: &TableName,
        target: &str,
        found: &[Column],
        writes: bool,
        version: Option<&ColumnName>,
    ) -> Vec<TableFault> {
        let mut faults = Vec::new();
        let has = |name: &&str| found.iter().any(|column| column.name == *name);
        let missing: Vec<&str> = self.needed(writes).iter().filter(|name| !has(name)).copied().collect();
        if !missing.is_empty() {
            faults.push(TableFault {
                found: format!("table {table} in {target} lacks the {}", named("column", &missing)),
                mend: format!("add what is missing, or let `{}` name another table", self.setting()),
            });
        }
        if let Some(version) = version.filter(|version| self == Self::Availability && !has(&version.as_str())) {
            faults.push(TableFault {
                found: format!("table {table} in {target} lacks the column {}", version.as_str()),
                mend: "let `availability.version_column` name another, or leave it out".to_owned(),
            });
        }
        let unfilled: Vec<&str> = found
            .iter()
            .filter(|column| writes && column.not_null && !column.has_default)
            .map(|column| column.name.as_str())
            .filter(|name| !self.written().contains(name))
            .collect();
        if !unfilled.is_empty() {
            faults.push(TableFault {
                found: format!(
                    "etl-orch cannot write rows of {table} in {target}: it has no value for the NOT NULL {}",
                    named("column", &unfilled)
                ),
                mend: format!("give a default, or {}", self.instead_of_writing()),
            });
        }
        faults
    }
}

fn named(noun: &str, names: &[&str]) -> String {
    format!("{noun}{} {}", if names.len() == 1 { "" } else { "s" }, names.join(", "))
}
