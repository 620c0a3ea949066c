//! `etl-orch run`: one invocation, from the options to the exit code.

pub(super) mod args;
mod lock;
mod notify;
pub(super) mod one;
pub(super) mod quiet;
pub(super) mod request;
mod telling;

use std::ops::ControlFlow;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;
use tracing::Instrument;
use uuid::Uuid;

use super::args::has_live_terminal;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::health;
use super::output;
use super::report;
use crate::execute::stop::StopSignal;
use crate::os::{children, descendants, threads};
use crate::plan::decide::coverage::Coverage;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::JobState;
use crate::plan::model::logging::LogFormat;
use crate::plan::run::outlook::Start;
use crate::plan::run::stop::StopLevel;
use crate::plan::run::summary::{JobResult, Results, RunSummary};
use crate::run::guard::link::GuardLink;
use crate::run::guard::{self, Guarded, OrchestratorEnd};
use crate::run::lock::Lock;
use crate::run::retention;
use crate::run::signals::Signals;
use crate::run::{Invocation, RunError, check_database_file, prepare_state_dir};
use crate::show;
use crate::show::ChildOutput;
use crate::show::logs;
use crate::show::progress::{Detail, Displays};
use crate::show::run::RunView;
use crate::show::run::one::RunOneView;
use crate::store::{self, Access, Store};
use crate::tell::events::Events;
use crate::tell::telling::Telling;
use args::RunArgs;
pub(super) use args::is_recovery;
use notify::Notices;
use request::RunRequest;

/// The invocation without any option, for who explains what it would do.
pub(super) fn plain(context: &Context<'_>, store: Arc<dyn Store>) -> Result<Invocation, Failure> {
    let id = RunId::new(Uuid::new_v4());
    Ok(RunRequest::new(context.clone(), &RunArgs::plain())?.invocation(store, id, Events::new(id)))
}

pub(super) async fn command(context: &Context<'_>, args: &RunArgs) -> Result<Exit, Failure> {
    if args.dry_run {
        return dry_run(&RunRequest::new(context.clone(), args)?).await;
    }
    Box::pin(after(context, args, async { Ok(()) })).await
}

/// A run after something else, which is done once, by the orchestrator and before it waits for the lock.
pub(super) async fn after(
    context: &Context<'_>,
    args: &RunArgs,
    first: impl Future<Output = Result<(), Failure>>,
) -> Result<Exit, Failure> {
    let mut request = RunRequest::new(context.clone(), args)?;
    let Some(link) = GuardLink::from_stdin().map_err(cannot("use the link to the guard"))? else {
        return run_guard().await;
    };
    threads::reserve().await.map_err(cannot("start"))?;
    let guard = link.watch().map_err(cannot("watch the guard"))?;
    let signals = Signals::listen(guard).map_err(cannot("listen for signals"))?;
    tokio::select! {
        biased;
        done = first => done?,
        () = too_late(signals.stop()) => return Err(stopped(&signals)),
    }
    if args.no_lock {
        return run(&request, None, &signals).await;
    }
    match lock::take_lock(&mut request, &signals).await? {
        ControlFlow::Break(exit) => Ok(exit),
        ControlFlow::Continue(lock) => {
            link.share_lock(lock.as_fd()).map_err(cannot("share the lock with the guard"))?;
            run(&request, Some(&lock), &signals).await
        }
    }
}

/// This process is the one that cron started: it starts the orchestrator and outlives everything below it.
pub(super) async fn run_guard() -> Result<Exit, Failure> {
    let Guarded { end, has_printed } = guard::run().await.map_err(cannot("start the orchestrator"))?;
    if has_printed {
        output::note_begun();
    }
    let (signal, text) = match end {
        OrchestratorEnd::Exited(code) => return Ok(Exit::PassedOn(code)),
        OrchestratorEnd::Signalled(signal) => {
            (signal, format!("the orchestrator was ended by signal {signal}; its ETLs were ended with it"))
        }
        OrchestratorEnd::StoppedEarly(signal) => return Err(Failure::Stopped(signal)),
        OrchestratorEnd::Killed(signal) => (
            signal,
            "the orchestrator did not end when it was asked to for the second time, and was killed; its ETLs were ended with it, and the \
             next run records what is missing"
                .to_owned(),
        ),
    };
    Err(Failure::Ended(signal, text))
}

fn cannot(what: &'static str) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::Orchestrator(format!("cannot {what}: {error}"))
}

/// What a run would do, and what `then` makes of it.
async fn planned<T>(request: &RunRequest<'_>, then: impl FnOnce(&Invocation, RunSummary) -> T) -> Result<T, Failure> {
    let config = &request.context.config;
    check_database_file(&config.database.target, &config.state_dir)?;
    let id = RunId::new(Uuid::new_v4());
    let planned = request.context.with_store(Access::ReadOnly, async |store| {
        let invocation = request.invocation(store, id, Events::new(id));
        let summary = invocation.dry_run(forecast(request.args)).await?;
        Ok(then(&invocation, summary))
    });
    planned.await
}

