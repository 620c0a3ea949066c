//! Sources in sentences that are safe to show.

use super::super::blocked::{last_error, quarantined, resting, skipped, unrecorded};
use super::super::escape::{escaped, excerpt};
use super::super::words::{Time, count, grouped};
use super::{CameTo, GivenUpView, HeldBackView, PauseView, SourceView};
use crate::plan::decide::source_plan::{Lateness, SourceStatus};
use crate::plan::model::collection::{Collected, Seen};
use crate::plan::model::window::Window;

/// Sources that are up to date have a line each, unless they are more than this; then they share one.
const LINES: usize = 3;

/// `SOURCES: 5 sources, 2 due, 1 paused, 1 overdue`.
pub(in crate::show) fn heading<'a>(sources: impl Iterator<Item = &'a SourceView<'a>>) -> String {
    let sources: Vec<&SourceView<'_>> = sources.collect();
    let of = |name: &'static str, is: fn(&SourceView<'_>) -> bool| (name, sources.iter().filter(|source| is(source)).count());
    let counts = [
        of("collected", is_caught_up),
        of("not all collected", |source| source.came_to().is_some() && !is_caught_up(source)),
        of("due", |source| *source.standing == SourceStatus::Due && source.came_to().is_none()),
        of("paused", |source| source.paused.is_some()),
        of("skipped", |source| source.skipped.is_some()),
        of("not on record", |source| source.unrecorded.is_some()),
        of("running elsewhere", |source| source.claimed.is_some()),
        of("quarantined", |source| source.quarantined.is_some()),
        of("cooling down", |source| source.cooling_down.is_some()),
        of("with windows given up", |source| !source.given_up.is_empty()),
        of("late", |source| source.lateness == Lateness::Late && !is_caught_up(source)),
        of("overdue", |source| source.lateness == Lateness::Overdue && !is_caught_up(source)),
        of("ahead of the clock", |source| source.lateness == Lateness::Ahead),
    ];
    let total = count(sources.len() as u64, "source");
    let counted = counts.into_iter().filter(|(_, number)| *number > 0).map(|(name, number)| format!("{number} {name}"));
    let fine = sources.iter().all(|source| source.is_fine()).then(|| "all up to date".to_owned());
    let parts: Vec<String> = std::iter::once(total).chain(counted).chain(fine).collect();
    format!("SOURCES: {}", parts.join(", "))
}

/// Whether a run has collected all that was due of it.
fn is_caught_up(source: &SourceView<'_>) -> bool {
    source.left == 0 && source.came_to().is_some_and(|came_to| came_to.failed + came_to.others == 0)
}

