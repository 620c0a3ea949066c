//! Why a job of a run was not started, or not tried again.

use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::EtlIndex;

/// Why a job was not started, or not tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotStarted {
    /// The run was asked to stop.
    Stopped,
    /// The run cannot record what its jobs do.
    CannotRecord(CannotRecord),
    /// `--fail-fast`, and a job failed.
    FailFast,
    /// `run.deadline` is past.
    Deadline,
    /// Its ETL is set up wrongly, as an earlier job showed.
    EtlStopped(EtlIndex),
    /// A report that it needs was not made.
    NeedUnmet(EtlIndex),
    /// A report that it needs may have been made, which is not on record.
    NeedUnrecorded(EtlIndex),
    /// A report that it needs was not started for want of a record.
    NeedHeldBack(EtlIndex),
    /// Its ETL has failed for one bank after another.
    Breaker(EtlIndex),
    /// The same, and whether its probe succeeded is not on record.
    ProbeUnrecorded(EtlIndex),
    /// Its bank failed in so many periods in a row.
    BankStopped,
    /// So many independent windows of its source failed in a row.
    SourceStopped,
    /// An earlier window of its source was not collected.
    EarlierWindow,
    /// An earlier window of its source may have been collected, which is not on record.
    EarlierWindowUnrecorded,
}

/// Why a run cannot record what its jobs do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CannotRecord {
    /// The database refuses it, or was away for too long.
    DatabaseFailed,
    /// The lease could not be renewed in time.
    LeaseLate,
    /// Another host took the run for dead.
    RunLost,
}

impl NotStarted {
    /// Whether it would have been started had the database recorded everything.
    #[must_use]
    pub fn is_for_want_of_record(self) -> bool {
        match self {
            Self::CannotRecord(_)
            | Self::NeedUnrecorded(_)
            | Self::NeedHeldBack(_)
            | Self::ProbeUnrecorded(_)
            | Self::EarlierWindowUnrecorded => true,
            Self::Stopped
            | Self::FailFast
            | Self::Deadline
            | Self::EtlStopped(_)
            | Self::NeedUnmet(_)
            | Self::Breaker(_)
            | Self::BankStopped
            | Self::SourceStopped
            | Self::EarlierWindow => false,
        }
    }

    /// Whether it may keep all that is left of an ETL, or of the run, from being started.
    #[must_use]
    pub fn is_of_many(self) -> bool {
        matches!(
            self,
            Self::Stopped
                | Self::CannotRecord(_)
                | Self::FailFast
                | Self::Deadline
                | Self::EtlStopped(_)
                | Self::Breaker(_)
                | Self::ProbeUnrecorded(_)
        )
    }

    /// The reason in a sentence.
    #[must_use]
    pub fn explain(self, catalogue: &Catalogue) -> String {
        let name = |etl: EtlIndex| &catalogue.etls[etl].name;
        match self {
            Self::Stopped => "the run was stopped".to_owned(),
            Self::CannotRecord(CannotRecord::DatabaseFailed) => {
                "the database failed, and what cannot be recorded is not started".to_owned()
            }
            Self::CannotRecord(CannotRecord::LeaseLate) => "the run's lease could not be renewed in time".to_owned(),
            Self::CannotRecord(CannotRecord::RunLost) => "another host took this run for dead".to_owned(),
            Self::FailFast => "another job failed, and --fail-fast was given".to_owned(),
            Self::Deadline => "the run's deadline was past".to_owned(),
            Self::EtlStopped(etl) => format!("{} is set up wrongly, as another job showed", name(etl)),
            Self::Breaker(etl) => format!("{} has failed for one bank after another", name(etl)),
            Self::ProbeUnrecorded(etl) => format!("whether {} works again is not on record yet", name(etl)),
            Self::BankStopped => "its bank failed in several periods in a row".to_owned(),
            Self::SourceStopped => "its source failed for several windows in a row".to_owned(),
            Self::EarlierWindow => "an earlier window of its source was not collected".to_owned(),
            Self::EarlierWindowUnrecorded => "an earlier window of its source is not on record yet".to_owned(),
            Self::NeedUnrecorded(need) => format!("it needs {}, and how that ended is not on record yet", name(need)),
            Self::NeedHeldBack(need) => format!("it needs {}, which waits until everything is on record", name(need)),
            Self::NeedUnmet(need) => format!("it needs {}, which was not made", name(need)),
        }
    }
}
