//! Which reports there are and which are missing: every bank, period and ETL with the decision on it.

use std::collections::{BTreeMap, BTreeSet};

use crate::plan::decide::decision::Decision;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::Gap;
use crate::plan::model::institution::BankIndex;
use crate::plan::model::period::Period;
use crate::plan::remember::failure_history::RestReason;

/// Periods that are kept, so that a table with every year there is does not fill the memory. Older ones are only counted.
pub const MOST_PERIODS: usize = 200;

/// What is known of one report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ReportState {
    /// It exists.
    Made,
    /// A run is making it.
    Running,
    /// Its job has ended, which the database does not have on record yet.
    Unrecorded,
    /// The next runs make it.
    Missing,
    /// It waits for a report that it needs.
    Waiting,
    /// Its ETL said that its data was not ready.
    NotReady,
    /// It failed, and is tried again later.
    CoolingDown,
    /// Its ETL is taken for broken.
    Deferred,
    /// It failed so that trying again helps only once something has changed.
    Quarantined,
    /// An operator wants it left alone.
    Skipped,
    /// There is data for the period, but not all that its ETL requires.
    DataIncomplete,
    /// There is no data for the period.
    NoData,
}

impl ReportState {
    /// In the order in which they are explained.
    pub const ALL: [Self; 12] = [
        Self::Made,
        Self::Running,
        Self::Unrecorded,
        Self::Missing,
        Self::Waiting,
        Self::NotReady,
        Self::CoolingDown,
        Self::Deferred,
        Self::Quarantined,
        Self::Skipped,
        Self::DataIncomplete,
        Self::NoData,
    ];

    /// The state of a report that exists or does not, by the decision on it; `None` where it is not selected.
    #[must_use]
    pub fn of(decision: &Decision, exists: bool) -> Option<Self> {
        match decision {
            Decision::Invalid(_) | Decision::Filtered(_) => None,
            _ if exists => Some(Self::Made),
            Decision::Done => Some(Self::Made),
            Decision::Skipped(_) => Some(Self::Skipped),
            Decision::Unrecorded(_) => Some(Self::Unrecorded),
            Decision::Claimed(_) => Some(Self::Running),
            Decision::Waiting(_) => Some(Self::Waiting),
            Decision::Quarantined(_) => Some(Self::Quarantined),
            Decision::CoolingDown(rest) => Some(match rest.why {
                RestReason::Failed => Self::CoolingDown,
                RestReason::NotReady => Self::NotReady,
            }),
            Decision::Deferred => Some(Self::Deferred),
            Decision::Run(_) => Some(Self::Missing),
        }
    }

    /// Whether the report should be there: it has its data, and nobody wants it left alone.
    #[must_use]
    pub fn is_expected(self) -> bool {
        !matches!(self, Self::Skipped | Self::DataIncomplete | Self::NoData)
    }

    /// Whether it has failed, so that somebody may have to look at it.
    #[must_use]
    pub fn is_failing(self) -> bool {
        matches!(self, Self::CoolingDown | Self::Deferred | Self::Quarantined)
    }
}

/// How many reports are in which state.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally(BTreeMap<ReportState, u64>);

impl Tally {
    fn add(&mut self, state: ReportState, number: u64) {
        *self.0.entry(state).or_default() += number;
    }

    /// Reports in this state.
    #[must_use]
    pub fn of(&self, state: ReportState) -> u64 {
        self.0.get(&state).copied().unwrap_or_default()
    }

    /// Reports that there are.
    #[must_use]
    pub fn made(&self) -> u64 {
        self.of(ReportState::Made)
    }

    /// Reports that there should be.
    #[must_use]
    pub fn expected(&self) -> u64 {
        self.sum(ReportState::is_expected)
    }

    /// Reports that have failed, so that somebody may have to look at them.
    #[must_use]
    pub fn failing(&self) -> u64 {
        self.sum(ReportState::is_failing)
    }

    fn sum(&self, counts: fn(ReportState) -> bool) -> u64 {
        self.0.iter().filter(|(state, _)| counts(**state)).map(|(_, number)| number).sum()
    }

    /// Adds another to this one.
    pub fn extend(&mut self, other: &Self) {
        for (state, number) in &other.0 {
            self.add(*state, *number);
        }
    }
}

/// The reports of the selected banks, ETLs and periods. It takes what a scan finds, and holds at most [`MOST_PERIODS`] of each bank.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The ETLs in the selection, in order of declaration.
    pub etls: Vec<EtlIndex>,
    periods: BTreeSet<Period>,
    banks: BTreeMap<BankIndex, Banked>,
    /// Periods that are older than those that are kept.
    pub older_periods: u64,
}

/// The reports of a bank.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Banked {
    /// By period: a state for each of the ETLs.
    rows: BTreeMap<Period, Box<[ReportState]>>,
    /// Those of older periods.
    older: Tally,
}

impl Coverage {
    /// An empty one, for the banks and ETLs in the selection.
    #[must_use]
    pub fn new(banks: impl IntoIterator<Item = BankIndex>, etls: Vec<EtlIndex>) -> Self {
        let banks = banks.into_iter().map(|bank| (bank, Banked::default())).collect();
        Self { etls, periods: BTreeSet::new(), banks, older_periods: 0 }
    }

    /// Notes that a bank has data for a period.
    pub fn has_data(&mut self, bank: BankIndex, period: Period) {
        for state in self.row(bank, period).into_iter().flatten() {
            if *state == ReportState::NoData {
                *state = ReportState::DataIncomplete;
            }
        }
    }

