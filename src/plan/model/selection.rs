//! The gaps and sources that an invocation is limited to.

use std::collections::BTreeSet;

use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::Gap;
use crate::plan::model::institution::BankIndex;
use crate::plan::model::period::Period;
use crate::plan::model::source::SourceIndex;

/// The options that narrow an invocation down. Empty sets mean "all".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// `--bank-symbol`.
    pub banks: BTreeSet<BankIndex>,
    /// `--exclude-bank`: these are left out, whatever else is selected.
    pub excluded_banks: BTreeSet<BankIndex>,
    /// `--etl-type`.
    pub etls: BTreeSet<EtlIndex>,
    /// `--source`.
    pub sources: BTreeSet<SourceIndex>,
    /// `--period`.
    pub periods: BTreeSet<Period>,
    /// `--from-year`, or `run.from_year`.
    pub from_year: Option<u16>,
    /// `--until-year`: no later fiscal year.
    pub until_year: Option<u16>,
    /// `--force`: what exists is made again.
    pub force: bool,
    /// `--anyway`: a report is made also while one that it needs is missing.
    pub anyway: bool,
}

impl Selection {
    /// Whether an option of the command line narrows this invocation down; `from_year` may come from configuration and
    /// does not.
    pub fn is_narrowed(&self) -> bool {
        self.names_reports() || !self.sources.is_empty()
    }

    /// Whether a rest, a quarantine and an open breaker hold nothing back.
    #[must_use]
    pub fn overrides_failures(&self) -> bool {
        self.force || self.anyway
    }

    fn names_reports(&self) -> bool {
        !self.banks.is_empty() || !self.etls.is_empty() || !self.periods.is_empty()
    }

    /// Whether rows of this bank are selected; `None` stands for rows of which nobody knows the bank.
    #[must_use]
    pub fn has_rows_of(&self, bank: Option<BankIndex>) -> bool {
        bank.map_or(self.banks.is_empty(), |bank| self.has_bank(bank))
    }

    /// Whether reports are selected. They are not if only sources are named.
    #[must_use]
    pub fn has_reports(&self) -> bool {
        self.names_reports() || self.sources.is_empty()
    }

    /// Whether it leaves out no later periods.
    #[must_use]
    pub fn has_latest_periods(&self) -> bool {
        self.periods.is_empty() && self.until_year.is_none()
    }

    /// Whether this source is selected. It is not if only options of reports are given.
    #[must_use]
    pub fn has_source(&self, source: SourceIndex) -> bool {
        if self.sources.is_empty() { !self.names_reports() } else { self.sources.contains(&source) }
    }

    /// Whether this bank is selected.
    #[must_use]
    pub fn has_bank(&self, bank: BankIndex) -> bool {
        (self.banks.is_empty() || self.banks.contains(&bank)) && !self.excluded_banks.contains(&bank)
    }

    /// The first option that keeps a gap out, or `None` when the gap is in.
    pub fn excludes(&self, gap: Gap) -> Option<Filter> {
        if !self.has_bank(gap.bank) {
            Some(Filter::Bank)
        } else if !self.etls.is_empty() && !self.etls.contains(&gap.etl) {
            Some(Filter::Etl)
        } else if !self.periods.is_empty() && !self.periods.contains(&gap.period) {
            Some(Filter::Period)
        } else if self.from_year.is_some_and(|year| gap.period.year() < year) {
            Some(Filter::FromYear)
        } else if self.until_year.is_some_and(|year| year < gap.period.year()) {
            Some(Filter::UntilYear)
        } else {
            None
        }
    }
}

/// The option that keeps a gap out of an invocation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Filter {
    /// `--bank-symbol` or `--exclude-bank`.
    Bank,
    /// `--etl-type`.
    Etl,
    /// `--period`.
    Period,
    /// `--from-year`, or `run.from_year`.
    FromYear,
    /// `--until-year`.
    UntilYear,
}