async fn dry_run(request: &RunRequest<'_>) -> Result<Exit, Failure> {
    let mut summary = planned(request, |_, summary| summary).await?;
    summary.warnings.splice(0..0, request.warnings.clone());
    let exit = if summary.has_unknown_tags() {
        Exit::Usage
    } else if request.args.detailed_exit_code && summary.plan.is_held_back() {
        Exit::HeldBack
    } else if request.args.detailed_exit_code && summary.plan.has_gaps() {
        Exit::GapsFound
    } else {
        Exit::Success
    };
    print(request, &summary, exit)?;
    Ok(exit)
}

/// Of what run a dry run says when its jobs are expected to have ended.
fn forecast(args: &RunArgs) -> Option<Start> {
    let start = if args.no_lock { Start::AtOnce } else { Start::BehindTheLock };
    args.forecast.then_some(start)
}

/// What a run of this request would find, with the state of every report. Changes nothing.
pub(super) async fn survey(store: Arc<dyn Store>, request: &RunRequest<'_>) -> Result<(RunSummary, Coverage), Failure> {
    let id = RunId::new(Uuid::new_v4());
    let (mut summary, coverage) = request.invocation(store, id, Events::new(id)).survey().await?;
    summary.warnings.splice(0..0, request.warnings.clone());
    Ok((summary, coverage))
}

async fn run(request: &RunRequest<'_>, lock: Option<&Lock>, signals: &Signals) -> Result<Exit, Failure> {
    let id = RunId::new(Uuid::new_v4());
    // Every log line has it.
    perform(request, id, lock, signals).instrument(tracing::error_span!("run", run_id = %id)).await
}

async fn perform(request: &RunRequest<'_>, id: RunId, lock: Option<&Lock>, signals: &Signals) -> Result<Exit, Failure> {
    let since = Instant::now();
    let mut events = Events::new(id);
    let telling = telling::begin(request, id, &mut events);
    let mut done = Box::pin(execute(request, lock, signals, since, events)).await;
    if let Err(failure) = &done {
        health::after_failure(&request.context.config.state_dir, failure);
    }
    let end = telling.is_some().then(|| telling::end(request, &done, signals));
    let said = match &mut done {
        Ok(Done { summary, exit, .. }) => {
            summary.warnings.splice(0..0, request.warnings.clone());
            summary.warnings.extend(telling.iter().flat_map(Telling::troubles));
            say(request, summary, *exit)
        }
        Err(_) => Ok(()),
    };
    if let (Some(telling), Some(mut end)) = (telling, end) {
        let at = end.at;
        let notices = Notices::find(request, &done, at).await;
        end.messages = notices.messages(request, id, at);
        let told = telling::finish(request, telling, end, signals).await;
        if let Ok(Done { store, .. }) = &done {
            notices.record(store, &told, at).await;
        }
    }
    let Done { exit, store, .. } = done?;
    if lock.is_some() && signals.number().is_none() {
        prune(request, &*store, signals).await;
    }
    telling::tidy(request).await;
    store.close().await;
    said?;
    Ok(exit)
}

/// What is over and not kept any longer is removed once all else is done. Whatever goes wrong with it is no failure of the run.
async fn prune(request: &RunRequest<'_>, store: &dyn Store, signals: &Signals) {
    let config = &request.context.config;
    if let Err(error) = retention::after_run(store, &config.state_dir, &config.retention, signals.stop(), Utc::now()).await {
        tracing::warn!(%error, "what `retention` does not keep could not be removed: {error}; it is tried again tomorrow");
    }
}

/// Prints the summary, or with `-q` what there is to say.
fn say(request: &RunRequest<'_>, summary: &RunSummary, exit: Exit) -> Result<(), Failure> {
    let say = || print(request, summary, exit);
    if request.is_quiet() { quiet::print(request, summary, exit, say) } else { say() }
}

/// What a run came to.
struct Done {
    summary: RunSummary,
    exit: Exit,
    /// Open, until everybody is told.
    store: Arc<dyn Store>,
}

