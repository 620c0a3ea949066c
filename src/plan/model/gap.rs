//! What is missing, and its name.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::institution::{BankIndex, Institution};
use crate::plan::model::period::Period;
use crate::plan::text::template::Placeholder;

/// What the keys of sources begin with.
const SOURCE: &str = "source:";

/// The canonical name of a gap, `RY-CA/2025Q2/call_summary` or `source:us_house`.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GapKey(String);

impl GapKey {
    /// The key of a report gap.
    #[must_use]
    pub fn report(bank: &Institution, period: Period, etl: &Etl) -> Self {
        Self(format!("{}/{}/{}", bank.key, period.compact(), etl.name))
    }

    /// The key of a source: one of its jobs runs at a time, whatever its windows.
    #[must_use]
    pub fn source(id: &str) -> Self {
        Self(format!("{SOURCE}{id}"))
    }

    /// A key as the database holds it.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// The bank's key, the period and the ETL's name; `None` for a key that is no report's.
    #[must_use]
    pub fn parts(&self) -> Option<(&str, Period, &str)> {
        let mut parts = self.0.split('/');
        let (bank, period, etl) = (parts.next()?, parts.next()?, parts.next()?);
        Some((bank, period.parse().ok()?, etl)).filter(|_| parts.next().is_none())
    }

    /// The source's id; `None` for a key that is no source's.
    #[must_use]
    pub fn source_id(&self) -> Option<&str> {
        self.0.strip_prefix(SOURCE)
    }

    /// The key's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for GapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A report that a monitored bank has data for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gap {
    /// Whose report.
    pub bank: BankIndex,
    /// Of which period.
    pub period: Period,
    /// Made by which ETL.
    pub etl: EtlIndex,
}

/// What a placeholder stands for in a report of a bank, a period and an ETL: its name and its report type. Empty where it belongs to an
/// attempt, or to a source; configuration refuses those where they have no value.
pub fn report_value(placeholder: Placeholder, bank: &Institution, period: Period, (etl, report_type): (&str, &str)) -> String {
    match placeholder {
        Placeholder::BankSymbol => bank.symbol().to_owned(),
        Placeholder::BankKey => bank.key.clone(),
        Placeholder::BankId => bank.id.to_string(),
        Placeholder::BankName => bank.name.clone(),
        Placeholder::FiscalYear => period.year().to_string(),
        Placeholder::Quarter => period.quarter().as_str().to_owned(),
        Placeholder::Period => period.compact(),
        Placeholder::Etl => etl.to_owned(),
        Placeholder::ReportType => report_type.to_owned(),
        Placeholder::Output
        | Placeholder::JobId
        | Placeholder::RunId
        | Placeholder::Attempt
        | Placeholder::WorkDir
        | Placeholder::Source
        | Placeholder::WindowStart
        | Placeholder::WindowEnd
        | Placeholder::WindowYear
        | Placeholder::LookbackDays
        | Placeholder::RemoteId => String::new(),
    }
}
