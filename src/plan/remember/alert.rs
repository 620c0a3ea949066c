//! What is wrong and worth telling somebody of, and what was told of it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use chrono::{DateTime, Utc};

use crate::plan::model::gap::GapKey;

/// What can be wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    /// A report, a source or a window of one: whether it can be made or collected.
    Gap(GapKey),
    /// An ETL by its name: whether it is taken for broken.
    Etl(String),
    /// A source by its id: whether it is late.
    Lateness(String),
}

const ETL: &str = "etl:";
const LATENESS: &str = "lateness:";

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gap(gap) => write!(f, "{gap}"),
            Self::Etl(etl) => write!(f, "{ETL}{etl}"),
            Self::Lateness(source) => write!(f, "{LATENESS}{source}"),
        }
    }
}

/// A text that names no subject.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("not the name of what can be wrong, such as RY-CA/2025Q2/call_summary, etl:call_summary or lateness:us_house")]
pub struct InvalidSubject;

impl FromStr for Subject {
    type Err = InvalidSubject;

    fn from_str(text: &str) -> Result<Self, InvalidSubject> {
        if let Some(etl) = text.strip_prefix(ETL) {
            Ok(Self::Etl(etl.to_owned()))
        } else if let Some(source) = text.strip_prefix(LATENESS) {
            Ok(Self::Lateness(source.to_owned()))
        } else {
            text.parse().map(Self::Gap).map_err(|_| InvalidSubject)
        }
    }
}

/// What is wrong, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlertState {
    /// It is not tried any more until somebody or something changes that.
    Quarantined,
    /// The ETL failed for one bank after another, and is taken for broken.
    BreakerOpen,
    /// The source is behind for longer than `error_after`.
    Overdue,
    /// What was collected of the source ends in the future.
    Ahead,
    /// A job failed, its retries included.
    Failing,
    /// The source is behind for longer than `warn_after`.
    Late,
}

impl AlertState {
    const ALL: [Self; 6] = [Self::Quarantined, Self::BreakerOpen, Self::Overdue, Self::Ahead, Self::Failing, Self::Late];

    /// The name under which it is stored.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Quarantined => "quarantined",
            Self::BreakerOpen => "breaker_open",
            Self::Overdue => "overdue",
            Self::Ahead => "ahead",
            Self::Failing => "failing",
            Self::Late => "late",
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
    /// Since when. Of a source that is late: until when it was collected.
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
    /// When he was told, or reminded.
    pub at: DateTime<Utc>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_and_states_are_read_back_from_their_texts() {
        for text in ["RY-CA/2025Q2/call_summary", "source:us_house", "etl:call_summary", "lateness:us_house"] {
            assert_eq!(text.parse::<Subject>().unwrap().to_string(), text);
        }
        assert_eq!("call_summary".parse::<Subject>(), Err(InvalidSubject));
        assert!(AlertState::ALL.into_iter().all(|state| AlertState::parse(state.name()) == Some(state)));
    }
}
