//! A selection that no row of the data matches, and what the data has instead.

use crate::plan::decide::mismatch::{MOST_NAMES, NameCount};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::EtlIndex;
use crate::plan::text::nearest::nearest_first;
use crate::plan::text::size::shortened;

/// Names in a list before it is cut to "and n more".
const NAMED: usize = 10;
/// Most bytes of one of them.
const MOST_BYTES: usize = 200;

/// What the data has, where no row that is selected has what an ETL requires.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmatched {
    pub why: WhyUnmatched,
    /// The tags that the data has, the most frequent first.
    pub tags: Vec<NameCount>,
    /// The symbols that the data has, the most frequent first.
    pub symbols: Vec<NameCount>,
}

impl Unmatched {
    /// Why nothing matches what these ETLs require, and what there is instead.
    #[must_use]
    pub fn explain(&self, etls: &[EtlIndex], catalogue: &Catalogue) -> String {
        let why = match self.why {
            WhyUnmatched::NoRows => return "the availability table has no rows".to_owned(),
            WhyUnmatched::NoTags => "no row of the availability table has the tags that an ETL requires",
            WhyUnmatched::InvalidRows => "the rows that might match are wrong",
            WhyUnmatched::NoBank => "no row with the required tags is of a monitored bank",
            WhyUnmatched::NotSelected => {
                "monitored banks have data, but not for the banks, years and periods that are selected (run.from_year counts too)"
            }
        };
        let required = etls.iter().flat_map(|etl| &catalogue.etl(*etl).requires).map(String::as_str);
        let banks = catalogue.institutions.iter().flat_map(|(_, bank)| [bank.key.as_str(), bank.symbol()]);
        let found = [listed("tags", required.collect(), &self.tags), listed("symbols", banks.collect(), &self.symbols)];
        format!("{why} ({})", found.into_iter().flatten().collect::<Vec<_>>().join("; "))
    }
}

/// `tags of the data: a, b and 3 more`, those that look like what is wanted first; nothing where there are none.
fn listed(what: &str, wanted: Vec<&str>, found: &[NameCount]) -> Option<String> {
    let names = nearest_first(&wanted, found.iter().map(|one| one.name.as_str()));
    let more = match names.len().saturating_sub(NAMED) {
        0 => String::new(),
        _ if found.len() >= MOST_NAMES => " and more".to_owned(),
        more => format!(" and {more} more"),
    };
    let first: Vec<_> = names.iter().take(NAMED).map(|name| shortened(name, MOST_BYTES)).collect();
    (!first.is_empty()).then(|| format!("{what} of the data: {}{more}", first.join(", ")))
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
