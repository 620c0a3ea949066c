//! Which windows an order to give up is on, and which stand given up.

use chrono::{DateTime, Utc};

use super::backlog::Backlog;
use crate::plan::decide::source_plan::GivenUpSpan;
use crate::plan::model::orders::SourceOrderKind;
use crate::plan::model::source::Source;
use crate::plan::model::window::Window;
use crate::plan::remember::source_state::{QueuedWindow, SourceState};

/// The order to give up what is missing of a source within a span. The order has no window where nothing is.
#[must_use]
pub fn give_up(source: &Source, state: &SourceState, queue: &[QueuedWindow], span: Window, now: DateTime<Utc>) -> SourceOrderKind {
    let missing = Backlog::find(source, state, queue, now);
    let windows = missing.within(span);
    let begin = missing.begin_with(&windows, state);
    SourceOrderKind::GiveUp { windows, begin }
}

/// What was given up of a source and was not collected since, oldest first. Windows in a row of one order are one span.
pub(super) fn spans(source: &Source, queue: &[QueuedWindow]) -> Vec<GivenUpSpan> {
    let mut spans: Vec<GivenUpSpan> = Vec::new();
    let mut rows: Vec<&QueuedWindow> = queue.iter().filter(|row| row.source == source.id && !row.is_collected).collect();
    rows.sort_by_key(|row| row.window);
    for row in rows {
        let Some(given_up) = &row.given_up else { continue };
        match spans.last_mut() {
            Some(last) if last.window.end == row.window.start && last.order == *given_up && last.is_requested == row.is_requested => {
                last.window.end = row.window.end;
                last.windows += 1;
            }
            Some(_) | None => {
                let order = given_up.clone();
                spans.push(GivenUpSpan { window: row.window, windows: 1, order, is_requested: row.is_requested });
            }
        }
    }
    spans
}
