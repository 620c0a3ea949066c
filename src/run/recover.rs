//! Closes the records of dead runs: first the jobs whose end is in the spool, then the jobs whose end is recorded nowhere.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use chrono::Utc;

use super::error::RunError;
use super::ledger::record_end;
use super::output;
use super::spool::{self, Entry, Record};
use crate::os::{identity, survivors};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{JobState, Owner, RunCounts, RunState, RunningRun};
use crate::plan::remember::failure_history::{FailureHistory, GapState};
use crate::plan::remember::liveness::Liveness;
use crate::plan::remember::recorded_job::RunningJob;
use crate::plan::remember::source_state::LastSuccess;
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::store::{self, Ledger};

/// What recovery found and did, or in a dry run would do.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Gaps with a running job whose owner is alive, as far as can be known from this host.
    pub(super) running: HashMap<GapKey, Owner>,
    /// Gaps whose running job is lost: its owner is dead.
    pub(super) lost: Vec<GapKey>,
    /// Attempts whose end was in the spool.
    pub(super) respooled: u64,
    /// What a person should know; each is a sentence.
    pub(super) warnings: Vec<String>,
    /// In a dry run, the failure histories that recovery would have recorded.
    pub(super) histories: HashMap<GapKey, FailureHistory>,
    /// In a dry run, the successful collections in the spool.
    pub(super) collected: Vec<LastSuccess>,
    /// In a dry run, the gaps whose report was made, according to the spool.
    pub(super) settled: HashSet<GapKey>,
}

/// Finds out what [`recover`] would do, and changes nothing.
///
/// # Errors
/// When the database fails.
pub(super) async fn preview(store: &dyn Ledger, state_dir: &Path) -> Result<Recovery, RunError> {
    let mut recovery = Recovery::default();
    // A dry run also works for a user who may not read the spool.
    let entries = spool::entries(state_dir).unwrap_or_else(|error| {
        recovery.warnings.push(format!("{}: {error}; what waits there is not considered", spool::directory(state_dir).display()));
        Vec::new()
    });
    let (jobs, runs) = (store.running_jobs().await?, Runs::of(store).await?);
    let mut ended: HashSet<JobId> = HashSet::new();
    for entry in &entries {
        match &entry.record {
            Ok(record) if jobs.iter().any(|job| job.claim == record.claim) => {
                recovery.would_record(record);
                ended.insert(record.claim.job);
            }
            // Its job was recorded as lost before: only the attempt would get its end.
            Ok(_) => recovery.respooled += 1,
            Err(why) => recovery.warnings.push(unreadable(&entry.path, why)),
        }
    }
    for job in jobs.into_iter().filter(|job| !ended.contains(&job.claim.job)) {
        if runs.living.contains(&job.run) {
            recovery.running.insert(job.gap, job.owner);
        } else {
            recovery.histories.insert(job.gap.clone(), history_after_loss(&job));
            recovery.lost.push(job.gap);
        }
    }
    Ok(recovery)
}

/// Closes what dead runs left behind. Records the ends in the spool, ends processes that outlived their run, and then
/// records their running jobs and the runs themselves as lost, and their queued jobs as cancelled.
///
/// # Errors
/// When the database fails, the spool cannot be read, or a process that survived cannot be ended.
pub(super) async fn recover(store: &dyn Ledger, state_dir: &Path) -> Result<Recovery, RunError> {
    let mut recovery = Recovery::default();
    let unreadable = |error| RunError::StateDir(spool::directory(state_dir), error);
    for entry in spool::entries(state_dir).map_err(unreadable)? {
        recovery.replay_entry(store, &entry).await?;
    }
    // The jobs are read first. A run that begins between the two queries then has no job in the list; the other way round its jobs would
    // seem to have no living run.
    let (jobs, runs) = (store.running_jobs().await?, Runs::of(store).await?);
    for run in &runs.dead {
        let ended = survivors::kill(*run).await.map_err(RunError::Survivors)?;
        if ended > 0 {
            tracing::warn!("Ended {ended} processes that outlived run {}", run.short());
        }
    }
    let now = Utc::now();
    for job in jobs {
        if runs.living.contains(&job.run) {
            recovery.running.insert(job.gap, job.owner);
            continue;
        }
        let finished = store.finish(job.claim, &JobEnd::Lost { history: history_after_loss(&job), at: now }).await?;
        if finished == Finished::Recorded(JobState::Lost) {
            recovery.lost.push(job.gap);
        }
    }
    spool::clear_reserves(state_dir, |run| !runs.living.contains(&run));
    if runs.living.is_empty() {
        clear_workspaces(state_dir);
    }
    for run in runs.dead {
        store.end_run(run, RunState::Lost, RunCounts::default(), now).await?;
    }
    Ok(recovery)
}

/// Records the ends of these jobs that are in the spool. Stops at the first error that may pass. Returns what was recorded.
pub(super) async fn replay_ends(store: &dyn Ledger, state_dir: &Path, jobs: &HashSet<JobId>) -> HashMap<JobId, Finished> {
    let mut recorded = HashMap::new();
    let mut recovery = Recovery::default();
    for entry in spool::entries(state_dir).unwrap_or_default() {
        let Some(job) = entry.record.as_ref().ok().map(|record| record.claim.job).filter(|job| jobs.contains(job)) else { continue };
        match recovery.replay_entry(store, &entry).await {
            Ok(Some(finished)) => drop(recorded.insert(job, finished)),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!("{error}; the next run records what is left");
                break;
            }
        }
    }
    recorded
}

