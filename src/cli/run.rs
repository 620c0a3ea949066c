//! `etl-orch run`: one invocation, from the options to the exit code.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::os::fd::AsFd;
use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;
use uuid::Uuid;

use super::args::{Format, Global, MaxParallel, RunArgs};
use super::exit::{Exit, Failure};
use super::names;
use super::user::user;
use crate::config::{self, Config};
use crate::execute::Executors;
use crate::execute::stop::StopSignal;
use crate::os::survivors;
use crate::plan::model::ids::RunId;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::{EnvFiles, Variables};
use crate::plan::run::event::Event;
use crate::plan::run::stop::StopLevel;
use crate::plan::run::summary::RunSummary;
use crate::run::guard::{self, Fate, Link};
use crate::run::lock::{self, Acquired, Lock};
use crate::run::signals::Signals;
use crate::run::{Invocation, RunError, prepare_state_dir};
use crate::show;
use crate::show::progress::{ChildOutput, Detail, Progress};
use crate::store::{self, Access, Store};

pub(super) async fn command(global: &Global, args: &RunArgs, environment: &Variables) -> Result<Exit, Failure> {
    if args.dry_run {
        return dry_run(global, args, &RunRequest::load(global, args, environment)?).await;
    }
    after(global, args, environment, async { Ok(()) }).await
}

/// A run after something else, which is done once, under the guard and before there is a wait for the lock.
pub(super) async fn after(
    global: &Global,
    args: &RunArgs,
    environment: &Variables,
    first: impl Future<Output = Result<(), Failure>>,
) -> Result<Exit, Failure> {
    let mut request = RunRequest::load(global, args, environment)?;
    let Some(link) = Link::to_guard().map_err(cannot("use the link to the guard"))? else {
        return stand_guard().await;
    };
    let guard_gone = link.watch().map_err(cannot("watch the guard"))?;
    let signals = Signals::listen(guard_gone).map_err(cannot("listen for signals"))?;
    tokio::select! {
        biased;
        done = first => done?,
        // What was begun is brought to its end when told to stop once; told twice it is given up.
        _ = signals.stop().reached(StopLevel::Immediate) => return Ok(stopped(&signals)),
    }
    let lock = if args.no_lock {
        None
    } else {
        match take_lock(args, &mut request, global, environment, &signals).await? {
            Ok(lock) => {
                link.share(lock.as_fd()).map_err(cannot("share the lock with the guard"))?;
                Some(lock)
            }
            Err(exit) => return Ok(exit),
        }
    };
    run(global, args, &request, lock.as_ref(), &signals).await
}

/// This process is the one that cron started: it starts the orchestrator and outlives everything below it.
async fn stand_guard() -> Result<Exit, Failure> {
    Ok(match guard::stand().await.map_err(cannot("start the orchestrator"))? {
        Fate::Exited(code) => Exit::Said(code),
        Fate::Signalled(signal) => {
            show::diagnose(&format!("error: the orchestrator was ended by signal {signal}; its ETLs were ended with it"));
            Exit::Signal(signal)
        }
    })
}

fn cannot(what: &'static str) -> impl Fn(std::io::Error) -> Failure {
    move |error| Failure::Orchestrator(format!("cannot {what}: {error}"))
}

/// What the options and the configuration ask for, checked together.
struct RunRequest {
    config: Config,
    env_files: EnvFiles,
    selection: Selection,
    user: String,
}

impl RunRequest {
    fn load(global: &Global, args: &RunArgs, environment: &Variables) -> Result<Self, Failure> {
        let path = config::find(global.config.as_deref(), environment)?;
        let mut config = config::load(&path, environment)?;
        let env_files = config.env_files()?;
        let selection = select(&config, args)?;
        if let Some(max_parallel) = args.max_parallel {
            config.run.max_parallel = match max_parallel {
                MaxParallel::Auto => config::automatic_parallelism(),
                MaxParallel::Chains(chains) => chains,
            };
        }
        if let Some(max_jobs) = args.max_jobs {
            config.run.max_jobs = usize::try_from(max_jobs).unwrap_or(usize::MAX);
        }
        Ok(Self { config, env_files, selection, user: user(environment) })
    }
}

