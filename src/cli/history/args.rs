//! Options of every list.

use chrono::{DateTime, Utc};
use clap::Args;

use super::super::exit::Failure;
use super::super::help::headings::{OUTPUT, SELECT};
use super::super::moment::Moment;
use super::super::numbers;
use crate::plan::remember::past::TimeSpan;

/// When, and how many.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct ListArgs {
    /// Only from this time on: a date, a time, or 3d
    ///
    /// A date (2026-12-01), a time ("2026-12-01 09:00", 2026-12-01T09:00:00Z), or a span before now (3d).
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse, help_heading = SELECT)]
    since: Option<Moment>,
    /// Only before this time, written as --since is
    #[arg(long, value_name = "WHEN", value_parser = Moment::parse, help_heading = SELECT)]
    until: Option<Moment>,
    /// At most so many, the newest first
    #[arg(
        long,
        value_name = "N",
        default_value_t = 20,
        allow_negative_numbers = true,
        value_parser = numbers::within(1..=100_000_u32),
        help_heading = OUTPUT
    )]
    pub(super) limit: u32,
}

impl ListArgs {
    pub(super) fn span(&self, now: DateTime<Utc>) -> Result<TimeSpan, Failure> {
        let at = |option: &str, moment: Option<Moment>| {
            let at = moment.map(|moment| moment.before(now)).transpose();
            at.map_err(|problem| Failure::Usage(format!("{option}: {problem}")))
        };
        Ok(TimeSpan { since: at("--since", self.since)?, until: at("--until", self.until)? })
    }
}

/// The beginning of an id of a run, as the database writes it.
pub(super) fn run_prefix(text: &str) -> Result<String, String> {
    super::super::orders::id_prefix(text).ok_or_else(|| "write at least the first 4 characters of an id, 0 to 9 and a to f".to_owned())
}
