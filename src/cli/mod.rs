//! The command line: options, one file for each command that wires the rooms together, and the exit codes.

mod args;
mod bug;
mod completions;
mod config;
mod context;
mod coverage;
mod doctor;
mod exit;
mod health;
mod help;
mod history;
mod init;
mod install;
mod moment;
mod names;
mod numbers;
mod orders;
mod output;
mod pages;
mod prune;
mod refused;
mod report;
mod run;
mod sources;
mod tell;
mod user;
mod why;

use std::ffi::OsString;
use std::process::ExitCode;

use crate::os::{signals, threads};
use crate::plan::model::settings::Variables;
use args::{Cli, Command, Global};
use config::ConfigCommand;
use context::Context;
use exit::{Exit, Failure};
use tell::TellCommand;

pub use bug::report_panics;

/// Does what the arguments ask for. Returns how the process ends. `version` is what `--version` says.
pub fn main(version: &'static str) -> ExitCode {
    signals::start_afresh();
    bug::report_panics();
    let args: Vec<OsString> = std::env::args_os().collect();
    let environment: Variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    if let Some(answered) = completions::answer(&args, &environment) {
        return answered;
    }
    help::set_version(version);
    let (global, command) = match Cli::read(args.clone(), help::columns(&environment)) {
        Ok(read) => read,
        Err(error) => return ExitCode::from(refused::refuse(error, &args, &environment).code()),
    };
    global.set_up_texts(&environment);
    global.start_logging(matches!(&command, Command::Run(run) if run.quiet), &environment);
    let exit = bug::caught(|| perform(&command, &global, &environment)).unwrap_or_else(|failure| {
        output::report(global.format, &failure);
        failure.exit()
    });
    ExitCode::from(exit.code())
}

fn perform(command: &Command, global: &Global, environment: &Variables) -> Result<Exit, Failure> {
    let context = || Context::load(global, environment);
    match command {
        Command::Run(args) => in_runtime(run::command(&context()?, args)),
        Command::RunOne(args) => in_runtime(run::one::command(&context()?, args)),
        Command::Retry(args) => in_runtime(orders::retry::command(&context()?, args)),
        Command::Skip(args) => in_runtime(orders::skip::command(&context()?, args)),
        Command::Unskip(args) => in_runtime(orders::unskip::command(&context()?, args)),
        Command::Cancel(args) => in_runtime(orders::cancel::command(&context()?, args)),
        Command::Jobs(args) => in_runtime(history::jobs::command(&context()?, args)),
        Command::Runs(args) => in_runtime(history::runs::command(&context()?, args)),
        Command::Logs(args) => in_runtime(history::logs::command(&context()?, args)),
        Command::Trace(args) => in_runtime(history::trace::command(&context()?, args)),
        Command::Why(args) => in_runtime(why::command(&context()?, args)),
        Command::Coverage(args) => in_runtime(coverage::command(&context()?, args)),
        Command::Report(args) => in_runtime(report::command(&context()?, args)),
        Command::Sources { command } => in_runtime(sources::command(&context()?, command.as_ref())),
        Command::Health(args) => in_runtime(health::command(global, environment, args)),
        Command::Prune(args) => in_runtime(prune::command(&context()?, args)),
        Command::Tell { command: TellCommand::Test } => in_runtime(tell::test(&context()?)),
        Command::Init(args) => in_runtime(init::command(&context()?, args)),
        Command::Install(args) => in_runtime(install::install(global, environment, args)),
        Command::Uninstall(args) => in_runtime(install::uninstall(global, environment, args)),
        Command::Doctor(_) => in_runtime(doctor::command(global, environment)),
        Command::Config { command: ConfigCommand::Check(args) } => in_runtime(config::check(global, environment, *args)),
        Command::Config { command: ConfigCommand::Init(args) } => in_runtime(config::init(global, environment, args)),
        Command::Config { command: ConfigCommand::Schema } => config::schema(global.format),
        Command::Completions { shell } => pages::completions(global.format, *shell),
        Command::Man(args) => pages::man(global.format, args),
        Command::Help { .. } => Ok(Exit::Success), // It was answered when the arguments were read.
    }
}

/// One thread is enough: the work is waiting. Signals, timers and processes need the runtime's drivers.
fn in_runtime(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let cannot_start = |error| Failure::Orchestrator(format!("cannot start: {error}"));
    see_that_files_can_be_opened().map_err(cannot_start)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().thread_keep_alive(threads::KEEP_ALIVE).build();
    let runtime = runtime.map_err(cannot_start)?;
    let exit = runtime.block_on(work);
    // A thread that still waits for the lock must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// The runtime panics when it cannot open a file of its own.
fn see_that_files_can_be_opened() -> std::io::Result<()> {
    let pipes: std::io::Result<Vec<_>> = (0..PIPES_AT_START).map(|_| std::io::pipe()).collect();
    pipes.map(drop).map_err(|error| std::io::Error::new(error.kind(), format!("{error}; raise the limit of open files (ulimit -n)")))
}

/// Of two files each: more than a process opens before it can report an error of opening one.
const PIPES_AT_START: usize = 16;
