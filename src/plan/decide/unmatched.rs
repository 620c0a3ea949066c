//! A selection that no row of the data matches, and what the data has instead.

use crate::plan::decide::mismatch::NameCount;

/// What the data has, where no row that is selected has what an ETL requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    pub why: WhyUnmatched,
    /// The tags that the data has, the most frequent first.
    pub tags: Vec<NameCount>,
    /// The symbols that the data has, the most frequent first.
    pub symbols: Vec<NameCount>,
}

/// The first that applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum WhyUnmatched {
    /// The table has no row.
    NoRows,
    /// No row has all tags that an ETL requires.
    NoTags,
    /// Rows that might match are wrong.
    InvalidRows,
    /// No row with the tags is of a monitored bank.
    NoBank,
    /// Such rows are there, but of other banks, years or periods than those that are selected.
    NotSelected,
}
