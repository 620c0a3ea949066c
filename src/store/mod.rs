//! The database: its ports, and an adapter for either database.
//!
//! Only this room knows SQL. Both adapters pass one conformance suite (`tests/store`) and behave the same. What they do alike is
//! in `shared`, once: statements that are the same but for a few words (`shared::connection`), rows and lists of columns. An
//! adapter has its own SQL where the databases truly differ: claims, ends of jobs, the users' tables.
//!
//! Every change of a job's state is one method named for the transition, guarded by the state it leaves and by the claim's
//! fence, and says whether it happened.

mod error;
mod implement;
mod operation;
mod ports;
mod postgres;
mod shared;
mod sqlite;

use std::sync::Arc;

pub use error::{FailureKind, NotKept, StoreError};
pub use ports::{Data, History, Ledger, MOST_ROWS, Notifications, Orders, Retention, Sources};

use crate::plan::decide::checkup::StateTables;
use crate::plan::model::candidate::{AvailabilityKey, Candidate, CensusGroup};
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::period::Period;
use crate::plan::model::settings::{Database, DatabaseTarget};

/// The answer of an operation on the store.
pub type Result<T> = std::result::Result<T, StoreError>;

/// What an invocation may do with the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Look only: nothing is created, migrated or written. A SQLite file that is not there is an empty database in
    /// memory; state tables that are not there are empty history.
    ReadOnly,
    /// Read and write. Our own tables are created or migrated forward; a SQLite file that is not there is made, with
    /// the data tables. Data tables are not added to a database that exists.
    ReadWrite,
    /// Look only, and open the database also where our own tables are of another version or may not be read: they count as not there,
    /// and [`Store::state_tables`] says what they are.
    Inspect,
    /// Like `ReadWrite`, and on SQLite missing data tables are created too (`etl-orch init`).
    Init,
}

/// Connects to the database and makes sure that our own tables are of the version that this program knows.
///
/// # Errors
/// [`StoreError::Unreachable`] when there is no database to talk to, at once where that is known at once;
/// [`StoreError::Schema`] when our tables are newer than this program, or older and `access` forbids to migrate them.
pub async fn open(database: &Database, access: Access) -> Result<Arc<dyn Store>> {
    Ok(match &database.target {
        DatabaseTarget::Sqlite(path) => Arc::new(sqlite::Sqlite::open(database, path, access).await?),
        DatabaseTarget::Postgres { url, .. } => Arc::new(postgres::Postgres::open(database, url, access).await?),
    })
}

/// The statements of [`Access::Init`], in one transaction, for whoever applies them by hand. They also record which migrations they are,
/// so that a later run finds nothing left to do. On PostgreSQL they can be applied again, to tables of any version, and grant rights; on
/// SQLite, which knows no rights, they are for a database without our tables.
pub fn schema_sql(database: &Database, grants: Option<&Grants>) -> String {
    match database.target {
        DatabaseTarget::Sqlite(_) => sqlite::schema_sql(database),
        DatabaseTarget::Postgres { .. } => postgres::schema_sql(database, grants),
    }
}

/// What a run does with the data tables, beyond looking for gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TableUse {
    /// It writes rows of reports.
    pub writes_reports: bool,
    /// It looks at whole rows of reports, which ETLs write.
    pub looks_at_reports: bool,
    /// It writes rows of availability.
    pub writes_availability: bool,
}

/// The rights that a database user is to get.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grants {
    /// Its name.
    pub role: String,
    /// What it does with the data tables.
    pub of: TableUse,
}

/// What is wrong with a data table. Displays as a sentence.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{found}; {mend}")]
pub struct TableFault {
    pub found: String,
    /// The way out.
    pub mend: String,
}

/// The rights that the database user lacks, each as the statement that grants it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MissingRights {
    /// Without these nothing can be planned.
    pub to_read: Vec<String>,
    /// Without these what a run does cannot be recorded.
    pub to_write: Vec<String>,
    /// Without these nothing that is over is removed.
    pub to_prune: Vec<String>,
}

/// What [`Data::scan`] is to look for.
#[derive(Debug, Clone, Default)]
pub struct ScanRequest {
    /// The ETLs whose reports may be missing.
    pub etls: Vec<EtlScan>,
    /// Rows of these symbols are candidates, in exactly this spelling. The census has groups of all symbols, years and periods.
    pub symbols: Vec<String>,
    /// Sets of tags of ETLs that are not selected: rows that have them are data too, and not counted.
    pub other_tags: Vec<Vec<String>>,
    /// Earlier fiscal years are neither candidates nor counted.
    pub from_year: Option<u16>,
    /// Later fiscal years are neither candidates nor counted.
    pub until_year: Option<u16>,
    /// When not empty, only these periods are candidates or counted.
    pub periods: Vec<Period>,
    /// Whether rows whose report exists are candidates too (`--force`).
    pub include_existing: bool,
    /// Whether rows are not counted: only candidates are wanted.
    pub candidates_only: bool,
    /// Data that is available though the table does not say so yet: what a dry run learnt from files.
    pub also_available: Vec<Available>,
}

impl ScanRequest {
    /// Whether it leaves out any years or periods.
    fn has_periods(&self) -> bool {
        self.from_year.is_some() || self.until_year.is_some() || !self.periods.is_empty()
    }
}

#[derive(Debug, Clone)]
pub struct EtlScan {
    pub etl: EtlIndex,
    /// The types of its report: a row of any of them is that report.
    pub report_types: Vec<String>,
    /// Tags that must all be in `database_names`.
    pub requires: Vec<String>,
    /// Report types of each ETL that it needs, in the order of [`Candidate::needs_met`].
    pub needs: Vec<Vec<String>>,
}

/// Data that a bank has for a period.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Available {
    /// `bank_id`.
    pub bank_id: i64,
    /// `bank_name`.
    pub bank_name: String,
    /// `bank_symbol`, for a row that is new.
    pub bank_symbol: String,
    /// `fiscal_year` and `quarter`.
    pub period: Period,
    /// A tag of `database_names`.
    pub tag: String,
}

/// One thing that a scan found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Scanned {
    /// A row whose report is missing.
    Candidate(Candidate),
    /// A group of rows that have the required tags. All groups come before the first candidate.
    Group(CensusGroup),
    /// Rows whose `database_names` is no array of text, all with these values.
    NotAnArray {
        row: AvailabilityKey,
        /// Number of such rows.
        rows: u64,
    },
}

/// All of the database: what an invocation opens once and passes on. Functions take the port that they need.
#[async_trait::async_trait]
pub trait Store: Data + Ledger + Orders + Sources + Notifications + Retention + History {
    /// What our own tables were when the database was opened; those that were made or migrated then are current.
    fn state_tables(&self) -> &StateTables;

    /// To be called when a stop is asked for: from now on no operation takes longer than about a second, and after one that had no answer
    /// all fail at once.
    fn hurry(&self);

    /// Ends the connections. A SQLite database is left cleanly closed: one file.
    async fn close(&self);
}
