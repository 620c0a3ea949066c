//! What the data has of a bank and a period, and what else may have been meant.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use super::report::ReportFacts;
use crate::plan::decide::data_row;
use crate::plan::decide::mismatch::NameCount;
use crate::plan::model::candidate::AvailabilityRow;
use crate::plan::model::period::Period;
use crate::plan::text::nearest::nearest;

/// What there is to make a report from.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct DataFact {
    /// The rows of the bank and the period.
    pub rows: Vec<RowFact>,
    /// Tags that files stand for and that the table does not have yet.
    pub from_files: Vec<String>,
    pub requires: Vec<String>,
    pub missing: Vec<MissingTag>,
    /// Other periods of which the bank has rows, the latest first.
    pub periods: Vec<Period>,
    /// Rows of the bank that are wrong and say no period, with what is wrong.
    pub wrong: Vec<RowFact>,
    /// When a run saw first that all that is required was there; `None` where that was before the first run, or is not known otherwise.
    pub first_seen: Option<DateTime<Utc>>,
    /// Symbols in the data that nobody monitors and that are likely meant to be the bank: they look like it, or have its number.
    pub similar: Vec<NameCount>,
}

/// A row of the availability table.
#[derive(Debug, Clone, PartialEq)]
pub struct RowFact {
    pub symbol: String,
    pub which: String,
    /// `None` where they cannot be read.
    pub tags: Option<Vec<String>>,
    pub version: Option<String>,
    pub problem: Option<String>,
}

/// A tag that is required and that the rows do not have.
#[derive(Debug, Clone, PartialEq)]
pub struct MissingTag {
    pub tag: String,
    /// Names of tags in the data that look like it.
    pub similar: Vec<String>,
    /// Whether any row of the data has it.
    pub is_known: bool,
}

/// The fact, and whether all required tags are there.
pub(super) fn data(facts: &ReportFacts<'_>) -> DataFact {
    let institutions = &facts.catalogue.institutions;
    let period_of = |row: &AvailabilityRow| Period::from_columns(row.key.fiscal_year.as_deref()?, row.key.quarter.as_deref()?).ok();
    let is_own = |row: &&AvailabilityRow| {
        row.key.bank_symbol.as_deref().and_then(|symbol| institutions.by_data_symbol(symbol)) == Some(facts.gap.bank)
    };
    let own = || facts.rows.iter().filter(is_own);
    let rows: Vec<RowFact> = own().filter(|row| period_of(row) == Some(facts.gap.period)).map(|row| row_fact(row, facts)).collect();
    let found: BTreeSet<&str> = rows
        .iter()
        .flat_map(|row| row.tags.iter().flatten())
        .map(String::as_str)
        .chain(facts.from_files.iter().map(String::as_str))
        .collect();
    let requires = &facts.catalogue.etl(facts.gap.etl).requires;
    let missing = requires.iter().filter(|tag| !found.contains(tag.as_str())).map(|tag| missing_tag(tag, &found, facts.tags));
    let missing: Vec<MissingTag> = missing.collect();
    let periods: BTreeSet<Period> = own().filter_map(period_of).filter(|period| *period != facts.gap.period).collect();
    DataFact {
        from_files: facts.from_files.to_vec(),
        requires: requires.clone(),
        periods: periods.into_iter().rev().collect(),
        first_seen: facts.first_seen.filter(|_| missing.is_empty()),
        wrong: own().filter(|row| period_of(row).is_none()).map(|row| row_fact(row, facts)).collect(),
        similar: if own().next().is_none() { similar(facts) } else { Vec::new() },
        rows,
        missing,
    }
}

fn row_fact(row: &AvailabilityRow, facts: &ReportFacts<'_>) -> RowFact {
    let problem = match data_row::check(&row.key, &facts.catalogue.institutions) {
        Ok(_) | Err(data_row::RowRejected::Unmonitored(_)) => None,
        Err(data_row::RowRejected::Invalid(problem)) => Some(problem.to_string()),
    };
    let text = |value: &Option<String>| value.clone().unwrap_or_else(|| "NULL".to_owned());
    RowFact {
        symbol: text(&row.key.bank_symbol),
        which: format!("{} {} {}", text(&row.key.bank_symbol), text(&row.key.fiscal_year), text(&row.key.quarter)),
        tags: row.tags.clone(),
        version: row.version.clone(),
        problem,
    }
}

fn missing_tag(tag: &str, found: &BTreeSet<&str>, all: &[NameCount]) -> MissingTag {
    // They are looked at only where one of the required tags has no row.
    let is_known = all.is_empty() || all.iter().any(|one| one.name == tag);
    let names: BTreeSet<&str> = found.iter().copied().chain(all.iter().map(|one| one.name.as_str())).filter(|name| *name != tag).collect();
    let similar = if is_known { nearest(tag, found.iter().copied()) } else { nearest(tag, names) };
    MissingTag { tag: tag.to_owned(), similar: similar.into_iter().map(str::to_owned).collect(), is_known }
}

/// Symbols that nobody monitors and that look like the bank's, and those of rows with its number.
fn similar(facts: &ReportFacts<'_>) -> Vec<NameCount> {
    let institutions = &facts.catalogue.institutions;
    let bank = institutions.get(facts.gap.bank);
    let unmonitored = || facts.symbols.iter().filter(|one| institutions.by_data_symbol(&one.name).is_none());
    let names = || unmonitored().map(|one| one.name.as_str());
    let mut alike: BTreeSet<&str> = nearest(bank.symbol(), names()).into_iter().chain(nearest(&bank.key, names())).collect();
    alike.extend(facts.rows.iter().filter_map(|row| row.key.bank_symbol.as_deref()));
    let mut similar: Vec<NameCount> = unmonitored().filter(|one| alike.contains(one.name.as_str())).cloned().collect();
    similar.truncate(5);
    similar
}
