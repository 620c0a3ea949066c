//! `etl-orch retry`, `skip`, `unskip` and `cancel`: orders of an operator, each kept with who gave it and why.

pub(super) mod args;
pub(super) mod cancel;
pub(super) mod retry;
pub(super) mod skip;
pub(super) mod target;
pub(super) mod unskip;

use std::path::Path;
use std::sync::Arc;

use chrono::Utc;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::plan::decide::order_effects::{OrderEffect, effects, swept, with_windows};
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{FoundJob, GapOrder, GapOrderKind};
use crate::plan::remember::failure_history::GapState;
use crate::plan::remember::recorded_job::RunningJob;
use crate::run::{GiveUp, ends_to_give_up, give_up};
use crate::show::orders::{GapOrderView, job_list};
use crate::store::{Access, History, Store};
use args::GapOrderArgs;
use target::{JobPrefix, OrderTarget};

/// Gives an order on gaps, and prints what it did.
async fn give(context: &Context<'_>, kind: GapOrderKind, target: &OrderTarget, args: &GapOrderArgs) -> Result<Exit, Failure> {
    let order = GapOrder { kind, by: context.user.clone(), reason: args.reason().to_owned(), at: Utc::now() };
    let access = if args.dry_run { Access::ReadOnly } else { Access::ReadWrite };
    let asked = Asked { order: &order, dry_run: args.dry_run, state_dir: &context.config.state_dir };
    let Given { effects, changed, states } = context.with_store(access, async |store| asked.apply(store, target).await).await?;
    let about = target.to_string();
    let view = GapOrderView::new(&order, &about, &effects, changed, &states).going_on_by(context.command_line());
    context.print(&view.dry(args.dry_run))?;
    Ok(Exit::Success)
}

/// An order on gaps, to be carried out or only to be shown.
struct Asked<'a> {
    order: &'a GapOrder,
    dry_run: bool,
    state_dir: &'a Path,
}

/// What an order did, or with `--dry-run` would do.
struct Given {
    /// What it does to each gap.
    effects: Vec<(GapKey, OrderEffect)>,
    /// How many gaps the store changed.
    changed: u64,
    /// What was remembered of gaps before.
    states: Vec<GapState>,
}

impl Asked<'_> {
    async fn apply(&self, store: Arc<dyn Store>, target: &OrderTarget) -> Result<Given, Failure> {
        let order = self.order;
        let mut states = store.gap_states().await?;
        let mut running = store.running_jobs().await?;
        let gaps = match target {
            OrderTarget::Job(prefix) => vec![one_job(&*store, prefix).await?.gap],
            OrderTarget::Gaps(gaps) => gaps.clone(),
            OrderTarget::Sweep(sweep) => swept(order, sweep, &states),
        };
        if order.kind == GapOrderKind::Retry {
            // A service's job that is followed is something to forget, also where no failure is.
            let followed = store.followed(&gaps).await?;
            states.extend(followed.into_iter().map(GapState::new));
        }
        // Work that is done is thrown away only where its gap is named, and no other.
        let is_meant = order.kind == GapOrderKind::Retry && gaps.len() == 1 && !matches!(target, OrderTarget::Sweep(_));
        let gaps = with_windows(order, gaps, &states);
        let given_up = if is_meant { self.give_up_ends(&*store, &gaps, &mut running).await? } else { Vec::new() };
        let mut effects = effects(order, gaps, &states, &running);
        let chosen: Vec<GapKey> = effects.iter().filter(|(_, effect)| effect.is_ordered()).map(|(gap, _)| gap.clone()).collect();
        let mut changed = match (chosen.is_empty(), self.dry_run) {
            (true, _) => 0,
            (false, true) => chosen.len() as u64,
            (false, false) => store.order(order, &chosen).await?,
        };
        for (gap, effect) in &mut effects {
            if let Some(job) = given_up.iter().find(|job| job.gap == *gap) {
                // A gap that remembers no failure is free again by that alone.
                changed += u64::from(!effect.is_ordered());
                *effect = OrderEffect::GivenUp(job.claim.job);
            }
        }
        Ok(Given { effects, changed, states })
    }

    /// Gives up the ends of these gaps that wait in the spool, and takes their jobs out of those that run. Returns the jobs.
    async fn give_up_ends(&self, store: &dyn Store, gaps: &[GapKey], running: &mut Vec<RunningJob>) -> Result<Vec<RunningJob>, Failure> {
        let order = self.order;
        let ended = if self.dry_run {
            ends_to_give_up(self.state_dir, gaps, running)?
        } else {
            give_up(store, self.state_dir, gaps, running, GiveUp { by: &order.by, reason: &order.reason, at: order.at }).await?
        };
        let (given_up, others) = std::mem::take(running).into_iter().partition(|job| ended.contains(&job.claim.job));
        *running = others;
        Ok(given_up)
    }
}

/// The beginning of an id as the database writes it, or `None` where the text is none.
pub(super) fn id_prefix(text: &str) -> Option<String> {
    JobPrefix::parse(text).map(|prefix| prefix.text)
}

/// How many jobs an error message lists.
const LISTED: u32 = 10;

/// The only job whose id has this prefix.
pub(super) async fn one_job(store: &dyn History, prefix: &JobPrefix) -> Result<FoundJob, Failure> {
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
