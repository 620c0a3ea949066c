//! What was found of an installation, and how bad that is. How to mend it is said where it is shown.

mod database;
mod host;
mod schedule;
mod telling;

pub use database::{Clocks, DatabaseFacts, DatabaseLook, Encoding, RunsOnRecord, Server, StateTables, Transport, Verification};
pub use host::{HostFacts, LEAST_BYTES, LockState, OwnProcess, Spooled, TimeZone, Volume};
pub use schedule::{CronLine, Schedule, Timer, UnitText, cron_lines, timers, timers_in_list};
pub use telling::{ChannelFacts, Sight, Waiting};

use chrono::{DateTime, Utc};

/// How a check came out, from the best to the worst.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Everything is as it must be.
    Ok,
    /// It could not be looked at.
    Unknown,
    /// It works, but may be a mistake.
    Warning,
    /// A run, or a part of one, cannot do its work.
    Failed,
}

/// What is checked, in the order in which it is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Configuration,
    Programs,
    Outputs,
    Files,
    Telling,
    StateDir,
    Spool,
    Disk,
    Lock,
    Processes,
    TimeZone,
    SystemdTimer,
    Cron,
    Database,
    Tls,
    Encoding,
    Clock,
    StateTables,
    Rights,
    Runs,
    Tables,
    Tags,
    ReportTypes,
    Banks,
    Symbols,
    Rows,
}

/// Why something could not be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotLooked {
    /// It can be looked at only where this is as it must be.
    Needs(Subject),
    /// For this reason.
    Because(String),
}

/// What was found, or why nothing was.
pub type Looked<T> = Result<T, NotLooked>;

/// The status of what was found.
pub(super) fn status_of<T>(looked: &Looked<T>, judge: impl FnOnce(&T) -> Status) -> Status {
    looked.as_ref().map_or(Status::Unknown, judge)
}

/// Something that is wrong, in sentences.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    pub found: String,
    /// The way out, where `found` does not say it already.
    pub mend: Option<String>,
}

/// A fault whose sentence says the way out.
impl From<String> for Fault {
    fn from(found: String) -> Self {
        Self { found, mend: None }
    }
}

/// What is wrong with something, and what may be.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults {
    pub faults: Vec<Fault>,
    pub warnings: Vec<Fault>,
}

impl Faults {
    /// The worst of them.
    #[must_use]
    pub fn status(&self) -> Status {
        if !self.faults.is_empty() {
            Status::Failed
        } else if self.warnings.is_empty() {
            Status::Ok
        } else {
            Status::Warning
        }
    }
}

/// The configuration.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ConfigurationFacts {
    /// The file; `None` where there is none.
    pub path: Option<String>,
    /// Banks, ETLs and sources; `None` where the file cannot be used.
    pub size: Option<ConfigurationSize>,
    pub faults: Faults,
}

/// How much is configured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConfigurationSize {
    pub banks: usize,
    pub etls: usize,
    pub sources: usize,
}

/// Everything that was looked at.
#[derive(Debug)]
pub struct Checkup {
    /// When that was, by this host's clock.
    pub now: DateTime<Utc>,
    pub configuration: ConfigurationFacts,
    pub telling: Looked<Vec<ChannelFacts>>,
    pub host: Looked<HostFacts>,
    pub processes: Looked<Vec<OwnProcess>>,
    pub time_zone: TimeZone,
    pub schedule: Schedule,
    pub database: DatabaseLook,
}
