//! Whether a source is behind for too long.

use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};

use super::backlog::Backlog;
use crate::plan::decide::source_plan::{GivenUpSpan, Lateness, collected_until};
use crate::plan::model::source::Source;
use crate::plan::remember::failure_history::GapState;
use crate::plan::remember::source_state::SourceState;

/// Whether a source is behind for too long. One that never succeeded is late by its oldest missing window once it was tried, or
/// had the time to be: it must not look fine.
/// What was given up at the end of a source does not make it look collected.
pub(super) fn of(
    source: &Source,
    state: &SourceState,
    gap: Option<&GapState>,
    missing: &Backlog<'_>,
    given_up: &[GivenUpSpan],
    now: DateTime<Utc>,
) -> Lateness {
    let was_tried = gap.is_some_and(|gap| gap.history.is_tried()) || !missing.queued.is_empty();
    let since = match state.frontier {
        Some(frontier) if frontier > now => return Lateness::Ahead,
        Some(frontier) => Some(collected_until(frontier, given_up)),
        None => missing.span().map(|span| span.start).filter(|_| was_tried),
    };
    let Some(since) = since else { return Lateness::OnTime };
    let span = |span: Duration| TimeDelta::from_std(span).unwrap_or(TimeDelta::MAX);
    let age = now.signed_duration_since(since).checked_sub(&span(source.lag)).unwrap_or(TimeDelta::MIN);
    if age > span(source.error_after) {
        Lateness::Overdue
    } else if age > span(source.warn_after) {
        Lateness::Late
    } else {
        Lateness::OnTime
    }
}