/// Removes empty workspaces: a run removes those of its filled gaps when it ends, and a dead run did not. To be called only while no
/// other run is alive, as it could be about to use one.
fn clear_workspaces(state_dir: &Path) {
    for workspace in std::fs::read_dir(state_dir.join("work")).into_iter().flatten().flatten() {
        // It fails for a workspace that is not empty, which stays: an ETL resumes from what is in it.
        let _ = std::fs::remove_dir(workspace.path());
    }
}

/// The failure history of a gap after its job was lost. A job that an operator cancelled does not count as a failure: its run may have been
/// killed to stop it.
fn history_after_loss(job: &RunningJob) -> FailureHistory {
    if job.cancel.is_some() { job.history.clone() } else { job.history.lost(job.fingerprint.as_ref(), Utc::now()) }
}

fn unreadable(path: &Path, why: &str) -> String {
    format!("{} cannot be read ({why}); the job that it tells of is run again", path.display())
}

impl Recovery {
    /// The stored state of every gap that has one; in a dry run, as recovery would leave it.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn gap_states(&self, store: &dyn Ledger) -> store::Result<HashMap<GapKey, GapState>> {
        let mut gaps: HashMap<GapKey, GapState> = store.gap_states().await?.into_iter().map(|state| (state.key.clone(), state)).collect();
        for (key, history) in &self.histories {
            let new = || GapState { key: key.clone(), fence: 0, history: FailureHistory::default(), skip: None, forced: false };
            gaps.entry(key.clone()).or_insert_with(new).history = history.clone();
        }
        Ok(gaps)
    }

    /// Records an entry of the spool in the database and removes it. When the database refuses it for good, adds a warning and returns
    /// `None`, so that the other entries are still recorded.
    async fn replay_entry(&mut self, store: &dyn Ledger, entry: &Entry) -> Result<Option<Finished>, RunError> {
        let on_disk = |error| RunError::StateDir(entry.path.clone(), error);
        let record = match &entry.record {
            Ok(record) => with_content(record),
            Err(why) => {
                let aside = spool::set_aside(entry).map_err(on_disk)?;
                self.warnings.push(unreadable(&aside, why));
                return Ok(None);
            }
        };
        let finished = match record_end(store, &record).await {
            Ok(finished) => finished,
            Err(error) if error.may_pass() => return Err(error.into()),
            Err(error) if error.is_about_values() => {
                let aside = spool::set_aside(entry).map_err(on_disk)?;
                self.warnings.push(format!("the database refuses what {} says: {error}; its job is run again", aside.display()));
                return Ok(None);
            }
            Err(error) => {
                self.warnings.push(format!("what {} says cannot be recorded: {error}", entry.path.display()));
                return Ok(None);
            }
        };
        if let (Finished::ClaimLost, Some(end)) = (finished, record.end.attempt()) {
            // The job was recorded as lost before: only the attempt gets its end.
            store.attach(record.claim, end).await?;
        }
        self.respooled += 1;
        spool::remove(entry).map_err(on_disk)?;
        Ok(Some(finished))
    }

    /// Takes into account what [`recover`] would record of an entry of the spool.
    fn would_record(&mut self, record: &Record) {
        self.respooled += 1;
        match &record.end {
            JobEnd::Succeeded { artifact: Artifact::Report | Artifact::ReportRow(_), .. } => {
                self.histories.insert(record.gap.clone(), FailureHistory::default());
                self.settled.insert(record.gap.clone());
            }
            JobEnd::Succeeded { artifact: Artifact::Collection(collected), .. } => {
                self.histories.insert(record.gap.clone(), FailureHistory::default());
                self.collected.push(LastSuccess { at: record.end.at(), collected: (**collected).clone() });
            }
            JobEnd::Failed { history, .. } | JobEnd::Skipped { history, .. } | JobEnd::Lost { history, .. } => {
                self.histories.insert(record.gap.clone(), history.clone());
            }
            JobEnd::Unverified { .. } | JobEnd::Cancelled { .. } => {}
        }
    }
}

/// The record with the text of its report row. The spool has none, as it is in the report's file.
fn with_content(record: &Record) -> Record {
    let mut record = record.clone();
    if let JobEnd::Succeeded { artifact: Artifact::ReportRow(row), .. } = &mut record.end {
        row.markdown_content = output::content(Path::new(&row.local_filepath));
    }
    record
}

/// The runs that are recorded as running. A running job of any other run is lost: its run could not record the job's end before its
/// own.
struct Runs {
    living: BTreeSet<RunId>,
    /// Runs whose process was seen to be gone and, where that cannot be seen from here, runs whose lease has expired.
    dead: BTreeSet<RunId>,
}

impl Runs {
    async fn of(store: &dyn Ledger) -> store::Result<Self> {
        let is_dead = |run: &RunningRun| match identity::liveness_of(&run.owner) {
            Liveness::Dead => true,
            Liveness::Alive => false,
            Liveness::Unknown => run.expired,
        };
        let (dead, living): (Vec<_>, Vec<_>) = store.running_runs().await?.into_iter().partition(is_dead);
        let ids = |runs: Vec<RunningRun>| runs.into_iter().map(|run| run.id).collect();
        Ok(Self { living: ids(living), dead: ids(dead) })
    }
}
