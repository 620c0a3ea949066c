//! Closes the records of dead runs: first the jobs whose end is in the spool, then the jobs whose end is recorded nowhere.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::path::Path;

use chrono::Utc;

use super::error::RunError;
use super::placing;
use super::replay::{self, LeftEntry, Replayed};
use super::spool::{self, Entry, Record};
use crate::os::directory::Directory;
use crate::os::identity;
use crate::os::survivors::{self, Survivors};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::{Claim, JobState, Owner, RunState, RunningRun};
use crate::plan::remember::failure_history::{FailureHistory, GapState};
use crate::plan::remember::liveness::Liveness;
use crate::plan::remember::recorded_job::RunningJob;
use crate::plan::remember::source_state::LastSuccess;
use crate::plan::remember::unfinished::{self, JobsRun, LostJob, Spooled, Unfinished, UnrecordedEnd};
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::plan::run::summary::LeftEnd;
use crate::store::{self, Ledger, Store};

/// What recovery found and did, or in a dry run would do.
#[derive(Debug, Default)]
pub(super) struct Recovery {
    /// Gaps with a running job whose owner is alive, as far as can be known from this host.
    pub(super) running: HashMap<GapKey, Owner>,
    /// In a dry run, the runs that are under way.
    pub(super) living: BTreeSet<RunId>,
    /// Gaps whose running job has ended, which the database does not have on record.
    pub(super) unrecorded: HashMap<GapKey, UnrecordedEnd>,
    /// Gaps whose running job is lost: its owner is dead.
    pub(super) lost: Vec<GapKey>,
    /// Attempts whose end was in the spool.
    pub(super) respooled: u64,
    /// Ends that stay in the spool.
    pub(super) left: Vec<LeftEnd>,
    /// Why reports that are on record are not at their destinations, each in a sentence.
    pub(super) unplaced: Vec<String>,
    /// What a person should know; each is a sentence.
    pub(super) warnings: Vec<String>,
    /// In a dry run, the failure histories that recovery would have recorded.
    pub(super) histories: HashMap<GapKey, FailureHistory>,
    /// In a dry run, the successful collections in the spool.
    pub(super) collected: Vec<LastSuccess>,
    /// In a dry run, the gaps whose report was made, according to the spool.
    pub(super) settled: HashSet<GapKey>,
}

/// Finds out what [`recover`] would do, and changes nothing. What the database refused the last time counts as refused again.
///
/// # Errors
/// When the database fails.
pub(super) async fn preview(store: &dyn Store, state_dir: &Path) -> Result<Recovery, RunError> {
    let mut recovery = Recovery::default();
    let (mut jobs, mut runs) = (store.running_jobs().await?, Runs::of(store, state_dir).await?);
    for run in runs.dead.clone() {
        let left = survivors::beyond_reach(run).map_err(RunError::Survivors)?;
        recovery.warnings.extend(runs.hold_back(run, &left));
    }
    // A dry run also works for a user who may not read the spool.
    let spooled = match spool::entries(state_dir) {
        Ok(entries) => {
            let left = recovery.would_record(entries, &mut jobs);
            recovery.note_left(left, &jobs, |entry| Ok(entry.path.clone()))?
        }
        Err(error) => {
            let why = replay::cannot_be_read(&spool::directory(state_dir), &error.to_string());
            recovery.warnings.push(format!("{why}; the ends of jobs may wait there"));
            Spooled::Unreadable(why)
        }
    };
    let now = Utc::now();
    for (gap, lost) in recovery.sort(jobs, &spooled, &runs) {
        recovery.histories.insert(gap.clone(), lost.history(now));
        recovery.lost.push(gap);
    }
    recovery.living = runs.living;
    Ok(recovery)
}

