//! An ETL, as it is configured.

use std::time::Duration;

use crate::plan::model::health::AgeLimits;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::work::Work;
use crate::plan::text::template::Template;

/// Position of an ETL in the order of declaration, which is its order in a chain.
pub type EtlIndex = usize;

/// Something that makes one type of report.
#[derive(Debug, Clone, PartialEq)]
pub struct Etl {
    /// Its key under `etls:`, such as `call_summary`.
    pub name: String,
    /// The type of its reports, `Call Summary`; unique among ETLs.
    pub report_type: String,
    /// Further types under which its reports count as there; unique among ETLs too.
    pub other_report_types: Vec<String>,
    /// What the report is, for the column `report_description`; in words.
    pub description: Option<String>,
    /// Every one of these tags must be in `database_names`.
    pub requires: Vec<String>,
    /// These ETLs' reports must exist before, for the same bank and period.
    pub needs: Vec<EtlIndex>,
    /// What makes the report.
    pub work: Work,
    /// Who writes the report's row.
    pub reports: ReportsBy,
    /// How often it is tried in one run.
    pub retry: RetryPolicy,
    /// A job that runs longer is named in the warnings.
    pub warn_after: Option<Duration>,
    /// When a report of it is missing for too long.
    pub gap_age: AgeLimits,
    /// The external resource that each of its attempts uses.
    pub pool: Option<Pool>,
    /// A version in any form. A change of it ends the rest and the quarantine of its gaps.
    pub version: Option<String>,
    /// Where it is written, for messages.
    pub places: Places,
}

/// Where settings of an ETL are written, as `FILE:LINE:COLUMN`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Places {
    pub report_type: String,
    pub requires: String,
}

impl Etl {
    /// All types of report that count as its own, the one that is written first.
    #[must_use]
    pub fn report_types(&self) -> Vec<String> {
        std::iter::once(&self.report_type).chain(&self.other_report_types).cloned().collect()
    }

    /// Whether a report of this type is its own.
    #[must_use]
    pub fn has_type(&self, report_type: &str) -> bool {
        self.report_type == report_type || self.other_report_types.iter().any(|other| other == report_type)
    }
}

/// An external resource that only `limit` attempts may use at once, over all invocations on one database.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pool {
    pub name: String,
    /// How many attempts at once; at least 1.
    pub limit: u32,
}

/// Who makes the row in the reports table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ReportsBy {
    /// The ETL writes its row; etl-orch looks whether it is there.
    Etl,
    /// The ETL writes a file; etl-orch checks it, puts it at `output` and writes the row.
    Orchestrator {
        /// Where the report belongs: an absolute path template.
        output: Template,
    },
}

/// Whether etl-orch looks at any row of the reports table that an ETL has written.
pub fn looks_at_reports(etls: &[Etl]) -> bool {
    etls.iter().any(|etl| matches!(etl.reports, ReportsBy::Etl))
}

/// Whether etl-orch writes any row of the reports table itself.
pub fn writes_reports(etls: &[Etl]) -> bool {
    etls.iter().any(|etl| matches!(etl.reports, ReportsBy::Orchestrator { .. }))
}
