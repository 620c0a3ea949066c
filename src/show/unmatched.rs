//! That no row of the data matches what is configured or selected, in a sentence and for JSON.

use serde::Serialize;

use super::escape::excerpt;
use super::names::by_name;
use super::words::Untrusted;
use crate::plan::decide::mismatch::NameCount;
use crate::plan::decide::unmatched::{Unmatched, WhyUnmatched};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::EtlIndex;
use crate::plan::text::nearest::nearest_first;

/// Names in a list before it is cut to "and n more".
const NAMED: usize = 10;

#[derive(Debug, Serialize)]
pub(super) struct UnmatchedView<'a> {
    #[serde(serialize_with = "by_name")]
    why: WhyUnmatched,
    tags: Vec<Found<'a>>,
    symbols: Vec<Found<'a>>,
}

#[derive(Debug, Serialize)]
struct Found<'a> {
    name: Untrusted<'a>,
    rows: u64,
}

impl<'a> UnmatchedView<'a> {
    pub(super) fn new(unmatched: &'a Unmatched) -> Self {
        let found = |names: &'a [NameCount]| names.iter().map(|one| Found { name: one.name.as_str().into(), rows: one.rows }).collect();
        Self { why: unmatched.why, tags: found(&unmatched.tags), symbols: found(&unmatched.symbols) }
    }

    /// Whether there is data for other banks, years or periods than those that are selected.
    pub(super) fn is_not_selected(&self) -> bool {
        self.why == WhyUnmatched::NotSelected
    }
}

/// A line that is safe to show, for these ETLs.
pub(super) fn line(unmatched: &Unmatched, etls: &[EtlIndex], catalogue: &Catalogue) -> String {
    let why = match unmatched.why {
        WhyUnmatched::NoRows => return "nothing matches: the availability table has no rows".to_owned(),
        WhyUnmatched::NoTags => "no row of the availability table has the tags that an ETL requires",
        WhyUnmatched::InvalidRows => "the rows that might match are wrong",
        WhyUnmatched::NoBank => "no row with the required tags is of a monitored bank",
        WhyUnmatched::NotSelected => {
            "monitored banks have data, but not for the banks, years and periods that are selected (run.from_year counts too)"
        }
    };
    let required = etls.iter().flat_map(|etl| &catalogue.etl(*etl).requires).map(String::as_str);
    let banks = catalogue.institutions.iter().flat_map(|(_, bank)| [bank.key.as_str(), bank.symbol()]);
    let found = [listed("tags", required.collect(), &unmatched.tags), listed("symbols", banks.collect(), &unmatched.symbols)];
    format!("nothing matches: {why} ({})", found.into_iter().flatten().collect::<Vec<_>>().join("; "))
}

/// `tags of the data: a, b and 3 more`, those that look like what is wanted first; nothing where there are none.
fn listed(what: &str, wanted: Vec<&str>, found: &[NameCount]) -> Option<String> {
    let names = nearest_first(&wanted, found.iter().map(|one| one.name.as_str()));
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    let first: Vec<_> = names.iter().take(NAMED).map(|name| excerpt(name)).collect();
    (!first.is_empty()).then(|| format!("{what} of the data: {}{more}", first.join(", ")))
}
