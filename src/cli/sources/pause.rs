//! `etl-orch sources pause` and `resume`.

use chrono::Utc;
use clap::Args;

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::names;
use super::super::orders::args::OrderArgs;
use crate::plan::model::gap::GapKey;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::remember::recorded_job::RunningJob;
use crate::plan::remember::source_state::Pause;
use crate::show::orders::PauseOrderView;
use crate::store::{self, Access, Sources};

/// Options of `sources pause` and `sources resume`.
#[derive(Debug, Args)]
pub(in crate::cli) struct PauseArgs {
    /// The source
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    order: OrderArgs,
}

/// `etl-orch sources pause`.
pub(super) async fn pause(context: &Context<'_>, args: &PauseArgs) -> Result<Exit, Failure> {
    give(context, args, SourceOrderKind::Pause).await
}

/// `etl-orch sources resume`.
pub(super) async fn resume(context: &Context<'_>, args: &PauseArgs) -> Result<Exit, Failure> {
    give(context, args, SourceOrderKind::Resume).await
}

async fn give(context: &Context<'_>, args: &PauseArgs, kind: SourceOrderKind) -> Result<Exit, Failure> {
    names::source(&context.config.catalogue, &args.id).map_err(Failure::Usage)?;
    let (source, by, reason) = (args.id.clone(), context.user.clone(), args.order.reason.clone());
    let order = SourceOrder { source, kind, by, reason, at: Utc::now() };
    let key = GapKey::source(&order.source);
    let is_it = |job: &RunningJob| job.gap == key || key.covers(&job.gap);
    let given = context.with_store(Access::ReadWrite, async |store| {
        let changed = store.order_source(&order).await?;
        let pause = pause_of(&*store, &order.source).await?;
        let running = store.running_jobs().await?.into_iter().find(is_it).map(|job| job.claim.job);
        Ok((changed, pause, running))
    });
    let (changed, pause, running) = given.await?;
    context.print(&PauseOrderView::new(&order, changed, pause.as_ref(), running, &context.command_line()))?;
    Ok(Exit::Success)
}

/// The pause of a source, if it is paused.
pub(super) async fn pause_of(store: &dyn Sources, source: &str) -> store::Result<Option<Pause>> {
    Ok(store.source_states().await?.into_iter().find(|state| state.source == source).and_then(|state| state.paused))
}
