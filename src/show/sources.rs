//! A disclosure source: in the summary of a run, and on the page of `etl-orch sources`.

mod page;
#[cfg(test)]
mod tests;
mod text;
mod warnings;

pub use page::{ListedSource, SourcesView};

pub(super) use page::SourceEntry;
pub(super) use text::{collected, heading, lines, state};
pub(super) use warnings::warnings;

use std::fmt;

use serde::Serialize;

use super::blocked::OrderView;
use super::expected::{self, ExpectedView};
use super::names::by_name;
use super::run::JobOutcome;
use super::words::{Time, Untrusted};
use crate::plan::decide::source_plan::{GivenUpSpan, HeldBack, Lateness, SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::{Collected, Collection, Seen};
use crate::plan::model::job::{JobState, Owner};
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};
use crate::plan::remember::source_state::{GivenUp, Pause};
use crate::plan::run::summary::{JobResult, RunSummary};

/// A source and what is done about it.
#[derive(Debug, Serialize)]
pub(super) struct SourceView<'a> {
    id: &'a str,
    name: &'a str,
    #[serde(serialize_with = "by_name")]
    standing: &'a SourceStatus,
    behind: u64,
    missing: Option<Span>,
    left: u64,
    next_due: Time,
    given_up: Vec<GivenUpView<'a>>,
    held_back: Vec<HeldBackView<'a>>,
    order: Option<OrderView<'a>>,
    #[serde(serialize_with = "by_name")]
    pub(super) lateness: Lateness,
    frontier: Option<Time>,
    /// The end of what was collected; the frontier also passes what was given up.
    #[serde(skip)]
    collected_until: Option<Time>,
    paused: Option<PauseView<'a>>,
    skipped: Option<Skipped<'a>>,
    unrecorded: Option<Untrusted<'a>>,
    claimed: Option<Claimed<'a>>,
    quarantined: Option<Blocked>,
    cooling_down: Option<Blocked>,
    last: Option<LastView<'a>>,
    failed_runs: u32,
    error: Option<Untrusted<'a>>,
    jobs: Vec<Job<'a>>,
    /// When its last job is expected to have ended, in words.
    #[serde(skip)]
    prospect: Option<String>,
}

/// A time span of windows.
#[derive(Debug, Serialize)]
pub(super) struct Span {
    pub(super) start: Time,
    pub(super) end: Time,
}

/// A window that is missing and is not tried now.
#[derive(Debug, Serialize)]
pub(super) struct HeldBackView<'a> {
    window: Span,
    #[serde(serialize_with = "by_name")]
    standing: &'a SourceStatus,
    until: Option<Time>,
    failed_runs: u32,
    error: Option<Untrusted<'a>>,
}

/// Windows that an operator gave up: who, when and why.
#[derive(Debug, Serialize)]
pub(super) struct GivenUpView<'a> {
    window: Span,
    windows: u64,
    by: Untrusted<'a>,
    since: Time,
    reason: Untrusted<'a>,
    /// Somebody has asked for them again since.
    requested: bool,
}

/// Who paused a source, when and why.
#[derive(Debug, Serialize)]
pub(super) struct PauseView<'a> {
    by: Untrusted<'a>,
    since: Time,
    reason: Untrusted<'a>,
}

#[derive(Debug, Serialize)]
struct Skipped<'a> {
    by: Untrusted<'a>,
    since: Time,
    until: Option<Time>,
    reason: Untrusted<'a>,
}

#[derive(Debug, Serialize)]
struct Claimed<'a> {
    host: Untrusted<'a>,
    pid: u32,
}

/// A quarantine, or a rest with its end.
#[derive(Debug, Serialize)]
struct Blocked {
    why: &'static str,
    since: Time,
    until: Option<Time>,
}

/// The last success.
#[derive(Debug, Serialize)]
struct LastView<'a> {
    at: Time,
    #[serde(flatten)]
    view: CollectedView<'a>,
    #[serde(skip)]
    collected: &'a Collected,
}

#[derive(Debug, Serialize)]
struct CollectedView<'a> {
    window: Span,
    #[serde(serialize_with = "by_name")]
    seen: Seen,
    records: Option<i64>,
    message: Option<Untrusted<'a>>,
}

#[derive(Debug, Serialize)]
struct Job<'a> {
    gap: String,
    window: Span,
    windows: u64,
    resumed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    expected: Option<ExpectedView>,
    result: Option<FinishedCollection<'a>>,
}

#[derive(Debug, Serialize)]
struct FinishedCollection<'a> {
    #[serde(flatten)]
    outcome: JobOutcome<'a>,
    collected: Option<CollectedView<'a>>,
}

/// Windows that a run tried, or was to try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct CameTo {
    collected: u64,
    failed: u64,
    /// Skipped, cancelled or not begun.
    others: u64,
}

