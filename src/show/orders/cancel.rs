//! What `etl-orch cancel` did.

use serde::Serialize;

use super::super::View;
use super::super::escape::escaped;
use super::super::names::by_name;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::model::orders::FoundJob;

/// A job that was to be cancelled, and how it ended.
#[derive(Debug, Serialize)]
pub struct CancelView<'a> {
    by: &'a str,
    reason: &'a str,
    job: JobId,
    gap: &'a GapKey,
    #[serde(serialize_with = "by_name")]
    state: JobState,
}

impl<'a> CancelView<'a> {
    /// The view of this job, which ended in this state.
    pub fn new(by: &'a str, reason: &'a str, job: &'a FoundJob, state: JobState) -> Self {
        Self { by, reason, job: job.id, gap: &job.gap, state }
    }
}

impl View for CancelView<'_> {
    fn kind(&self) -> &'static str {
        "cancel"
    }

    fn text(&self) -> String {
        let (id, gap) = (self.job.short(), escaped(&self.gap.to_string()).into_owned());
        let skipped = "; its gap is skipped until `etl-orch retry` or `unskip`";
        match self.state {
            JobState::Cancelled => format!("cancel: {gap}: job {id} is cancelled{skipped}\n"),
            JobState::Queued | JobState::Running | JobState::Succeeded | JobState::Failed | JobState::Skipped | JobState::Lost => {
                format!("cancel: {gap}: job {id} ended before it was stopped: {}{skipped}\n", self.state.name())
            }
        }
    }
}
