//! What was found of the users' tables, in sentences.

use super::super::misnamed;
use super::super::unmatched;
use super::super::words::count;
use super::finding::{Finding, fault};
use crate::plan::decide::census::DataIssues;
use crate::plan::decide::checkup::{DatabaseFacts, Fault, Looked, Status, Subject};
use crate::plan::decide::data_trouble;
use crate::plan::decide::mismatch::NameIssues;
use crate::plan::decide::unmatched::WhyUnmatched;
use crate::plan::model::catalogue::Catalogue;

/// Names, and rows, in a list before it is cut to "and n more".
const NAMED: usize = 10;

/// None where no ETL makes reports: then nothing is read from these tables.
pub(super) fn findings(facts: &DatabaseFacts, catalogue: Option<&Catalogue>) -> Vec<Finding> {
    let Some(catalogue) = catalogue.filter(|catalogue| !catalogue.etls.is_empty()) else { return Vec::new() };
    let tables = Finding::of(Subject::Tables, &facts.tables, |faults| {
        Finding::of_faults(Subject::Tables, faults, "they have the columns that are needed")
    });
    let mut findings = vec![tables];
    let data = facts.data.as_ref().ok().and_then(Option::as_ref);
    findings.extend(found_or_not(Subject::Tags, &facts.names, |names| tags(names, data, catalogue)));
    let mut of_names = |subject, found: fn(&NameIssues, &Catalogue) -> Finding| {
        findings.extend(found_or_not(subject, &facts.names, |names| found(names, catalogue)));
    };
    of_names(Subject::ReportTypes, report_types);
    let mut of_data = |subject, found: fn(&DataIssues, &Catalogue) -> Finding| {
        findings.extend(found_or_not(subject, &facts.data, |issues| found(issues, catalogue)));
    };
    of_data(Subject::Banks, banks);
    of_data(Subject::Symbols, symbols);
    of_data(Subject::Rows, rows);
    findings
}

fn found_or_not<T>(subject: Subject, looked: &Looked<Option<T>>, found: impl FnOnce(&T) -> Finding) -> Option<Finding> {
    match looked {
        Ok(value) => value.as_ref().map(found),
        Err(why) => Some(Finding::not_looked(subject, why)),
    }
}

fn tags(names: &NameIssues, data: Option<&DataIssues>, catalogue: &Catalogue) -> Finding {
    let mut parts: Vec<Fault> = misnamed::of_tags(names, catalogue).into_iter().map(Fault::from).collect();
    // Where no ETL has any, what is said of banks says it.
    let data = data.filter(|issues| issues.without_rows.len() < catalogue.etls.len());
    let without_rows = data.into_iter().flat_map(data_trouble::without_rows_alone).map(|etl| catalogue.etl(etl));
    let without_rows = without_rows.filter(|etl| names.unknown_tags.iter().all(|one| catalogue.etl(one.etl).name != etl.name));
    parts.extend(without_rows.map(|etl| fault(data_trouble::explain_without_rows(etl), "load the data, or correct `requires`")));
    if parts.is_empty() {
        return Finding::new(
            Subject::Tags,
            Status::Ok,
            "none is unknown: each that an ETL requires is in the data, or availability.sync adds it",
        );
    }
    Finding::of_parts(Subject::Tags, Status::Failed, parts)
}

fn report_types(names: &NameIssues, catalogue: &Catalogue) -> Finding {
    let parts: Vec<Fault> = misnamed::of_types(names, catalogue).into_iter().map(Fault::from).collect();
    if parts.is_empty() {
        return Finding::new(Subject::ReportTypes, Status::Ok, "no report has one that is another spelling of an ETL's");
    }
    Finding::of_parts(Subject::ReportTypes, Status::Warning, parts)
}

fn banks(issues: &DataIssues, catalogue: &Catalogue) -> Finding {
    if let Some(unmatched) = &issues.unmatched {
        let etls: Vec<_> = (0..catalogue.etls.len()).collect();
        let status = if unmatched.why == WhyUnmatched::NoRows { Status::Warning } else { Status::Failed };
        return Finding::new(Subject::Banks, status, unmatched::line(unmatched, &etls, catalogue))
            .mended_by("load the data, or correct `requires` and the symbols in the file of institutions");
    }
    let all = catalogue.institutions.len();
    let without = issues.without_data.iter().map(String::as_str);
    match issues.without_data.len() {
        0 => Finding::new(Subject::Banks, Status::Ok, format!("each of the {} has data for an ETL", count(all as u64, "monitored bank"))),
        none if none == all => Finding::new(Subject::Banks, Status::Warning, "no monitored bank has data for any ETL")
            .mended_by("load the data, or compare the symbols, and the tags that ETLs require, with those of the availability table"),
        some => {
            Finding::new(Subject::Banks, Status::Warning, format!("{some} of {all} have no data for any ETL: {}", listed(without, some)))
                .mended_by("load their data, or compare their symbols with those of the data")
        }
    }
}

/// Whether there is nothing to look at yet.
fn has_no_rows(issues: &DataIssues) -> bool {
    issues.unmatched.as_ref().is_some_and(|unmatched| unmatched.why == WhyUnmatched::NoRows)
}

fn nothing_yet(subject: Subject) -> Finding {
    Finding::new(subject, Status::Unknown, "there are no rows yet")
}

fn symbols(issues: &DataIssues, _: &Catalogue) -> Finding {
    if has_no_rows(issues) {
        return nothing_yet(Subject::Symbols);
    }
    let number = issues.unmonitored.len();
    if number == 0 {
        return Finding::new(Subject::Symbols, Status::Ok, "all in the data are monitored");
    }
    let names = listed(issues.unmonitored.iter().map(String::as_str), number);
    let found = format!("{} in the data that nobody monitors: {names}", count(number as u64, "symbol"));
    // Where every monitored bank has data, the others are likely left out on purpose.
    let status = if issues.without_data.is_empty() { Status::Ok } else { Status::Warning };
    let finding = Finding::new(Subject::Symbols, status, found);
    if status == Status::Ok {
        finding
    } else {
        finding.mended_by("where one is a monitored bank, correct its key in the file of institutions")
    }
}

fn rows(issues: &DataIssues, _: &Catalogue) -> Finding {
    if has_no_rows(issues) {
        return nothing_yet(Subject::Rows);
    }
    let mut parts: Vec<Fault> = issues
        .invalid
        .named
        .iter()
        .take(NAMED)
        .map(|rows| format!("{}: {} ({})", rows.which, rows.problem, count(rows.rows, "row")).into())
        .collect();
    let more = issues.invalid.total.saturating_sub(parts.len() as u64);
    if more > 0 {
        parts.push(format!("and {more} more such groups of rows").into());
    }
    if let Some(last) = parts.last_mut() {
        last.mend = Some("correct the rows, or the id in the file of institutions: such rows are not used".to_owned());
    }
    if !issues.spelled_twice.is_empty() {
        let banks = listed(issues.spelled_twice.iter().map(String::as_str), issues.spelled_twice.len());
        parts.push(fault(format!("the data has two spellings of {banks}"), "let all rows of a bank have one symbol"));
    }
    if parts.is_empty() {
        return Finding::new(Subject::Rows, Status::Ok, "none is wrong");
    }
    Finding::of_parts(Subject::Rows, Status::Warning, parts)
}

fn listed<'a>(names: impl Iterator<Item = &'a str>, number: usize) -> String {
    let first: Vec<&str> = names.take(NAMED).collect();
    let more = if number > NAMED { format!(" and {} more", number - NAMED) } else { String::new() };
    first.join(", ") + &more
}
