//! `etl-orch runs`: the runs on record.

use chrono::{DateTime, Utc};
use clap::Args;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::super::help::headings::{OUTPUT, SELECT};
use super::args::{ListArgs, run_prefix};
use crate::plan::model::job::RunState;
use crate::plan::remember::past::RunQuery;
use crate::show::history::{DaysView, RunsView};
use crate::store::Access;

/// Options of `runs`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct RunsArgs {
    /// Only the run with this id or beginning of one
    #[arg(value_name = "RUN", value_parser = run_prefix)]
    id: Option<String>,
    /// Only runs in this state
    ///
    /// Repeatable, or a list.
    #[arg(long, value_delimiter = ',', value_parser = states(), hide_possible_values = true, help_heading = SELECT)]
    state: Vec<RunState>,
    /// Only runs that failed or died
    ///
    /// In which jobs failed, that could not do their work, or that died: short for --state failed,lost.
    #[arg(long, conflicts_with = "state", help_heading = SELECT)]
    failed: bool,
    /// Only runs that are running
    #[arg(long, conflicts_with_all = ["state", "failed"], help_heading = SELECT)]
    running: bool,
    /// Sum up each day instead of listing runs
    ///
    /// What its runs succeeded at, how long that took, and its metrics, such as costs. --limit counts days.
    #[arg(long, conflicts_with_all = ["id", "state", "failed", "running"], help_heading = OUTPUT)]
    per_day: bool,
    #[command(flatten)]
    list: ListArgs,
}

fn states() -> impl TypedValueParser<Value = RunState> {
    let names = RunState::ALL.map(RunState::name);
    PossibleValuesParser::new(names).try_map(|name| RunState::parse(&name).ok_or("is not a state"))
}

pub(in crate::cli) async fn command(context: &Context<'_>, args: &RunsArgs) -> Result<Exit, Failure> {
    let now = Utc::now();
    if args.per_day {
        return per_day(context, &args.list, now).await;
    }
    let states = match (args.failed, args.running) {
        (true, _) => vec![RunState::Failed, RunState::Lost],
        (_, true) => vec![RunState::Running],
        (false, false) => args.state.clone(),
    };
    let query = RunQuery { states, id: args.id.clone(), started: args.list.span(now)?, limit: args.list.limit, ..RunQuery::default() };
    let runs = context.with_store(Access::ReadOnly, async |store| Ok(store.runs(&query).await?)).await?;
    context.print(&RunsView::new(&runs, now))?;
    Ok(Exit::Success)
}

/// What was done on each day.
async fn per_day(context: &Context<'_>, list: &ListArgs, now: DateTime<Utc>) -> Result<Exit, Failure> {
    let span = list.span(now)?;
    let days =
        context.with_store(Access::ReadOnly, async |store| Ok((store.work_per_day(span).await?, store.metrics_per_day(span).await?)));
    let (work, metrics) = days.await?;
    context.print(&DaysView::new(&work, &metrics, list.limit as usize, now))?;
    Ok(Exit::Success)
}
