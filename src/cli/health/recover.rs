//! `etl-orch health --recover`: catches up by a run, where that can help.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::run::args::RunArgs;
use super::super::run::{after, is_recovery, run_guard};
use super::{exit, judge_now, print, print_before, print_failure, within};
use crate::plan::health::judgement::Judgement;
use crate::plan::health::recovery::{Action, wanted};
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::{JobState, RunState};
use crate::plan::remember::past::{JobQuery, PastRun, RunQuery, TimeSpan};
use crate::plan::run::summary::RunSummary;
use crate::run::guard::link::has_guard;
use crate::run::lock::LockWait;
use crate::show;
use crate::store::Store;

/// So many runs since the last success are looked at.
const RUNS: u32 = 1000;

pub(super) async fn command(context: &Context<'_>, timeout: Duration) -> Result<Exit, Failure> {
    if !has_guard() {
        // The guard opens no database, and the run needs one.
        return run_guard().await;
    }
    let before = within(context, timeout, async |store| {
        let (judgement, summary) = judge_now(store.clone(), context).await?;
        let fruitless = fruitless(store, &summary).await?;
        Ok((wanted(&judgement, &summary.plan, fruitless), judgement))
    });
    match before.await {
        Ok((Action::TriggeredCatchUp, _)) => catch_up(context, timeout).await,
        Ok((action, judgement)) => print(context, &judgement, action),
        Err(failure) => print_failure(context.global, &failure, Action::None),
    }
}

/// Makes a run if none is at work, and judges again.
async fn catch_up(context: &Context<'_>, timeout: Duration) -> Result<Exit, Failure> {
    let run = RunArgs { lock_wait: LockWait::None, recovers: true, ..RunArgs::plain() };
    let (action, stopped) = match Box::pin(after(context, &run, async { Ok(()) })).await {
        Ok(signal @ Exit::Signal(_)) => (Action::TriggeredCatchUp, Some(signal)),
        Ok(_) => (Action::TriggeredCatchUp, None),
        Err(Failure::LockHeld(_)) => (Action::AlreadyRunning, None),
        Err(failure @ (Failure::Stopped(_) | Failure::Ended(..))) => return Err(failure),
        Err(failure) => {
            failure.lines().iter().for_each(|line| show::diagnose(line));
            (Action::TriggeredCatchUp, None)
        }
    };
    let judged: Result<Judgement, Failure> = within(context, timeout, async |store| Ok(judge_now(store, context).await?.0)).await;
    match judged {
        Ok(judgement) => print_before(stopped.unwrap_or_else(|| exit(&judgement)), context, &judgement, action),
        Err(failure) => print_failure(context.global, &failure, action),
    }
}

/// How many recoveries failed since something succeeded, or since an operator wanted something to be tried again.
async fn fruitless(store: Arc<dyn Store>, summary: &RunSummary) -> Result<usize, Failure> {
    let succeeded = store.jobs(&JobQuery { states: vec![JobState::Succeeded], limit: 1, ..JobQuery::default() }).await?;
    let gaps: Vec<GapKey> = summary.plan.jobs.iter().map(|job| job.key.clone()).collect();
    let orders = store.orders_on(&gaps, Utc::now()).await?;
    let retried = orders.iter().filter(|order| order.kind == "retry").map(|order| order.at);
    let since = succeeded.iter().filter_map(|job| job.ended_at).chain(retried).max();
    let query = RunQuery { started: TimeSpan { since, until: None }, limit: RUNS, ..RunQuery::default() };
    let did_not_help = |run: &&PastRun| is_recovery(&run.options) && matches!(run.state, RunState::Failed | RunState::Lost);
    Ok(store.runs(&query).await?.iter().filter(did_not_help).count())
}
