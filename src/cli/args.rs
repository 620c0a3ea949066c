//! The options, as clap reads them.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use tracing_subscriber::filter::LevelFilter;

use super::orders::args::{CancelArgs, SkipArgs, SweepArgs};
use super::sources::args::SourcesCommand;
use crate::plan::model::period::Period;
use crate::plan::model::settings::Variables;
use crate::run::lock::LockWait;
use crate::show::logs::{self, LogFormat};

/// Finds the reports that are missing, runs the ETLs that make them, and says what happened.
///
/// Started by cron or a systemd timer every 15 minutes. Without a command it does one run.
#[derive(Debug, Parser)]
#[command(name = "etl-orch", version, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(flatten)]
    pub(super) global: Global,
    #[command(subcommand)]
    pub(super) command: Option<Command>,
    #[command(flatten)]
    pub(super) run: RunArgs,
}

/// The exit codes, as `--help` and the manual give them.
pub(super) const EXIT_CODES: &str = "\
Exit codes:
  0      success, nothing to do, or a dry run; also: another run is active and one already waits
  1      some jobs failed after their retries, or etl-orch could not do its work
  2      usage or configuration error; nothing was started
  75     the lock is held and --lock-wait ran out
  128+n  ended by signal n after stopping its children
With --detailed-exit-code: 3 some jobs failed, 4 a dry run found gaps";

/// Options of every command.
#[derive(Debug, Args)]
pub(super) struct Global {
    /// Configuration file [default: $ETL_ORCH_CONFIG, ./etl-orch.yaml, ./config/etl-orch.yaml, the user's, the system's]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// What stdout carries
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// How diagnostics on stderr are written
    #[arg(long, global = true, value_enum, default_value_t = Format::Text)]
    pub(super) log_format: Format,
    /// Least level of diagnostics: off, error, warn, info, debug, trace [default: info; warn with -q]
    #[arg(long, global = true, value_name = "LEVEL")]
    pub(super) log_level: Option<LevelFilter>,
    /// When to use colors; NO_COLOR is honored
    #[arg(long, global = true, value_enum, default_value_t = ColorChoice::Auto)]
    pub(super) color: ColorChoice,
}

/// Text for people or JSON for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Find what is missing and make it (the default)
    Run(RunArgs),
    /// Forget failures, so that the next run tries again; also ends `skip`
    Retry(SweepArgs),
    /// Leave gaps alone
    Skip(SkipArgs),
    /// Take `skip` back
    Unskip(SweepArgs),
    /// Stop a running job, and leave its gap alone until `retry`
    Cancel(CancelArgs),
    /// The disclosure sources: what was collected of each, what is due, and what is in its way
    Sources {
        #[command(subcommand)]
        command: Option<SourcesCommand>,
    },
    /// Create the state tables and, on SQLite, the data tables
    Init(InitArgs),
    /// Look at the configuration
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print a completion script for a shell
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page
    Man,
}

/// What can be done with the configuration.
#[derive(Debug, Clone, Copy, Subcommand)]
pub(super) enum ConfigCommand {
    /// Read it, name every error in it, and say what it means
    Check,
    /// Print the JSON Schema of the configuration file
    Schema,
}

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub(super) struct RunArgs {
    /// Show what a run would do; takes no lock and changes nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// Only this bank: RY or RY-CA, in any case (repeatable)
    #[arg(long, value_name = "SYMBOL")]
    pub(super) bank_symbol: Vec<String>,
    /// Only this ETL (repeatable)
    #[arg(long, value_name = "NAME")]
    pub(super) etl_type: Vec<String>,
    /// Only this disclosure source (repeatable); with --bank-symbol, --etl-type or --period, their reports too
    #[arg(long, value_name = "ID")]
    pub(super) source: Vec<String>,
    /// Only this fiscal period, such as 2025Q2 (repeatable)
    #[arg(long, value_name = "PERIOD")]
    pub(super) period: Vec<Period>,
    /// Only this fiscal year and later ones
    #[arg(long, value_name = "YEAR", value_parser = clap::value_parser!(u16).range(1900..=2999))]
    pub(super) from_year: Option<u16>,
    /// Make existing reports again; needs --bank-symbol, --etl-type, --period or --source
    #[arg(long)]
    pub(super) force: bool,
    /// How many chains run at once: a number, or auto for min(cores, memory / 4 GiB)
    #[arg(long, value_name = "N|auto")]
    pub(super) max_parallel: Option<MaxParallel>,
    /// Start at most this many jobs; the rest is left for the next run
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_jobs: Option<u32>,
    /// Do not take the lock; several invocations may then run at once
    #[arg(long)]
    pub(super) no_lock: bool,
    /// How long to wait for the lock: forever, none, or a duration such as 10m
    #[arg(long, value_name = "WAIT", default_value = "forever", value_parser = lock_wait)]
    pub(super) lock_wait: LockWait,
    /// Start nothing more once a job has failed
    #[arg(long)]
    pub(super) fail_fast: bool,
    /// Exit with 3 when jobs failed, with 4 when a dry run found gaps
    #[arg(long)]
    pub(super) detailed_exit_code: bool,
    /// Show the output of the ETLs, line by line
    #[arg(short, long)]
    pub(super) verbose: bool,
    /// Print only when something was done, failed, changed, or could not be read
    #[arg(short, long, conflicts_with = "verbose")]
    pub(super) quiet: bool,
}

/// Options of `init`.
#[derive(Debug, Args)]
pub(super) struct InitArgs {
    /// Print the SQL instead of running it, for whoever may create tables
    #[arg(long)]
    pub(super) print_sql: bool,
}

