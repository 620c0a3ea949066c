//! What is wrong in a sentence, and the command that mends it or says more.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::command_line::{CommandLine, word};
use super::super::escape::{escaped, excerpt};
use super::super::late_banks::{self, why_late};
use super::super::names::{Named, by_name};
use super::super::why::{commands::REASON, words};
use super::super::words::{Time, brief, count};
use crate::plan::decide::data_trouble::DataTrouble;
use crate::plan::health::issue::{Issue, Severity, SourceTrouble, Trouble};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::listed::Listed;
use crate::plan::model::source::Source;
use crate::plan::text::span;

/// Gaps and banks that a sentence names.
const NAMED: usize = 5;

/// One thing that is wrong, or not known.
#[derive(Debug, Serialize)]
pub(super) struct IssueView<'a> {
    /// What kind it is; never changed.
    code: &'static str,
    #[serde(serialize_with = "by_name")]
    pub(super) severity: Severity,
    /// A sentence that is safe to show.
    pub(super) what: String,
    since: Option<Time>,
    /// What mends it or says more.
    pub(super) command: Option<String>,
    source: Option<&'a str>,
    etl: Option<&'a str>,
}

impl<'a> IssueView<'a> {
    pub(super) fn new(issue: &'a Issue, now: DateTime<Utc>, catalogue: &'a Catalogue, next: &CommandLine) -> Self {
        let (source, etl) = match &issue.trouble {
            Trouble::Source { source, .. } => (Some(catalogue.source(*source).id.as_str()), None),
            Trouble::Data(DataTrouble::NoRowFor { etl, .. } | DataTrouble::TypeMisspelled { etl, .. })
            | Trouble::Missing { etl, .. }
            | Trouble::BreakerOpen { etl, .. } => (None, Some(catalogue.etl(*etl).name.as_str())),
            Trouble::NoRun
            | Trouble::Silent { .. }
            | Trouble::RunAhead
            | Trouble::RunDied { .. }
            | Trouble::RunFailed { .. }
            | Trouble::RunStopped { .. }
            | Trouble::ClockUnset
            | Trouble::Data(DataTrouble::NoData | DataTrouble::NothingMatches { .. })
            | Trouble::Quarantined { .. }
            | Trouble::Failing { .. }
            | Trouble::Unrecorded { .. }
            | Trouble::InvalidRows { .. }
            | Trouble::BanksWithoutData(_)
            | Trouble::BankLate(_)
            | Trouble::Unseen(_)
            | Trouble::Noted(_) => (None, None),
        };
        Self {
            code: issue.trouble.code(),
            severity: issue.severity(),
            what: what(issue, now, catalogue),
            since: issue.since.map(Time),
            command: command(&issue.trouble, catalogue).map(|words| next.of(words)),
            source,
            etl,
        }
    }
}

impl Named for Severity {
    fn name(&self) -> &'static str {
        match self {
            Self::Error => "error",
            Self::Unknown => "unknown",
            Self::Warning => "warning",
        }
    }
}

/// ` 2026-… (9d 2h ago)`; nothing where that is not known.
fn when(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    let ago = |at: DateTime<Utc>| (now - at).to_std().map(|ago| format!(" ({} ago)", brief(ago))).unwrap_or_default();
    at.map(|at| format!(" {}{}", Time(at), ago(at))).unwrap_or_default()
}

