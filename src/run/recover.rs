//! Closes the records of dead runs: first the ends in the spool, which the database could not take when they happened; after that the
//! jobs whose end nobody saw.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use chrono::Utc;

use super::error::RunError;
use super::ledger::replay;
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

/// What is running elsewhere, and what no longer is.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Gaps with a running job whose owner is alive, as far as can be known from this host.
    pub(super) running: HashMap<GapKey, Owner>,
    /// Gaps whose running job is lost: its owner is dead.
    pub(super) lost: Vec<GapKey>,
    /// Attempts whose end was in the spool.
    pub(super) respooled: u64,
    /// What a person should know.
    pub(super) warnings: Vec<String>,
    /// In a dry run, what recovery would have recorded of gaps.
    pub(super) would_remember: HashMap<GapKey, FailureHistory>,
    /// In a dry run, what the spool says was collected.
    pub(super) collected: Vec<LastSuccess>,
    /// In a dry run, gaps of which the spool has a success.
    pub(super) settled: HashSet<GapKey>,
}

/// Looks at what is recorded as running and at what waits in the spool, and changes nothing: what would be recorded is in the
/// answer.
///
/// # Errors
/// When the database fails.
pub(super) async fn look(store: &dyn Ledger, state_dir: &Path) -> Result<Found, RunError> {
    let mut found = Found::default();
    // A user who may not read the spool may still ask what a run would do.
    let entries = spool::entries(state_dir).unwrap_or_else(|error| {
        found.warnings.push(format!("{}: {error}; what waits there is not considered", spool::directory(state_dir).display()));
        Vec::new()
    });
    let (jobs, runs) = (store.running_jobs().await?, Runs::of(store).await?);
    let mut ended: HashSet<JobId> = HashSet::new();
    for entry in &entries {
        match &entry.record {
            Ok(record) if jobs.iter().any(|job| job.claim == record.claim) => {
                found.would_record(record);
                ended.insert(record.claim.job);
            }
            // Its job is lost already: only the attempt would get its end.
            Ok(_) => found.respooled += 1,
            Err(why) => found.warnings.push(unreadable(&entry.path, why)),
        }
    }
    for job in jobs.into_iter().filter(|job| !ended.contains(&job.claim.job)) {
        if runs.living.contains(&job.run) {
            found.running.insert(job.gap, job.owner);
        } else {
            found.would_remember.insert(job.gap.clone(), lost(&job));
            found.lost.push(job.gap);
        }
    }
    Ok(found)
}

/// Closes what dead owners have left: what waits in the spool is recorded; their processes that survived them are ended; then
/// their running jobs and runs become lost, their queued jobs cancelled.
///
/// # Errors
/// When the database fails, the spool cannot be read, or a process that survived cannot be ended.
pub(super) async fn recover(store: &dyn Ledger, state_dir: &Path) -> Result<Found, RunError> {
    let mut found = Found::default();
    let unreadable = |error| RunError::StateDir(spool::directory(state_dir), error);
    for entry in spool::entries(state_dir).map_err(unreadable)? {
        found.replay(store, &entry).await?;
    }
    // The jobs first: a run that begins meanwhile has its jobs in neither list, instead of jobs without a living run.
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
            found.running.insert(job.gap, job.owner);
            continue;
        }
        let finished = store.finish(job.claim, &JobEnd::Lost { history: lost(&job), at: now }).await?;
        if finished == Finished::Recorded(JobState::Lost) {
            found.lost.push(job.gap);
        }
    }
    spool::clear_reserves(state_dir, |run| !runs.living.contains(&run));
    if runs.living.is_empty() {
        clear_workspaces(state_dir);
    }
    for run in runs.dead {
        store.end_run(run, RunState::Lost, RunCounts::default(), now).await?;
    }
    Ok(found)
}

/// Records the spooled ends of these jobs, as far as the database takes them.
pub(super) async fn settle(store: &dyn Ledger, state_dir: &Path, jobs: &HashSet<JobId>) -> HashMap<JobId, Finished> {
    let mut settled = HashMap::new();
    let mut found = Found::default();
    for entry in spool::entries(state_dir).unwrap_or_default() {
        let Some(job) = entry.record.as_ref().ok().map(|record| record.claim.job).filter(|job| jobs.contains(job)) else { continue };
        match found.replay(store, &entry).await {
            Ok(Some(finished)) => drop(settled.insert(job, finished)),
            Ok(None) => {}
            Err(error) => {
                tracing::debug!("{error}; the next run hands over what is left");
                break;
            }
        }
    }
    settled
}

