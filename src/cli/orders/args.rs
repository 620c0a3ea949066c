//! Options that several orders have.

use clap::Args;

use super::super::help::headings::{ORDER, SELECT};

/// Options of every order.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct OrderArgs {
    /// Why; kept with your name and the time
    #[arg(long, value_name = "TEXT", value_parser = reason, help_heading = ORDER)]
    pub(in crate::cli) reason: String,
}

/// Options of the orders on gaps.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct GapOrderArgs {
    /// Why; kept with your name and the time
    #[arg(long, value_name = "TEXT", value_parser = reason, required_unless_present = "dry_run", help_heading = ORDER)]
    reason: Option<String>,
    /// Show what would change, and change nothing
    ///
    /// Needs no --reason.
    #[arg(long, help_heading = ORDER)]
    pub(super) dry_run: bool,
}

impl GapOrderArgs {
    /// Why the order is given; empty where it is not.
    pub(super) fn reason(&self) -> &str {
        self.reason.as_deref().unwrap_or_default()
    }
}

/// Which gaps an order is on, as words.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct GapWords {
    /// A bank; or an ETL, a gap, a source, a job's id
    ///
    /// A bank is RY or RY-CA, in any case; a gap RY-CA/2025Q2/call_summary; a source us_house. Of an id the beginning is enough.
    #[arg(value_name = "BANK")]
    bank: Option<String>,
    /// The fiscal year, or the period: 2025Q2
    #[arg(value_name = "YEAR")]
    year: Option<String>,
    /// The quarter, Q1 to Q4
    #[arg(value_name = "QUARTER")]
    quarter: Option<String>,
    /// The ETL; without it all of them
    #[arg(value_name = "ETL")]
    etl: Option<String>,
    /// Only this ETL, of the bank or of all banks
    ///
    /// Repeatable, or a list.
    #[arg(long, value_name = "NAME", value_delimiter = ',', help_heading = SELECT)]
    pub(in crate::cli) etl_type: Vec<String>,
}

impl GapWords {
    /// The words that were given, in their order.
    pub(in crate::cli) fn list(&self) -> Vec<&str> {
        [&self.bank, &self.year, &self.quarter, &self.etl].into_iter().filter_map(Option::as_deref).collect()
    }
}

/// Options of `retry` and `unskip`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct SweepArgs {
    #[command(flatten)]
    pub(super) gaps: GapWords,
    /// Everything that the order can change
    ///
    /// retry: every gap and source that rests or is quarantined; unskip: every one that is skipped.
    #[arg(long, conflicts_with = "bank", help_heading = SELECT)]
    pub(super) all: bool,
    #[command(flatten)]
    pub(super) order: GapOrderArgs,
}

/// Reads a reason.
pub(in crate::cli) fn reason(text: &str) -> Result<String, String> {
    let text = text.trim();
    if text.is_empty() {
        return Err("it is empty; say why in a few words".to_owned());
    }
    if text.chars().any(char::is_control) {
        return Err("it contains a control character; write it on one line".to_owned());
    }
    Ok(text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_one_line_that_is_not_empty() {
        assert_eq!(reason(" vendor fixed it "), Ok("vendor fixed it".to_owned()));
        for bad in ["", "  ", "\t", "a\nb", "\u{1b}[31m"] {
            assert!(reason(bad).is_err(), "{bad:?}");
        }
    }
}