fn since(at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> String {
    at.map(|_| format!(" since{}", when(at, now))).unwrap_or_default()
}

fn error(error: Option<&String>) -> String {
    error.map(|error| format!(": {}", excerpt(error))).unwrap_or_default()
}

fn what(issue: &Issue, now: DateTime<Utc>, catalogue: &Catalogue) -> String {
    let (when, since) = (when(issue.since, now), since(issue.since, now));
    match &issue.trouble {
        Trouble::NoRun => "no run has ended yet, and none is under way".to_owned(),
        Trouble::Silent { limit } => {
            format!("no run has ended{since}, and none is under way; one is expected every {}", span::exact(*limit / 2))
        }
        Trouble::RunAhead => format!("the last run ended in the future,{when}: the clock of this host went back, or was ahead"),
        Trouble::RunDied { run, host, pid } => {
            format!("run {} died: its process {pid} on {} is gone; it began{when}", run.short(), excerpt(host))
        }
        Trouble::RunFailed { run } => format!("the last run, {}, could not do its work and ended{when}", run.short()),
        Trouble::RunStopped { run } => {
            format!("the last run, {}, was stopped before its end,{when}; the next run does what it left", run.short())
        }
        Trouble::ClockUnset => format!("this host's clock says {}, which is long past; set it", Time(now)),
        Trouble::Source { source, trouble } => of_source(catalogue.source(*source), trouble, &when, &since),
        Trouble::Data(trouble) => of_data(trouble, catalogue),
        Trouble::Missing { etl, limit, gaps, .. } => {
            let (are, limit) = (gaps_are(gaps, "missing"), span::exact(*limit));
            format!("{}: {are} for longer than {limit}{}: {}", catalogue.etl(*etl).name, first(gaps, &since), named(gaps))
        }
        Trouble::Quarantined { gaps, error: why } => {
            let are = gaps_are(gaps, "not tried any more, in quarantine");
            format!("{are}{}: {}{}", first(gaps, &since), named(gaps), error(why.as_ref()))
        }
        Trouble::Failing { gaps, error: why } => {
            format!("{} and tried again later: {}{}", gaps_are(gaps, "failing"), named(gaps), error(why.as_ref()))
        }
        Trouble::BreakerOpen { etl, error: why } => {
            format!("{} fails for every bank{since}{}", catalogue.etl(*etl).name, error(why.as_ref()))
        }
        Trouble::Unrecorded { gaps, why } => {
            let ends = if gaps.total == 1 { "the end of 1 job is".to_owned() } else { format!("the ends of {} jobs are", gaps.total) };
            format!("{ends} not on record yet: {}: {}", named(gaps), excerpt(why))
        }
        Trouble::InvalidRows { rows, first } => {
            let first = first.as_ref().map(|(which, problem)| format!(": {}: {}", excerpt(which), excerpt(problem))).unwrap_or_default();
            let are = if *rows == 1 { "is" } else { "are" };
            format!("{} of data {are} invalid{first}", count(*rows, "row"))
        }
        Trouble::BanksWithoutData(banks) => {
            format!(
                "{} without any data: {}",
                count(banks.len() as u64, "monitored bank"),
                list(banks.iter().map(String::as_str), banks.len())
            )
        }
        Trouble::BankLate(late) => late_banks::line(late),
        Trouble::Unseen(text) | Trouble::Noted(text) => excerpt(text).into_owned(),
    }
}

fn of_data(trouble: &DataTrouble, catalogue: &Catalogue) -> String {
    let sentence = match trouble {
        DataTrouble::NoData => "there is no data for any ETL yet".to_owned(),
        DataTrouble::NothingMatches { symbols } => {
            let symbols = list(symbols.iter().map(String::as_str), symbols.len());
            format!("no usable row of a monitored bank has what an ETL requires; symbols in the data: {symbols}")
        }
        DataTrouble::NoRowFor { etl, unknown } => {
            let etl = catalogue.etl(*etl);
            let tags = etl.requires.join(", ");
            let none = if unknown.is_empty() { String::new() } else { format!("; no row has {} at all", unknown.join(", ")) };
            format!("{} makes nothing: no row of data has what it requires ({tags}){none}", etl.name)
        }
        DataTrouble::TypeMisspelled { etl, found } => {
            let etl = catalogue.etl(*etl);
            format!("{} has no reports of its type {:?}, but there are some of the type {found:?}", etl.name, etl.report_type)
        }
    };
    escaped(&sentence).into_owned()
}

fn of_source(source: &Source, trouble: &SourceTrouble, when: &str, since: &str) -> String {
    let collected = if when.is_empty() { "nothing was ever collected".to_owned() } else { format!("it was collected until{when}") };
    let late = |name: &str, key: &str, limit: Duration, why: Option<&String>| {
        format!("{} is {name}: {collected}; {key} is {}{}", source.id, span::exact(limit), error(why))
    };
    let windows = |windows: Option<u64>| match windows {
        None => format!("{} is", source.id),
        Some(1) => format!("1 window of {} is", source.id),
        Some(windows) => format!("{windows} windows of {} are", source.id),
    };
    match trouble {
        SourceTrouble::NeverCollected => format!("nothing of {} was ever collected", source.id),
        SourceTrouble::Ahead => {
            format!("{} was collected until{when}, which is in the future: the clock went back, or was ahead", source.id)
        }
        SourceTrouble::Overdue { limit, error } => late("overdue", "error_after", *limit, error.as_ref()),
        SourceTrouble::Late { limit, error } => late("late", "warn_after", *limit, error.as_ref()),
        SourceTrouble::TooOld { limit } => late("too old", "--max-age", *limit, None),
        SourceTrouble::Quarantined { windows: number, error: why } => {
            format!("{} not tried any more, in quarantine{since}{}", windows(*number), error(why.as_ref()))
        }
        SourceTrouble::Failing { windows: number, error: why } => {
            format!("{} failing{since}, and tried again later{}", windows(*number), error(why.as_ref()))
        }
        SourceTrouble::Paused { by, reason } => format!("{} is paused{since} by {}: {}", source.id, excerpt(by), excerpt(reason)),
        SourceTrouble::Skipped { by, reason } => format!("{} is skipped{since} by {}: {}", source.id, excerpt(by), excerpt(reason)),
        SourceTrouble::Empty { successes } => format!("{}: {successes} successes in a row had 0 records", source.id),
    }
}

/// Since when, where several did not begin at the same time.
fn first(gaps: &Listed<GapKey>, since: &str) -> String {
    if gaps.total == 1 || since.is_empty() { since.to_owned() } else { format!(", the first{since}") }
}

/// `1 report is missing`, `3 reports are missing`.
fn gaps_are(gaps: &Listed<GapKey>, what: &str) -> String {
    let are = if gaps.total == 1 { "is" } else { "are" };
    format!("{} {are} {what}", count(gaps.total, "report"))
}

fn named(gaps: &Listed<GapKey>) -> String {
    let names: Vec<String> = gaps.named.iter().take(NAMED).map(|gap| escaped(&gap.to_string()).into_owned()).collect();
    list(names.iter().map(String::as_str), usize::try_from(gaps.total).unwrap_or(usize::MAX))
}

fn list<'a>(names: impl Iterator<Item = &'a str>, total: usize) -> String {
    let names: Vec<&str> = names.take(NAMED).collect();
    let more = match total.saturating_sub(names.len()) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    names.join(", ") + &more
}

