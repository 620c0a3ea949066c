//! What was found of the database.

use chrono::{DateTime, TimeDelta, Utc};

use super::{Fault, Faults, Looked, NotLooked, Status};
use crate::plan::decide::census::DataIssues;
use crate::plan::decide::mismatch::NameIssues;
use crate::plan::model::clock::is_long_past;
use crate::plan::model::job::RunningRun;
use crate::plan::remember::liveness::Liveness;
use crate::plan::remember::past::PastRun;

/// Clocks that differ by more than the first are a warning; by more than the second leases and windows go wrong.
const SKEW: TimeDelta = TimeDelta::seconds(30);
const GREAT_SKEW: TimeDelta = TimeDelta::minutes(5);

/// What came of asking the database.
#[derive(Debug)]
pub enum DatabaseLook {
    NotLooked(NotLooked),
    /// Its file is not there yet: a run makes it.
    Absent {
        target: String,
    },
    /// It does not answer, or refuses us.
    Unusable(Fault),
    Open(Box<DatabaseFacts>),
}

/// What a database said.
#[derive(Debug)]
pub struct DatabaseFacts {
    pub target: String,
    pub server: Looked<Server>,
    pub clocks: Looked<Clocks>,
    pub state_tables: StateTables,
    /// The statements that grant what is missing; for a file what is wrong with its mode.
    pub rights: Looked<Faults>,
    pub tables: Looked<Faults>,
    pub runs: Looked<RunsOnRecord>,
    /// Tags and types of reports; `None` where no ETL names any.
    pub names: Looked<Option<NameIssues>>,
    pub data: Looked<Option<DataIssues>>,
}

/// What a server says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Server {
    /// `PostgreSQL 17.2`.
    pub product: String,
    pub encoding: Encoding,
    /// Its clock; `None` where it has none of its own.
    pub now: Option<DateTime<Utc>>,
    /// Whether it only stands in for another, and takes no changes.
    pub is_standby: bool,
    /// How we talk to it; `None` where it is a file.
    pub transport: Option<Transport>,
}

/// The characters that a database holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Encoding {
    /// All.
    Unicode(String),
    /// Those of this encoding; others are replaced.
    Limited(String),
    /// It holds any bytes and knows no characters.
    Bytes(String),
}

impl Encoding {
    #[must_use]
    pub fn status(&self) -> Status {
        if matches!(self, Self::Unicode(_)) { Status::Ok } else { Status::Warning }
    }
}

/// How the connection is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// By a socket of this host.
    Socket,
    /// Over the network of this host alone, without encryption.
    Loopback,
    /// Over a network, without encryption.
    Plain,
    Encrypted(Verification),
}

/// What of the server is verified.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verification {
    Nothing,
    /// That an authority we trust has signed its certificate.
    Authority,
    /// That, and that the certificate is for this host.
    AuthorityAndHost,
}

impl Transport {
    #[must_use]
    pub fn status(self) -> Status {
        match self {
            Self::Plain | Self::Encrypted(Verification::Nothing) => Status::Warning,
            Self::Socket | Self::Loopback | Self::Encrypted(Verification::Authority | Verification::AuthorityAndHost) => Status::Ok,
        }
    }
}

/// Our own tables.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StateTables {
    /// They have the version that this program knows.
    Current(i64),
    /// They are not there. `obstacle`: why the database user cannot make them.
    Absent {
        obstacle: Option<String>,
    },
    Older {
        found: i64,
        known: i64,
        /// Why the database user cannot migrate them.
        obstacle: Option<String>,
    },
    Newer {
        found: i64,
        known: i64,
    },
    /// The database user may not look at them; in a sentence.
    Refused(String),
}

impl StateTables {
    /// Whether they can be read.
    #[must_use]
    pub fn is_current(&self) -> bool {
        matches!(self, Self::Current(_))
    }

