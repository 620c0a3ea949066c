//! Counts of the available data, and the rows and banks that need attention.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::decide::data_row::{self, RowRejected};
use crate::plan::decide::late_banks::LateBank;
use crate::plan::decide::mismatch::NameIssues;
use crate::plan::decide::unmatched::Unmatched;
use crate::plan::model::candidate::{AvailabilityKey, CensusGroup};
use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::institution::{BankIndex, Institution, Institutions};
use crate::plan::model::listed::Listed;
use crate::plan::model::period::{Period, Quarter};
use crate::plan::model::selection::Selection;
use crate::plan::remember::arrivals::Newest;
use crate::plan::text::size::shortened;

/// Most bytes of what is wrong with a row.
const MOST_BYTES: usize = 300;

/// How many symbols that nobody monitors are remembered: a data table may hold millions.
pub const MOST_UNMONITORED: usize = 1000;

/// What an array of names was expected to be.
const NOT_AN_ARRAY: &str = "database_names is not an array of names";

/// Rows whose `database_names` is no array are named up to this number.
const NAMED_NOT_ARRAYS: u64 = 10;

/// Counts of available (bank, period) combinations, in the selection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    per_etl: BTreeMap<EtlIndex, u64>,
    /// How the data spells a bank.
    symbols: BTreeMap<BankIndex, String>,
    /// Banks that have data for any ETL, whatever the selection.
    banks: BTreeSet<BankIndex>,
    /// ETLs in the selection for which any row has all tags, whatever else is selected.
    with_data: BTreeSet<EtlIndex>,
    /// Whether any of these rows is of a monitored bank.
    has_monitored: bool,
    /// The newest period of each quarter that the selection has, by the first ETL in it that requires the same tags, and by bank.
    newest: BTreeMap<EtlIndex, BTreeMap<BankIndex, BTreeMap<Quarter, Period>>>,
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
    /// Monitored banks in the selection without data for any ETL, by key. Which data that is does not depend on the selection.
    pub without_data: Vec<String>,
    /// Monitored banks that the data spells in two ways, by key: where both have a period it is counted twice.
    pub spelled_twice: BTreeSet<String>,
    /// Names in the configuration that do not fit the data, in the selection.
    pub names: NameIssues,
    /// Banks whose data is late, judged where all banks and their latest periods are selected.
    pub late_banks: Vec<LateBank>,
    /// What the data has, where nothing of it matches.
    pub unmatched: Option<Unmatched>,
    /// ETLs in the selection for which no row has all tags.
    pub without_rows: Vec<EtlIndex>,
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
            mistyped: group.mistyped.clone(),
        };
        let last = row(&group.max_year);
        let first = row(&group.min_year);
        self.with_data.extend(group.etls.iter().copied());
        if group.rows == 0 {
            // Nothing of it is selected.
            if let Ok(bank) = data_row::check_without_year(&last, institutions) {
                self.found(bank, group);
            }
            return;
        }
        match data_row::check(&last, institutions).and_then(|found| data_row::check(&first, institutions).map(|_| found)) {
            Ok((bank, period)) => {
                self.found(bank, group);
                if selection.has_bank(bank) {
                    self.note_newest(bank, period, group);
                    let symbol = group.bank_symbol.clone().unwrap_or_default();
                    if *self.symbols.entry(bank).or_insert_with(|| symbol.clone()) != symbol {
                        data_issues.spelled_twice.insert(institutions.get(bank).key.clone());
                    }
                    for etl in &group.etls {
                        *self.per_etl.entry(*etl).or_default() += group.rows;
                    }
                }
            }
            Err(rejected) => data_issues.rejected(&last, rejected, group.rows, institutions, selection),
        }
    }

    fn found(&mut self, bank: BankIndex, group: &CensusGroup) {
        self.banks.insert(bank);
        self.has_monitored |= !group.etls.is_empty();
    }

    fn note_newest(&mut self, bank: BankIndex, period: Period, group: &CensusGroup) {
        let Some(etl) = group.etls.first() else { return };
        let newest = self.newest.entry(*etl).or_default().entry(bank).or_default().entry(period.quarter()).or_insert(period);
        *newest = period.max(*newest);
    }

    /// Of each of these banks, the newest period of each quarter that has what an ETL requires. It is the first in the selection that requires
    /// just that.
    #[must_use]
    pub fn newest<'a>(&self, etl: EtlIndex, banks: impl Iterator<Item = (BankIndex, &'a Institution)>) -> Newest {
        let found = self.newest.get(&etl);
        let of_bank = |bank: BankIndex| found.and_then(|found| found.get(&bank)).map(|all| all.values().copied().collect());
        banks.map(|(index, bank)| (bank.key.clone(), of_bank(index).unwrap_or_default())).collect()
    }

    /// Whether any row of a monitored bank has all tags that an ETL in the selection requires, whatever else is selected.
    pub(super) fn has_monitored(&self) -> bool {
        self.has_monitored
    }

    /// Whether any row has all tags that an ETL requires.
    pub(super) fn has_data_for(&self, etl: EtlIndex) -> bool {
        self.with_data.contains(&etl)
    }
}

impl DataIssues {
    /// Notes rows whose `database_names` is no array.
    pub(super) fn not_an_array(&mut self, row: &AvailabilityKey, rows: u64, institutions: &Institutions, selection: &Selection) {
        if !selection.has_rows_of(data_row::bank_of(row, institutions)) {
            return;
        }
        self.invalid_rows += rows;
        let which = which(row);
        match self.invalid.named.iter_mut().find(|known| known.problem == NOT_AN_ARRAY) {
            None => self.invalid.push(InvalidRows { which, problem: NOT_AN_ARRAY.to_owned(), rows }),
            Some(known) => {
                if known.rows < NAMED_NOT_ARRAYS {
                    known.which = format!("{}, {which}", known.which);
                }
                known.rows += rows;
            }
        }
    }

    /// Notes rows that are not used. Those of banks that are not selected are of no concern.
    fn rejected(&mut self, row: &AvailabilityKey, why: RowRejected, rows: u64, institutions: &Institutions, selection: &Selection) {
        if !selection.has_rows_of(data_row::bank_of(row, institutions)) {
            return;
        }
        match why {
            RowRejected::Unmonitored(symbol) => self.unmonitored(symbol),
            RowRejected::Invalid(problem) => self.invalid(row, &problem.to_string(), rows),
        }
    }

    pub(super) fn banks_without_data(&mut self, institutions: &Institutions, selection: &Selection, census: &Census) {
        self.without_data = institutions
            .iter()
            .filter(|(index, _)| selection.has_bank(*index))
            .filter(|(index, _)| !census.banks.contains(index))
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
        let which = which(row);
        if self.invalid.named.iter().any(|known| known.which == which && known.problem == problem) {
            return; // counted for another ETL's tags already
        }
        self.invalid_rows += rows;
        self.invalid.push(InvalidRows { which, problem, rows });
    }
}

fn which(row: &AvailabilityKey) -> String {
    let column = |value: &Option<String>| value.as_deref().map_or_else(|| "NULL".to_owned(), shown);
    format!("{} {} {}", column(&row.bank_symbol), column(&row.fiscal_year), column(&row.quarter))
}

/// A value from the data with its control characters escaped and its length bounded.
fn shown(value: &str) -> String {
    value.chars().take(60).flat_map(|c| if c.is_control() { c.escape_default().collect() } else { vec![c] }).collect()
}