fn select(config: &Config, args: &RunArgs) -> Result<Selection, Failure> {
    let mut problems = Vec::new();
    let mut banks = BTreeSet::new();
    for symbol in &args.bank_symbol {
        match names::bank(config, symbol) {
            Ok(bank) => drop(banks.insert(bank)),
            Err(problem) => problems.push(format!("--bank-symbol: {problem}")),
        }
    }
    let mut etls = BTreeSet::new();
    for name in &args.etl_type {
        match names::etl(config, name) {
            Ok(etl) => drop(etls.insert(etl)),
            Err(problem) => problems.push(format!("--etl-type: {problem}")),
        }
    }
    let mut sources = BTreeSet::new();
    for id in &args.source {
        match names::source(config, id) {
            Ok(source) => drop(sources.insert(source)),
            Err(problem) => problems.push(format!("--source: {problem}")),
        }
    }
    let selection = Selection {
        banks,
        etls,
        sources,
        periods: args.period.iter().copied().collect(),
        from_year: args.from_year.or(config.run.from_year),
        force: args.force,
    };
    if problems.is_empty() && args.force && !selection.is_narrowed() {
        problems.push("--force would make every report again; say which with --bank-symbol, --etl-type, --period or --source".to_owned());
    }
    if problems.is_empty() { Ok(selection) } else { Err(Failure::Usage(problems.join("\nerror: "))) }
}

/// The lock, or how the process ends without it. After a wait the configuration is read anew: it may have changed.
async fn take_lock(
    args: &RunArgs,
    request: &mut RunRequest,
    global: &Global,
    environment: &Variables,
    signals: &Signals,
) -> Result<Result<Lock, Exit>, Failure> {
    let has_selection = request.selection.is_narrowed() || args.force || args.from_year.is_some();
    loop {
        let path = request.config.lock_file.clone();
        let acquired = lock::acquire(&path, args.lock_wait, has_selection, signals.stop(), |holder| {
            tracing::info!("Waiting for the lock {}, held by {}", path.display(), show::escape::escaped(holder));
        })
        .await?;
        return Ok(match acquired {
            Acquired::Yes { lock, waited: false } => Ok(lock),
            Acquired::Yes { lock, waited: true } => {
                *request = RunRequest::load(global, args, environment)?;
                if request.config.lock_file != path {
                    continue; // the configuration names another lock by now
                }
                Ok(lock)
            }
            Acquired::NotNeeded { holder } => {
                let holder = show::escape::escaped(&holder);
                tracing::info!("A run is active ({holder}) and another waits for it; this one has nothing to add");
                Err(Exit::Success)
            }
            Acquired::TimedOut { holder } => {
                show::diagnose(&format!("error: the lock {} is held by {}", path.display(), show::escape::escaped(&holder)));
                Err(Exit::LockHeld)
            }
            Acquired::Stopped => Err(stopped(signals)),
        });
    }
}

async fn dry_run(global: &Global, args: &RunArgs, request: &RunRequest) -> Result<Exit, Failure> {
    let store = store::open(&request.config.database, Access::ReadOnly).await?;
    let invocation = invocation(args, request, store.clone(), RunId::new(Uuid::new_v4()), Arc::new(|_| {}));
    let report = invocation.dry_run().await;
    store.close().await;
    let report = report?;
    let exit = if args.detailed_exit_code && report.plan.has_gaps() { Exit::GapsFound } else { Exit::Success };
    print(global, request, &report, exit)?;
    Ok(exit)
}