/// A number of chains, or what the machine can bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum MaxParallel {
    /// `auto`.
    Auto,
    /// At least 1.
    Chains(usize),
}

impl RunArgs {
    /// A run of one source, with every other option as it is by default.
    pub(super) fn of_source(id: &str) -> Self {
        Self {
            dry_run: false,
            bank_symbol: Vec::new(),
            etl_type: Vec::new(),
            source: vec![id.to_owned()],
            period: Vec::new(),
            from_year: None,
            force: false,
            max_parallel: None,
            max_jobs: None,
            no_lock: false,
            lock_wait: LockWait::Forever,
            fail_fast: false,
            detailed_exit_code: false,
            verbose: false,
            quiet: false,
        }
    }
}

impl std::str::FromStr for MaxParallel {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text.parse() {
            Ok(chains) if chains >= 1 => Ok(Self::Chains(chains)),
            _ if text == "auto" => Ok(Self::Auto),
            _ => Err("write a number from 1, or auto".to_owned()),
        }
    }
}

fn lock_wait(text: &str) -> Result<LockWait, String> {
    match text {
        "forever" => Ok(LockWait::Forever),
        "none" => Ok(LockWait::None),
        _ => humantime::parse_duration(text)
            .map(|wait| if wait == Duration::ZERO { LockWait::None } else { LockWait::AtMost(wait) })
            .map_err(|error| format!("{error}; write forever, none, or a duration such as 10m")),
    }
}

impl Global {
    /// Starts logging as the options say.
    pub(super) fn start_logging(&self, quiet: bool, environment: &Variables) {
        let default = if quiet { LevelFilter::WARN } else { LevelFilter::INFO };
        let format = match self.log_format {
            Format::Text => LogFormat::Text,
            Format::Json => LogFormat::Json,
        };
        let color = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => std::io::stderr().is_terminal() && environment.get("NO_COLOR").is_none_or(String::is_empty),
        };
        logs::start(format, self.log_level.unwrap_or(default), color);
    }
}

impl Cli {
    /// Reads the arguments. Options of every command may stand before the command as well as after it; those of `run`
    /// only after it or without a command, so that none is silently left out.
    pub(super) fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut command = Self::command();
        let matches = command.try_get_matches_from_mut(args)?;
        if let Some((name, _)) = matches.subcommand() {
            let run = RunArgs::augment_args(clap::Command::new("run"));
            let given = |arg: &&clap::Arg| matches.value_source(arg.get_id().as_str()) == Some(ValueSource::CommandLine);
            if let Some(misplaced) = run.get_arguments().find(given) {
                let option = misplaced.get_long().unwrap_or_default();
                let text = format!("--{option} is an option of `run`, and cannot stand before `{name}`");
                return Err(command.error(ErrorKind::ArgumentConflict, text));
            }
        }
        Self::from_arg_matches(&matches)
    }

    /// The options of the run that is asked for, if one is.
    pub(super) fn run_args(&self) -> Option<&RunArgs> {
        match &self.command {
            None => Some(&self.run),
            Some(Command::Run(run)) => Some(run),
            Some(
                Command::Retry(_)
                | Command::Skip(_)
                | Command::Unskip(_)
                | Command::Cancel(_)
                | Command::Sources { .. }
                | Command::Init(_)
                | Command::Config { .. }
                | Command::Completions { .. }
                | Command::Man,
            ) => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Cli, clap::Error> {
        Cli::read(["etl-orch"].iter().chain(args).map(OsString::from))
    }

    #[test]
    fn options_of_every_command_stand_before_it_or_after_it() {
        for args in [["--config", "x.yaml", "config", "check"], ["config", "check", "--config", "x.yaml"]] {
            assert_eq!(read(&args).unwrap().global.config, Some("x.yaml".into()), "{args:?}");
        }
    }

    #[test]
    fn options_of_run_do_not_stand_before_another_command() {
        for args in [["--dry-run", "init"], ["--dry-run", "run"], ["-q", "man"]] {
            assert_eq!(read(&args).unwrap_err().kind(), ErrorKind::ArgumentConflict, "{args:?}");
        }
        assert!(read(&["run", "--dry-run"]).unwrap().run_args().unwrap().dry_run);
    }

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_is_the_default() {
        let cli =
            Cli::try_parse_from(["etl-orch", "--dry-run", "--bank-symbol", "RY", "--bank-symbol", "td", "--period", "2025q2"]).unwrap();
        let run = cli.run_args().unwrap();
        assert!(run.dry_run);
        assert_eq!(run.bank_symbol, ["RY", "td"]);
        assert_eq!(run.period[0].compact(), "2025Q2");
    }

    #[test]
    fn a_run_of_one_source_is_like_any_other() {
        let cli = read(&["run", "--source", "us_house"]).unwrap();
        assert_eq!(format!("{:?}", cli.run_args().unwrap()), format!("{:?}", RunArgs::of_source("us_house")));
    }

    #[test]
    fn options_are_read_strictly() {
        for bad in [["--max-parallel", "0"], ["--max-jobs", "0"], ["--period", "2025"], ["--lock-wait", "soon"], ["--from-year", "25"]] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
        assert!(read(&["-q", "-v"]).is_err());
    }

    #[test]
    fn the_wait_for_the_lock_has_three_forms() {
        assert_eq!(lock_wait("forever"), Ok(LockWait::Forever));
        assert_eq!(lock_wait("none"), Ok(LockWait::None));
        assert_eq!(lock_wait("0s"), Ok(LockWait::None));
        assert_eq!(lock_wait("10m"), Ok(LockWait::AtMost(Duration::from_secs(600))));
    }
}
