//! `etl-orch sources enqueue`: has windows of a source collected by the next run or, with `--now`, by one of its own.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::super::args::{Format, Global, RunArgs};
use super::super::exit::{Exit, Failure};
use super::super::user::user;
use super::super::{names, run};
use super::args::EnqueueArgs;
use super::window_choice::WindowChoice;
use super::{load, pause};
use crate::config::Config;
use crate::plan::decide::source_plan::{SourcePlan, SourceStatus};
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::model::settings::Variables;
use crate::plan::model::window::Window;
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
    WindowChoice::windows(args.window, &config.catalogue.sources[source], now)
        .map_err(|problem| Failure::Usage(format!("--window: {problem}")))
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
    let given = give(&*store, config, &order, args.window.is_some()).await;
    store.close().await;
    let plan = given?;
    let when = when(plan.as_ref(), &windows, args);
    match global.format {
        Format::Text => show::out(&format!("enqueue: {}: {}; {when}\n", args.id, said(&windows)))?,
        // The run that follows has stdout to itself: one object.
        Format::Json if args.now => tracing::info!("Enqueued {}: {}; {when}", args.id, said(&windows)),
        Format::Json => show::out(&format!("{:#}\n", as_json(&order, &windows, &when)))?,
    }
    Ok(())
}

/// What a run would now do about the source.
async fn give(store: &dyn Store, config: &Config, order: &SourceOrder, names_windows: bool) -> Result<Option<SourcePlan>, Failure> {
    if let Some(pause) = pause::pause_of(store, &order.source).await? {
        let (id, why) = (&order.source, pause::of(&pause));
        let text = format!("{id} is paused {why}; `etl-orch sources resume {id} --reason TEXT` comes first");
        return Err(Failure::Orchestrator(text));
    }
    let states = store.source_states().await?;
    let was_collected = states.iter().any(|state| state.source == order.source && state.frontier.is_some());
    if names_windows && !was_collected {
        // What succeeds first is where a source begins: all that came after it would be due.
        let text = format!(
            "nothing of {0} was collected yet; let `etl-orch run --source {0}` begin it, or set start: where it is to begin",
            order.source
        );
        return Err(Failure::Orchestrator(text));
    }
    store.order_source(order).await?;
    let plans = crate::run::sources::look(store, &config.catalogue, &config.env_files()?, &config.run, &config.state_dir).await?;
    Ok(plans.into_iter().find(|plan| config.catalogue.sources[plan.source].id == order.source))
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
        SourceStatus::Due | SourceStatus::UpToDate => {
            let is_planned =
                |window: &&Window| plan.jobs.iter().any(|job| job.window.start <= window.start && window.end <= job.window.end);
            match windows.iter().filter(is_planned).count() {
                planned if planned == windows.len() => format!("collected {run}"),
                0 => "collected by a later run, as others come first".to_owned(),
                planned => format!("{planned} of them collected {run}, the others later"),
            }
        }
        SourceStatus::Claimed(owner) => {
            format!("collected by the next run after {}, which collects {id} at the moment", escaped(&owner.to_string()))
        }
        SourceStatus::CoolingDown(rest) => {
            format!("not collected before {}, as it failed; `etl-orch retry {id} --reason TEXT` lets it be tried", super::time(rest.until))
        }
        SourceStatus::Quarantined(_) => {
            format!("not collected while {id} is quarantined; `etl-orch retry {id} --reason TEXT` releases it")
        }
        SourceStatus::Skipped(_) => format!("not collected while {id} is skipped; `etl-orch unskip {id} --reason TEXT` ends that"),
        SourceStatus::Paused(_) => format!("not collected while {id} is paused; `etl-orch sources resume {id} --reason TEXT` ends that"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::decide::source_plan::Lateness;
    use crate::plan::model::collection::Collection;
    use crate::plan::model::job::Owner;
    use crate::plan::remember::failure_history::{Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
    use crate::plan::remember::source_state::{Pause, SourceState};

    fn at(hour: u32) -> DateTime<Utc> {
        format!("2026-01-16T{hour:02}:00:00Z").parse().unwrap()
    }

    fn window(start: u32) -> Window {
        Window { start: at(start), end: at(start + 6) }
    }

    fn plan(standing: SourceStatus, jobs: &[Window]) -> SourcePlan {
        let job = |window: &Window| Collection { source: 0, window: *window, windows: 1, remote: None };
        SourcePlan {
            source: 0,
            state: SourceState::default(),
            standing,
            new: Vec::new(),
            again: Vec::new(),
            jobs: jobs.iter().map(job).collect(),
            behind: 0,
            missing: None,
            left: 0,
            next_due: at(18),
            lateness: Lateness::OnTime,
            error: None,
            failed_runs: 0,
        }
    }

    #[test]
    fn when_windows_are_collected_is_what_a_run_would_do() {
        let asked = [window(0), window(6)];
        let order = |by: &str| (at(1), by.to_owned(), "why".to_owned());
        let ((since, by, reason), owner) =
            (order("ann"), Owner { host: "h\u{1b}".to_owned(), boot_id: String::new(), pid: 7, pid_started: 1 });
        let standings = [
            plan(SourceStatus::Due, &[Window { start: at(0), end: at(18) }]),
            plan(SourceStatus::Due, &[window(6)]),
            plan(SourceStatus::Due, &[window(12)]),
            plan(SourceStatus::Claimed(owner), &[]),
            plan(SourceStatus::CoolingDown(Rest { since: at(1), until: at(2), why: RestReason::Failed }), &[]),
            plan(SourceStatus::Quarantined(Quarantine { since: at(1), why: QuarantineReason::Failures }), &[]),
            plan(SourceStatus::Skipped(SkipOrder { since, until: None, by: by.clone(), reason: reason.clone() }), &[]),
            plan(SourceStatus::Paused(Pause { since, by, reason }), &[]),
        ];
        let args = |now| EnqueueArgs { id: "us_house".to_owned(), window: None, now, reason: String::new() };
        let mut said: Vec<String> = standings.iter().map(|plan| when(Some(plan), &asked, &args(false))).collect();
        said.push(when(Some(&standings[0]), &asked, &args(true)));
        insta::assert_snapshot!(said.join("\n"), @r"
        collected by the next run
        1 of them collected by the next run, the others later
        collected by a later run, as others come first
        collected by the next run after process 7 on h\u{1b}, which collects us_house at the moment
        not collected before 2026-01-16T02:00:00Z, as it failed; `etl-orch retry us_house --reason TEXT` lets it be tried
        not collected while us_house is quarantined; `etl-orch retry us_house --reason TEXT` releases it
        not collected while us_house is skipped; `etl-orch unskip us_house --reason TEXT` ends that
        not collected while us_house is paused; `etl-orch sources resume us_house --reason TEXT` ends that
        collected now
        ");
    }

    #[test]
    fn windows_are_named_from_the_first_to_the_last() {
        assert_eq!(said(&[window(0)]), "1 window, 2026-01-16T00:00:00Z/2026-01-16T06:00:00Z");
        assert_eq!(said(&[window(0), window(6), window(12)]), "3 windows, 2026-01-16T00:00:00Z/2026-01-16T18:00:00Z");
    }

    #[test]
    fn json_has_every_window() {
        let order = SourceOrder {
            source: "us_house".to_owned(),
            kind: SourceOrderKind::Collect(Vec::new()),
            by: "ann".to_owned(),
            reason: "why".to_owned(),
            at: at(10),
        };
        let json = as_json(&order, &[window(0), window(6)], "collected by the next run");
        assert_eq!((&json["schema_version"], &json["kind"], &json["by"]), (&1.into(), &"enqueue".into(), &"ann".into()));
        assert_eq!(json["windows"][1], json!({ "start": "2026-01-16T06:00:00Z", "end": "2026-01-16T12:00:00Z" }));
    }
}
