//! The windows of a source that are due and not collected.

use std::collections::HashSet;

use chrono::{DateTime, TimeDelta, Utc};

use super::{due_by, due_end};
use crate::plan::model::source::Source;
use crate::plan::model::window::Window;
use crate::plan::remember::source_state::{QueuedWindow, SourceState};
use crate::plan::text::placeholder::Placeholder;

/// What is missing: windows of the queue, and spans of which no window is in it.
pub(super) struct Backlog<'a> {
    source: &'a Source,
    /// What ended here or before is due.
    due_by: DateTime<Utc>,
    /// What ended here or before was collected, or is before the begin that configuration gives the source.
    frontier: Option<DateTime<Utc>>,
    /// What is to be collected of the queue, oldest first.
    pub(super) queued: Vec<&'a QueuedWindow>,
    /// What of the queue is before the frontier and is to be collected all the same, oldest first.
    pub(super) again: Vec<&'a QueuedWindow>,
    /// Due, and not in the queue; oldest first.
    uncovered: Vec<Window>,
    /// No window that ends here or before will become due.
    horizon: DateTime<Utc>,
    /// Where the first of what is missing begins or, where nothing is, the next window.
    begin: DateTime<Utc>,
}

impl<'a> Backlog<'a> {
    /// What is missing of a source.
    pub(super) fn find(source: &'a Source, state: &SourceState, queue: &'a [QueuedWindow], now: DateTime<Utc>) -> Self {
        let mut rows: Vec<&QueuedWindow> = queue.iter().filter(|row| row.source == source.id).collect();
        rows.sort_by_key(|row| row.window);
        let end = due_end(source, now);
        let first = source.start.map(|start| source.cadence.starting_at_or_before(start));
        let begin = state.frontier.or(first).unwrap_or_else(|| first_begin(source, end, &rows));
        let uncovered = Window::new(begin, end).map_or_else(Vec::new, |span| without(span, &rows));
        let due_by = due_by(source, now);
        // What is before the frontier was collected by somebody else. What is not due would be collected in part. But a job that a
        // service has begun is followed to its end.
        let frontier = state.frontier.or(first);
        let is_stale = |row: &QueuedWindow| is_before(row.window, frontier);
        let is_due = |row: &QueuedWindow| row.window.end <= due_by && (row.is_requested || !is_stale(row));
        let is_wanted = |row: &QueuedWindow| row.is_open() && (row.remote_id.is_some() || is_due(row));
        let (again, queued) = rows.into_iter().filter(|row| is_wanted(row)).partition(|row| is_stale(row));
        Self { source, due_by, frontier, queued, again, uncovered, horizon: begin.max(end), begin }
    }

    /// Whether nothing is.
    pub(super) fn is_none(&self) -> bool {
        self.queued.is_empty() && self.again.is_empty() && self.uncovered.is_empty()
    }

    /// Whether all of it is among these windows.
    pub(super) fn is_all_in(&self, windows: &HashSet<Window>) -> bool {
        self.uncovered.is_empty() && self.queued.iter().chain(&self.again).all(|row| windows.contains(&row.window))
    }

    /// Whether a window is before all that is missing.
    pub(super) fn is_before_frontier(&self, window: Window) -> bool {
        is_before(window, self.frontier)
    }

    /// Whether an operator asked for some of it, and it was not tried since.
    pub(super) fn is_urgent(&self) -> bool {
        self.queued.iter().chain(&self.again).any(|row| row.is_urgent)
    }

    /// The windows that are not in the queue, oldest first.
    pub(super) fn not_queued(&self) -> impl Iterator<Item = Window> {
        self.uncovered.iter().flat_map(|span| self.years(*span)).flat_map(|span| self.source.cadence.windows_between(span))
    }

    /// How many windows are missing.
    pub(super) fn count(&self) -> u64 {
        let uncovered = self.uncovered.iter().flat_map(|span| self.years(*span)).map(|span| self.source.cadence.count_between(span));
        self.queued.len() as u64 + uncovered.sum::<u64>()
    }

    /// From the first of them to the last.
    pub(super) fn span(&self) -> Option<Window> {
        let windows = || self.queued.iter().map(|row| row.window).chain(self.uncovered.iter().copied());
        Window::new(windows().map(|window| window.start).min()?, windows().map(|window| window.end).max()?)
    }

    /// What of it has an instant in common with a span: of the queue, or not in it yet.
    pub(super) fn within(&self, span: Window) -> Vec<Window> {
        let queued = self.queued.iter().chain(&self.again).map(|row| row.window).filter(|window| window.overlaps(span));
        // Where a year ends within a window, or the frontier is in one, only that part of it is missing.
        let uncovered = self.uncovered.iter().flat_map(|missing| self.years(*missing)).filter_map(|missing| {
            let (start, end) = (missing.start.max(span.start), missing.end.min(span.end));
            Window::new(start, end)
        });
        let mut windows: Vec<Window> = queued.chain(uncovered.flat_map(|span| self.source.cadence.windows_between(span))).collect();
        windows.sort();
        windows
    }

    /// Where the first of what is missing begins, if anything is.
    pub(super) fn begin(&self) -> Option<DateTime<Utc>> {
        (!self.is_none()).then_some(self.begin)
    }

    /// Where the source begins, if nothing was collected of it and it begins with one of these windows, which are sorted.
    pub(super) fn begin_with(&self, windows: &[Window], state: &SourceState) -> Option<DateTime<Utc>> {
        let first = windows.first()?.start;
        (state.frontier.is_none() && first <= self.begin).then_some(first)
    }

    /// The last window that is due, to be collected again, unless it is among what is missing.
    pub(super) fn last(&self) -> Vec<Window> {
        let last = self.source.cadence.last_ended(self.due_by);
        let is_missing = |window: &Window| {
            self.queued.iter().map(|row| row.window).chain(self.uncovered.iter().copied()).any(|row| row.overlaps(*window))
        };
        last.filter(|last| !is_missing(last)).map_or_else(Vec::new, |last| self.years(last))
    }

    /// When the next window is due that is not yet.
    pub(super) fn next_due(&self) -> DateTime<Utc> {
        let lag = TimeDelta::from_std(self.source.lag).unwrap_or(TimeDelta::MAX);
        self.source.cadence.next_after(self.horizon).checked_add_signed(lag).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// A span, cut at new years where the source uses `{window_year}`.
    fn years(&self, span: Window) -> Vec<Window> {
        if self.source.uses(Placeholder::WindowYear) { self.source.cadence.years_between(span).collect() } else { vec![span] }
    }
}

fn is_before(window: Window, frontier: Option<DateTime<Utc>>) -> bool {
    frontier.is_some_and(|frontier| window.end <= frontier)
}

/// Where a source without `start:` begins of which nothing was ever collected: with its last window. But a window that was put in
/// the queue before is not forgotten, nor what came after it; nor does a clock that went backwards begin anew before it.
fn first_begin(source: &Source, end: DateTime<Utc>, rows: &[&QueuedWindow]) -> DateTime<Utc> {
    let last_window = || source.cadence.last_ended(end).map_or(end, |last| last.start);
    rows.first().map_or_else(last_window, |row| row.window.start)
}

/// What is left of a span without these windows, which are sorted.
fn without(span: Window, rows: &[&QueuedWindow]) -> Vec<Window> {
    let mut left = Vec::new();
    let mut at = span.start;
    for row in rows {
        left.extend(Window::new(at, row.window.start.min(span.end)));
        at = at.max(row.window.end);
    }
    left.extend(Window::new(at, span.end));
    left
}