/// Closes what dead runs left behind. Records the ends in the spool, ends processes that outlived their run, and then
/// records their running jobs and the runs themselves as lost, and their queued jobs as cancelled. A job whose end stays in the spool is
/// left as it is.
///
/// # Errors
/// When the database fails, the spool cannot be read, or a process that survived cannot be ended.
pub(super) async fn recover(store: &dyn Store, state_dir: &Path) -> Result<Recovery, RunError> {
    let unreadable = |error| RunError::Spool(spool::directory(state_dir), error);
    let Replayed { recorded, left, unreachable } = replay::replay(store, spool::entries(state_dir).map_err(unreadable)?).await;
    if let Some(error) = unreachable {
        return Err(error.into());
    }
    let mut recovery = Recovery { respooled: recorded.len() as u64, ..Recovery::default() };
    // The jobs are read first. A run that begins between the two queries then has no job in the list; the other way round its jobs would
    // seem to have no living run.
    let (jobs, mut runs) = (store.running_jobs().await?, Runs::of(store, state_dir).await?);
    for run in runs.dead.clone() {
        let Survivors { ended, left } = survivors::kill(run).await.map_err(RunError::Survivors)?;
        if ended > 0 {
            tracing::warn!("Ended {ended} processes that outlived run {}", run.short());
        }
        recovery.warnings.extend(runs.hold_back(run, &left));
    }
    let set_aside = |entry: &Entry| spool::set_aside(entry).map_err(|error| RunError::StateDir(entry.path.clone(), error));
    let mut spooled = recovery.note_left(left, &jobs, set_aside)?;
    // A run may have put ends into the spool and ended since that was read. Whatever is there now was there before its run had ended.
    for claim in spool::claims(state_dir).map_err(unreadable)? {
        spooled.add(claim, "it was put there a moment ago");
    }
    let now = Utc::now();
    for (gap, lost) in recovery.sort(jobs, &spooled, &runs) {
        let finished = store.finish(lost.claim(), &JobEnd::Lost { history: lost.history(now), at: now }).await?;
        if finished == Finished::Recorded(JobState::Lost) {
            recovery.lost.push(gap);
        }
    }
    recovery.unplaced = placing::finish_all(store, |run| runs.living.contains(&run)).await?;
    spool::clear_reserves(state_dir, |run| !runs.living.contains(&run));
    if runs.living.is_empty() {
        clear_workspaces(state_dir);
    }
    for run in runs.dead {
        store.end_run(run, RunState::Lost, None, now).await?;
    }
    Ok(recovery)
}

/// Removes empty workspaces: a run removes those of its filled gaps when it ends, and a dead run did not. To be called only while no
/// other run is alive, as it could be about to use one.
fn clear_workspaces(state_dir: &Path) {
    let Ok(workspaces) = Directory::open(&state_dir.join("work")) else { return };
    for workspace in workspaces.names().unwrap_or_default() {
        // It fails for a workspace that is not empty, which stays: an ETL resumes from what is in it.
        let _ = workspaces.remove_empty(&workspace);
    }
}

