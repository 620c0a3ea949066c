//! `etl-orch install` and `uninstall`: let systemd or cron start a run every 15 minutes.

mod deployment;
mod places;

use std::io::{IsTerminal, stderr, stdin};

use clap::{Args, ValueEnum};

use super::args::{Format, Global};
use super::exit::{Exit, Failure};
use super::help::headings::{OUTPUT, RUN};
use super::output;
use crate::os::threads;
use crate::plan::decide::deployment::{Change, Effect, TIMERS};
use crate::plan::model::settings::Variables;
use crate::run::schedules::{systemctl, systemd_runs, users_systemd_runs};
use crate::show;
use crate::show::install::{InstallView, Step};

/// What starts etl-orch.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Schedule {
    /// Units of systemd: a timer for runs, another one for health
    Systemd,
    /// A line of a crontab
    Cron,
}

/// Options of `install`.
#[derive(Debug, Clone, Args)]
pub(super) struct InstallArgs {
    #[arg(value_name = "systemd|cron", hide_possible_values = true)]
    schedule: Schedule,
    /// Who runs it: a user of this host
    ///
    /// [default: etl-orch]
    #[arg(long, value_name = "USER", conflicts_with = "user", help_heading = RUN)]
    run_as: Option<String>,
    /// systemd: a further directory ETLs write to
    ///
    /// Repeatable. Those of the configuration are known.
    #[arg(long, value_name = "DIR", conflicts_with = "user", help_heading = RUN)]
    writable: Vec<std::path::PathBuf>,
    #[command(flatten)]
    common: CommonArgs,
}

/// Options of `uninstall`.
#[derive(Debug, Clone, Args)]
pub(super) struct UninstallArgs {
    #[arg(value_name = "systemd|cron", hide_possible_values = true)]
    schedule: Schedule,
    #[command(flatten)]
    common: CommonArgs,
}

#[derive(Debug, Clone, Copy, Args)]
struct CommonArgs {
    /// In your own account, without root
    ///
    /// Your user's systemd, or your crontab.
    #[arg(long, help_heading = RUN)]
    user: bool,
    /// Show what would be written, and change nothing
    #[arg(long, help_heading = OUTPUT)]
    dry_run: bool,
    /// Do not ask before replacing or removing
    #[arg(long, help_heading = OUTPUT)]
    yes: bool,
}

pub(super) async fn install(global: &Global, environment: &Variables, args: &InstallArgs) -> Result<Exit, Failure> {
    if args.schedule == Schedule::Cron && !args.writable.is_empty() {
        return Err(Failure::Usage("--writable is for systemd; cron does not keep an ETL from writing".to_owned()));
    }
    see_that_we_may(args.common)?;
    threads::reserve().await.map_err(|error| Failure::Orchestrator(format!("cannot start: {error}")))?;
    let made = deployment::of(global, environment, args)?;
    let changes = match args.schedule {
        Schedule::Systemd => places::units(environment, args.common.user, Some(&made.deployment))?,
        Schedule::Cron => vec![places::cron(args.common.user, Some(&made.deployment)).await?],
    };
    let mut view = InstallView::new("install", args.common.dry_run, &changes);
    view.notes = made.notes;
    if args.common.dry_run {
        return print(global, &view, Exit::Success);
    }
    agree(global, args.common, &changes)?;
    places::apply(args.common.user, &changes).await?;
    if args.schedule == Schedule::Systemd {
        let enable = [&["enable", "--now"][..], &TIMERS].concat();
        view.steps = steps(environment, args.common.user, &[&["daemon-reload"], &enable]).await;
    }
    view.next = made.next;
    finish(global, &view)
}

pub(super) async fn uninstall(global: &Global, environment: &Variables, args: &UninstallArgs) -> Result<Exit, Failure> {
    see_that_we_may(args.common)?;
    threads::reserve().await.map_err(|error| Failure::Orchestrator(format!("cannot start: {error}")))?;
    let changes = match args.schedule {
        Schedule::Systemd => places::units(environment, args.common.user, None)?,
        Schedule::Cron => vec![places::cron(args.common.user, None).await?],
    };
    let mut view = InstallView::new("uninstall", args.common.dry_run, &changes);
    let is_there = changes.iter().any(|change| change.effect() != Effect::Nothing);
    if args.common.dry_run || !is_there {
        return print(global, &view, Exit::Success);
    }
    agree(global, args.common, &changes)?;
    if args.schedule == Schedule::Systemd {
        let disable = [&["disable", "--now"][..], &TIMERS].concat();
        view.steps = steps(environment, args.common.user, &[&disable]).await;
    }
    places::apply(args.common.user, &changes).await?;
    if args.schedule == Schedule::Systemd {
        view.steps.extend(steps(environment, args.common.user, &[&["daemon-reload"]]).await);
    }
    finish(global, &view)
}

/// Only root changes what starts for everybody.
fn see_that_we_may(args: CommonArgs) -> Result<(), Failure> {
    if args.user || args.dry_run || rustix::process::geteuid().is_root() {
        return Ok(());
    }
    Err(Failure::Usage("this needs root: call it by sudo, or with --user for your own account, or look at it with --dry-run".to_owned()))
}

/// Has systemd do these things, one after the other, up to the first that fails.
async fn steps(environment: &Variables, users: bool, commands: &[&[&str]]) -> Vec<Step> {
    let runtime_directory = environment.get("XDG_RUNTIME_DIR").map(String::as_str);
    let runs = if users { users_systemd_runs(runtime_directory) } else { systemd_runs() };
    let mut steps: Vec<Step> = Vec::new();
    for command in commands {
        let args: Vec<&str> = users.then_some("--user").into_iter().chain(command.iter().copied()).collect();
        let may = runs && steps.iter().all(Step::is_done);
        let result = if may { Some(systemctl(&args).await) } else { None };
        steps.push(Step { command: format!("systemctl {}", args.join(" ")), result });
    }
    steps
}

/// Shows what would be lost, and asks.
fn agree(global: &Global, args: CommonArgs, changes: &[Change]) -> Result<(), Failure> {
    let lost: Vec<&Change> = changes.iter().filter(|change| places::loses_something(change)).collect();
    if args.yes || lost.is_empty() {
        return Ok(());
    }
    for change in &lost {
        let what = if change.effect() == Effect::Remove { "would be removed" } else { "is there already, and would be changed:" };
        show::note(&format!("{} {what}", change.place));
        let lines = if change.effect() == Effect::Remove { Vec::new() } else { change.lines() };
        for line in lines {
            show::note(&format!("  {line}"));
        }
    }
    if global.format == Format::Json || !stdin().is_terminal() || !stderr().is_terminal() {
        return Err(Failure::Usage("nothing is changed, as nobody can be asked here; say --yes to go on".to_owned()));
    }
    show::note("Go on? [y/N]");
    let mut answer = String::new();
    stdin().read_line(&mut answer).map_err(|error| Failure::Orchestrator(format!("the answer cannot be read: {error}")))?;
    if ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()) {
        return Ok(());
    }
    Err(Failure::Usage("nothing is changed".to_owned()))
}

fn finish(global: &Global, view: &InstallView) -> Result<Exit, Failure> {
    let exit = if view.steps.iter().any(Step::has_failed) { Exit::Orchestrator } else { Exit::Success };
    print(global, view, exit)
}

fn print(global: &Global, view: &InstallView, exit: Exit) -> Result<Exit, Failure> {
    output::print(global.format, view)?;
    Ok(exit)
}
