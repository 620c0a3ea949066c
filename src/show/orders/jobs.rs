//! Jobs in an error message about the id of a job.

use super::super::escape::escaped;
use crate::plan::model::orders::FoundJob;

/// A line for each job, each begun by a line break.
pub fn job_list(jobs: &[FoundJob]) -> String {
    let line = |job: &FoundJob| format!("\n  {}  {:9}  {}", job.id, job.state.name(), escaped(&job.gap.to_string()));
    jobs.iter().map(line).collect()
}
