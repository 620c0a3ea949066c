//! Checks one availability row: no value that comes from a database is trusted.

use crate::plan::model::candidate::{AvailabilityKey, Candidate, Mistyped};
use crate::plan::model::gap::Gap;
use crate::plan::model::institution::{BankIndex, Institutions};
use crate::plan::model::period::{InvalidPeriod, Period};
use crate::plan::text::number;

/// Why a row is no gap of ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RowRejected {
    /// A well-formed symbol that nobody monitors.
    Unmonitored(String),
    /// The row is wrong.
    Invalid(RowProblem),
}

/// What is wrong with a row.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RowProblem {
    /// A column that must not be NULL.
    #[error("{0} is NULL")]
    Null(&'static str),
    /// A symbol that could be taken for an option or for terminal control.
    #[error("bank_symbol {0:?} starts with '-' or holds control characters")]
    Symbol(String),
    /// The bank's number is not the one in the institutions file.
    #[error("bank_id {found} differs from id {expected} of {key} in the institutions file")]
    Id {
        /// The number in the row.
        found: String,
        /// The number in the file.
        expected: i64,
        /// The bank.
        key: String,
    },
    /// A value that equals no other, though it may read like one.
    #[error("{} is stored as {}, which equals no {}", .0.column, .0.kind, .0.wanted)]
    Type(Mistyped),
    /// The period cannot be read.
    #[error(transparent)]
    Period(#[from] InvalidPeriod),
}

/// The bank and period of a row.
///
/// # Errors
/// When nobody monitors the row's symbol, or the row is wrong.
pub fn check(row: &AvailabilityKey, institutions: &Institutions) -> Result<(BankIndex, Period), RowRejected> {
    let bank = check_bank(row, institutions)?;
    if let Some(mistyped) = row.mistyped.clone() {
        return Err(RowRejected::Invalid(RowProblem::Type(mistyped)));
    }
    let year = row.fiscal_year.as_deref().ok_or(RowRejected::Invalid(RowProblem::Null("fiscal_year")))?;
    let quarter = row.quarter.as_deref().ok_or(RowRejected::Invalid(RowProblem::Null("quarter")))?;
    let period = Period::from_columns(year, quarter).map_err(|problem| RowRejected::Invalid(problem.into()))?;
    Ok((bank, period))
}

/// The bank of a row whose year is of no concern.
pub(super) fn check_without_year(row: &AvailabilityKey, institutions: &Institutions) -> Result<BankIndex, RowRejected> {
    check(&AvailabilityKey { fiscal_year: Some(Period::FIRST_YEAR.to_string()), ..row.clone() }, institutions).map(|(bank, _)| bank)
}

/// The bank that a row is likely about, also if it is wrong: by its symbol, or else by its number.
pub(super) fn bank_of(row: &AvailabilityKey, institutions: &Institutions) -> Option<BankIndex> {
    let by_symbol = row.bank_symbol.as_deref().and_then(|symbol| institutions.by_data_symbol(symbol));
    by_symbol.or_else(|| {
        let id: i64 = row.bank_id.as_deref()?.parse().ok()?;
        institutions.iter().find(|(_, bank)| bank.id == id).map(|(index, _)| index)
    })
}

/// The gap that a wrong row is likely about, where it says so.
pub(super) fn likely_gap(candidate: &Candidate, institutions: &Institutions) -> Option<Gap> {
    let row = &candidate.key;
    let period = Period::from_columns(row.fiscal_year.as_deref()?, row.quarter.as_deref()?).ok()?;
    Some(Gap { bank: bank_of(row, institutions)?, period, etl: candidate.etl })
}

fn check_bank(row: &AvailabilityKey, institutions: &Institutions) -> Result<BankIndex, RowRejected> {
    let symbol = row.bank_symbol.as_deref().ok_or(RowRejected::Invalid(RowProblem::Null("bank_symbol")))?;
    if symbol.starts_with('-') || symbol.chars().any(char::is_control) {
        return Err(RowRejected::Invalid(RowProblem::Symbol(symbol.to_owned())));
    }
    let index = institutions.by_data_symbol(symbol).ok_or_else(|| RowRejected::Unmonitored(symbol.to_owned()))?;
    let bank = institutions.get(index);
    let id = row.bank_id.as_deref().ok_or(RowRejected::Invalid(RowProblem::Null("bank_id")))?;
    if number::whole(id) != Some(bank.id) {
        return Err(RowRejected::Invalid(RowProblem::Id { found: id.to_owned(), expected: bank.id, key: bank.key.clone() }));
    }
    Ok(index)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::institution::Institution;

    fn row(id: &str, symbol: &str, year: &str, quarter: &str) -> AvailabilityKey {
        let some = |text: &str| (text != "NULL").then(|| text.to_owned());
        AvailabilityKey { bank_id: some(id), bank_symbol: some(symbol), fiscal_year: some(year), quarter: some(quarter), mistyped: None }
    }

    fn verdict(id: &str, symbol: &str, year: &str, quarter: &str) -> String {
        let ry = Institution {
            key: "RY-CA".to_owned(),
            id: 1,
            name: "Royal Bank of Canada".to_owned(),
            kind: None,
            priority: 0,
            place: String::new(),
        };
        match check(&row(id, symbol, year, quarter), &Institutions::new(vec![ry])) {
            Ok((bank, period)) => format!("{bank} {period}"),
            Err(RowRejected::Unmonitored(symbol)) => format!("unmonitored {symbol}"),
            Err(RowRejected::Invalid(problem)) => problem.to_string(),
        }
    }

    #[test]
    fn a_good_row_under_either_spelling() {
        assert_eq!(verdict("1", "RY", "2025", "Q2"), "0 2025 Q2");
        assert_eq!(verdict("1", "RY-CA", "2025", "Q2"), "0 2025 Q2");
        assert_eq!(verdict("1.00", "RY", "2025.0", "Q2"), "0 2025 Q2");
    }

    #[test]
    fn every_kind_of_bad_row_says_what_is_wrong() {
        assert_eq!(verdict("1", "XX", "2025", "Q2"), "unmonitored XX");
        assert_eq!(verdict("1", "--help", "2025", "Q2"), "bank_symbol \"--help\" starts with '-' or holds control characters");
        assert_eq!(verdict("1", "R\nY", "2025", "Q2"), "bank_symbol \"R\\nY\" starts with '-' or holds control characters");
        assert_eq!(verdict("1", "\u{1b}[31m", "2025", "Q2"), "bank_symbol \"\\u{1b}[31m\" starts with '-' or holds control characters");
        assert_eq!(verdict("2", "RY", "2025", "Q2"), "bank_id 2 differs from id 1 of RY-CA in the institutions file");
        assert_eq!(verdict("x", "RY", "2025", "Q2"), "bank_id x differs from id 1 of RY-CA in the institutions file");
        assert_eq!(verdict("1.5", "RY", "2025", "Q2"), "bank_id 1.5 differs from id 1 of RY-CA in the institutions file");
        assert_eq!(verdict("1", "RY", "2025.5", "Q2"), "fiscal year \"2025.5\" is not a year from 1900 to 2999");
        assert_eq!(verdict("NULL", "RY", "2025", "Q2"), "bank_id is NULL");
        assert_eq!(verdict("1", "NULL", "2025", "Q2"), "bank_symbol is NULL");
        assert_eq!(verdict("1", "RY", "2025", "Q5"), "quarter \"Q5\" is not one of Q1, Q2, Q3, Q4");
        assert_eq!(verdict("1", "RY", "12", "Q1"), "fiscal year \"12\" is not a year from 1900 to 2999");
        assert_eq!(verdict("1", "RY", "NULL", "Q1"), "fiscal_year is NULL");
    }
}
