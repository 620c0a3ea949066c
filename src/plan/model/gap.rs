//! What is missing, and its name.

use std::fmt;
use std::str::FromStr;

use chrono::{DateTime, SecondsFormat, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::institution::{BankIndex, Institution};
use crate::plan::model::period::Period;
use crate::plan::text::placeholder::{Placeholder, Values};

/// The canonical name of a gap: `RY-CA/2025Q2/call_summary`, `source:us_house` or `source:us_house@2026-01-16T00:00:00Z`; or of a group of
/// gaps: `RY-CA/*/*`. It is text only in the database and the spool.
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
    /// A window of a source whose windows are independent of each other.
    Window {
        /// The source's id.
        source: String,
        /// The window's begin.
        start: DateTime<Utc>,
    },
    /// All reports of a bank, of an ETL, or of an ETL for a bank, those of data that comes later too. Only orders are on it; no job is.
    Group {
        /// The bank's full key; `None` for all banks.
        bank: Option<String>,
        /// Name of the ETL; `None` for all of them.
        etl: Option<String>,
    },
}

/// What the text of a source's key begins with.
const SOURCE: &str = "source:";

/// What stands between a source and the begin of its window.
const AT: char = '@';

/// What stands for all banks, periods or ETLs in the text of a group's key.
const ALL: &str = "*";

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
            Self::Source(source) | Self::Window { source, .. } => source,
            Self::Group { etl, .. } => etl.as_deref().unwrap_or(ALL),
        }
    }

    /// The full key of its bank, where it is a report.
    #[must_use]
    pub fn bank(&self) -> Option<&str> {
        self.of_report().map(|(bank, ..)| bank)
    }

    /// `2025Q2`, where it is a report.
    #[must_use]
    pub fn period(&self) -> Option<String> {
        self.of_report().map(|(_, period, _)| period.compact())
    }

    /// The name of its ETL, where it is a report.
    #[must_use]
    pub fn etl(&self) -> Option<&str> {
        self.of_report().map(|(.., etl)| etl)
    }

    fn of_report(&self) -> Option<(&str, Period, &str)> {
        match self {
            Self::Report { bank, period, etl } => Some((bank, *period, etl)),
            Self::Source(_) | Self::Window { .. } | Self::Group { .. } => None,
        }
    }

    /// The id of its source, where it is a source's.
    #[must_use]
    pub fn source_id(&self) -> Option<&str> {
        match self {
            Self::Source(source) | Self::Window { source, .. } => Some(source),
            Self::Report { .. } | Self::Group { .. } => None,
        }
    }

    /// Whether this is a group or a source, and the other a gap in it.
    #[must_use]
    pub fn covers(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Group { bank, etl }, Self::Report { bank: of_bank, etl: of_etl, .. }) => {
                bank.as_ref().is_none_or(|bank| bank == of_bank) && etl.as_ref().is_none_or(|etl| etl == of_etl)
            }
            (Self::Source(id), Self::Window { source, .. }) => id == source,
            (Self::Group { .. } | Self::Source(_), Self::Source(_) | Self::Group { .. })
            | (Self::Group { .. }, Self::Window { .. })
            | (Self::Source(_), Self::Report { .. })
            | (Self::Report { .. } | Self::Window { .. }, _) => false,
        }
    }
}

impl fmt::Display for GapKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Report { bank, period, etl } => write!(f, "{bank}/{}/{etl}", period.compact()),
            Self::Source(id) => write!(f, "{SOURCE}{id}"),
            Self::Window { source, start } => {
                write!(f, "{SOURCE}{source}{AT}{}", start.to_rfc3339_opts(SecondsFormat::Secs, true))
            }
            Self::Group { bank, etl } => {
                write!(f, "{}/{ALL}/{}", bank.as_deref().unwrap_or(ALL), etl.as_deref().unwrap_or(ALL))
            }
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
            let window = id.rsplit_once(AT).and_then(|(source, start)| Some((source, DateTime::parse_from_rfc3339(start).ok()?)));
            let key = window
                .map_or_else(|| Self::source(id), |(source, start)| Self::Window { source: source.to_owned(), start: start.to_utc() });
            // Whatever is no window by its canonical name is the id of a source.
            return Ok(if key.to_string() == text { key } else { Self::source(id) });
        }
        let (bank, rest) = text.split_once('/').ok_or_else(invalid)?;
        let (period, etl) = rest.split_once('/').ok_or_else(invalid)?;
        if period == ALL && !etl.contains('/') {
            let named = |name: &str| (name != ALL).then(|| name.to_owned());
            return Ok(Self::Group { bank: named(bank), etl: named(etl) });
        }
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
        for text in [
            "RY-CA/2025Q2/call_summary",
            "source:us_house",
            "source:a/b",
            "source:a@2026-01-16T00:00:00Z",
            "source:a@b",
            "source:a@2026-01-16",
            "RY-CA/*/*",
            "*/*/call_summary",
            "RY-CA/*/call_summary",
        ] {
            let key: GapKey = text.parse().unwrap();
            assert_eq!(key.to_string(), text);
            assert_eq!(serde_json::to_value(&key).unwrap(), text);
            assert_eq!(serde_json::from_value::<GapKey>(text.into()).unwrap(), key);
        }
    }

    #[test]
    fn a_group_covers_the_reports_of_its_bank_and_its_etl() {
        let covers = |group: &str, gap: &str| group.parse::<GapKey>().unwrap().covers(&gap.parse().unwrap());
        for group in ["RY-CA/*/*", "*/*/a", "RY-CA/*/a"] {
            assert!(covers(group, "RY-CA/2025Q2/a"), "{group}");
            assert!(!covers(group, "TD-CA/2025Q2/b"), "{group}");
            assert!(!covers(group, "source:a") && !covers(group, group), "{group}");
        }
        assert!(!covers("RY-CA/2025Q2/a", "RY-CA/2025Q2/a"));
        assert!(covers("source:a", "source:a@2026-01-16T00:00:00Z"));
        assert!(!covers("source:a", "source:b@2026-01-16T00:00:00Z") && !covers("source:a", "source:a"));
    }

    #[test]
    fn other_texts_are_no_keys() {
        for text in
            ["", "RY-CA", "RY-CA/2025Q2", "RY-CA/2025Q5/call_summary", "RY-CA/2025 q2/call_summary", "RY-CA/2025Q2/a/b", "RY-CA/*/a/b"]
        {
            assert!(text.parse::<GapKey>().is_err(), "{text}");
        }
    }
}
