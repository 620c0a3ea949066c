//! That no row of the data matches what is configured or selected, in a sentence and for JSON.

use serde::Serialize;

use super::escape::escaped;
use super::names::by_name;
use super::words::Untrusted;
use crate::plan::decide::mismatch::NameCount;
use crate::plan::decide::unmatched::{Unmatched, WhyUnmatched};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::EtlIndex;

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
    escaped(&format!("nothing matches: {}", unmatched.explain(etls, catalogue))).into_owned()
}