    #[must_use]
    pub fn status(&self) -> Status {
        match self {
            Self::Current(_) | Self::Absent { obstacle: None } => Status::Ok,
            Self::Older { obstacle: None, .. } => Status::Warning,
            Self::Absent { obstacle: Some(_) } | Self::Older { obstacle: Some(_), .. } | Self::Newer { .. } | Self::Refused(_) => {
                Status::Failed
            }
        }
    }
}

/// The clocks that a run goes by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// This host's.
    pub ours: DateTime<Utc>,
    /// The database's; `None` where that is ours.
    pub databases: Option<DateTime<Utc>>,
    /// When the latest run on record began.
    pub last_record: Option<DateTime<Utc>>,
}

impl Clocks {
    /// How far the database's clock is ahead of ours.
    #[must_use]
    pub fn skew(&self) -> Option<TimeDelta> {
        Some(self.databases? - self.ours)
    }

    /// How far ours is behind the latest record.
    #[must_use]
    pub fn behind_record(&self) -> Option<TimeDelta> {
        Some(self.last_record? - self.ours).filter(|behind| *behind > SKEW)
    }

    /// Whether nobody has set ours: it says a time that is long past.
    #[must_use]
    pub fn is_unset(&self) -> bool {
        is_long_past(self.ours)
    }

    #[must_use]
    pub fn status(&self) -> Status {
        let skew = self.skew().map_or(TimeDelta::zero(), |skew| skew.abs());
        if self.is_unset() || self.behind_record().is_some() || skew > GREAT_SKEW {
            Status::Failed
        } else if skew > SKEW {
            Status::Warning
        } else {
            Status::Ok
        }
    }
}

/// The runs that the database knows.
#[derive(Debug, Clone, PartialEq)]
pub struct RunsOnRecord {
    /// The latest; `None` where there is none.
    pub last: Option<PastRun>,
    /// Those that are recorded as running, with what this host sees of their owners.
    pub running: Vec<(RunningRun, Liveness)>,
}

impl RunsOnRecord {
    #[must_use]
    pub fn status(&self) -> Status {
        let has_died =
            |(run, liveness): &(RunningRun, Liveness)| *liveness == Liveness::Dead || (*liveness == Liveness::Unknown && run.expired);
        if self.running.iter().any(has_died) { Status::Warning } else { Status::Ok }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_compared_with_the_databases_and_with_the_latest_record() {
        let ours = DateTime::UNIX_EPOCH + TimeDelta::days(20_000);
        let clocks = |skew: i64, record: i64| Clocks {
            ours,
            databases: Some(ours + TimeDelta::seconds(skew)),
            last_record: Some(ours + TimeDelta::seconds(record)),
        };
        for (skew, record, status) in [
            (0, -900, Status::Ok),
            (-29, -900, Status::Ok),
            (31, -900, Status::Warning),
            (-301, -900, Status::Failed),
            (0, 29, Status::Ok),
            (0, 86_400 * 365, Status::Failed),
        ] {
            assert_eq!(clocks(skew, record).status(), status, "{skew} {record}");
        }
        let alone = |ours| Clocks { ours, databases: None, last_record: None }.status();
        assert_eq!((alone(ours), alone(DateTime::UNIX_EPOCH)), (Status::Ok, Status::Failed));
    }

    #[test]
    fn what_a_run_mends_by_itself_is_no_failure() {
        let obstacle = || Some("lacks CREATE".to_owned());
        for (tables, status) in [
            (StateTables::Current(3), Status::Ok),
            (StateTables::Absent { obstacle: None }, Status::Ok),
            (StateTables::Absent { obstacle: obstacle() }, Status::Failed),
            (StateTables::Older { found: 1, known: 3, obstacle: None }, Status::Warning),
            (StateTables::Older { found: 1, known: 3, obstacle: obstacle() }, Status::Failed),
            (StateTables::Newer { found: 4, known: 3 }, Status::Failed),
            (StateTables::Refused("no".to_owned()), Status::Failed),
        ] {
            assert_eq!(tables.status(), status, "{tables:?}");
        }
    }
}
