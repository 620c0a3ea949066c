//! `etl-orch retry`, `skip`, `unskip` and `cancel`: orders of an operator, each kept with who gave it and why.

pub(super) mod args;
pub(super) mod cancel;
pub(super) mod retry;
pub(super) mod skip;
mod target;
pub(super) mod unskip;

use std::sync::Arc;

use chrono::Utc;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::plan::decide::order_effects::{OrderEffect, effects, swept};
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{FoundJob, GapOrder, GapOrderKind};
use crate::show::orders::{GapOrderView, job_list};
use crate::store::{Access, History, Store};
use target::{JobPrefix, OrderTarget};

/// Gives an order on gaps, and prints what it did.
async fn give(context: &Context<'_>, kind: GapOrderKind, target: &OrderTarget, reason: &str) -> Result<Exit, Failure> {
    let order = GapOrder { kind, by: context.user.clone(), reason: reason.to_owned(), at: Utc::now() };
    let given = context.with_store(Access::ReadWrite, async |store| apply(store, &order, target).await);
    let (effects, changed) = given.await?;
    context.print(&GapOrderView::new(&order, &target.to_string(), &effects, changed))?;
    Ok(Exit::Success)
}

/// Changes the gaps. Returns what the order does to each of them, and how many the store changed.
async fn apply(store: Arc<dyn Store>, order: &GapOrder, target: &OrderTarget) -> Result<(Vec<(GapKey, OrderEffect)>, u64), Failure> {
    let states = store.gap_states().await?;
    let running = store.running_jobs().await?;
    let gaps = match target {
        OrderTarget::Job(prefix) => vec![one_job(&*store, prefix).await?.gap],
        OrderTarget::Gaps(gaps) => gaps.clone(),
        OrderTarget::Sweep(sweep) => swept(order, sweep, &states),
    };
    let effects = effects(order, gaps, &states, &running);
    let chosen: Vec<GapKey> = effects.iter().filter(|(_, effect)| effect.is_ordered()).map(|(gap, _)| gap.clone()).collect();
    let changed = if chosen.is_empty() { 0 } else { store.order(order, &chosen).await? };
    Ok((effects, changed))
}

/// How many jobs an error message lists.
const LISTED: u32 = 10;

/// The only job whose id has this prefix.
async fn one_job(store: &dyn History, prefix: &JobPrefix) -> Result<FoundJob, Failure> {
    let mut found = store.find_jobs(&prefix.text, LISTED).await?;
    if found.len() == 1
        && let Some(job) = found.pop()
    {
        return Ok(job);
    }
    let (problem, jobs) = if found.is_empty() {
        let latest = store.find_jobs("", LISTED).await?;
        let follows = if latest.is_empty() { "there is none yet" } else { "the latest are" };
        (format!("{}; {follows}", prefix.unknown()), latest)
    } else {
        (format!("several jobs have an id that begins with {}; write more of it", prefix.text), found)
    };
    Err(Failure::Usage(problem + &job_list(&jobs)))
}
