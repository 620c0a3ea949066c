//! The options, as clap reads them.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{Args, ColorChoice, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::config::ConfigCommand;
use super::coverage::CoverageArgs;
use super::doctor::DoctorArgs;
use super::exit::EXIT_CODES;
use super::health::HealthArgs;
use super::history::jobs::JobsArgs;
use super::history::logs::LogsArgs;
use super::history::runs::RunsArgs;
use super::history::trace::TraceArgs;
use super::init::InitArgs;
use super::install::{InstallArgs, UninstallArgs};
use super::orders::args::SweepArgs;
use super::orders::cancel::CancelArgs;
use super::orders::skip::SkipArgs;
use super::report::ReportArgs;
use super::run::args::RunArgs;
use super::run::one::RunOneArgs;
use super::sources::SourcesCommand;
use super::tell::TellCommand;
use super::why::WhyArgs;
use crate::plan::model::logging::{LogFormat, LogLevel, Logging};
use crate::plan::model::settings::Variables;
use crate::show::coverage::Paper;
use crate::show::logs::{self, LogStream};
use crate::show::{self, Zone};

const GLOBAL_HEADING: &str = "Options of every command";

/// Finds the reports that are missing, runs the ETLs that make them, and says what happened.
///
/// Started by cron or a systemd timer every 15 minutes. Without a command it does one run.
#[derive(Debug, Parser)]
#[command(name = "etl-orch", version, after_help = EXIT_CODES)]
pub(super) struct Cli {
    #[command(flatten)]
    global: Global,
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten, next_help_heading = "Options of run")]
    run: RunArgs,
}

/// Options of every command, under a heading of their own, so that they do not stand between those of the command.
#[derive(Debug, Args)]
#[command(next_help_heading = GLOBAL_HEADING)]
pub(super) struct Global {
    /// Configuration file [default: $ETL_ORCH_CONFIG, ./etl-orch.yaml, ./config/etl-orch.yaml, the user's, the system's]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Format of stdout: text for people, json for programs
    #[arg(long, global = true, value_name = "text|json", hide_possible_values = true, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Format of the diagnostics on stderr: text, json, or journald for fields in systemd's journal [default: journald where systemd
    /// reads stderr, otherwise text]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = log_format)]
    pub(super) log_format: Option<LogFormat>,
    /// Lowest level of diagnostics that are written: off, error, warn, info, debug, trace [default: info; warn with -q]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = log_level)]
    pub(super) log_level: Option<LogLevel>,
    /// When to use colors; NO_COLOR is honored
    #[arg(long, global = true, value_name = "WHEN", value_enum, default_value_t = ColorChoice::Auto)]
    pub(super) color: ColorChoice,
    /// Show times in UTC, and read those without an offset as UTC [default: the local time zone; TZ is honored]
    #[arg(long, global = true)]
    pub(super) utc: bool,
}

/// Text for people or JSON for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Format {
    /// For people.
    Text,
    /// For programs.
    Json,
}

fn log_format(text: &str) -> Result<LogFormat, &'static str> {
    LogFormat::named(text).ok_or("write text, json or journald")
}

fn log_level(text: &str) -> Result<LogLevel, &'static str> {
    LogLevel::named(text).ok_or("write off, error, warn, info, debug or trace")
}

/// What can be done.
#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Find what is missing and make it (the default)
    Run(RunArgs),
    /// Start one ETL by hand, as a run would, with its output on the terminal. It needs no lock: its gap is claimed as in any run
    RunOne(RunOneArgs),
    /// Say why a report is made or is not, or a source is collected or is not, and what would change that
    Why(WhyArgs),
    /// Forget failures, so that the next run tries again; also ends `skip`
    Retry(SweepArgs),
    /// Leave gaps alone, until `unskip`, `retry` or a time
    Skip(SkipArgs),
    /// Take `skip` back
    Unskip(SweepArgs),
    /// Stop a running job, and leave its gap alone until `retry` or `unskip`
    Cancel(CancelArgs),
    /// List the jobs on record, newest first, with their attempts
    Jobs(JobsArgs),
    /// List the runs on record, newest first
    Runs(RunsArgs),
    /// Print what the attempts of a job printed: of the job with this id, or of the last one of a gap or a source
    Logs(LogsArgs),
    /// Follow a job or a run from planning to output: its steps, where the time went, and what is wrong with it
    Trace(TraceArgs),
    /// Show which reports there are and which are missing, as a matrix of banks and periods
    Coverage(CoverageArgs),
    /// Write a page of HTML: coverage, sources, the last run, failures, durations and costs
    Report(ReportArgs),
    /// Show the disclosure sources: what was collected, what is due and what prevents it
    Sources {
        #[command(subcommand)]
        command: Option<SourcesCommand>,
    },
    /// Say whether anything is behind, failing or stopped, and what mends it; exit code 0 healthy, 1 unhealthy, 3 unknown, 4 error
    Health(HealthArgs),
    /// Try the channels that are told of runs
    Tell {
        #[command(subcommand)]
        command: TellCommand,
    },
    /// Create the state tables and, on SQLite, the data tables
    Init(InitArgs),
    /// Look at everything that a run needs: the configuration, this host, the schedule, the database and its data; say how to mend what
    /// is wrong. Changes nothing
    Doctor(DoctorArgs),
    /// Let systemd or cron start a run every 15 minutes, as this configuration needs it
    Install(InstallArgs),
    /// Take back what `install` made; runs that are active go on
    Uninstall(UninstallArgs),
    /// Check the configuration, begin one, or print its schema
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

