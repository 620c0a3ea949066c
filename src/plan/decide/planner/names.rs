//! Compares what the configuration names with what the data has, once everything was streamed.

use super::Planner;
use crate::plan::decide::mismatch::{NameCount, similar_types, unknown_tags};
use crate::plan::decide::unmatched::{Unmatched, WhyUnmatched};
use crate::plan::model::etl::EtlIndex;

impl Planner<'_> {
    /// The ETLs of which every report is missing, once everything was streamed: their reports may be there under another name.
    #[must_use]
    pub fn without_reports(&self) -> Vec<EtlIndex> {
        let all_missing = self.missing.iter().filter(|(etl, missing)| **missing >= self.census.available_for(**etl));
        all_missing.map(|(etl, _)| *etl).collect()
    }

    /// Takes the types that the reports table has, to be compared with those of [`Self::without_reports`].
    pub fn report_types(&mut self, found: &[NameCount]) {
        self.data_issues.names.similar_types = similar_types(self.etls, &self.without_reports(), found);
    }

    /// The ETLs in the selection that no row has all tags for, once everything was streamed.
    #[must_use]
    pub fn without_data(&self) -> Vec<EtlIndex> {
        self.selected().filter(|etl| !self.census.has_data_for(*etl)).collect()
    }

    /// Takes the tags that the data has, and those that files supply, to be compared with those of [`Self::without_data`].
    pub fn tags(&mut self, found: Vec<NameCount>, supplied: &[&str]) {
        self.data_issues.names.unknown_tags = unknown_tags(self.etls, &self.without_data(), &found, supplied);
        self.data_issues.names.tags = found;
    }

    /// Notes why names could not be compared.
    pub fn names_unseen(&mut self, why: String) {
        self.data_issues.names.unseen = Some(why);
    }

    /// Whether reports are selected, and no row has what any of them requires.
    #[must_use]
    pub fn is_unmatched(&self) -> bool {
        let mut etls = self.selected().peekable();
        etls.peek().is_some() && etls.all(|etl| self.census.available_for(etl) == 0)
    }

    /// Takes the tags and the symbols that the data has, where nothing matches.
    pub fn unmatched(&mut self, tags: Vec<NameCount>, symbols: Vec<NameCount>) {
        let why = if symbols.is_empty() && self.data_issues.invalid_rows == 0 {
            WhyUnmatched::NoRows
        } else if self.without_data().len() == self.selected().count() {
            WhyUnmatched::NoTags
        } else if self.data_issues.invalid_rows > 0 {
            WhyUnmatched::InvalidRows
        } else if self.census.has_monitored() {
            WhyUnmatched::NotSelected
        } else {
            WhyUnmatched::NoBank
        };
        self.data_issues.unmatched = Some(Unmatched { why, tags, symbols });
    }
}
