//! What is wrong with the data as a whole, or with how the configuration names it: judged once, for health and for who is told of changes.

use crate::plan::decide::census::DataIssues;
use crate::plan::decide::mismatch::SimilarType;
use crate::plan::decide::plan::Plan;
use crate::plan::decide::unmatched::{Unmatched, WhyUnmatched};
use crate::plan::model::etl::{Etl, EtlIndex};

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum DataTrouble {
    /// There is no data yet, or none of the years that are looked at.
    NoData,
    /// There is data, but no usable row of a monitored bank has what any ETL requires. The data has these symbols.
    NothingMatches { symbols: Vec<String> },
    /// No row has what an ETL requires, though there is data.
    /// `unknown` are tags that no row has at all.
    NoRowFor { etl: EtlIndex, unknown: Vec<String> },
    /// An ETL has no reports, but there are some of a type that is spelled like its own.
    TypeMisspelled { etl: EtlIndex, found: String },
}

/// What a run without a selection finds. Nothing where names could not be compared.
#[must_use]
pub fn all(plan: &Plan) -> Vec<DataTrouble> {
    let names = &plan.data_issues.names;
    if names.unseen.is_some() {
        return Vec::new();
    }
    let mut found = match &plan.data_issues.unmatched {
        Some(Unmatched { why: WhyUnmatched::NoRows | WhyUnmatched::NotSelected, .. }) => vec![DataTrouble::NoData],
        Some(Unmatched { why: WhyUnmatched::NoBank | WhyUnmatched::InvalidRows, symbols, .. }) => {
            vec![DataTrouble::NothingMatches { symbols: symbols.iter().map(|symbol| symbol.name.clone()).collect() }]
        }
        Some(Unmatched { why: WhyUnmatched::NoTags, .. }) | None => {
            let unknown = |etl| names.unknown_tags.iter().filter(move |one| one.etl == etl).flat_map(|one| one.tags.clone()).collect();
            plan.data_issues.without_rows.iter().map(|etl| DataTrouble::NoRowFor { etl: *etl, unknown: unknown(*etl) }).collect()
        }
    };
    let misspelled = |similar: &SimilarType| DataTrouble::TypeMisspelled { etl: similar.etl, found: similar.found.name.clone() };
    found.extend(names.similar_types.iter().map(misspelled));
    found
}

/// The ETLs that make nothing although somebody supplies each of their tags, and something matches what others require.
#[must_use]
pub fn without_rows_alone(issues: &DataIssues) -> Vec<EtlIndex> {
    let is_explained = |etl: &EtlIndex| issues.unmatched.is_some() || issues.names.unknown_tags.iter().any(|one| one.etl == *etl);
    issues.without_rows.iter().copied().filter(|etl| !is_explained(etl)).collect()
}

/// What is wrong with an ETL for which no row has all tags, in a sentence.
#[must_use]
pub fn explain_without_rows(etl: &Etl) -> String {
    format!("{} makes nothing: no row of the availability table has all that it requires ({})", etl.name, etl.requires.join(", "))
}
