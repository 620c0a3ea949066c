//! Jobs that make reports: what they are called, where their reports belong, and the rows that say so.

use std::path::PathBuf;

use chrono::{DateTime, Utc};

use super::context::{RunContext, shown};
use crate::plan::model::etl::{Etl, ReportsBy};
use crate::plan::model::gap::{Gap, report_values};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{ReportKey, ReportRow};
use crate::plan::text::placeholder::Values;

impl RunContext {
    /// The ETL of a gap.
    pub(super) fn etl(&self, gap: Gap) -> &Etl {
        &self.catalogue.etls[gap.etl]
    }

    /// The report that fills a gap.
    pub(super) fn report_key(&self, gap: Gap) -> ReportKey {
        ReportKey {
            bank_id: self.catalogue.institutions.get(gap.bank).id,
            period: gap.period,
            report_type: self.etl(gap).report_type.clone(),
        }
    }

    /// Where the report belongs, when etl-orch puts it there.
    pub(super) fn place(&self, gap: Gap) -> Option<PathBuf> {
        match &self.etl(gap).reports {
            ReportsBy::Etl => None,
            ReportsBy::Orchestrator { output } => Some(PathBuf::from(output.fill(&self.report_values(gap)))),
        }
    }

    /// The row of a report that etl-orch put in its place.
    pub(super) fn report_row(
        &self,
        gap: Gap,
        data_symbol: &str,
        id: JobId,
        attempt: u32,
        content: Option<String>,
        at: DateTime<Utc>,
    ) -> ReportRow {
        let bank = self.catalogue.institutions.get(gap.bank);
        let etl = self.etl(gap);
        ReportRow {
            key: self.report_key(gap),
            report_name: format!("{} - {} {}", etl.report_type, bank.name, gap.period),
            report_description: etl
                .description
                .clone()
                .unwrap_or_else(|| format!("{} of {} for fiscal {}", etl.report_type, bank.name, gap.period)),
            bank_name: bank.name.clone(),
            bank_symbol: data_symbol.to_owned(),
            local_filepath: self.place(gap).map(|place| shown(&place)).unwrap_or_default(),
            markdown_content: content,
            generation_date: at,
            generated_by: concat!("etl-orch ", env!("CARGO_PKG_VERSION")).to_owned(),
            execution_id: self.run,
            metadata: serde_json::json!({
                "job_id": id,
                "attempt": attempt,
                "etl": etl.name,
                "sources": etl.requires,
            }),
        }
    }

    /// What is the same for every attempt of a gap.
    pub(super) fn report_values(&self, gap: Gap) -> Values {
        let etl = self.etl(gap);
        report_values(self.catalogue.institutions.get(gap.bank), gap.period, &etl.name, &etl.report_type)
    }
}
