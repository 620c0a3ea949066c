//! Names in the configuration that do not fit the data, in sentences, and for JSON.

use serde::Serialize;

use super::escape::escaped;
use super::words::{Untrusted, count};
use crate::plan::decide::mismatch::{NameIssues, SimilarType, UnknownTags};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::text::nearest::did_you_mean;

/// Names in a list before it is cut to "and n more".
const NAMED: usize = 10;

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
    issues.unknown_tags.iter().flat_map(|one| one.tags.iter().map(|tag| unknown_tag(one, tag, issues, catalogue))).collect()
}

/// Those of types of reports.
pub(super) fn of_types(issues: &NameIssues, catalogue: &Catalogue) -> Vec<String> {
    issues.similar_types.iter().map(|one| similar_type(one, catalogue)).collect()
}

fn unknown_tag(one: &UnknownTags, tag: &str, issues: &NameIssues, catalogue: &Catalogue) -> String {
    let etl = catalogue.etl(one.etl);
    let mut names: Vec<&str> = issues.tags.iter().map(|tag| tag.name.as_str()).collect();
    let hint = did_you_mean(tag, names.iter().copied());
    let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
    names.truncate(NAMED);
    format!(
        "{}: {} requires {tag:?}, which no row of the availability table has and no file of availability.sync supplies, so it makes nothing \
         (tags of the data: {}{more}){}",
        escaped(&etl.places.requires),
        etl.name,
        escaped(&names.join(", ")),
        escaped(&hint),
    )
}

fn similar_type(one: &SimilarType, catalogue: &Catalogue) -> String {
    let (etl, found) = (catalogue.etl(one.etl), &one.found);
    let types = etl.report_types().into_iter().chain([found.name.clone()]).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
    format!(
        "{}: {} makes reports of the type {:?}, of which there are none, but there {} of the type {:?}; if they are its reports, write \
         report_type: [{types}]",
        escaped(&etl.places.report_type),
        etl.name,
        etl.report_type,
        if found.rows == 1 { "is 1 row".to_owned() } else { format!("are {}", count(found.rows, "row")) },
        found.name,
    )
}