/// A line for each source; where many are up to date, one for all of them.
pub(in crate::show) fn lines(sources: &[SourceView<'_>]) -> Vec<String> {
    let fine: Vec<&SourceView<'_>> = sources.iter().filter(|source| source.is_fine()).collect();
    let shared = fine.len() > LINES;
    let own = sources.iter().filter(|source| !shared || !source.is_fine());
    let mut lines: Vec<String> = own.map(line).collect();
    if shared {
        let ids: Vec<&str> = fine.iter().map(|source| source.id).collect();
        let next = fine.iter().map(|source| source.next_due.0).min().map(|due| format!("; next due {}", Time(due))).unwrap_or_default();
        lines.push(format!("{}: up to date{next}", ids.join(", ")));
    }
    lines
}

/// What is done about a source, and what of it is missing.
fn line(source: &SourceView<'_>) -> String {
    let order = source.order.as_ref().filter(|_| source.came_to().is_none()).map(|order| format!("; {}", order.text())).unwrap_or_default();
    format!("{}: {}{order}{}{}", source.id, state(source), held_back_of(source), without(source))
}

/// What is done about a source and why.
pub(in crate::show) fn state(source: &SourceView<'_>) -> String {
    let error = source.error.as_ref();
    let text = match source.standing {
        SourceStatus::UpToDate => {
            let until = match (source.collected_until, source.frontier) {
                (Some(until), _) => format!("up to date, collected until {until}"),
                (None, Some(_)) => "up to date, nothing was collected yet".to_owned(),
                (None, None) => "nothing was due yet".to_owned(),
            };
            let paused = source.paused.as_ref().map(|pause| format!("; paused {}", pause.text())).unwrap_or_default();
            format!("{until}; next due {}{paused}", source.next_due)
        }
        SourceStatus::Paused(pause) => format!("paused {}{}", PauseView::from(pause).text(), behind(source)),
        SourceStatus::Skipped(order) => format!("skipped {}{}", skipped(order), behind(source)),
        SourceStatus::Unrecorded(end) => format!("{}{}", unrecorded(end), behind(source)),
        SourceStatus::Claimed(owner) => format!("running elsewhere, {}{}", escaped(&owner.to_string()), behind(source)),
        SourceStatus::Quarantined(quarantine) => {
            format!("quarantined {}{}{}", quarantined(*quarantine), last_error(error), behind(source))
        }
        SourceStatus::CoolingDown(rest) => format!("cooling down, {}{}", resting(*rest, error), behind(source)),
        SourceStatus::Due => due(source),
    };
    let mark = match source.lateness {
        _ if is_caught_up(source) => "",
        Lateness::OnTime => "",
        Lateness::Late => " (late)",
        Lateness::Overdue => " (OVERDUE)",
        Lateness::Ahead => " (ahead of the clock)",
    };
    text + mark
}

/// Most spans of windows that are named in a list.
const SPANS: usize = 5;

/// `; without 1 window given up, 2026-…/2026-… by ann since 2026-…: why`, or nothing.
fn without(source: &SourceView<'_>) -> String {
    let spans = &source.given_up;
    if spans.is_empty() {
        return String::new();
    }
    let windows = spans.iter().map(|span| span.windows).sum();
    format!("; without {} given up, {}", count(windows, "window"), given_up(spans).join(", "))
}

/// `; 1 window held back: 2026-…/2026-… cooling down, until 2026-…: why`, or nothing.
fn held_back_of(source: &SourceView<'_>) -> String {
    let windows = &source.held_back;
    if windows.is_empty() {
        return String::new();
    }
    format!("; {} held back: {}", count(windows.len() as u64, "window"), held_back(windows).join(", "))
}

/// A text for each window that is missing and held back; the last says how many others there are.
pub(super) fn held_back(windows: &[HeldBackView<'_>]) -> Vec<String> {
    let mut texts: Vec<String> = windows.iter().take(SPANS).map(HeldBackView::text).collect();
    if let Some(more @ 1..) = windows.len().checked_sub(SPANS) {
        texts.push(format!("and {more} more"));
    }
    texts
}

impl HeldBackView<'_> {
    fn text(&self) -> String {
        let error = self.error.as_ref();
        let why = match self.standing {
            SourceStatus::Quarantined(quarantine) => format!("quarantined {}{}", quarantined(*quarantine), last_error(error)),
            SourceStatus::CoolingDown(rest) => format!("cooling down, {}", resting(*rest, error)),
            SourceStatus::Skipped(order) => format!("skipped {}", skipped(order)),
            SourceStatus::Unrecorded(end) => unrecorded(end),
            SourceStatus::Claimed(owner) => format!("running elsewhere, {}", escaped(&owner.to_string())),
            SourceStatus::Paused(_) | SourceStatus::UpToDate | SourceStatus::Due => "missing".to_owned(),
        };
        format!("{} {why}", self.window)
    }
}

/// A text for each span of windows that was given up; the last says how many others there are.
pub(super) fn given_up(spans: &[GivenUpView<'_>]) -> Vec<String> {
    let mut texts: Vec<String> = spans.iter().take(SPANS).map(GivenUpView::text).collect();
    if let Some(more @ 1..) = spans.len().checked_sub(SPANS) {
        texts.push(format!("and {more} more"));
    }
    texts
}

impl GivenUpView<'_> {
    fn text(&self) -> String {
        let again = if self.requested { " (requested again)" } else { "" };
        let Self { window, by, since, reason, .. } = self;
        format!("{window} by {} since {since}: {}{again}", by.excerpt(), reason.excerpt())
    }
}

impl PauseView<'_> {
    /// `by ann since 2026-…: why`.
    pub(in crate::show) fn text(&self) -> String {
        format!("by {} since {}: {}", self.by.excerpt(), self.since, self.reason.excerpt())
    }
}

