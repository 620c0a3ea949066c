//! A report whose row is spelled otherwise than the configuration says: it is not found, and would be made again and again.

use super::{Assignment, AttemptResult, JobOver};
use crate::plan::decide::decision::Why;
use crate::plan::decide::mismatch::misspelled;
use crate::plan::model::etl::ReportsBy;
use crate::plan::model::gap::Gap;
use crate::plan::model::job::{JobState, ReportKey};
use crate::plan::model::outcome::Class;
use crate::plan::run::note::JobNote;
use crate::plan::run::schedule::NextStep;
use crate::store::StoreError;

impl Assignment<'_> {
    /// What is wrong with the row that is likely meant to be this report, which is not there; `None` where there is no such row, or the
    /// database does not say.
    pub(super) async fn misspelled_row(&self, gap: Gap, key: &ReportKey) -> Option<String> {
        let (context, etl) = (self.context, self.context.etl(gap));
        let beside = context.ledger.insist(|| context.store.reports_beside(key)).await;
        let beside = beside.inspect_err(|error| tracing::debug!("{error}")).ok()?;
        Some(misspelled(key, &context.catalogue.etls, &beside)?.explain(key, etl))
    }

    /// Why the job is not to be started: its ETL writes its rows itself and has none, and there is one that is likely meant to be this
    /// report. Another would be made, and not be found either.
    pub(super) async fn is_misspelled(&self) -> Option<JobNote> {
        let gap = self.job.report().filter(|gap| self.active.is_none() && self.context.suspects.contains(&gap.etl))?;
        match (&self.context.etl(gap).reports, self.job.why) {
            (ReportsBy::Etl, Why::Missing) => self.misspelled_row(gap, &self.context.report_key(gap)).await.map(JobNote::Misspelled),
            (ReportsBy::Etl, Why::Forced) | (ReportsBy::Orchestrator { .. }, _) => None,
        }
    }

    /// Ends the job without an attempt, because its ETL is set up wrongly.
    ///
    /// # Errors
    /// When the end of a job that was claimed before is recorded nowhere.
    pub(super) async fn misconfigured(&self, note: JobNote) -> Result<AttemptResult, StoreError> {
        let is_spooled = self.drop_job(&note.to_string()).await?;
        let over = JobOver::without_attempt(JobState::Failed, NextStep::Fail, note);
        Ok(AttemptResult::Over(JobOver { is_spooled, class: Some(Class::Configuration), ..over }))
    }
}
