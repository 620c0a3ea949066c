//! The options of a run.

use std::time::Duration;

use clap::Args;

use super::super::help::headings::{OUTPUT, RUN, SELECT};
use super::super::numbers;
use crate::plan::model::gap::GapKey;
use crate::plan::model::period::Period;
use crate::plan::text::span::{self, InvalidSpan};
use crate::run::lock::LockWait;

/// Options of `run`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct RunArgs {
    /// Only this bank, such as RY
    ///
    /// RY or RY-CA, in any case; repeatable, or a list: RY,BMO.
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',', help_heading = SELECT)]
    pub(in crate::cli) bank_symbol: Vec<String>,
    /// All banks but this one
    ///
    /// Repeatable, or a list.
    #[arg(long, value_name = "SYMBOL", value_delimiter = ',', help_heading = SELECT)]
    pub(in crate::cli) exclude_bank: Vec<String>,
    /// Only this ETL
    ///
    /// Repeatable, or a list.
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = SELECT)]
    pub(in crate::cli) etl_type: Vec<String>,
    #[command(flatten)]
    pub(in crate::cli) periods: PeriodArgs,
    /// Only this disclosure source
    ///
    /// Repeatable, or a list. With --bank-symbol, --etl-type or --period, their reports too.
    #[arg(long, value_name = "ID", value_delimiter = ',', help_heading = SELECT)]
    pub(in crate::cli) source: Vec<String>,
    /// Show what a run would do, and change nothing
    ///
    /// It takes no lock.
    #[arg(long, help_heading = RUN)]
    pub(in crate::cli) dry_run: bool,
    /// With --dry-run: say when each job should end
    ///
    /// By the durations of the last successes; what cannot be reckoned is not said.
    #[arg(long, requires = "dry_run", help_heading = RUN)]
    pub(in crate::cli) forecast: bool,
    /// Make existing reports again
    ///
    /// Needs --bank-symbol, --etl-type, --period or --source.
    #[arg(long, help_heading = RUN)]
    pub(in crate::cli) force: bool,
    /// How many chains run at once: a number, or auto
    ///
    /// A chain is the jobs of one bank or one source, which run one after the other. auto is min(cores, memory / 4 GiB).
    #[arg(long, value_name = "N|auto", allow_negative_numbers = true, help_heading = RUN)]
    pub(in crate::cli) max_parallel: Option<MaxParallel>,
    /// Start at most this many jobs
    ///
    /// The rest is left for the next run.
    #[arg(long, value_name = "N", allow_negative_numbers = true, value_parser = numbers::within(1_u32..), help_heading = RUN)]
    pub(in crate::cli) max_jobs: Option<u32>,
    /// Start nothing more once a job has failed
    #[arg(long, help_heading = RUN)]
    pub(in crate::cli) fail_fast: bool,
    /// How long to wait for the lock
    ///
    /// forever, none, or a duration such as 10m.
    #[arg(long, value_name = "WAIT", default_value = "forever", value_parser = lock_wait, help_heading = RUN)]
    pub(in crate::cli) lock_wait: LockWait,
    /// Do not take the lock
    ///
    /// Several invocations may then run at once, and share the work.
    #[arg(long, help_heading = RUN)]
    pub(in crate::cli) no_lock: bool,
    /// Show what the ETLs print, and long lists in full
    #[arg(short, long, help_heading = OUTPUT)]
    pub(in crate::cli) verbose: bool,
    /// Print only when there is news
    ///
    /// There is when something was done, failed or changed, and when nothing at all matches. What lasts, such as a quarantine, is said
    /// again once a day. With --format json the object is printed in any case.
    #[arg(short, long, conflicts_with = "verbose", help_heading = OUTPUT)]
    pub(in crate::cli) quiet: bool,
    /// Exit with 3, 4 or 5 where it would be 0 or 1
    ///
    /// What they mean stands below.
    #[arg(long, help_heading = OUTPUT)]
    pub(in crate::cli) detailed_exit_code: bool,
    /// That it is `run-one`.
    #[arg(skip)]
    pub(in crate::cli) by_hand: Option<ByHand>,
    /// That it is the run of `health --recover`.
    #[arg(skip)]
    pub(in crate::cli) recovers: bool,
}

