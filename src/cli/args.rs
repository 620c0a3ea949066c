//! The options, as clap reads them.

use std::ffi::OsString;
use std::io::IsTerminal;
use std::path::PathBuf;

use clap::error::ErrorKind;
use clap::parser::ValueSource;
use clap::{ArgAction, Args, ColorChoice, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::config::ConfigCommand;
use super::coverage::CoverageArgs;
use super::doctor::DoctorArgs;
use super::health::HealthArgs;
use super::help;
use super::help::headings::GLOBAL;
use super::history::jobs::JobsArgs;
use super::history::logs::LogsArgs;
use super::history::runs::RunsArgs;
use super::history::trace::TraceArgs;
use super::init::InitArgs;
use super::install::{InstallArgs, UninstallArgs};
use super::orders::args::SweepArgs;
use super::orders::cancel::CancelArgs;
use super::orders::skip::SkipArgs;
use super::pages::ManArgs;
use super::prune::PruneArgs;
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

/// Find the reports that are missing, and run the ETLs that make them
///
/// Started by cron or a systemd timer every 15 minutes. Without a command it does one run, and says what happened.
#[derive(Debug, Parser)]
#[command(name = "etl-orch", version, disable_help_flag = true, disable_version_flag = true, disable_help_subcommand = true)]
pub(super) struct Cli {
    #[command(flatten)]
    run: RunArgs,
    #[command(flatten)]
    global: Global,
    /// Print the version
    #[arg(short = 'V', long, action = ArgAction::Version, help_heading = GLOBAL)]
    version: Option<bool>,
    #[command(subcommand)]
    command: Option<Command>,
}

/// Options of every command, after those of the command.
#[derive(Debug, Args)]
#[command(next_help_heading = GLOBAL)]
pub(super) struct Global {
    /// Configuration file
    ///
    /// [default: $ETL_ORCH_CONFIG, ./etl-orch.yaml, ./config/etl-orch.yaml, the user's, the system's]
    #[arg(long, global = true, value_name = "FILE")]
    pub(super) config: Option<PathBuf>,
    /// Format of stdout
    ///
    /// text for people, json for programs.
    #[arg(long, global = true, value_name = "text|json", hide_possible_values = true, value_enum, default_value_t = Format::Text)]
    pub(super) format: Format,
    /// Show times in UTC, and read them as UTC
    ///
    /// Those that are typed with an offset keep it. [default: the local time zone; TZ is honored]
    #[arg(long, global = true)]
    pub(super) utc: bool,
    /// Colors: auto, always, never
    ///
    /// NO_COLOR is honored.
    #[arg(long, global = true, value_name = "WHEN", hide_possible_values = true, value_enum, default_value_t = ColorChoice::Auto)]
    pub(super) color: ColorChoice,
    /// Diagnostics on stderr: text, json, journald
    ///
    /// journald has fields in systemd's journal. [default: journald where systemd reads stderr, otherwise text]
    #[arg(long, global = true, value_name = "FORMAT", value_parser = log_format)]
    pub(super) log_format: Option<LogFormat>,
    /// Lowest level of diagnostics, off to trace
    ///
    /// off, error, warn, info, debug or trace. [default: info; warn with -q]
    #[arg(long, global = true, value_name = "LEVEL", value_parser = log_level)]
    pub(super) log_level: Option<LogLevel>,
    /// Print help: -h in short, --help in full
    #[arg(short, long, global = true, action = ArgAction::Help)]
    help: Option<bool>,
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
    /// Start one ETL by hand, and watch it
    ///
    /// As a run would start it, with its output on the terminal. It needs no lock: its gap is claimed as in any run.
    RunOne(RunOneArgs),
    /// Say why a report is or is not made, and what would change it
    ///
    /// Of a source, why it is collected or is not. Without words everything that is missing is explained.
    Why(WhyArgs),
    /// Forget failures, so that the next run tries again
    ///
    /// This ends `skip` and `cancel` too.
    Retry(SweepArgs),
    /// Leave gaps alone, until `unskip`, `retry` or a time
    Skip(SkipArgs),
    /// Take `skip` back
    Unskip(SweepArgs),
    /// Stop a running job, and leave its gap alone
    ///
    /// Until `retry` or `unskip`.
    Cancel(CancelArgs),
    /// List the jobs on record, with their attempts
    Jobs(JobsArgs),
    /// List the runs on record
    Runs(RunsArgs),
    /// Print what the attempts of a job printed
    ///
    /// Of the job with this id, or of the last one of a gap or a source that was started.
    Logs(LogsArgs),
    /// Follow a job or a run from planning to output
    ///
    /// Its steps, where the time went, and what is wrong with it. The words are those of `logs`; an id may also be that of a run. Of a
    /// gap or a source the last job is traced.
    ///
    /// Issues are found in what is on record: a part that took longer than its ETL's `warn_after`, or longer than 3 times the median of
    /// its last ten successes (by 1 s at least); no records where earlier successes had some; records that are read, but neither written
    /// nor rejected; a stage that did not end; retries; a success with an error; a log that is not whole, or gone; messages that are not
    /// stored; a run that died. `None` stands there only if all of that was checked.
    Trace(TraceArgs),
    /// Show which reports there are, and which are missing
    ///
    /// As a matrix of banks and periods.
    Coverage(CoverageArgs),
    /// Write a page of HTML that says how things stand
    ///
    /// Coverage, sources, the last run, failures, durations and costs.
    Report(ReportArgs),
    /// Show the disclosure sources, and give orders on them
    ///
    /// Without a command: what was collected, what is due and what prevents it.
    Sources {
        #[command(subcommand)]
        command: Option<SourcesCommand>,
    },
    /// Say whether anything is wrong, and what mends it
    ///
    /// Whether anything is behind, failing or stopped.
    Health(HealthArgs),
    /// Try the channels that are told of runs
    Tell {
        #[command(subcommand)]
        command: TellCommand,
    },
    /// Create the state tables and, on SQLite, the data tables
    Init(InitArgs),
    /// Check everything that a run needs
    ///
    /// The configuration, this host, the schedule, the database and its data; and how to mend what is wrong. It changes nothing.
    Doctor(DoctorArgs),
    /// Have systemd or cron start a run every 15 minutes
    ///
    /// As this configuration needs it.
    Install(InstallArgs),
    /// Take back what `install` made
    ///
    /// Runs that are active go on.
    Uninstall(UninstallArgs),
    /// Remove what is over and older than `retention` keeps it
    ///
    /// Runs do this by themselves once a day, a little at a time; this does all of it, and gives the space back to the disk. What is open
    /// is never removed: missing reports, what is quarantined or skipped, what runs, and where a source is.
    Prune(PruneArgs),
    /// Check the configuration, begin one, or print its schema
    Config {
        #[command(subcommand)]
        command: ConfigCommand,
    },
    /// Print the script that completes words in a shell
    ///
    /// At each TAB it asks etl-orch for what can follow: banks, ETLs, sources, periods, gaps, and the latest ids.
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Print a page of the manual, or install all
    Man(ManArgs),
    /// Print the help of a command
    Help {
        /// The command
        #[arg(value_name = "COMMAND")]
        words: Vec<OsString>,
    },
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
    /// only after it or without a command, so that none is ignored silently. Pages of help are so many columns wide.
    pub(super) fn read(args: impl IntoIterator<Item = OsString>, columns: usize) -> Result<(Global, Command), clap::Error> {
        let mut command = help::command(columns);
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
        let Self { global, command, run, .. } = Self::from_arg_matches(&matches)?;
        match command {
            Some(Command::Help { words }) => {
                let asked = ["etl-orch".into()].into_iter().chain(words).chain(["--help".into()]);
                Self::read(asked.collect::<Vec<_>>(), columns)
            }
            Some(command) => Ok((global, command)),
            None => Ok((global, Command::Run(run))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<(Global, Command), clap::Error> {
        Cli::read(["etl-orch"].iter().chain(args).map(OsString::from), 80)
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
        help::command(80).debug_assert();
    }

    #[test]
    fn run_is_the_default() {
        let run = run(&["--dry-run", "--bank-symbol", "RY", "--bank-symbol", "td", "--period", "2025q2"]);
        assert!(run.dry_run);
        assert_eq!(run.bank_symbol, ["RY", "td"]);
        assert_eq!(run.periods.period[0].compact(), "2025Q2");
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
