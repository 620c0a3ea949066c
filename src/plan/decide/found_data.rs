//! What a database holds that a configuration can be begun from.

use crate::plan::decide::mismatch::NameCount;

/// Tables and views that have the columns of the data tables, by name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundTables {
    pub availability: Vec<String>,
    pub reports: Vec<String>,
}

/// A bank as the rows of the availability table have it; any of it may be anything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundBank {
    pub symbol: String,
    pub id: String,
    pub name: String,
    pub rows: u64,
}

/// The data of a database. The most frequent comes first.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FoundData {
    pub tables: FoundTables,
    pub tags: Vec<NameCount>,
    pub report_types: Vec<NameCount>,
    pub banks: Vec<FoundBank>,
}

/// The table that is meant: the one with the usual name, or else the first.
#[must_use]
pub fn choice<'a>(found: &'a [String], usual: &str) -> Option<&'a str> {
    found.iter().find(|name| *name == usual).or(found.first()).map(String::as_str)
}

/// The usual name of the availability table, and of that of reports.
pub const AVAILABILITY: &str = "aegis_data_availability";
pub const REPORTS: &str = "aegis_reports";
