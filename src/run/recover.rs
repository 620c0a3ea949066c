//! Finds out what runs that died have left, and closes their records (specification §6, step 3).

use std::collections::HashMap;

use chrono::Utc;

use super::{RunError, host};
use crate::execute::survivors;
use crate::plan::gap::GapKey;
use crate::plan::job::{Owner, RunCounts, RunState};
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

/// Looks at what is recorded as running, and changes nothing.
///
/// # Errors
/// When the database fails.
pub(super) async fn look(store: &dyn Store) -> store::Result<Found> {
    let mut found = Found::default();
    for job in store.running_jobs().await? {
        match host::is_alive(&job.owner) {
            Liveness::Dead => found.lost.push(job.gap),
            Liveness::Alive | Liveness::Elsewhere => {
                found.running.insert(job.gap, job.owner);
            }
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
    let mut found = Found::default();
    let now = Utc::now();
    let mut dead = Vec::new();
    for (run, owner) in store.running_runs().await? {
        if host::is_alive(&owner) == Liveness::Dead {
            let ended = survivors::end(&run.to_string()).await.map_err(RunError::Survivors)?;
            if ended > 0 {
                tracing::warn!("Ended {ended} processes that outlived run {}", run.short());
            }
            dead.push(run);
        }
    }
    for job in store.running_jobs().await? {
        match host::is_alive(&job.owner) {
            Liveness::Dead => {
                if store.lose(job.claim, now).await? {
                    found.lost.push(job.gap);
                }
            }
            Liveness::Alive | Liveness::Elsewhere => {
                found.running.insert(job.gap, job.owner);
            }
        }
    }
    for run in dead {
        store.end_run(run, RunState::Lost, RunCounts::default(), now).await?;
    }
    Ok(found)
}
