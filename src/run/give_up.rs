//! The way out of an end that the database never takes: an operator gives it up.

use std::path::Path;

use chrono::{DateTime, Utc};

use super::error::RunError;
use super::spool::{self, Entry};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::remember::recorded_job::RunningJob;
use crate::plan::run::job_end::JobEnd;
use crate::store::Ledger;

/// Who gives an end up, and why.
#[derive(Debug, Clone, Copy)]
pub struct GiveUp<'a> {
    pub by: &'a str,
    pub reason: &'a str,
    /// Wall clock.
    pub at: DateTime<Utc>,
}

/// Gives up the ends of these gaps that wait in the spool: their jobs become cancelled, or lost where the end cannot be read, nobody is
/// charged, and the entries are renamed for a person to look at. `running` are the running jobs. Returns the jobs that are not running
/// any more.
///
/// # Errors
/// When the spool cannot be read or changed, or the database fails.
pub async fn give_up(
    store: &dyn Ledger,
    state_dir: &Path,
    gaps: &[GapKey],
    running: &[RunningJob],
    order: GiveUp<'_>,
) -> Result<Vec<JobId>, RunError> {
    let mut ended = Vec::new();
    for (entry, job) in entries_of(state_dir, gaps, running)? {
        if let Some(job) = job {
            store.finish(job.claim, &end_of(&entry, job, order)).await?;
            ended.push(job.claim.job);
        }
        spool::set_aside(&entry).map_err(|error| RunError::StateDir(entry.path.clone(), error))?;
    }
    Ok(ended)
}

/// The jobs whose ends [`give_up`] would give up. Changes nothing.
///
/// # Errors
/// When the spool cannot be read.
pub fn ends_to_give_up(state_dir: &Path, gaps: &[GapKey], running: &[RunningJob]) -> Result<Vec<JobId>, RunError> {
    let entries = entries_of(state_dir, gaps, running)?;
    Ok(entries.into_iter().filter_map(|(_, job)| Some(job?.claim.job)).collect())
}

/// What the spool has of these gaps, each with its running job.
fn entries_of<'a>(state_dir: &Path, gaps: &[GapKey], running: &'a [RunningJob]) -> Result<Vec<(Entry, Option<&'a RunningJob>)>, RunError> {
    let entries = match spool::entries(state_dir) {
        Ok(entries) => entries,
        // Where nothing runs, nothing can wait.
        Err(_) if !running.iter().any(|job| gaps.contains(&job.gap)) => return Ok(Vec::new()),
        Err(error) => return Err(RunError::Spool(spool::directory(state_dir), error)),
    };
    let with_job = entries.into_iter().map(|entry| {
        let job = running.iter().find(|job| Some(job.claim) == entry.claim);
        (entry, job)
    });
    let is_meant = |(entry, job): &(Entry, Option<&RunningJob>)| {
        let gap = job.map(|job| &job.gap).or_else(|| entry.record.as_ref().ok().map(|record| &record.gap));
        gap.is_some_and(|gap| gaps.contains(gap))
    };
    Ok(with_job.filter(is_meant).collect())
}

/// The end that is recorded instead of the one in the spool.
fn end_of(entry: &Entry, job: &RunningJob, order: GiveUp<'_>) -> JobEnd {
    match &entry.record {
        Ok(record) => {
            let reason = format!("{} gave up its end, which the database did not take: {}", order.by, order.reason);
            JobEnd::Cancelled { attempt: record.end.attempt().cloned(), reason, at: order.at }
        }
        Err(_) => JobEnd::Lost { history: job.history.clone(), at: order.at },
    }
}
