//! What may be wrong.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::decide::data_trouble::DataTrouble;
use crate::plan::decide::late_banks::LateBank;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::listed::Listed;
use crate::plan::model::source::SourceIndex;

/// How bad an issue is. The worst comes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// It does not work.
    Error,
    /// It cannot be said whether it works.
    Unknown,
    /// It works, but somebody should look at it.
    Warning,
}

/// One thing that is wrong, or not known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issue {
    pub trouble: Trouble,
    /// Since when; `None` where that is not known.
    pub since: Option<DateTime<Utc>>,
}

/// What is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// No run has ended yet, and none is under way.
    NoRun,
    /// No run has ended for longer than this, and none is under way.
    Silent { limit: Duration },
    /// The last run ended in the future: the clock went back, and a silence would not be noticed.
    RunAhead,
    /// A run died, and no later one has closed its record.
    RunDied { run: RunId, host: String, pid: u32 },
    /// The last run could not do its work.
    RunFailed { run: RunId },
    /// The last run was stopped before its end.
    RunStopped { run: RunId },
    /// The clock of this host says a time that is long past, so that nothing can be judged by it.
    ClockUnset,
    /// Something of a source.
    Source { source: SourceIndex, trouble: SourceTrouble },
    /// Something of the data as a whole.
    Data(DataTrouble),
    /// Reports of an ETL are missing for longer than this.
    Missing { etl: EtlIndex, limit: Duration, is_error: bool, gaps: Listed<GapKey> },
    /// Reports that are not tried any more, and why the first of them failed.
    Quarantined { gaps: Listed<GapKey>, error: Option<String> },
    /// Reports that failed and are tried again later, likewise.
    Failing { gaps: Listed<GapKey>, error: Option<String> },
    /// An ETL is taken for broken, and why it failed last.
    BreakerOpen { etl: EtlIndex, error: Option<String> },
    /// Jobs have ended that the database does not have on record, and why the first is not.
    Unrecorded { gaps: Listed<GapKey>, why: String },
    /// So many rows of data are wrong; the first of them, and what is wrong with it.
    InvalidRows { rows: u64, first: Option<(String, String)> },
    /// Monitored banks without any data.
    BanksWithoutData(Vec<String>),
    /// A bank whose data should be there by now.
    BankLate(LateBank),
    /// Something could not be looked at.
    Unseen(String),
    /// What a run warns of.
    Noted(String),
}

/// What is wrong with a source.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SourceTrouble {
    /// Nothing of it was ever collected.
    NeverCollected,
    /// What was collected ends in the future.
    Ahead,
    /// What was collected ends longer ago than `error_after`; why it last failed.
    Overdue {
        limit: Duration,
        error: Option<String>,
    },
    /// What was collected ends longer ago than `warn_after`.
    Late {
        limit: Duration,
        error: Option<String>,
    },
    /// What was collected ends longer ago than the question allows.
    TooOld {
        limit: Duration,
    },
    /// It, or so many of its windows, is not tried any more.
    Quarantined {
        windows: Option<u64>,
        error: Option<String>,
    },
    /// It, or so many of its windows, failed and is tried again later.
    Failing {
        windows: Option<u64>,
        error: Option<String>,
    },
    /// An operator wants it left alone.
    Paused {
        by: String,
        reason: String,
    },
    Skipped {
        by: String,
        reason: String,
    },
    /// So many successes in a row had no records.
    Empty {
        successes: u32,
    },
}

impl Issue {
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.trouble.severity()
    }
}

impl Trouble {
    /// The name by which programs know it. Names are never changed.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            Self::NoRun => "no_run",
            Self::Silent { .. } => "no_recent_run",
            Self::RunAhead => "run_in_future",
            Self::RunDied { .. } => "run_died",
            Self::RunFailed { .. } => "run_failed",
            Self::RunStopped { .. } => "run_stopped",
            Self::ClockUnset => "clock_unset",
            Self::Source { trouble, .. } => trouble.code(),
            Self::Data(DataTrouble::NoRowFor { .. }) => "requires_unmet",
            Self::Data(DataTrouble::NoData) => "no_data",
            Self::Data(DataTrouble::NothingMatches { .. }) => "nothing_matches",
            Self::Data(DataTrouble::TypeMisspelled { .. }) => "report_type_misspelled",
            Self::Missing { is_error: true, .. } => "reports_overdue",
            Self::Missing { is_error: false, .. } => "reports_late",
            Self::Quarantined { .. } => "reports_quarantined",
            Self::Failing { .. } => "reports_failing",
            Self::BreakerOpen { .. } => "breaker_open",
            Self::Unrecorded { .. } => "ends_unrecorded",
            Self::InvalidRows { .. } => "invalid_rows",
            Self::BanksWithoutData(_) => "banks_without_data",
            Self::BankLate(_) => "bank_late",
            Self::Unseen(_) => "not_seen",
            Self::Noted(_) => "warning",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::Source { trouble, .. } => trouble.severity(),
            Self::Silent { .. }
            | Self::RunAhead
            | Self::RunDied { .. }
            | Self::RunFailed { .. }
            | Self::ClockUnset
            | Self::Data(DataTrouble::NoRowFor { .. } | DataTrouble::NothingMatches { .. } | DataTrouble::TypeMisspelled { .. })
            | Self::Missing { is_error: true, .. }
            | Self::Quarantined { .. }
            | Self::BreakerOpen { .. }
            | Self::Unrecorded { .. } => Severity::Error,
            Self::NoRun | Self::Data(DataTrouble::NoData) | Self::Unseen(_) => Severity::Unknown,
            Self::Missing { is_error: false, .. }
            | Self::Failing { .. }
            | Self::RunStopped { .. }
            | Self::InvalidRows { .. }
            | Self::BanksWithoutData(_)
            | Self::BankLate(_)
            | Self::Noted(_) => Severity::Warning,
        }
    }
}

impl SourceTrouble {
    fn code(&self) -> &'static str {
        match self {
            Self::NeverCollected => "never_collected",
            Self::Ahead => "source_in_future",
            Self::Overdue { .. } => "source_overdue",
            Self::Late { .. } => "source_late",
            Self::TooOld { .. } => "source_too_old",
            Self::Quarantined { .. } => "source_quarantined",
            Self::Failing { .. } => "source_failing",
            Self::Paused { .. } => "source_paused",
            Self::Skipped { .. } => "source_skipped",
            Self::Empty { .. } => "source_empty",
        }
    }

    fn severity(&self) -> Severity {
        match self {
            Self::Ahead | Self::Overdue { .. } | Self::TooOld { .. } | Self::Quarantined { .. } => Severity::Error,
            Self::NeverCollected => Severity::Unknown,
            Self::Late { .. } | Self::Failing { .. } | Self::Paused { .. } | Self::Skipped { .. } | Self::Empty { .. } => Severity::Warning,
        }
    }
}