/// Whether stderr is a terminal that understands escape sequences.
pub(super) fn has_live_terminal(environment: &Variables) -> bool {
    std::io::stderr().is_terminal() && environment.get("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether the locale has more characters than ASCII, by the first of these variables that is set.
fn has_unicode(environment: &Variables) -> bool {
    let set = |name| environment.get(name).filter(|value| !value.is_empty());
    let locale = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().find_map(set).map(|locale| locale.to_lowercase()).unwrap_or_default();
    locale.contains("utf-8") || locale.contains("utf8")
}

impl Global {
    /// Says how texts are shown. In JSON every time is in UTC, those in sentences too.
    pub(super) fn set_up_texts(&self, environment: &Variables) {
        let read = if self.utc { Zone::Utc } else { Zone::Local };
        show::use_zones(if self.format == Format::Json { Zone::Utc } else { read }, read);
        let columns = environment.get("COLUMNS").and_then(|columns| columns.parse().ok()).filter(|columns| *columns > 0);
        show::set_known(show::Known { is_ascii: !has_unicode(environment), columns });
    }

    /// What a matrix is written on.
    pub(super) fn paper(&self, environment: &Variables) -> Paper {
        let is_terminal = std::io::stdout().is_terminal() && environment.get("TERM").is_some_and(|term| term != "dumb");
        Paper::stdout(match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => is_terminal && environment.get("NO_COLOR").is_none_or(String::is_empty),
        })
    }

    /// Starts logging as the options say.
    pub(super) fn start_logging(&self, quiet: bool, environment: &Variables) {
        let level = self.log_level.or(quiet.then_some(LogLevel::Warn));
        let has_color = match self.color {
            ColorChoice::Always => true,
            ColorChoice::Never => false,
            ColorChoice::Auto => has_live_terminal(environment) && environment.get("NO_COLOR").is_none_or(String::is_empty),
        };
        let can_erase = has_live_terminal(environment);
        logs::start(Logging { format: self.log_format, level }, LogStream { has_color, can_erase, ..log_stream(environment) });
    }
}

/// What stderr is to log lines without any option.
pub(super) fn log_stream(environment: &Variables) -> LogStream {
    let is_journal = environment.get("JOURNAL_STREAM").is_some_and(|stream| logs::journal_reads_stderr(stream));
    LogStream { is_journal, ..LogStream::default() }
}

impl Cli {
    /// Reads the arguments. Options of every command may stand before the command as well as after it; those of `run`
    /// only after it or without a command, so that none is ignored silently.
    pub(super) fn read(args: impl IntoIterator<Item = OsString>) -> Result<(Global, Command), clap::Error> {
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
        let Self { global, command, run } = Self::from_arg_matches(&matches)?;
        Ok((global, command.unwrap_or(Command::Run(run))))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<(Global, Command), clap::Error> {
        Cli::read(["etl-orch"].iter().chain(args).map(OsString::from))
    }

    fn run(args: &[&str]) -> RunArgs {
        match read(args).unwrap().1 {
            Command::Run(run) => run,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn options_of_every_command_stand_before_it_or_after_it() {
        for args in [["--config", "x.yaml", "config", "check"], ["config", "check", "--config", "x.yaml"]] {
            assert_eq!(read(&args).unwrap().0.config, Some("x.yaml".into()), "{args:?}");
        }
    }

    #[test]
    fn options_of_run_do_not_stand_before_another_command() {
        for args in [["--dry-run", "init"], ["--dry-run", "run"], ["-q", "man"]] {
            assert_eq!(read(&args).unwrap_err().kind(), ErrorKind::ArgumentConflict, "{args:?}");
        }
        assert!(run(&["run", "--dry-run"]).dry_run);
    }

    #[test]
    fn the_options_do_not_contradict_each_other() {
        Cli::command().debug_assert();
    }

    #[test]
    fn run_is_the_default() {
        let run = run(&["--dry-run", "--bank-symbol", "RY", "--bank-symbol", "td", "--period", "2025q2"]);
        assert!(run.dry_run);
        assert_eq!(run.bank_symbol, ["RY", "td"]);
        assert_eq!(run.period[0].compact(), "2025Q2");
    }

    #[test]
    fn a_run_of_one_source_is_like_any_other() {
        let run = run(&["run", "--source", "us_house"]);
        assert_eq!(format!("{run:?}"), format!("{:?}", RunArgs::of_source("us_house")));
    }

    #[test]
    fn options_are_read_strictly() {
        for bad in [["--max-parallel", "0"], ["--max-jobs", "0"], ["--period", "2025"], ["--lock-wait", "soon"], ["--from-year", "25"]] {
            assert!(read(&bad).is_err(), "{bad:?}");
        }
        assert!(read(&["-q", "-v"]).is_err());
    }
}
