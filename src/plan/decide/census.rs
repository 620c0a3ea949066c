//! Counts of the available data, and the rows and banks that need attention.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::decide::data_row::{self, RowRejected};
use crate::plan::model::candidate::{AvailabilityKey, CensusGroup};
use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::institution::{BankIndex, Institutions};
use crate::plan::model::listed::Listed;
use crate::plan::model::selection::Selection;
use crate::plan::text::size::shortened;

/// Most bytes of what is wrong with a row.
const MOST_BYTES: usize = 300;

/// How many symbols that nobody monitors are remembered: a data table may hold millions.
pub const MOST_UNMONITORED: usize = 1000;

/// Counts of available (bank, period) combinations, in the selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    per_etl: BTreeMap<EtlIndex, u64>,
    banks: BTreeMap<BankIndex, String>,
}

/// Rows and banks that a person should look at.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DataIssues {
    /// Groups of rows that are wrong; bad rows stop nobody else.
    pub invalid: Listed<InvalidRows>,
    /// Rows that are wrong, in all groups.
    pub invalid_rows: u64,
    /// Symbols in the data that nobody monitors; at most [`MOST_UNMONITORED`] of them.
    pub unmonitored: BTreeSet<String>,
    /// Monitored banks without any data, by key.
    pub without_data: Vec<String>,
    /// Monitored banks that the data spells in two ways, by key: where both have a period it is counted twice.
    pub spelled_twice: BTreeSet<String>,
}

/// Rows that are wrong in the same way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidRows {
    /// Which: `RY 2025 Q5`, escaped so that it can be shown.
    pub which: String,
    /// What is wrong with them.
    pub problem: String,
    /// How many.
    pub rows: u64,
}

impl Census {
    /// How many (bank, period) combinations have what an ETL requires.
    pub fn available_for(&self, etl: EtlIndex) -> u64 {
        self.per_etl.get(&etl).copied().unwrap_or_default()
    }

    /// How many reports there could be, in a selection.
    pub(super) fn reports_possible(&self, etls: &[Etl], selection: &Selection) -> u64 {
        let selected = |etl: &EtlIndex| selection.etls.is_empty() || selection.etls.contains(etl);
        (0..etls.len()).filter(selected).map(|etl| self.available_for(etl)).sum()
    }

    pub(super) fn count(&mut self, group: &CensusGroup, institutions: &Institutions, selection: &Selection, data_issues: &mut DataIssues) {
        let row = |year: &Option<String>| AvailabilityKey {
            bank_id: group.bank_id.clone(),
            bank_symbol: group.bank_symbol.clone(),
            fiscal_year: year.clone(),
            quarter: group.quarter.clone(),
        };
        let last = row(&group.max_year);
        let first = row(&group.min_year);
        match data_row::check(&last, institutions).and_then(|_| data_row::check(&first, institutions)) {
            Ok((bank, _)) => {
                if selection.has_bank(bank) {
                    let symbol = group.bank_symbol.clone().unwrap_or_default();
                    if *self.banks.entry(bank).or_insert_with(|| symbol.clone()) != symbol {
                        data_issues.spelled_twice.insert(institutions.get(bank).key.clone());
                    }
                    for etl in &group.etls {
                        *self.per_etl.entry(*etl).or_default() += group.rows;
                    }
                }
            }
            Err(RowRejected::Unmonitored(symbol)) => data_issues.unmonitored(symbol),
            Err(RowRejected::Invalid(problem)) => data_issues.invalid(&last, &problem.to_string(), group.rows),
        }
    }
}

impl DataIssues {
    /// Notes rows whose `database_names` is no array.
    pub(super) fn not_an_array(&mut self, rows: u64, examples: Vec<String>) {
        let which = examples.iter().map(|example| shown(example)).collect::<Vec<_>>().join(", ");
        self.invalid_rows += rows;
        self.invalid.push(InvalidRows { which, problem: "database_names is not an array of names".to_owned(), rows });
    }

    pub(super) fn banks_without_data(&mut self, institutions: &Institutions, selection: &Selection, census: &Census) {
        self.without_data = institutions
            .iter()
            .filter(|(index, _)| selection.has_bank(*index))
            .filter(|(index, _)| !census.banks.contains_key(index))
            .map(|(_, bank)| bank.key.clone())
            .collect();
    }

    fn unmonitored(&mut self, symbol: String) {
        if self.unmonitored.len() < MOST_UNMONITORED {
            self.unmonitored.insert(shown(&symbol));
        }
    }

    fn invalid(&mut self, row: &AvailabilityKey, problem: &str, rows: u64) {
        // It quotes a value of the row.
        let problem = shortened(problem, MOST_BYTES).into_owned();
        let column = |value: &Option<String>| value.as_deref().map_or_else(|| "NULL".to_owned(), shown);
        let which = format!("{} {} {}", column(&row.bank_symbol), column(&row.fiscal_year), column(&row.quarter));
        if self.invalid.named.iter().any(|known| known.which == which && known.problem == problem) {
            return; // counted for another ETL's tags already
        }
        self.invalid_rows += rows;
        self.invalid.push(InvalidRows { which, problem, rows });
    }
}

/// A value from the data with its control characters escaped and its length bounded.
fn shown(value: &str) -> String {
    value.chars().take(60).flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
