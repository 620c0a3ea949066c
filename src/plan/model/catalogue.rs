//! What is configured: banks, ETLs and sources, which everything else names by position.

use std::path::PathBuf;

use crate::plan::model::etl::{Etl, EtlIndex, Pool, ReportsBy};
use crate::plan::model::gap::{Gap, report_values};
use crate::plan::model::institution::Institutions;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::source::{Source, SourceIndex};
use crate::plan::model::target::Target;
use crate::plan::model::work::Work;
use crate::plan::text::placeholder::Values;

/// The banks, ETLs and sources of a configuration.
#[derive(Debug, Clone, Default)]
pub struct Catalogue {
    /// The monitored banks.
    pub institutions: Institutions,
    /// The ETLs, in order of declaration.
    pub etls: Vec<Etl>,
    /// The sources, in order of declaration.
    pub sources: Vec<Source>,
}

impl Catalogue {
    /// The ETL at a position, which this catalogue has given out.
    pub fn etl(&self, index: EtlIndex) -> &Etl {
        &self.etls[index]
    }

    /// The source at a position, which this catalogue has given out.
    pub fn source(&self, index: SourceIndex) -> &Source {
        &self.sources[index]
    }

    /// How often a job is tried in one run.
    pub fn retry(&self, job: &impl AsRef<Target>) -> &RetryPolicy {
        match job.as_ref() {
            Target::Report { gap, .. } => &self.etl(gap.etl).retry,
            Target::Collection(collection) => &self.source(collection.source).retry,
        }
    }

    /// The external resource that the attempts of a job use.
    pub fn pool(&self, job: &impl AsRef<Target>) -> Option<&Pool> {
        match job.as_ref() {
            Target::Report { gap, .. } => self.etl(gap.etl).pool.as_ref(),
            Target::Collection(collection) => self.source(collection.source).pool.as_ref(),
        }
    }

    /// How a job does its work.
    pub fn work(&self, job: &impl AsRef<Target>) -> &Work {
        match job.as_ref() {
            Target::Report { gap, .. } => &self.etl(gap.etl).work,
            Target::Collection(collection) => &self.source(collection.source).work,
        }
    }

    /// The values of the placeholders that are the same for every attempt of a gap.
    pub fn report_values(&self, gap: Gap) -> Values {
        let etl = self.etl(gap.etl);
        report_values(self.institutions.get(gap.bank), gap.period, &etl.name, &etl.report_type)
    }

    /// The path at which etl-orch publishes the report of a gap; `None` where the ETL writes the report itself.
    pub fn destination(&self, gap: Gap) -> Option<PathBuf> {
        match &self.etl(gap.etl).reports {
            ReportsBy::Etl => None,
            ReportsBy::Orchestrator { output } => Some(PathBuf::from(output.fill(&self.report_values(gap)))),
        }
    }

    /// What people call a job: `RY 2025 Q2 [call_summary]`, `us_house 2026-01-16T00:00:00Z/2026-01-16T06:00:00Z`.
    pub fn label(&self, job: &impl AsRef<Target>) -> String {
        match job.as_ref() {
            Target::Report { gap, .. } => {
                let bank = self.institutions.get(gap.bank);
                format!("{} {} [{}]", self.institutions.data_symbol(bank), gap.period, self.etl(gap.etl).name)
            }
            Target::Collection(collection) => format!("{} {}", self.source(collection.source).id, collection.window),
        }
    }
}
