//! Names in the configuration that the data knows under another spelling, or not at all.

use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::job::ReportKey;
use crate::plan::text::nearest::did_you_mean;
use crate::plan::text::size::{count, shortened};
use crate::plan::text::spelling::is_other_spelling;

/// Most bytes of a value of the data in a message.
const MOST_BYTES: usize = 100;
/// Names in a list before it is cut to "and n more".
const NAMED: usize = 10;

/// So many names in the data are looked at, those that most rows have. Where there are as many, there may be more.
pub const MOST_NAMES: usize = 1000;

/// A name in the data, and how many rows have it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameCount {
    pub name: String,
    pub rows: u64,
}

/// Type and quarter of a row of the reports table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportSpelling {
    pub report_type: String,
    pub quarter: String,
}

/// An ETL without any report, while there are reports of a type that is spelled like its own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SimilarType {
    pub etl: EtlIndex,
    pub found: NameCount,
}

/// Tags that an ETL requires and that nobody supplies: no row has them, and no file stands for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownTags {
    pub etl: EtlIndex,
    /// At least one.
    pub tags: Vec<String>,
}

/// Names in the configuration that do not fit the data.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NameIssues {
    /// Types of reports that are likely meant to be those of ETLs which have none.
    pub similar_types: Vec<SimilarType>,
    /// ETLs of which nothing can be made, as nobody supplies what they require.
    pub unknown_tags: Vec<UnknownTags>,
    /// The tags that the data has, where some are unknown.
    pub tags: Vec<NameCount>,
    /// Why names could not be compared with those of the data, where that is so.
    pub unseen: Option<String>,
}

impl NameIssues {
    /// Compares what these ETLs name with the types of reports, and the tags, that the data has. `supplied` are the tags that files stand
    /// for.
    #[must_use]
    pub fn of_all(etls: &[Etl], types: &[NameCount], tags: Vec<NameCount>, supplied: &[&str]) -> Self {
        let all: Vec<EtlIndex> = (0..etls.len()).collect();
        Self {
            similar_types: similar_types(etls, &all, types),
            unknown_tags: unknown_tags(etls, &all, &tags, supplied),
            tags,
            unseen: None,
        }
    }

    /// What is wrong with each unknown tag, in a sentence.
    #[must_use]
    pub fn explain_tags(&self, of: &UnknownTags, catalogue: &Catalogue) -> Vec<String> {
        let etl = catalogue.etl(of.etl);
        let names: Vec<&str> = self.tags.iter().map(|tag| tag.name.as_str()).collect();
        let more = if names.len() > NAMED { format!(" and {} more", names.len() - NAMED) } else { String::new() };
        let first: Vec<_> = names.iter().take(NAMED).map(|name| shortened(name, MOST_BYTES)).collect();
        let sentence = |tag: &String| {
            format!(
                "{}: {} requires {tag:?}, which no row of the availability table has and no file of availability.sync supplies, so it makes \
                 nothing (tags of the data: {}{more}){}",
                etl.places.requires,
                etl.name,
                first.join(", "),
                did_you_mean(tag, names.iter().copied()),
            )
        };
        of.tags.iter().map(sentence).collect()
    }
}

impl SimilarType {
    /// What is wrong, and the way out, in a sentence.
    #[must_use]
    pub fn explain(&self, catalogue: &Catalogue) -> String {
        let (etl, found) = (catalogue.etl(self.etl), &self.found);
        let types =
            etl.report_types().into_iter().chain([found.name.clone()]).map(|name| format!("{name:?}")).collect::<Vec<_>>().join(", ");
        format!(
            "{}: {} makes reports of the type {:?}, of which there are none, but there {} of the type {:?}; if they are its reports, write \
             report_type: [{types}]",
            etl.places.report_type,
            etl.name,
            etl.report_type,
            if found.rows == 1 { "is 1 row".to_owned() } else { format!("are {}", count(found.rows, "row")) },
            found.name,
        )
    }
}

/// Types in the reports table that are spelled like those of ETLs without any report. A type that an ETL has is no misspelling.
pub(super) fn similar_types(etls: &[Etl], without_reports: &[EtlIndex], found: &[NameCount]) -> Vec<SimilarType> {
    let has_row = |etl: &Etl| found.iter().any(|one| etl.has_type(&one.name));
    let mut similar = Vec::new();
    for &index in without_reports {
        let Some(etl) = etls.get(index).filter(|etl| !has_row(etl)) else { continue };
        let others = found.iter().filter(|one| !etls.iter().any(|etl| etl.has_type(&one.name)));
        let alike = others.filter(|one| etl.report_types().iter().any(|own| is_other_spelling(own, &one.name)));
        similar.extend(alike.map(|one| SimilarType { etl: index, found: one.clone() }));
    }
    similar
}

/// The tags of these ETLs that are neither among `found`, which no row need have all of, nor `supplied` by files. Without any tag in the
/// data there is nothing to compare with: it may not have been loaded yet.
pub(super) fn unknown_tags(etls: &[Etl], without_data: &[EtlIndex], found: &[NameCount], supplied: &[&str]) -> Vec<UnknownTags> {
    if found.is_empty() {
        return Vec::new();
    }
    let is_known = |tag: &String| supplied.contains(&tag.as_str()) || found.iter().any(|one| one.name == *tag);
    let unknown = |index: &EtlIndex| {
        let tags: Vec<String> = etls.get(*index)?.requires.iter().filter(|tag| !is_known(tag)).cloned().collect();
        (!tags.is_empty()).then_some(UnknownTags { etl: *index, tags })
    };
    without_data.iter().filter_map(unknown).collect()
}