/// Takes away the workspaces of gaps that runs had filled which died before they could: they are empty, and no run is at work
/// that could be about to use one.
fn clear_workspaces(state_dir: &Path) {
    for workspace in std::fs::read_dir(state_dir.join("work")).into_iter().flatten().flatten() {
        // Not empty: an ETL resumes from what is in it.
        let _ = std::fs::remove_dir(workspace.path());
    }
}

/// The failure history of a gap whose owner is dead. A job that an operator cancelled is not counted as lost: the owner may have been killed to
/// stop it.
fn lost(job: &RunningJob) -> FailureHistory {
    if job.cancel.is_some() { job.history.clone() } else { job.history.lost(job.fingerprint.as_ref(), Utc::now()) }
}

fn unreadable(path: &Path, why: &str) -> String {
    format!("{} cannot be read ({why}); the job that it tells of is run again", path.display())
}

impl Found {
    /// The stored state of every gap that has one; in a dry run, as recovery would leave it.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn gap_states(&self, store: &dyn Ledger) -> store::Result<HashMap<GapKey, GapState>> {
        let mut gaps: HashMap<GapKey, GapState> = store.gap_states().await?.into_iter().map(|state| (state.key.clone(), state)).collect();
        for (key, history) in &self.would_remember {
            let new = || GapState { key: key.clone(), fence: 0, history: FailureHistory::default(), skip: None, forced: false };
            gaps.entry(key.clone()).or_insert_with(new).history = history.clone();
        }
        Ok(gaps)
    }

    /// Records an entry of the spool in the database and removes it. `None` if the database cannot take it: that becomes a warning, and the
    /// other entries are still recorded.
    async fn replay(&mut self, store: &dyn Ledger, entry: &Entry) -> Result<Option<Finished>, RunError> {
        let on_disk = |error| RunError::StateDir(entry.path.clone(), error);
        let record = match &entry.record {
            Ok(record) => with_content(record),
            Err(why) => {
                let aside = spool::set_aside(entry).map_err(on_disk)?;
                self.warnings.push(unreadable(&aside, why));
                return Ok(None);
            }
        };
        let finished = match replay(store, &record).await {
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
            // The job is lost already: only the attempt gets its end.
            store.attach(record.claim, end).await?;
        }
        self.respooled += 1;
        spool::remove(entry).map_err(on_disk)?;
        Ok(Some(finished))
    }

    fn would_record(&mut self, record: &Record) {
        self.respooled += 1;
        match &record.end {
            JobEnd::Succeeded { artifact: Artifact::Report | Artifact::ReportRow(_), .. } => {
                self.would_remember.insert(record.gap.clone(), FailureHistory::default());
                self.settled.insert(record.gap.clone());
            }
            JobEnd::Succeeded { artifact: Artifact::Collection(collected), .. } => {
                self.would_remember.insert(record.gap.clone(), FailureHistory::default());
                self.collected.push(LastSuccess { at: record.end.at(), collected: (**collected).clone() });
            }
            JobEnd::Failed { history, .. } | JobEnd::Skipped { history, .. } | JobEnd::Lost { history, .. } => {
                self.would_remember.insert(record.gap.clone(), history.clone());
            }
            JobEnd::Unverified { .. } | JobEnd::Cancelled { .. } => {}
        }
    }
}

/// A row's text was left in the report's file.
fn with_content(record: &Record) -> Record {
    let mut record = record.clone();
    if let JobEnd::Succeeded { artifact: Artifact::ReportRow(row), .. } = &mut record.end {
        row.markdown_content = output::content(Path::new(&row.local_filepath));
    }
    record
}

/// The runs that are recorded as running. A running job of any other run is lost: its run ended without being able to
/// record the job's end.
struct Runs {
    living: BTreeSet<RunId>,
    /// Their owner is dead: at once where this host can tell, whatever the clock says; elsewhere when the lease has ended.
    dead: BTreeSet<RunId>,
}

impl Runs {
    async fn of(store: &dyn Ledger) -> store::Result<Self> {
        let is_dead = |run: &RunningRun| match identity::liveness_of(&run.owner) {
            Liveness::Dead => true,
            Liveness::Alive => false,
            Liveness::Elsewhere => run.expired,
        };
        let (dead, living): (Vec<_>, Vec<_>) = store.running_runs().await?.into_iter().partition(is_dead);
        let ids = |runs: Vec<RunningRun>| runs.into_iter().map(|run| run.id).collect();
        Ok(Self { living: ids(living), dead: ids(dead) })
    }
}
