//! What is missing, and its name.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::institution::{BankIndex, Institution};
use crate::plan::model::period::Period;
use crate::plan::text::placeholder::{Placeholder, Values};

/// The canonical name of a gap: `RY-CA/2025Q2/call_summary` or `source:us_house`. It is text only in the database and the spool.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum GapKey {
    /// A report of a bank.
    Report {
        /// The bank's full key.
        bank: String,
        /// The fiscal period.
        period: Period,
        /// Name of the ETL that makes it.
        etl: String,
    },
    /// A source by its id: one job of it runs at a time, whatever its windows.
    Source(String),
}

/// What the text of a source's key begins with.
const SOURCE: &str = "source:";

impl GapKey {
    /// The key of a report gap.
    #[must_use]
    pub fn report(bank: &Institution, period: Period, etl: &Etl) -> Self {
        Self::Report { bank: bank.key.clone(), period, etl: etl.name.clone() }
    }

    /// The key of a source.
    #[must_use]
    pub fn source(id: &str) -> Self {
        Self::Source(id.to_owned())
    }

    /// What fills the gap: the name of its ETL, or the id of its source.
    #[must_use]
    pub fn filled_by(&self) -> &str {
        match self {
            Self::Report { etl, .. } => etl,
            Self::Source(id) => id,
        }
    }
}

impl fmt::Display for GapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Report { bank, period, etl } => write!(f, "{bank}/{}/{etl}", period.compact()),
            Self::Source(id) => write!(f, "{SOURCE}{id}"),
        }
    }
}

/// A text that is no key of a gap.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the key of a gap, such as RY-CA/2025Q2/call_summary or source:us_house")]
pub struct InvalidGapKey(String);

impl FromStr for GapKey {
    type Err = InvalidGapKey;

    fn from_str(text: &str) -> Result<Self, InvalidGapKey> {
        let invalid = || InvalidGapKey(text.to_owned());
        if let Some(id) = text.strip_prefix(SOURCE) {
            return Ok(Self::source(id));
        }
        let (bank, rest) = text.split_once('/').ok_or_else(invalid)?;
        let (period, etl) = rest.split_once('/').ok_or_else(invalid)?;
        let key = Self::Report { bank: bank.to_owned(), period: period.parse().map_err(|_| invalid())?, etl: etl.to_owned() };
        // `2025 q2` is a period too, but the key would not be found again under its own text.
        let is_canonical = !etl.contains('/') && key.to_string() == text;
        if is_canonical { Ok(key) } else { Err(invalid()) }
    }
}

impl Serialize for GapKey {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for GapKey {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}

/// A report that a monitored bank has data for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gap {
    /// Whose report.
    pub bank: BankIndex,
    pub period: Period,
    /// Made by which ETL.
    pub etl: EtlIndex,
}

/// The values of the placeholders of a bank and a period, and of an ETL.
#[must_use]
pub fn report_values(bank: &Institution, period: Period, etl: &str, report_type: &str) -> Values {
    Values::from([
        (Placeholder::BankSymbol, bank.symbol().to_owned()),
        (Placeholder::BankKey, bank.key.clone()),
        (Placeholder::BankId, bank.id.to_string()),
        (Placeholder::BankName, bank.name.clone()),
        (Placeholder::FiscalYear, period.year().to_string()),
        (Placeholder::Quarter, period.quarter().as_str().to_owned()),
        (Placeholder::Period, period.compact()),
        (Placeholder::Etl, etl.to_owned()),
        (Placeholder::ReportType, report_type.to_owned()),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::test_support::bank;
    use crate::plan::text::placeholder::Scope;

    #[test]
    fn everything_that_a_report_can_name_has_a_value() {
        let values = report_values(&bank("RY-CA", 1), "2025Q2".parse().unwrap(), "call_summary", "Call Summary");
        assert!(values.into_keys().eq(Placeholder::within(Scope::IN_REPORT_PATH)));
    }

    #[test]
    fn a_key_is_read_back_from_its_text() {
        for text in ["RY-CA/2025Q2/call_summary", "source:us_house", "source:a/b"] {
            let key: GapKey = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
            assert_eq!(serde_json::to_value(&key).unwrap(), text);
            assert_eq!(serde_json::from_value::<GapKey>(text.into()).unwrap(), key);
        }
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in ["", "RY-CA", "RY-CA/2025Q2", "RY-CA/2025Q5/call_summary", "RY-CA/2025 q2/call_summary", "RY-CA/2025Q2/a/b"] {
            assert!(text.parse::<GapKey>().is_err(), "{text}");
        }
    }
}
