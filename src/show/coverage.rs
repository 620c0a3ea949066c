//! Which reports there are and which are missing, as a matrix.

mod matrix;
pub(super) mod state;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Serialize, Serializer};

use super::View;
use super::words::{Time, Untrusted};
use crate::plan::decide::coverage::{Coverage, ReportState, Tally};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::institution::BankIndex;
use crate::plan::model::period::Period;

pub use matrix::Paper;

/// The reports of the selected banks, ETLs and periods.
#[derive(Debug, Serialize)]
pub struct CoverageView<'a> {
    timestamp: Time,
    #[serde(flatten)]
    counts: Counts,
    etls: Vec<&'a str>,
    /// Periods that are so old that their reports are only counted.
    older_periods: u64,
    banks: Vec<BankView<'a>>,
    #[serde(skip)]
    periods: Vec<Period>,
    #[serde(skip)]
    paper: Paper,
}

/// How many reports there are, and how many there should be.
#[derive(Debug, Serialize)]
pub(super) struct Counts {
    pub(super) made: u64,
    pub(super) expected: u64,
    /// By the name of their state, where there are any.
    states: BTreeMap<&'static str, u64>,
    #[serde(skip)]
    pub(super) tally: Tally,
}

#[derive(Debug, Serialize)]
pub(super) struct BankView<'a> {
    pub(super) bank_symbol: Untrusted<'a>,
    pub(super) bank_key: &'a str,
    pub(super) bank_name: Untrusted<'a>,
    #[serde(flatten)]
    pub(super) counts: Counts,
    #[serde(rename = "periods")]
    reports: Reports<'a>,
}

/// The reports of a bank.
#[derive(Debug)]
struct Reports<'a> {
    bank: BankIndex,
    coverage: &'a Coverage,
    catalogue: &'a Catalogue,
}

impl<'a> CoverageView<'a> {
    /// The view at this time, to be written on such a paper.
    pub fn new(coverage: &'a Coverage, catalogue: &'a Catalogue, now: DateTime<Utc>, paper: Paper) -> Self {
        Self {
            timestamp: Time(now),
            counts: Counts::new(coverage.total()),
            etls: coverage.etls.iter().map(|etl| catalogue.etl(*etl).name.as_str()).collect(),
            older_periods: coverage.older_periods,
            banks: banks(coverage, catalogue),
            periods: coverage.periods().collect(),
            paper,
        }
    }
}

/// The banks, in order of declaration.
pub(super) fn banks<'a>(coverage: &'a Coverage, catalogue: &'a Catalogue) -> Vec<BankView<'a>> {
    let view = |index| {
        let bank = catalogue.institutions.get(index);
        BankView {
            bank_symbol: catalogue.institutions.data_symbol(bank).into(),
            bank_key: &bank.key,
            bank_name: bank.name.as_str().into(),
            counts: Counts::new(coverage.tally(index)),
            reports: Reports { bank: index, coverage, catalogue },
        }
    };
    coverage.banks().map(view).collect()
}

impl Counts {
    pub(super) fn new(tally: Tally) -> Self {
        let states = ReportState::ALL.into_iter().map(|state| (state::name(state), tally.of(state)));
        Self { made: tally.made(), expected: tally.expected(), states: states.filter(|(_, number)| *number > 0).collect(), tally }
    }
}

impl BankView<'_> {
    /// A state for each of the ETLs.
    pub(super) fn states(&self, period: Period) -> Vec<ReportState> {
        let Reports { bank, coverage, .. } = self.reports;
        coverage.states(bank, period).map_or_else(|| vec![ReportState::NoData; coverage.etls.len()], <[ReportState]>::to_vec)
    }
}

/// Those of each period that the bank has data for, newest first.
impl Serialize for Reports<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct OfPeriod<'r> {
            fiscal_year: u16,
            quarter: &'static str,
            reports: States<'r>,
        }
        let of_period = |period: Period| {
            let states = self.coverage.states(self.bank, period)?;
            Some(OfPeriod { fiscal_year: period.year(), quarter: period.quarter().as_str(), reports: States { of: self, states } })
        };
        serializer.collect_seq(self.coverage.periods().filter_map(of_period))
    }
}

/// The state of each ETL's report, by its name.
struct States<'r> {
    of: &'r Reports<'r>,
    states: &'r [ReportState],
}

impl Serialize for States<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let names = self.of.coverage.etls.iter().map(|etl| &self.of.catalogue.etl(*etl).name);
        serializer.collect_map(names.zip(self.states.iter().map(|state| state::name(*state))))
    }
}

impl View for CoverageView<'_> {
    fn kind(&self) -> &'static str {
        "coverage"
    }

    fn text(&self) -> String {
        matrix::page(self)
    }
}

#[cfg(test)]
mod tests;
