//! `etl-orch sources give-up`: has windows of a source that cannot be collected hold up no others.

use chrono::Utc;
use clap::Args;

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::help::headings::SELECT;
use super::super::names;
use super::super::orders::args::OrderArgs;
use super::plans;
use super::window_choice::{self, WindowChoice};
use crate::plan::decide::backfill;
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::orders::SourceOrder;
use crate::plan::model::source::Source;
use crate::plan::model::window::Window;
use crate::show::orders::{GiveUpView, given_up};
use crate::store::{Access, Store};

/// Options of `sources give-up`.
#[derive(Debug, Args)]
pub(in crate::cli) struct GiveUpArgs {
    /// The source
    #[arg(value_name = "ID")]
    id: String,
    /// Which windows: a day, a time, or START/END
    ///
    /// A day (2026-01-16), a time (2026-01-16T09:00:00Z), or a span (START/END, END itself not included); whole windows are given up, those that were collected excepted.
    /// Days are those of the source's time zone, UTC without one.
    #[arg(long, value_name = "WINDOW", value_parser = window_choice::parse, help_heading = SELECT)]
    window: WindowChoice,
    #[command(flatten)]
    order: OrderArgs,
}

pub(super) async fn command(context: &Context<'_>, args: &GiveUpArgs) -> Result<Exit, Failure> {
    let catalogue = &context.config.catalogue;
    let source = catalogue.source(names::source(catalogue, &args.id).map_err(Failure::Usage)?);
    let chosen = WindowChoice::windows(Some(args.window), source, Utc::now());
    let chosen = chosen.map_err(|problem| Failure::Usage(format!("--window: {problem}")))?;
    let span = chosen.first().zip(chosen.last()).and_then(|(first, last)| Window::new(first.start, last.end));
    let span = span.ok_or_else(|| Failure::Usage("--window: it contains no window".to_owned()))?;
    let given = context.with_store(Access::ReadWrite, async |store| give(&*store, context, source, span, args).await);
    let Given { order, plan, running } = given.await?;
    context.print(&GiveUpView::new(&order, plan.as_ref(), running, &context.command_line()))?;
    Ok(Exit::Success)
}

/// What was done.
struct Given {
    order: SourceOrder,
    /// What a run would now do about the source.
    plan: Option<SourcePlan>,
    /// The job of the source that runs at the moment.
    running: Option<JobId>,
}

async fn give(store: &dyn Store, context: &Context<'_>, source: &Source, span: Window, args: &GiveUpArgs) -> Result<Given, Failure> {
    let state = store.source_states().await?.into_iter().find(|state| state.source == source.id).unwrap_or_default();
    let at = Utc::now();
    let kind = backfill::give_up(source, &state, &store.queue().await?, span, at);
    let order = SourceOrder { source: source.id.clone(), kind, by: context.user.clone(), reason: args.order.reason.clone(), at };
    let changed = store.order_source(&order).await?;
    let plan = plans(store, context).await?.into_iter().find(|plan| context.config.catalogue.source(plan.source).id == source.id);
    if !changed {
        return Err(Failure::Orchestrator(nothing_to_give_up(source, span, plan.as_ref())));
    }
    let key = GapKey::source(&source.id);
    let running = store.running_jobs().await?.into_iter().find(|job| job.gap == key || key.covers(&job.gap)).map(|job| job.claim.job);
    Ok(Given { order, plan, running })
}

/// Why an order changed nothing: nothing of the span is missing that was not given up before.
fn nothing_to_give_up(source: &Source, span: Window, plan: Option<&SourcePlan>) -> String {
    let before = plan.into_iter().flat_map(|plan| &plan.given_up).find(|given| given.window.overlaps(span));
    let why = before.map_or("it was collected, or is before the begin of the source".to_owned(), |before| {
        format!("it was given up {}", given_up(&before.order))
    });
    format!("nothing of {} is missing in {span}: {why}", source.id)
}
