//! Names in the configuration that do not fit the data, in sentences, and for JSON.

use serde::Serialize;

use super::escape::escaped;
use super::words::Untrusted;
use crate::plan::decide::mismatch::{NameIssues, SimilarType, UnknownTags};
use crate::plan::model::catalogue::Catalogue;

/// An ETL without reports, and a type that is likely meant to be its own.
#[derive(Debug, Serialize)]
pub(super) struct SimilarTypeView<'a> {
    etl: &'a str,
    report_type: &'a str,
    similar: Untrusted<'a>,
    rows: u64,
}

/// A tag that nobody supplies.
#[derive(Debug, Serialize)]
pub(super) struct UnknownTagView<'a> {
    etl: &'a str,
    tag: &'a str,
    at: &'a str,
}

/// All of them.
#[derive(Debug, Serialize)]
pub(super) struct MisnamedView<'a> {
    pub(super) unknown_tags: Vec<UnknownTagView<'a>>,
    similar_report_types: Vec<SimilarTypeView<'a>>,
}

impl<'a> MisnamedView<'a> {
    pub(super) fn new(issues: &'a NameIssues, catalogue: &'a Catalogue) -> Self {
        Self { unknown_tags: unknown_tags(issues, catalogue), similar_report_types: similar_types(issues, catalogue) }
    }
}

fn similar_types<'a>(issues: &'a NameIssues, catalogue: &'a Catalogue) -> Vec<SimilarTypeView<'a>> {
    let view = |one: &'a SimilarType| {
        let etl = catalogue.etl(one.etl);
        SimilarTypeView { etl: &etl.name, report_type: &etl.report_type, similar: one.found.name.as_str().into(), rows: one.found.rows }
    };
    issues.similar_types.iter().map(view).collect()
}

fn unknown_tags<'a>(issues: &'a NameIssues, catalogue: &'a Catalogue) -> Vec<UnknownTagView<'a>> {
    let of_etl = |one: &'a UnknownTags| {
        let etl = catalogue.etl(one.etl);
        one.tags.iter().map(|tag| UnknownTagView { etl: &etl.name, tag, at: &etl.places.requires })
    };
    issues.unknown_tags.iter().flat_map(of_etl).collect()
}

/// Each in a line that is safe to show: what is an error first.
pub(super) fn lines(issues: &NameIssues, catalogue: &Catalogue) -> Vec<String> {
    [of_tags(issues, catalogue), of_types(issues, catalogue)].concat()
}

/// Those of tags.
pub(super) fn of_tags(issues: &NameIssues, catalogue: &Catalogue) -> Vec<String> {
    issues.unknown_tags.iter().flat_map(|one| issues.explain_tags(one, catalogue)).map(|line| escaped(&line).into_owned()).collect()
}

/// Those of types of reports.
pub(super) fn of_types(issues: &NameIssues, catalogue: &Catalogue) -> Vec<String> {
    issues.similar_types.iter().map(|one| escaped(&one.explain(catalogue)).into_owned()).collect()
}