impl<'a> SourceView<'a> {
    /// The view of a source; `result` finds how a job of it ended, where it was run.
    pub(super) fn new(plan: &'a SourcePlan, catalogue: &'a Catalogue, result: impl Fn(&Collection) -> Option<&'a JobResult>) -> Self {
        let source = catalogue.source(plan.source);
        let job = |job: &Collection| Job {
            gap: source.gap_key(job.window).to_string(),
            window: job.window.into(),
            windows: job.windows,
            resumed: job.remote_id.is_some(),
            expected: None,
            result: result(job).map(|result| FinishedCollection {
                outcome: JobOutcome::new(result),
                collected: result.collected().map(CollectedView::from),
            }),
        };
        let status = &plan.standing;
        Self {
            id: &source.id,
            name: &source.name,
            standing: status,
            behind: plan.behind,
            missing: plan.missing.map(Span::from),
            left: plan.left,
            next_due: Time(plan.next_due),
            given_up: plan.given_up.iter().map(GivenUpView::from).collect(),
            order: plan.order.as_ref().map(OrderView::from),
            held_back: plan.held_back.iter().map(HeldBackView::from).collect(),
            lateness: plan.lateness,
            frontier: plan.state.frontier.map(Time),
            collected_until: plan.collected_until().map(Time),
            paused: plan.state.paused.as_ref().map(PauseView::from),
            skipped: if let SourceStatus::Skipped(order) = status { Some(order.into()) } else { None },
            unrecorded: if let SourceStatus::Unrecorded(end) = status { Some(end.why.as_str().into()) } else { None },
            claimed: if let SourceStatus::Claimed(owner) = status { Some(owner.into()) } else { None },
            quarantined: if let SourceStatus::Quarantined(quarantine) = status { Some((*quarantine).into()) } else { None },
            cooling_down: if let SourceStatus::CoolingDown(rest) = status { Some((*rest).into()) } else { None },
            last: plan.state.last.as_ref().map(|last| LastView {
                at: Time(last.at),
                view: (&last.collected).into(),
                collected: &last.collected,
            }),
            failed_runs: plan.failed_runs,
            error: plan.error.as_deref().map(Untrusted::from),
            jobs: plan.jobs.iter().map(job).collect(),
            prospect: None,
        }
    }

    /// The view of a source in a run, or in a dry run that may say what is expected.
    pub(super) fn of_run(plan: &'a SourcePlan, catalogue: &'a Catalogue, summary: &'a RunSummary) -> Self {
        let mut view = Self::new(plan, catalogue, |job| summary.result_of(job));
        if let Some(outlook) = &summary.outlook {
            let prospect = |job: &Collection| outlook.planned.of_job(summary.position_of(job)?);
            for (view, job) in view.jobs.iter_mut().zip(&plan.jobs) {
                view.expected = ExpectedView::of(prospect(job));
            }
            view.prospect = expected::words(plan.jobs.last().and_then(prospect), outlook.now);
        }
        view
    }

    /// What its jobs came to; `None` where none was run.
    fn came_to(&self) -> Option<CameTo> {
        let windows = |is: fn(&JobState) -> bool| {
            let results = self.jobs.iter().filter(|job| job.result.as_ref().is_some_and(|result| is(&result.outcome.state)));
            results.map(|job| job.windows).sum()
        };
        let all: u64 = self.jobs.iter().map(|job| job.windows).sum();
        let (collected, failed) = (windows(|state| *state == JobState::Succeeded), windows(|state| *state == JobState::Failed));
        let is_run = self.jobs.iter().any(|job| job.result.is_some());
        is_run.then_some(CameTo { collected, failed, others: all.saturating_sub(collected + failed) })
    }

    /// Whether it is up to date and nothing else needs to be shown.
    fn is_fine(&self) -> bool {
        *self.standing == SourceStatus::UpToDate
            && self.lateness == Lateness::OnTime
            && self.frontier.is_some()
            && self.paused.is_none()
            && self.given_up.is_empty()
    }
}

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Window { start: self.start.0, end: self.end.0 }.fmt(f)
    }
}

impl From<Window> for Span {
    fn from(window: Window) -> Self {
        Self { start: Time(window.start), end: Time(window.end) }
    }
}

impl<'a> From<&'a HeldBack> for HeldBackView<'a> {
    fn from(held: &'a HeldBack) -> Self {
        Self {
            window: held.window.into(),
            standing: &held.status,
            until: if let SourceStatus::CoolingDown(rest) = &held.status { Some(Time(rest.until)) } else { None },
            failed_runs: held.failed_runs,
            error: held.error.as_deref().map(Untrusted::from),
        }
    }
}

impl<'a> From<&'a GivenUpSpan> for GivenUpView<'a> {
    fn from(span: &'a GivenUpSpan) -> Self {
        let GivenUp { since, by, reason } = &span.order;
        let (by, reason) = (by.as_str().into(), reason.as_str().into());
        Self { window: span.window.into(), windows: span.windows, by, since: Time(*since), reason, requested: span.is_requested }
    }
}

impl<'a> From<&'a Pause> for PauseView<'a> {
    fn from(pause: &'a Pause) -> Self {
        Self { by: pause.by.as_str().into(), since: Time(pause.since), reason: pause.reason.as_str().into() }
    }
}

impl<'a> From<&'a SkipOrder> for Skipped<'a> {
    fn from(order: &'a SkipOrder) -> Self {
        let (by, reason) = (order.by.as_str().into(), order.reason.as_str().into());
        Self { by, since: Time(order.since), until: order.until.map(Time), reason }
    }
}

impl<'a> From<&'a Owner> for Claimed<'a> {
    fn from(owner: &'a Owner) -> Self {
        Self { host: owner.host.as_str().into(), pid: owner.pid }
    }
}

impl From<Quarantine> for Blocked {
    fn from(quarantine: Quarantine) -> Self {
        Self { why: quarantine.why.name(), since: Time(quarantine.since), until: None }
    }
}

impl From<Rest> for Blocked {
    fn from(rest: Rest) -> Self {
        Self { why: rest.why.name(), since: Time(rest.since), until: Some(Time(rest.until)) }
    }
}

impl<'a> From<&'a Collected> for CollectedView<'a> {
    fn from(collected: &'a Collected) -> Self {
        Self {
            window: collected.window.into(),
            seen: collected.seen,
            records: collected.records,
            message: collected.message.as_deref().map(Untrusted::from),
        }
    }
}
