//! The command line: options, one file per command that wires the rooms together, and the exit codes.

mod args;
mod check;
mod exit;
mod init;
mod names;
mod orders;
mod pages;
mod run;
mod sources;
mod user;

use std::process::ExitCode;

use clap::error::ErrorKind;

use crate::plan::model::settings::Variables;
use crate::show;
use args::{Cli, Command, ConfigCommand};
use exit::{Exit, Failure};

/// Does what the process was asked to, and says how that went.
pub fn main() -> ExitCode {
    let cli = match Cli::read(std::env::args_os()) {
        Ok(cli) => cli,
        Err(error) => return refuse(&error),
    };
    let environment: Variables =
        std::env::vars_os().filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?))).collect();
    cli.global.start_logging(cli.run_args().is_some_and(|run| run.quiet), &environment);
    let exit = match answer(cli, &environment) {
        Ok(exit) => exit,
        Err(failure) => {
            show::diagnose(&failure.to_string());
            failure.exit()
        }
    };
    ExitCode::from(exit.code())
}

fn answer(cli: Cli, environment: &Variables) -> Result<Exit, Failure> {
    match cli.command {
        Some(Command::Run(run)) => in_runtime(run::command(&cli.global, &run, environment)),
        None => in_runtime(run::command(&cli.global, &cli.run, environment)),
        Some(Command::Sources { command }) => in_runtime(sources::command(&cli.global, command.as_ref(), environment)),
        Some(Command::Init(init)) => in_runtime(init::command(&cli.global, &init, environment)),
        Some(Command::Retry(args)) => in_runtime(orders::retry(&cli.global, &args, environment)),
        Some(Command::Skip(args)) => in_runtime(orders::skip(&cli.global, &args, environment)),
        Some(Command::Unskip(args)) => in_runtime(orders::unskip(&cli.global, &args, environment)),
        Some(Command::Cancel(args)) => in_runtime(orders::cancel::command(&cli.global, &args, environment)),
        Some(Command::Config { command: ConfigCommand::Check }) => check::command(&cli.global, environment),
        Some(Command::Config { command: ConfigCommand::Schema }) => pages::schema(),
        Some(Command::Completions { shell }) => pages::completions(shell),
        Some(Command::Man) => pages::man(),
    }
}

/// One thread is enough: the work is waiting. Signals, timers and processes need the runtime's drivers.
fn in_runtime(work: impl Future<Output = Result<Exit, Failure>>) -> Result<Exit, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Orchestrator(format!("cannot start: {error}")))?;
    let exit = runtime.block_on(work);
    // What still blocks a thread of ours (a wait for the lock) must not hold up the end.
    runtime.shutdown_background();
    exit
}

/// A usage error, or the help or version that was asked for.
fn refuse(error: &clap::Error) -> ExitCode {
    // A reader that went away is no error, and there is nowhere else to say that stderr is gone.
    let _ = error.print();
    let exit = match error.kind() {
        ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => Exit::Success,
        _ => Exit::Usage,
    };
    ExitCode::from(exit.code())
}
