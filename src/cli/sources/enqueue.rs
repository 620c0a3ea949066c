//! `etl-orch sources enqueue`: has windows of a source collected by the next run or, with `--now`, by one of its own.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::args::{Format, Global, RunArgs};
use super::super::exit::{Exit, Failure};
use super::super::user::user;
use super::super::{names, run};
use super::args::EnqueueArgs;
use super::wanted::Wanted;
use super::{load, pause};
use crate::config::Config;
use crate::plan::collection::{SourcePlan, SourceStanding};
use crate::plan::operator::{SourceOrder, SourceOrderKind};
use crate::plan::settings::Variables;
use crate::plan::window::Window;
use crate::show;
use crate::show::escape::escaped;
use crate::store::{self, Access, Store};

pub(super) async fn command(global: &Global, args: &EnqueueArgs, environment: &Variables) -> Result<Exit, Failure> {
    let config = load(global, environment)?;
    let windows = windows(&config, args, Utc::now())?;
    let order = order(&config, global, args, windows, environment);
    if !args.now {
        order.await?;
        return Ok(Exit::Success);
    }
    // The order is given once, by the orchestrator, before it waits for the lock: who gives up waiting leaves it to the next run.
    run::after(global, &RunArgs::of_source(&args.id), environment, order).await
}

fn windows(config: &Config, args: &EnqueueArgs, now: DateTime<Utc>) -> Result<Vec<Window>, Failure> {
    let source = names::source(config, &args.id).map_err(Failure::Usage)?;
    Wanted::windows(args.window, config.sources[source].cadence, now).map_err(|problem| Failure::Usage(format!("--window: {problem}")))
}

/// Gives the order, and says so.
async fn order(config: &Config, global: &Global, args: &EnqueueArgs, windows: Vec<Window>, environment: &Variables) -> Result<(), Failure> {
    let at = Utc::now();
    let order = SourceOrder {
        source: args.id.clone(),
        kind: SourceOrderKind::Collect(windows.clone()),
        by: user(environment),
        reason: args.reason.clone(),
        at,
    };
    let store = store::open(&config.database, Access::ReadWrite).await?;
    let given = give(&*store, config, &order, at).await;
    store.close().await;
    let plan = given?;
    let when = when(plan.as_ref(), &windows, args);
    match global.format {
        Format::Text => show::out(&format!("enqueue: {}: {}; {when}\n", args.id, said(&windows)))?,
        // The run that follows has stdout to itself: one object.
        Format::Json if args.now => tracing::info!("Enqueued {}: {}", args.id, said(&windows)),
        Format::Json => show::out(&format!("{:#}\n", as_json(&order, &windows, &when)))?,
    }
    Ok(())
}

/// What a run would now do about the source.
async fn give(store: &dyn Store, config: &Config, order: &SourceOrder, now: DateTime<Utc>) -> Result<Option<SourcePlan>, Failure> {
    if let Some(pause) = pause::pause_of(store, &order.source).await? {
        let (id, why) = (&order.source, pause::of(&pause));
        let text = format!("{id} is paused {why}; `etl-orch sources resume {id} --reason TEXT` comes first");
        return Err(Failure::Orchestrator(text));
    }
    store.order_source(order).await?;
    let plans = crate::run::sources::look(store, &run::catalogue(config), &config.env_files()?, now).await?;
    Ok(plans.into_iter().find(|plan| config.sources[plan.source].id == order.source))
}

fn said(windows: &[Window]) -> String {
    match windows {
        [] => "no window".to_owned(),
        [window] => format!("1 window, {window}"),
        [first, .., last] => format!("{} windows, {}", windows.len(), Window { start: first.start, end: last.end }),
    }
}

/// When the windows are collected.
fn when(plan: Option<&SourcePlan>, windows: &[Window], args: &EnqueueArgs) -> String {
    let run = if args.now { "now" } else { "by the next run" };
    let Some(plan) = plan else { return format!("collected {run}") };
    let id = &args.id;
    match &plan.standing {
        SourceStanding::Due | SourceStanding::UpToDate => {
            let is_planned =
                |window: &&Window| plan.jobs.iter().any(|job| job.window.start <= window.start && window.end <= job.window.end);
            match windows.iter().filter(is_planned).count() {
                planned if planned == windows.len() => format!("collected {run}"),
                0 => "collected by a later run, as others come first".to_owned(),
                planned => format!("{planned} of them collected {run}, the others later"),
            }
        }
        SourceStanding::Claimed(owner) => {
            format!("collected by the next run after pid {} on {}, which collects {id} at the moment", owner.pid, escaped(&owner.host))
        }
        SourceStanding::CoolingDown(rest) => {
            format!("not collected before {}, as it failed; `etl-orch retry {id} --reason TEXT` lets it be tried", super::time(rest.until))
        }
        SourceStanding::Quarantined(_) => {
            format!("not collected while {id} is quarantined; `etl-orch retry {id} --reason TEXT` releases it")
        }
        SourceStanding::Skipped(_) => format!("not collected while {id} is skipped; `etl-orch unskip {id} --reason TEXT` ends that"),
        SourceStanding::Paused(_) => format!("not collected while {id} is paused; `etl-orch sources resume {id} --reason TEXT` ends that"),
    }
}

fn as_json(order: &SourceOrder, windows: &[Window], when: &str) -> serde_json::Value {
    json!({
        "schema_version": 1,
        "kind": "enqueue",
        "source": order.source,
        "by": order.by,
        "reason": order.reason,
        "at": super::time(order.at),
        "windows": windows
            .iter()
            .map(|window| json!({ "start": super::time(window.start), "end": super::time(window.end) }))
            .collect::<Vec<_>>(),
        "when": when,
    })
}
