//! Finds out what runs that died have left, and closes their records (specification §6, step 3).

use std::collections::{BTreeSet, HashMap};

use chrono::Utc;

use super::{RunError, host};
use crate::execute::survivors;
use crate::plan::gap::GapKey;
use crate::plan::ids::RunId;
use crate::plan::job::{Owner, RunCounts, RunState, RunningRun};
use crate::plan::known::Known;
use crate::plan::liveness::Liveness;
use crate::store::{self, Store};

/// What is running elsewhere, and what no longer is.
#[derive(Debug, Default)]
pub(super) struct Found {
    /// Gaps that owners who are alive, or of whom nothing can be said from here, are filling.
    pub(super) running: HashMap<GapKey, Owner>,
    /// Gaps whose owner died over them.
    pub(super) lost: Vec<GapKey>,
}

impl Found {
    pub(super) fn known(&self) -> Known {
        Known { now: Utc::now(), running: self.running.clone(), ..Known::default() }
    }
}

/// Looks at what is recorded as running, and changes nothing.
///
/// # Errors
/// When the database fails.
pub(super) async fn look(store: &dyn Store) -> store::Result<Found> {
    let (jobs, runs) = (store.running_jobs().await?, Runs::of(store).await?);
    let mut found = Found::default();
    for job in jobs {
        if runs.living.contains(&job.run) {
            found.running.insert(job.gap, job.owner);
        } else {
            found.lost.push(job.gap);
        }
    }
    Ok(found)
}

/// Closes what dead owners have left: their processes that survived them are ended first, then their running jobs and
/// runs become lost, their queued jobs cancelled.
///
/// # Errors
/// When the database fails, or a process that survived cannot be ended.
pub(super) async fn recover(store: &dyn Store) -> Result<Found, RunError> {
    // The jobs first: a run that begins meanwhile has its jobs in neither list, instead of jobs without a living run.
    let (jobs, runs) = (store.running_jobs().await?, Runs::of(store).await?);
    for run in &runs.dead {
        let ended = survivors::end(&run.to_string()).await.map_err(RunError::Survivors)?;
        if ended > 0 {
            tracing::warn!("Ended {ended} processes that outlived run {}", run.short());
        }
    }
    let mut found = Found::default();
    let now = Utc::now();
    for job in jobs {
        if runs.living.contains(&job.run) {
            found.running.insert(job.gap, job.owner);
        } else if store.lose(job.claim, &job.memory.lost(job.fingerprint.as_ref(), now), now).await? {
            found.lost.push(job.gap);
        }
    }
    for run in runs.dead {
        store.end_run(run, RunState::Lost, RunCounts::default(), now).await?;
    }
    Ok(found)
}

/// The runs that are recorded as running. A running job of any other run is lost: its run ended without being able to
/// record the job's end.
struct Runs {
    living: BTreeSet<RunId>,
    /// Their owner is dead: at once where this host can tell, whatever the clock says; elsewhere when the lease has ended.
    dead: BTreeSet<RunId>,
}

impl Runs {
    async fn of(store: &dyn Store) -> store::Result<Self> {
        let is_dead = |run: &RunningRun| match host::is_alive(&run.owner) {
            Liveness::Dead => true,
            Liveness::Alive => false,
            Liveness::Elsewhere => run.expired,
        };
        let (dead, living): (Vec<_>, Vec<_>) = store.running_runs().await?.into_iter().partition(is_dead);
        let ids = |runs: Vec<RunningRun>| runs.into_iter().map(|run| run.id).collect();
        Ok(Self { living: ids(living), dead: ids(dead) })
    }
}