impl Recovery {
    /// The stored state of every gap that has one; in a dry run, as recovery would leave it.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn gap_states(&self, store: &dyn Ledger) -> store::Result<HashMap<GapKey, GapState>> {
        let mut gaps: HashMap<GapKey, GapState> = store.gap_states().await?.into_iter().map(|state| (state.key.clone(), state)).collect();
        for (key, history) in &self.histories {
            let new = || GapState { key: key.clone(), fence: 0, history: FailureHistory::default(), skip: None, forced: None };
            gaps.entry(key.clone()).or_insert_with(new).history = history.clone();
        }
        Ok(gaps)
    }

    /// Notes which gaps have a job that has ended or may still run. Returns the jobs that are lost.
    fn sort(&mut self, jobs: Vec<RunningJob>, spooled: &Spooled, runs: &Runs) -> Vec<(GapKey, LostJob)> {
        let mut lost = Vec::new();
        for (gap, known) in unfinished::sort(jobs, spooled, Utc::now(), |job| runs.run_of(job)) {
            match known {
                Unfinished::Ended(end) => drop(self.unrecorded.insert(gap, end)),
                Unfinished::Held(job) => drop(self.running.insert(gap, job.owner)),
                Unfinished::Lost(job) => lost.push((gap, job)),
            }
        }
        lost
    }

    /// Notes the entries that stay in the spool. One that cannot be read and is of no running job keeps nothing from going on:
    /// `set_aside` takes it away. Returns the claims of the others.
    fn note_left(
        &mut self,
        left: Vec<LeftEntry>,
        jobs: &[RunningJob],
        set_aside: impl Fn(&Entry) -> Result<std::path::PathBuf, RunError>,
    ) -> Result<Spooled, RunError> {
        let mut ends = HashMap::new();
        for LeftEntry { entry, why } in left {
            let job = jobs.iter().find(|job| Some(job.claim) == entry.claim);
            let gap = entry.record.as_ref().ok().map(|record| &record.gap).or_else(|| job.map(|job| &job.gap));
            let Some(gap) = gap else {
                let path = set_aside(&entry)?;
                self.warnings.push(format!("{why}; it is of no running job, and is left alone as {}", path.display()));
                continue;
            };
            self.left.push(LeftEnd { gap: gap.clone(), path: entry.path, why: why.clone() });
            ends.extend(entry.claim.map(|claim: Claim| (claim, why)));
        }
        Ok(Spooled::Ends(ends))
    }

    /// Takes into account what [`recover`] would record of the spool, and takes the jobs that would end by that out of the list. Returns
    /// the entries that would stay.
    fn would_record(&mut self, entries: Vec<Entry>, jobs: &mut Vec<RunningJob>) -> Vec<LeftEntry> {
        let mut left = Vec::new();
        for entry in entries {
            let why = match (&entry.refusal, &entry.record) {
                (_, Err(why)) => replay::cannot_be_read(&entry.path, why),
                (Some(refusal), Ok(_)) => refusal.clone(),
                (None, Ok(record)) => {
                    self.respooled += 1;
                    if let Some(position) = jobs.iter().position(|job| job.claim == record.claim) {
                        jobs.remove(position);
                        self.would_end(record);
                    }
                    // Otherwise its job was recorded as lost before: only the attempt would get its end.
                    continue;
                }
            };
            left.push(LeftEntry { entry, why });
        }
        left
    }

    /// Takes into account that a running job would get this end.
    fn would_end(&mut self, record: &Record) {
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

/// The runs that are recorded as running: those that may be alive, and those that are seen to be dead.
///
/// # Errors
/// When the database fails.
pub(super) async fn open_runs(store: &(impl Ledger + ?Sized)) -> store::Result<(Vec<RunningRun>, Vec<RunningRun>)> {
    let may_be_alive = |run: &RunningRun| match identity::liveness_of(&run.owner) {
        Liveness::Dead => false,
        Liveness::Alive => true,
        Liveness::Unknown => !run.expired,
    };
    Ok(store.running_runs().await?.into_iter().partition(may_be_alive))
}

/// The runs that are recorded as running. A running job of any other run was left by it: its run could not record the job's end before
/// its own.
struct Runs {
    living: BTreeSet<RunId>,
    /// Runs whose process was seen to be gone and, where that cannot be seen from here, runs whose lease has expired.
    dead: BTreeSet<RunId>,
    /// This process, and its state directory as runs have it on record.
    here: Owner,
    state_dir: String,
}

impl Runs {
    async fn of(store: &dyn Ledger, state_dir: &Path) -> store::Result<Self> {
        let (living, dead) = open_runs(store).await?;
        let ids = |runs: Vec<RunningRun>| runs.into_iter().map(|run| run.id).collect();
        Ok(Self { living: ids(living), dead: ids(dead), here: identity::this_process(), state_dir: spool::state_dir_on_record(state_dir) })
    }

    fn run_of(&self, job: &RunningJob) -> JobsRun {
        let may_be_here = self.here.may_share_host(&job.owner.host, job.owner.machine_id.as_deref());
        if self.living.contains(&job.run) {
            JobsRun::Living
        } else if self.dead.contains(&job.run) {
            JobsRun::Dead
        } else if may_be_here && job.state_dir.as_ref().is_none_or(|path| *path == self.state_dir) {
            JobsRun::Ended
        } else {
            JobsRun::EndedElsewhere
        }
    }

    /// Counts a dead run as living while processes of it go on that cannot be ended: nothing is started beside them. Returns what to
    /// tell.
    fn hold_back(&mut self, run: RunId, left: &[i32]) -> Option<String> {
        if left.is_empty() {
            return None;
        }
        self.dead.remove(&run);
        self.living.insert(run);
        Some(format!(
            "run {} died, but processes {left:?} that it started go on and cannot be ended by this user, or hang; its gaps wait until they \
             have ended: end them as root",
            run.short()
        ))
    }
}