async fn execute(
    request: &RunRequest<'_>,
    lock: Option<&Lock>,
    signals: &Signals,
    since: Instant,
    mut events: Events,
) -> Result<Done, Failure> {
    let (id, config) = (events.run(), &request.context.config);
    if let Some(lock) = lock {
        lock.announce(id, Utc::now())
            .map_err(|error| Failure::Orchestrator(format!("cannot write {}: {error}", config.lock_file.display())))?;
    }
    prepare_state_dir(&config.state_dir)?;
    check_database_file(&config.database.target, &config.state_dir)?;
    children::mark_and_adopt(id).map_err(cannot("look after the processes of ETLs"))?;
    let store = tokio::select! {
        store = store::open(&config.database, Access::ReadWrite) => store?,
        () = signals.received() => return Err(stopped(signals)),
    };
    tokio::spawn(hurry_when_stopped(store.clone(), signals.stop().clone()));
    let displays = Displays::start(detail(&request.context, request.args), || events.subscribe());
    let invocation = request.invocation(store.clone(), id, events);
    let summary = tokio::select! {
        summary = invocation.run(signals.stop(), since) => summary,
        () = hangs_after(signals.stop()) => {
            let text = "an immediate stop was requested, but something does not answer; the next run records what is missing";
            return Err(Failure::Ended(signals.number().unwrap_or_default(), text.to_owned()));
        }
    };
    drop(invocation);
    displays.finish();
    let mut summary = match summary {
        Ok(summary) => summary,
        // The database may be what does not answer, so its connections are not closed in order.
        Err(RunError::Stopped) => return Err(stopped(signals)),
        Err(error) => {
            store.close().await;
            return Err(error.into());
        }
    };
    let is_stopped = signals.number().is_some();
    if !is_stopped {
        summary.warnings.extend(report::after_run(&request.context, store.clone(), summary.is_noteworthy()).await);
    }
    summary.warnings.extend(health::after_run(request, store.clone(), &summary, is_stopped).await);
    let exit = exit_of(&summary, request.args, signals);
    Ok(Done { summary, exit, store })
}

/// Once the run is to stop, it waits for the database no longer than it must.
async fn hurry_when_stopped(store: Arc<dyn Store>, stop: StopSignal) {
    stop.reached(StopLevel::Graceful).await;
    store.hurry();
}

/// Resolves when what began before a run must be given up: soon after the first request to stop, so that it can finish if the database
/// answers, or at once after the second.
async fn too_late(stop: &StopSignal) {
    stop.reached(StopLevel::Graceful).await;
    tokio::select! {
        _ = stop.reached(StopLevel::Immediate) => {}
        () = tokio::time::sleep(Duration::from_secs(1)) => {}
    }
}

/// Resolves some time after an immediate stop was requested: what takes longer hangs. Meanwhile the processes that left the
/// groups of the run's attempts are ended.
async fn hangs_after(stop: &StopSignal) {
    stop.reached(StopLevel::Immediate).await;
    // The attempts end their own groups first, so that they see it was this run that did it.
    tokio::time::sleep(Duration::from_millis(50)).await;
    if let Err(error) = descendants::end(Duration::ZERO, std::future::ready(())).await {
        show::diagnose(&format!("error: {error}"));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// A signal came before there was anything to stop.
fn stopped(signals: &Signals) -> Failure {
    Failure::Stopped(signals.number().unwrap_or_default())
}

fn exit_of(summary: &RunSummary, args: &RunArgs, signals: &Signals) -> Exit {
    let results = summary.results.as_ref();
    if let Some(signal) = signals.number() {
        Exit::Signal(signal)
    } else if results.is_some_and(|results| results.broken.is_some()) || summary.has_unrecorded_ends() {
        Exit::Orchestrator
    } else if summary.has_unknown_tags() && summary.plan.jobs.is_empty() {
        Exit::Usage
    } else if results.is_some_and(|results| has_failed(results, args)) {
        Exit::JobsFailed { detailed: args.detailed_exit_code }
    } else if summary.has_unknown_tags() {
        Exit::Orchestrator
    } else if args.detailed_exit_code && summary.plan.is_held_back() {
        Exit::HeldBack
    } else {
        Exit::Success
    }
}

/// A job that was asked for by name has failed also where it was left out.
fn has_failed(results: &Results, args: &RunArgs) -> bool {
    let is_made = |job: &JobResult| job.state == JobState::Succeeded;
    results.counts().failed > 0 || args.by_hand.is_some() && !results.jobs.iter().all(is_made)
}

fn detail(context: &Context<'_>, args: &RunArgs) -> Detail {
    let format = logs::format();
    let is_live = args.by_hand.is_none() && format == LogFormat::Text && !args.quiet && has_live_terminal(context.environment);
    let child_output = match format {
        _ if !args.verbose => ChildOutput::Hidden,
        LogFormat::Text if args.by_hand.is_some() => ChildOutput::Plain,
        LogFormat::Text => ChildOutput::Lines,
        LogFormat::Json | LogFormat::Journald => ChildOutput::Diagnostics,
    };
    Detail { is_live, child_output }
}

/// What people and programs read of a run.
fn view<'a>(request: &'a RunRequest<'_>, summary: &'a RunSummary, exit: Exit) -> RunView<'a> {
    let config = &request.context.config;
    RunView::new(summary, &config.catalogue, &config.database.reports, exit.code()).in_full(request.args.verbose)
}

fn print(request: &RunRequest<'_>, summary: &RunSummary, exit: Exit) -> Result<(), Failure> {
    let (context, config) = (&request.context, &request.context.config);
    if request.args.recovers {
        // How things stand after it is printed instead.
        return Ok(());
    }
    let Some(by_hand) = &request.args.by_hand else {
        return context.print(&view(request, summary, exit));
    };
    match RunOneView::new(summary, &config.catalogue, exit.code()) {
        Some(view) => context.print(&view),
        // Something has changed since it was looked whether there is anything to start.
        None => Err(one::refusal(&by_hand.gap, &summary.plan, config)),
    }
}
