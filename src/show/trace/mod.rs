//! `trace`: a job or a run from planning to output, in the layout that its users know.

mod data;
mod issues;
mod job;
mod layout;
mod performance;
mod run;
mod steps;
#[cfg(test)]
mod tests;

pub use job::JobTraceView;
pub use run::RunTraceView;

use super::escape::escaped;
use super::words::Time;
use crate::plan::remember::past::{PastJob, PastRun};

/// Jobs in an error message: id, gap, state and when they were planned, each begun by a line break.
pub fn job_list(jobs: &[PastJob]) -> String {
    let line = |job: &PastJob| {
        format!("\n  {}  {:9}  {}  {}", job.id.short(), job.state.name(), Time(job.queued_at), escaped(&job.gap.to_string()))
    };
    jobs.iter().map(line).collect()
}

/// The same of runs.
pub fn run_list(runs: &[PastRun]) -> String {
    let line = |run: &PastRun| format!("\n  {}  {:9}  {}  a run", run.id.short(), run.state.name(), Time(run.started_at));
    runs.iter().map(line).collect()
}