/// The words of the command; `None` where none says more.
fn command(trouble: &Trouble, catalogue: &Catalogue) -> Option<String> {
    let first = |gaps: &Listed<GapKey>| gaps.named.first().map(words);
    Some(match trouble {
        Trouble::NoRun | Trouble::RunDied { .. } => "run".to_owned(),
        Trouble::Silent { .. }
        | Trouble::RunAhead
        | Trouble::ClockUnset
        | Trouble::Data(_)
        | Trouble::InvalidRows { .. }
        | Trouble::BanksWithoutData(_)
        | Trouble::Unseen(_) => "doctor".to_owned(),
        Trouble::RunFailed { run } | Trouble::RunStopped { run } => format!("trace {}", run.short()),
        Trouble::Source { source, trouble } => source_command(&word(&catalogue.source(*source).id), trouble),
        Trouble::Missing { gaps, .. } | Trouble::Unrecorded { gaps, .. } => format!("why {}", first(gaps)?),
        Trouble::Quarantined { gaps, .. } if gaps.total == 1 => format!("retry {} {REASON}", first(gaps)?),
        Trouble::Quarantined { .. } => format!("retry --all {REASON}"),
        Trouble::Failing { gaps, .. } => format!("logs {}", first(gaps)?),
        Trouble::BreakerOpen { etl, .. } => format!("jobs --failed --etl-type {}", word(&catalogue.etl(*etl).name)),
        Trouble::BankLate(late) => why_late(&late.behind.bank, late.behind.period),
        Trouble::Noted(_) => "run --dry-run".to_owned(),
    })
}

fn source_command(id: &str, trouble: &SourceTrouble) -> String {
    match trouble {
        SourceTrouble::NeverCollected
        | SourceTrouble::Ahead
        | SourceTrouble::Overdue { .. }
        | SourceTrouble::Late { .. }
        | SourceTrouble::TooOld { .. } => format!("why {id}"),
        SourceTrouble::Failing { .. } | SourceTrouble::Empty { .. } => format!("logs {id}"),
        SourceTrouble::Quarantined { .. } => format!("retry {id} {REASON}"),
        SourceTrouble::Paused { .. } => format!("sources resume {id} {REASON}"),
        SourceTrouble::Skipped { .. } => format!("unskip {id} {REASON}"),
    }
}