/// What is wrong with the row that stands where a report was looked for in vain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Misspelled {
    /// It has this type.
    Type(String),
    /// Its quarter is written like this.
    Quarter(String),
}

impl Misspelled {
    /// What is wrong with the row, and the way out, in a sentence.
    #[must_use]
    pub fn explain(&self, report: &ReportKey, etl: &Etl) -> String {
        let ReportKey { bank_id, period, report_type, .. } = report;
        let quote = |text: &str| format!("{:?}", shortened(text, MOST_BYTES));
        match self {
            Self::Type(found) => {
                let types: Vec<String> = report.types().chain([found.as_str()]).map(quote).collect();
                format!(
                    "the row for bank_id {bank_id}, {period} has the report_type {}, and that of the ETL {} is {}; write report_type: [{}] at {}",
                    quote(found),
                    etl.name,
                    quote(report_type),
                    types.join(", "),
                    etl.places.report_type
                )
            }
            Self::Quarter(found) => format!(
                "the row of the {report_type} for bank_id {bank_id}, fiscal {} has the quarter {}, and must have \"{}\", as the availability \
                 table has it",
                period.year(),
                quote(found),
                period.quarter().as_str()
            ),
        }
    }
}

/// The row among `found`, all of the report's bank and fiscal year, that is likely meant to be the report.
#[must_use]
pub fn misspelled(report: &ReportKey, etls: &[Etl], found: &[ReportSpelling]) -> Option<Misspelled> {
    let quarter = report.period.quarter().as_str();
    let of_others = |name: &str| etls.iter().any(|etl| etl.has_type(name));
    let has_own_type = |row: &ReportSpelling| report.types().any(|own| own == row.report_type);
    let has_similar_type =
        |row: &ReportSpelling| !of_others(&row.report_type) && report.types().any(|own| is_other_spelling(own, &row.report_type));
    let of_type = found.iter().find(|row| row.quarter == quarter && has_similar_type(row));
    let of_quarter = || found.iter().find(|row| row.quarter != quarter && means_quarter(&row.quarter, quarter) && has_own_type(row));
    of_type
        .map(|row| Misspelled::Type(row.report_type.clone()))
        .or_else(|| of_quarter().map(|row| Misspelled::Quarter(row.quarter.clone())))
}

/// Whether a text is another way to write a quarter such as `Q2`: `q2`, `2`, `02`, `2Q`, `Quarter 2`.
fn means_quarter(text: &str, quarter: &str) -> bool {
    let (digits, rest): (String, String) = text.chars().filter(|c| !c.is_whitespace()).partition(char::is_ascii_digit);
    let number = quarter.trim_start_matches('Q');
    digits.trim_start_matches('0') == number && matches!(rest.to_lowercase().as_str(), "" | "q" | "quarter" | "qtr")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::test_support::etl;

    fn counts(names: &[&str]) -> Vec<NameCount> {
        names.iter().map(|name| NameCount { name: (*name).to_owned(), rows: 1 }).collect()
    }

    #[test]
    fn only_a_type_that_no_etl_has_is_a_misspelling_and_only_of_one_without_reports() {
        let etls = [etl("call_summary", "Call Summary"), etl("editor", "call_summary"), etl("key_themes", "Key Themes")];
        let similar = |found: &[&str]| {
            similar_types(&etls, &[0, 2], &counts(found)).into_iter().map(|one| (one.etl, one.found.name)).collect::<Vec<_>>()
        };
        assert_eq!(similar(&["call_summary", "key_themes", "Key-Themes"]), [(2, "key_themes".to_owned()), (2, "Key-Themes".to_owned())]);
        assert_eq!(similar(&["key_themes", "Key Themes"]), [], "it has reports after all");
        assert_eq!(similar(&["themes", "Newsletter"]), []);
    }

    #[test]
    fn a_tag_is_unknown_where_neither_rows_nor_files_have_it() {
        let mut both = etl("both", "Both");
        both.requires = vec!["transcirpts".to_owned(), "rts".to_owned(), "filings".to_owned()];
        let etls = [both];
        let unknown = |found: &[&str], supplied: &[&str]| unknown_tags(&etls, &[0], &counts(found), supplied);
        assert_eq!(unknown(&["transcripts", "rts"], &["filings"]), [UnknownTags { etl: 0, tags: vec!["transcirpts".to_owned()] }]);
        assert_eq!(unknown(&["transcirpts", "rts", "filings"], &[]), []);
        assert_eq!(unknown(&[], &[]), [], "an empty table says nothing");
    }

    #[test]
    fn the_row_that_was_meant_is_found_by_its_type_or_its_quarter() {
        let report =
            ReportKey { bank_id: 1, period: "2025Q2".parse().unwrap(), report_type: "Call Summary".to_owned(), other_types: Vec::new() };
        let etls = [etl("call_summary", "Call Summary"), etl("key_themes", "Key Themes")];
        let row = |report_type: &str, quarter: &str| ReportSpelling { report_type: report_type.to_owned(), quarter: quarter.to_owned() };
        let found = |rows: &[ReportSpelling]| misspelled(&report, &etls, rows);
        assert_eq!(found(&[row("call_summary", "Q1"), row("call_summary", "Q2")]), Some(Misspelled::Type("call_summary".to_owned())));
        for quarter in ["2", "q2", "02", "2Q", "Quarter 2"] {
            assert_eq!(found(&[row("Call Summary", quarter)]), Some(Misspelled::Quarter(quarter.to_owned())));
        }
        for other in [row("call_summary", "Q1"), row("Key Themes", "Q2"), row("Call Summary", "Q3"), row("Call Summary", "12")] {
            assert_eq!(found(&[other]), None);
        }
    }
}