/// `; 3 windows behind, from A to B`.
fn behind(source: &SourceView<'_>) -> String {
    if source.behind == 0 { String::new() } else { format!("; {}", backlog(source)) }
}

fn backlog(source: &SourceView<'_>) -> String {
    let span = source.missing.as_ref().map(|missing| format!(", {missing}")).unwrap_or_default();
    format!("{} behind{span}", count(source.behind, "window"))
}

fn due(source: &SourceView<'_>) -> String {
    let jobs = &source.jobs;
    let windows = jobs.iter().map(|job| job.windows).sum();
    if let Some(came_to) = source.came_to() {
        return after(source, came_to, windows);
    }
    let what = if source.behind == 0 { format!("{} requested", count(windows, "window")) } else { backlog(source) };
    let in_jobs = if jobs.is_empty() { "none now".to_owned() } else { format!("in {}", count(jobs.len() as u64, "job")) };
    let resumed = match jobs.iter().filter(|job| job.resumed).count() {
        0 => String::new(),
        resumed if resumed == jobs.len() => ", already started at the service".to_owned(),
        resumed => format!(", {resumed} of them already started at the service"),
    };
    let left = if source.left > 0 { format!("; {} left for later runs", source.left) } else { String::new() };
    let failed = source.error.as_ref().map(|error| format!("; failed before: {}", error.excerpt())).unwrap_or_default();
    let expected = source.prospect.as_ref().map(|words| format!(", {words}")).unwrap_or_default();
    format!("due, {what}, {in_jobs}{resumed}{expected}{left}{failed}")
}

/// `3 windows were due, 2026-…: 2 collected, 1 failed`, after a run.
fn after(source: &SourceView<'_>, came_to: CameTo, windows: u64) -> String {
    let CameTo { collected, failed, others } = came_to;
    let what = if source.behind == 0 { "requested" } else { "due" };
    let (windows, were) = (count(windows, "window"), if windows == 1 { "was" } else { "were" });
    let first = source.jobs.iter().map(|job| job.window.start.0).min();
    let span = first.zip(source.jobs.iter().map(|job| job.window.end.0).max());
    let span = span.map(|(start, end)| format!(", {}", Window { start, end })).unwrap_or_default();
    let outcome = match (collected, failed, others) {
        (_, 0, 0) => "collected".to_owned(),
        (0, _, 0) => "failed".to_owned(),
        _ => {
            let parts = [(collected, "collected"), (failed, "failed"), (others, "not done")];
            let parts = parts.into_iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!("{} {what}", grouped(number)));
            parts.collect::<Vec<_>>().join(", ")
        }
    };
    let left = if source.left > 0 { format!("; {} left for later runs", grouped(source.left)) } else { String::new() };
    format!("{windows} {were} {what}{span}: {outcome}{left}")
}

/// `17 records, reported (not verified)`, with what the collector said.
pub(in crate::show) fn collected(collected: &Collected) -> String {
    let records = match collected.records {
        None => "number of records unknown".to_owned(),
        Some(records) => u64::try_from(records).map_or_else(|_| format!("{records} records"), |records| count(records, "record")),
    };
    let seen = match collected.seen {
        Seen::Reported => "reported (not verified)",
        Seen::Verified => "verified",
    };
    let message = collected.message.as_ref().map(|message| format!(": {}", excerpt(message))).unwrap_or_default();
    format!("{records}, {seen}{message}")
}
