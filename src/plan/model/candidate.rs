//! Rows of the database as they were read, before their values are checked.

use crate::plan::model::etl::EtlIndex;

/// The columns of one availability row that identify a gap, as text and unchecked: the table belongs to users and may hold
/// anything, and one bad row must not stop the others.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AvailabilityKey {
    /// `bank_id`.
    pub bank_id: Option<String>,
    /// `bank_symbol`.
    pub bank_symbol: Option<String>,
    /// `fiscal_year`.
    pub fiscal_year: Option<String>,
    /// `quarter`.
    pub quarter: Option<String>,
    /// The first of these columns whose value is of a type that no other value equals. SQLite takes any in any column.
    pub mistyped: Option<Mistyped>,
}

/// One row of the availability table.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AvailabilityRow {
    pub key: AvailabilityKey,
    /// Its `database_names`; `None` where that is no array of texts.
    pub tags: Option<Vec<String>>,
    /// Its value of the `version_column`, where one is configured.
    pub version: Option<String>,
}

/// A value of a type that it must not have: bytes, or a number where a text belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistyped {
    pub column: &'static str,
    /// The type, as the database names it.
    pub kind: String,
    /// What it must be.
    pub wanted: &'static str,
}

/// An availability row that has what an ETL requires and lacks its report (or has it, where the scan asked for
/// existing reports too).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Which ETL's report.
    pub etl: EtlIndex,
    /// Which bank and period.
    pub key: AvailabilityKey,
    /// Whether the report exists; `false` unless the scan included existing reports.
    pub exists: bool,
    /// For each of the ETL's `needs`, in order: whether that report exists.
    pub needs_met: Vec<bool>,
}

/// Availability rows that have one set of required tags, counted by bank and quarter, also those that the selection leaves out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CensusGroup {
    /// The group was counted for these ETLs: those in the selection that require the same tags.
    pub etls: Vec<EtlIndex>,
    /// `bank_id` of the group.
    pub bank_id: Option<String>,
    /// `bank_symbol` of the group.
    pub bank_symbol: Option<String>,
    /// `quarter` of the group.
    pub quarter: Option<String>,
    /// Smallest `fiscal_year` that the selection has of the group; together with `max_year` it shows whether a bad one is in it.
    pub min_year: Option<String>,
    /// Largest `fiscal_year` that the selection has of the group.
    pub max_year: Option<String>,
    /// Distinct (bank, period) that the selection has of the group.
    pub rows: u64,
    /// A mistyped column of the group.
    pub mistyped: Option<Mistyped>,
}