/// Options that select fiscal periods.
#[derive(Debug, Clone, Default, Args)]
pub(in crate::cli) struct PeriodArgs {
    /// Only this fiscal period, such as 2025Q2
    ///
    /// Repeatable, or a list.
    #[arg(long, value_name = "PERIOD", value_delimiter = ',', help_heading = SELECT)]
    pub(in crate::cli) period: Vec<Period>,
    /// Only this fiscal year and later ones
    #[arg(long, value_name = "YEAR", allow_negative_numbers = true, value_parser = numbers::within(1900..=2999_u16), help_heading = SELECT)]
    pub(in crate::cli) from_year: Option<u16>,
    /// Only this fiscal year and earlier ones
    #[arg(long, value_name = "YEAR", allow_negative_numbers = true, value_parser = numbers::within(1900..=2999_u16), help_heading = SELECT)]
    pub(in crate::cli) until_year: Option<u16>,
}

/// The name under which it is on record that a run was made by `health --recover`.
const RECOVERS: &str = "recover";

/// Whether a run with these options on record was made by `health --recover`.
pub(in crate::cli) fn is_recovery(options: &serde_json::Value) -> bool {
    options.get(RECOVERS).and_then(serde_json::Value::as_bool) == Some(true)
}

/// A run of one job by hand.
#[derive(Debug, Clone)]
pub(in crate::cli) struct ByHand {
    /// What is to be made or collected.
    pub(in crate::cli) gap: GapKey,
    /// Also while a run would not start it.
    pub(in crate::cli) anyway: bool,
    /// Who asks for it.
    pub(in crate::cli) user: String,
}

/// A number of chains, or what the machine can bear.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::cli) enum MaxParallel {
    /// `auto`.
    Auto,
    /// At least 1.
    Chains(usize),
}

impl RunArgs {
    /// A run of one source.
    pub(in crate::cli) fn of_source(id: &str) -> Self {
        Self { source: vec![id.to_owned()], ..Self::plain() }
    }

    /// A run with every option as it is by default.
    pub(in crate::cli) fn plain() -> Self {
        Self {
            dry_run: false,
            forecast: false,
            bank_symbol: Vec::new(),
            exclude_bank: Vec::new(),
            etl_type: Vec::new(),
            source: Vec::new(),
            periods: PeriodArgs::default(),
            force: false,
            max_parallel: None,
            max_jobs: None,
            no_lock: false,
            lock_wait: LockWait::Forever,
            fail_fast: false,
            detailed_exit_code: false,
            verbose: false,
            quiet: false,
            by_hand: None,
            recovers: false,
        }
    }

    /// The options that change what a run does, for its record.
    pub(super) fn record(&self) -> serde_json::Value {
        if let Some(ByHand { gap, anyway, user }) = &self.by_hand {
            return serde_json::json!({"run_one": gap, "force": self.force, "anyway": anyway, "by": user});
        }
        if self.recovers {
            return serde_json::json!({RECOVERS: true});
        }
        serde_json::json!({
            "bank_symbol": self.bank_symbol,
            "exclude_bank": self.exclude_bank,
            "etl_type": self.etl_type,
            "source": self.source,
            "period": self.periods.period,
            "from_year": self.periods.from_year,
            "until_year": self.periods.until_year,
            "force": self.force,
            "max_jobs": self.max_jobs,
            "no_lock": self.no_lock,
            "fail_fast": self.fail_fast,
        })
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

pub(in crate::cli) fn lock_wait(text: &str) -> Result<LockWait, String> {
    match text {
        "forever" => Ok(LockWait::Forever),
        "none" => Ok(LockWait::None),
        _ => span::parse(text).map(|wait| if wait == Duration::ZERO { LockWait::None } else { LockWait::AtMost(wait) }).map_err(|error| {
            match error {
                InvalidSpan::Form => "write forever, none, or a duration such as 10m".to_owned(),
                InvalidSpan::Calendar => error.to_string(),
            }
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wait_for_the_lock_has_three_forms() {
        assert_eq!(lock_wait("forever"), Ok(LockWait::Forever));
        assert_eq!(lock_wait("none"), Ok(LockWait::None));
        assert_eq!(lock_wait("0s"), Ok(LockWait::None));
        assert_eq!(lock_wait("10m"), Ok(LockWait::AtMost(Duration::from_secs(600))));
        assert!(lock_wait("5M").is_err() && lock_wait("ever").is_err());
    }
}
