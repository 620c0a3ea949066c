//! Reads what a judgement of health is made from, beside what a run finds.

use std::collections::{BTreeMap, HashSet};
use std::path::Path;

use chrono::{DateTime, Utc};

use super::error::RunError;
use super::{recover, spool};
use crate::plan::decide::plan::Plan;
use crate::plan::health::facts::{EndedRun, Facts, OpenRun, RecentRuns, missing_reports};
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::RunState;
use crate::plan::remember::past::{PastRun, RunQuery};
use crate::plan::run::summary::RunSummary;
use crate::store::{self, Store};

/// So many of the runs that started last are looked at for the one that ended last.
const ENDED: u32 = 10;
/// So many runs that are recorded as running are named.
const OPEN: u32 = 100;

/// The facts that go with the summary of a run without a selection, or of a dry run. `just_ended` is the run that asks, if one does.
///
/// # Errors
/// When the database fails.
pub async fn facts<'a>(
    store: &dyn Store,
    state_dir: &Path,
    summary: &'a RunSummary,
    just_ended: Option<EndedRun>,
) -> Result<Facts<'a>, RunError> {
    let runs = recent_runs(store, just_ended).await?;
    let missing_since = missing_since(store, &summary.plan).await?;
    let unseen = match spool::claims(state_dir) {
        Ok(_) => Vec::new(),
        Err(error) => vec![format!("{} cannot be read: {error}; the ends of jobs may wait there", spool::directory(state_dir).display())],
    };
    Ok(Facts { now: Utc::now(), plan: &summary.plan, left: &summary.left, warnings: &summary.warnings, runs, missing_since, unseen })
}

async fn missing_since(store: &dyn Store, plan: &Plan) -> store::Result<BTreeMap<GapKey, DateTime<Utc>>> {
    let missing: Vec<GapKey> = missing_reports(plan).into_iter().cloned().collect();
    // A database need not be asked about nothing.
    if missing.is_empty() { Ok(BTreeMap::new()) } else { Ok(store.missing_since(&missing).await?.into_iter().collect()) }
}

async fn recent_runs(store: &dyn Store, just_ended: Option<EndedRun>) -> store::Result<RecentRuns> {
    let (living, dead) = recover::open_runs(store).await?;
    let is_quiet = living.is_empty() && dead.is_empty();
    let dead: HashSet<_> = dead.into_iter().map(|run| run.id).collect();
    // Read after it was seen which processes are gone: a run may have ended in between.
    let query = RunQuery { states: vec![RunState::Running], limit: OPEN, ..RunQuery::default() };
    let open = if is_quiet { Vec::new() } else { store.runs(&query).await? };
    let (dead, active): (Vec<PastRun>, Vec<PastRun>) = open.into_iter().partition(|run| dead.contains(&run.id));
    let last = match just_ended {
        Some(run) => Some(run),
        None => last_ended(store).await?,
    };
    let named = |runs: Vec<PastRun>| runs.into_iter().map(open_run).collect();
    Ok(RecentRuns { last, active: named(active), dead: named(dead) })
}

async fn last_ended(store: &dyn Store) -> store::Result<Option<EndedRun>> {
    let states = vec![RunState::Succeeded, RunState::Failed, RunState::Cancelled];
    let runs = store.runs(&RunQuery { states, limit: ENDED, ..RunQuery::default() }).await?;
    Ok(runs.into_iter().filter_map(ended_run).max_by_key(|run| run.ended_at))
}

fn ended_run(run: PastRun) -> Option<EndedRun> {
    let ended_at = run.ended_at?;
    Some(EndedRun { id: run.id, state: run.state, started_at: run.started_at, ended_at, has_counts: run.counts.is_some() })
}

fn open_run(run: PastRun) -> OpenRun {
    OpenRun { id: run.id, host: run.host, pid: run.pid, started_at: run.started_at }
}
