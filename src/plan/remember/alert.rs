//! What is wrong and worth telling somebody of, and what was told of it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::plan::model::gap::GapKey;
use crate::plan::model::period::Period;

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A report, a source or a window of one: whether it can be made or collected.
    Gap(GapKey),
    /// An ETL by its name: whether it is taken for broken.
    Etl(String),
    /// A source by its id: whether it is late.
    Lateness(String),
    /// The data as a whole: whether any of it matches.
    Data,
    /// An ETL by its name: whether any data has what it requires.
    Requires(String),
    /// An ETL by its name: whether its reports are there under another type.
    ReportType(String),
    /// A bank by its key: whether it has any data or, with a period, whether that is late.
    Bank(String, Option<Period>),
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(gap) => write!(f, "{gap}"),
            Self::Etl(etl) => write!(f, "etl:{etl}"),
            Self::Lateness(source) => write!(f, "lateness:{source}"),
            Self::Data => f.write_str("data"),
            Self::Requires(etl) => write!(f, "requires:{etl}"),
            Self::ReportType(etl) => write!(f, "report_type:{etl}"),
            Self::Bank(bank, None) => write!(f, "bank:{bank}"),
            Self::Bank(bank, Some(period)) => write!(f, "bank:{bank}/{}", period.compact()),
        }
    }
}

/// A text that names no subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of what can be wrong, such as RY-CA/2025Q2/call_summary, etl:call_summary, lateness:us_house or bank:RY-CA/2025Q2")]
pub struct InvalidSubject;

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        Ok(match text.split_once(':') {
            None if text == "data" => Self::Data,
            Some(("etl", etl)) => Self::Etl(etl.to_owned()),
            Some(("lateness", source)) => Self::Lateness(source.to_owned()),
            Some(("requires", etl)) => Self::Requires(etl.to_owned()),
            Some(("report_type", etl)) => Self::ReportType(etl.to_owned()),
            Some(("bank", bank)) => of_bank(bank),
            Some(_) | None => Self::Gap(text.parse().map_err(|_| InvalidSubject)?),
        })
    }
}

fn of_bank(text: &str) -> Subject {
    match text.rsplit_once('/').and_then(|(bank, period)| Some((bank, period.parse().ok()?))) {
        Some((bank, period)) => Subject::Bank(bank.to_owned(), Some(period)),
        None => Subject::Bank(text.to_owned(), None),
    }
}

/// What is wrong, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// Nothing of the data matches what is configured.
    NothingMatches,
    /// It is not tried any more until somebody or something changes that.
    Quarantined,
    /// The ETL failed for one bank after another, and is taken for broken.
    BreakerOpen,
    /// The source is behind for longer than `error_after`.
    Overdue,
    /// What was collected of the source ends in the future.
    Ahead,
    /// No data has what the ETL requires.
    RequiresUnmet,
    /// The ETL has no reports, but there are some of a type that is spelled like its own.
    TypeMisspelled,
    /// A job failed, its retries included.
    Failing,
    /// The source is behind for longer than `warn_after`.
    Late,
    /// The bank's data is later than its past and its peers.
    BankLate,
    /// The bank is monitored and has no data.
    BankWithoutData,
}

impl AlertState {
    const ALL: [Self; 11] = [
        Self::NothingMatches,
        Self::Quarantined,
        Self::BreakerOpen,
        Self::Overdue,
        Self::Ahead,
        Self::RequiresUnmet,
        Self::TypeMisspelled,
        Self::Failing,
        Self::Late,
        Self::BankLate,
        Self::BankWithoutData,
    ];

    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::NothingMatches => "nothing_matches",
            Self::Quarantined => "quarantined",
            Self::BreakerOpen => "breaker_open",
            Self::Overdue => "overdue",
            Self::Ahead => "ahead",
            Self::RequiresUnmet => "requires_unmet",
            Self::TypeMisspelled => "report_type_misspelled",
            Self::Failing => "failing",
            Self::Late => "late",
            Self::BankLate => "bank_late",
            Self::BankWithoutData => "bank_without_data",
        }
    }

    /// The state of this name.
    #[must_use]
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What is wrong with something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alert {
    pub state: AlertState,
    /// Since when. Of a source that is late: until when it was collected; of a bank: by when its data was expected.
    pub since: DateTime<Utc>,
    /// Why, where that is known.
    pub reason: Option<String>,
    /// What the last attempt printed; `None` where that is not known, or there is nothing.
    pub log: Option<PathBuf>,
}

/// What somebody was told last, and is as far as he knows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notified {
    /// How he was told: `webhook`, `mail`.
    pub channel: String,
    pub subject: Subject,
    pub alert: Alert,
    /// When he was told. Reminders keep its time of day.
    pub at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_states_are_read_back_from_their_texts() {
        let gaps = ["RY-CA/2025Q2/call_summary", "source:us_house"];
        let data = ["data", "requires:call_summary", "report_type:call_summary", "bank:RY-CA", "bank:RY-CA/2025Q2", "bank:R/Y"];
        for text in [&gaps[..], &["etl:call_summary", "lateness:us_house"], &data].concat() {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
        }
        assert!(matches!("bank:RY-CA/2025Q2".parse(), Ok(Subject::Bank(bank, Some(_))) if bank == "RY-CA"));
        assert_eq!("call_summary".parse::<Subject>(), Err(InvalidSubject));
        assert!(AlertState::ALL.into_iter().all(|state| AlertState::parse(state.name()) == Some(state)));
    }
}