async fn run(global: &Global, args: &RunArgs, request: &RunRequest, lock: Option<&Lock>, signals: &Signals) -> Result<Exit, Failure> {
    let since = Instant::now();
    let id = RunId::new(Uuid::new_v4());
    if let Some(lock) = lock {
        lock.announce(id, Utc::now())
            .map_err(|error| Failure::Orchestrator(format!("cannot write {}: {error}", request.config.lock_file.display())))?;
    }
    prepare_state_dir(&request.config.state_dir)?;
    let store = tokio::select! {
        store = store::open(&request.config.database, Access::ReadWrite) => store?,
        () = signals.came() => return Ok(stopped(signals)),
    };
    let progress = Progress::start(detail(global, args));
    let invocation = invocation(args, request, store.clone(), id, progress.sender());
    let report = tokio::select! {
        report = invocation.run(signals.stop(), since) => report,
        () = hangs_after(signals.stop(), id) => {
            show::diagnose("error: told to stop at once, and something does not answer; what was not recorded is found by the next run");
            return Ok(Exit::Signal(signals.number().unwrap_or_default()));
        }
    };
    drop(invocation);
    progress.finish();
    if let Err(RunError::Stopped) = report {
        // The database may be what stands still: it is not closed in order.
        return Ok(stopped(signals));
    }
    store.close().await;
    let report = report?;
    let exit = exit_of(&report, args, signals);
    if !args.quiet || report.is_noteworthy() {
        print(global, request, &report, exit)?;
    }
    Ok(exit)
}

/// Ends some time after it was asked to stop at once: what takes longer hangs. Meanwhile what left the groups of the run's
/// attempts is ended, whatever else does not answer.
async fn hangs_after(stop: &StopSignal, run: RunId) {
    stop.reached(StopLevel::Immediate).await;
    // The attempts end their own groups first, and see that it was by our wish.
    tokio::time::sleep(Duration::from_millis(50)).await;
    if let Err(error) = survivors::kill(run).await {
        show::diagnose(&format!("error: {error}"));
    }
    tokio::time::sleep(Duration::from_secs(5)).await;
}

/// A signal came while there was nothing to stop yet.
fn stopped(signals: &Signals) -> Exit {
    show::diagnose(&RunError::Stopped.to_string());
    Exit::Signal(signals.number().unwrap_or_default())
}

fn exit_of(report: &RunSummary, args: &RunArgs, signals: &Signals) -> Exit {
    let results = report.results.as_ref();
    if let Some(signal) = signals.number() {
        Exit::Signal(signal)
    } else if results.is_some_and(|results| results.broken.is_some()) {
        Exit::Orchestrator
    } else if results.is_some_and(|results| results.counts().failed > 0) {
        Exit::JobsFailed { detailed: args.detailed_exit_code }
    } else {
        Exit::Success
    }
}

fn detail(global: &Global, args: &RunArgs) -> Detail {
    let for_people = global.log_format == Format::Text && !args.quiet && std::io::stderr().is_terminal();
    let child_output = match global.log_format {
        _ if !args.verbose => ChildOutput::Hidden,
        Format::Text => ChildOutput::Lines,
        Format::Json => ChildOutput::Diagnostics,
    };
    Detail { live: for_people && std::env::var_os("TERM").is_none_or(|term| term != "dumb"), child_output }
}

fn invocation(
    args: &RunArgs,
    request: &RunRequest,
    store: Arc<dyn Store>,
    id: RunId,
    events: Arc<dyn Fn(Event) + Send + Sync>,
) -> Invocation {
    let config = &request.config;
    Invocation {
        id,
        catalogue: config.catalogue.clone(),
        env_files: request.env_files.clone(),
        settings: config.run.clone(),
        selection: request.selection.clone(),
        fail_fast: args.fail_fast,
        sync: config.sync.clone(),
        state_dir: config.state_dir.clone(),
        user: request.user.clone(),
        options: options(args),
        store,
        executor: Arc::new(Executors::default()),
        events,
    }
}

/// The options that change what a run does, for its record.
fn options(args: &RunArgs) -> serde_json::Value {
    serde_json::json!({
        "bank_symbol": args.bank_symbol,
        "etl_type": args.etl_type,
        "source": args.source,
        "period": args.period,
        "from_year": args.from_year,
        "force": args.force,
        "max_jobs": args.max_jobs,
        "no_lock": args.no_lock,
        "fail_fast": args.fail_fast,
    })
}

fn print(global: &Global, request: &RunRequest, report: &RunSummary, exit: Exit) -> Result<(), Failure> {
    let catalogue = &*request.config.catalogue;
    let page = match global.format {
        Format::Text => show::run_as_text(report, catalogue),
        Format::Json => show::run_as_json(report, catalogue, exit.code())
            .map_err(|error| Failure::Orchestrator(format!("cannot write the summary: {error}")))?,
    };
    Ok(show::out(&page)?)
}
