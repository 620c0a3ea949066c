//! A check as people and programs read it.

use super::super::words::Untrusted;
use crate::plan::decide::checkup::{Fault, Faults, Looked, NotLooked, Status, Subject};

/// What was found of a subject, and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) subject: Subject,
    pub(super) status: Status,
    pub(super) parts: Vec<Fault>,
}

impl Finding {
    pub(super) fn new(subject: Subject, status: Status, found: impl Into<String>) -> Self {
        Self { subject, status, parts: vec![found.into().into()] }
    }

    /// A finding of several parts.
    pub(super) fn of_parts(subject: Subject, status: Status, parts: Vec<Fault>) -> Self {
        Self { subject, status, parts }
    }

    /// The same with how to mend its last part.
    pub(super) fn mended_by(mut self, mend: impl Into<String>) -> Self {
        if let Some(last) = self.parts.last_mut() {
            last.mend = Some(mend.into());
        }
        self
    }

    /// What is wrong or, where nothing is, that all is `fine`.
    pub(super) fn of_faults(subject: Subject, faults: &Faults, fine: impl Into<String>) -> Self {
        match faults.status() {
            Status::Ok => Self::new(subject, Status::Ok, fine),
            status => Self { subject, status, parts: [faults.faults.as_slice(), &faults.warnings].concat() },
        }
    }

    /// What was found, or that it could not be looked at.
    pub(super) fn of<T>(subject: Subject, looked: &Looked<T>, found: impl FnOnce(&T) -> Self) -> Self {
        match looked {
            Ok(value) => found(value),
            Err(why) => Self::not_looked(subject, why),
        }
    }

    pub(super) fn not_looked(subject: Subject, why: &NotLooked) -> Self {
        let found = match why {
            NotLooked::Needs(other) => format!("not looked at until this is mended: {}", label(*other)),
            NotLooked::Because(reason) => format!("could not be looked at: {reason}"),
        };
        Self::new(subject, Status::Unknown, found)
    }

    pub(super) fn found(&self) -> Vec<Untrusted<'_>> {
        self.parts.iter().map(|part| part.found.as_str().into()).collect()
    }

    pub(super) fn mend(&self) -> Vec<Untrusted<'_>> {
        self.parts.iter().filter_map(|part| part.mend.as_deref()).map(Untrusted::from).collect()
    }
}

/// A part with the way out.
pub(super) fn fault(found: impl Into<String>, mend: impl Into<String>) -> Fault {
    Fault { found: found.into(), mend: Some(mend.into()) }
}

/// The name of a subject, for programs. These names are never changed.
pub(super) fn id(subject: Subject) -> &'static str {
    match subject {
        Subject::Configuration => "configuration",
        Subject::Programs => "programs",
        Subject::Outputs => "report_directories",
        Subject::Files => "availability_files",
        Subject::Telling => "telling_others",
        Subject::StateDir => "state_dir",
        Subject::Spool => "spool",
        Subject::Disk => "disk",
        Subject::Lock => "lock",
        Subject::Processes => "processes",
        Subject::TimeZone => "time_zone",
        Subject::SystemdTimer => "systemd_timer",
        Subject::Cron => "cron",
        Subject::Database => "database",
        Subject::Tls => "tls",
        Subject::Encoding => "encoding",
        Subject::Clock => "clock",
        Subject::StateTables => "state_tables",
        Subject::Rights => "rights",
        Subject::Runs => "runs",
        Subject::Tables => "data_tables",
        Subject::Tags => "tags",
        Subject::ReportTypes => "report_types",
        Subject::Banks => "banks",
        Subject::Symbols => "symbols",
        Subject::Rows => "rows",
    }
}

/// The same for people.
pub(super) fn label(subject: Subject) -> String {
    match subject {
        Subject::StateDir => "state_dir".to_owned(),
        Subject::Tls => "TLS".to_owned(),
        other => id(other).replace('_', " "),
    }
}

/// The heading under which a subject stands.
pub(super) fn group(subject: Subject) -> &'static str {
    match subject {
        Subject::Configuration | Subject::Programs | Subject::Outputs | Subject::Files | Subject::Telling => "Configuration",
        Subject::StateDir | Subject::Spool | Subject::Disk | Subject::Lock | Subject::Processes | Subject::TimeZone => "Host",
        Subject::SystemdTimer | Subject::Cron => "Schedule",
        Subject::Database | Subject::Tls | Subject::Encoding | Subject::Clock | Subject::StateTables | Subject::Rights | Subject::Runs => {
            "Database"
        }
        Subject::Tables | Subject::Tags | Subject::ReportTypes | Subject::Banks | Subject::Symbols | Subject::Rows => "Data",
    }
}

/// The name of a status, for programs.
pub(super) fn name(status: Status) -> &'static str {
    match status {
        Status::Ok => "ok",
        Status::Unknown => "unknown",
        Status::Warning => "warning",
        Status::Failed => "failed",
    }
}

/// Its mark, for people.
pub(super) fn mark(status: Status) -> &'static str {
    match status {
        Status::Ok => "[ok]",
        Status::Unknown => "[?]",
        Status::Warning => "[warn]",
        Status::Failed => "[FAIL]",
    }
}
