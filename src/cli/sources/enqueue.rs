//! `etl-orch sources enqueue`: has windows of a source collected by the next run or, with `--now`, by one of its own.

use chrono::{DateTime, Utc};
use clap::Args;

use super::super::args::Format;
use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::help::headings::{ORDER, SELECT};
use super::super::orders::args::reason;
use super::super::run::args::RunArgs;
use super::super::{names, run};
use super::window_choice::{self, WindowChoice};
use super::{pause, plans};
use crate::config::Config;
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::model::window::Window;
use crate::show::orders::{EnqueueView, paused};
use crate::store::{Access, Store};

/// Options of `sources enqueue`.
#[derive(Debug, Args)]
pub(in crate::cli) struct EnqueueArgs {
    /// The source
    #[arg(value_name = "ID")]
    id: String,
    /// Which windows: a day, a time, or START/END
    ///
    /// A day (2026-01-16), a time (2026-01-16T09:00:00Z), or a span (START/END, END itself not included); whole windows are collected.
    /// Days are those of the source's time zone, UTC without one [default: the last window that is due].
    #[arg(long, value_name = "WINDOW", value_parser = window_choice::parse, help_heading = SELECT)]
    window: Option<WindowChoice>,
    /// Collect the source now, by a run of its own
    #[arg(long, help_heading = ORDER)]
    now: bool,
    /// Why; kept with your name and the time
    ///
    /// [default: asked for on the command line]
    #[arg(
        long,
        hide_default_value = true,
        value_name = "TEXT",
        value_parser = reason,
        default_value = "asked for on the command line",
        help_heading = ORDER
    )]
    reason: String,
}

pub(super) async fn command(context: &Context<'_>, args: &EnqueueArgs) -> Result<Exit, Failure> {
    let windows = windows(&context.config, args, Utc::now())?;
    if !args.now {
        give(context, args, windows).await?;
        return Ok(Exit::Success);
    }
    // The orchestrator gives the order once, before it waits for the lock: if that wait ends early, the next run has the order.
    Box::pin(run::after(context, &RunArgs::of_source(&args.id), give(context, args, windows))).await
}

fn windows(config: &Config, args: &EnqueueArgs, now: DateTime<Utc>) -> Result<Vec<Window>, Failure> {
    let source = names::source(&config.catalogue, &args.id).map_err(Failure::Usage)?;
    let windows = WindowChoice::windows(args.window, &config.catalogue.sources[source], now);
    windows.map_err(|problem| Failure::Usage(format!("--window: {problem}")))
}

/// Gives the order, and prints what it did.
async fn give(context: &Context<'_>, args: &EnqueueArgs, windows: Vec<Window>) -> Result<(), Failure> {
    let kind = SourceOrderKind::Collect(windows.clone());
    let (source, by, reason) = (args.id.clone(), context.user.clone(), args.reason.clone());
    let order = SourceOrder { source, kind, by, reason, at: Utc::now() };
    let names_windows = args.window.is_some();
    let plan = context.with_store(Access::ReadWrite, async |store| apply(&*store, context, &order, names_windows).await);
    let plan = plan.await?;
    let view = EnqueueView::new(&order, &windows, plan.as_ref(), args.now, &context.command_line());
    if args.now && context.global.format == Format::Json {
        // The run that follows has stdout to itself: one object.
        tracing::info!("Enqueued {}", view.sentence());
        return Ok(());
    }
    context.print(&view)
}

/// Puts the windows into the queue. Returns what a run would now do about the source.
async fn apply(store: &dyn Store, context: &Context<'_>, order: &SourceOrder, names_windows: bool) -> Result<Option<SourcePlan>, Failure> {
    let id = &order.source;
    if let Some(pause) = pause::pause_of(store, id).await? {
        let resume = context.command_line().of(format!("sources resume {id} --reason TEXT"));
        let text = format!("{id} is paused {}; run `{resume}` first", paused(&pause));
        return Err(Failure::Orchestrator(text));
    }
    let states = store.source_states().await?;
    let was_collected = states.iter().any(|state| state.source == *id && state.frontier.is_some());
    if names_windows && !was_collected {
        // The first success is where a source begins; everything after it would become due.
        let run = context.command_line().of(format!("run --source {id}"));
        let text = format!("nothing was collected of {id} yet; begin it with `{run}`, or set its start");
        return Err(Failure::Orchestrator(text));
    }
    store.order_source(order).await?;
    let plans = plans(store, context).await?;
    Ok(plans.into_iter().find(|plan| context.config.catalogue.sources[plan.source].id == *id))
}