    /// Notes the state of a report whose data is there.
    pub fn note(&mut self, gap: Gap, state: ReportState) {
        let Some(column) = self.etls.iter().position(|etl| *etl == gap.etl) else { return };
        match self.row(gap.bank, gap.period) {
            Some(row) => row[column] = state,
            None => {
                if let Some(bank) = self.banks.get_mut(&gap.bank) {
                    bank.older.add(state, 1);
                }
            }
        }
    }

    /// The row of a bank and a period. `None` where the bank is not selected, or the period is older than those that are kept.
    fn row(&mut self, bank: BankIndex, period: Period) -> Option<&mut [ReportState]> {
        if !self.periods.contains(&period) {
            if self.periods.len() == MOST_PERIODS {
                self.older_periods += 1;
                let oldest = *self.periods.first()?;
                if period < oldest {
                    return None;
                }
                self.periods.remove(&oldest);
                for bank in self.banks.values_mut() {
                    for state in bank.rows.remove(&oldest).unwrap_or_default() {
                        bank.older.add(state, 1);
                    }
                }
            }
            self.periods.insert(period);
        }
        let columns = self.etls.len();
        let rows = &mut self.banks.get_mut(&bank)?.rows;
        Some(rows.entry(period).or_insert_with(|| vec![ReportState::NoData; columns].into()))
    }

    /// The periods for which any bank has data, newest first.
    pub fn periods(&self) -> impl ExactSizeIterator<Item = Period> + '_ {
        self.periods.iter().rev().copied()
    }

    /// The banks in the selection, in order of declaration.
    pub fn banks(&self) -> impl ExactSizeIterator<Item = BankIndex> + '_ {
        self.banks.keys().copied()
    }

    /// The states of a bank's reports of a period, one for each of the ETLs; `None` where the bank has no data for it.
    #[must_use]
    pub fn states(&self, bank: BankIndex, period: Period) -> Option<&[ReportState]> {
        Some(self.banks.get(&bank)?.rows.get(&period)?)
    }

    /// The state of one report.
    #[must_use]
    pub fn state(&self, gap: Gap) -> ReportState {
        let column = self.etls.iter().position(|etl| *etl == gap.etl);
        let state = column.and_then(|column| self.states(gap.bank, gap.period)?.get(column));
        state.copied().unwrap_or(ReportState::NoData)
    }

    /// How many reports of a bank are in which state.
    #[must_use]
    pub fn tally(&self, bank: BankIndex) -> Tally {
        let mut tally = Tally::default();
        if let Some(bank) = self.banks.get(&bank) {
            tally.extend(&bank.older);
            bank.rows.values().flat_map(|row| row.iter()).for_each(|state| tally.add(*state, 1));
            let without_row = (self.periods.len() - bank.rows.len()) * self.etls.len();
            tally.add(ReportState::NoData, without_row as u64);
        }
        tally
    }

    /// How many reports of all banks are in which state.
    #[must_use]
    pub fn total(&self) -> Tally {
        let mut total = Tally::default();
        self.banks().for_each(|bank| total.extend(&self.tally(bank)));
        total
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::decide::decision::Why;
    use crate::plan::model::selection::Filter;

    fn gap(bank: BankIndex, period: &str, etl: EtlIndex) -> Gap {
        Gap { bank, period: period.parse().unwrap(), etl }
    }

    #[test]
    fn what_exists_is_made_whatever_is_done_about_it() {
        assert_eq!(ReportState::of(&Decision::Run(Why::Forced), true), Some(ReportState::Made));
        assert_eq!(ReportState::of(&Decision::Deferred, true), Some(ReportState::Made));
        assert_eq!(ReportState::of(&Decision::Run(Why::Missing), false), Some(ReportState::Missing));
        assert_eq!(ReportState::of(&Decision::Filtered(Filter::Bank), true), None);
    }

    #[test]
    fn a_report_that_was_not_found_lacks_data() {
        let mut coverage = Coverage::new([0, 1], vec![2, 5]);
        coverage.note(gap(0, "2025Q2", 5), ReportState::Made);
        coverage.has_data(0, "2025Q2".parse().unwrap());
        coverage.has_data(1, "2025Q1".parse().unwrap());
        coverage.note(gap(7, "2025Q2", 5), ReportState::Made);
        let periods: Vec<String> = coverage.periods().map(Period::compact).collect();
        assert_eq!(periods, ["2025Q2", "2025Q1"]);
        assert_eq!(coverage.states(0, "2025Q2".parse().unwrap()), Some(&[ReportState::DataIncomplete, ReportState::Made][..]));
        assert_eq!(coverage.state(gap(0, "2025Q1", 2)), ReportState::NoData);
        let total = coverage.total();
        assert_eq!((total.made(), total.expected(), total.of(ReportState::DataIncomplete), total.of(ReportState::NoData)), (1, 1, 3, 4));
    }

    #[test]
    fn older_periods_are_counted_and_not_kept() {
        let mut coverage = Coverage::new([0], vec![0]);
        for year in 2000..2060 {
            for quarter in 1..=4 {
                coverage.note(gap(0, &format!("{year}Q{quarter}"), 0), ReportState::Made);
            }
        }
        coverage.note(gap(0, "1999Q4", 0), ReportState::Missing);
        assert_eq!((coverage.periods().len(), coverage.older_periods), (MOST_PERIODS, 41));
        assert_eq!((coverage.total().made(), coverage.total().expected()), (240, 241));
    }
}
