//! What a success changes of its source's record and queue, for who looks ahead: a dry run, before the spool is recorded.

use chrono::{DateTime, Utc};

use crate::plan::remember::source_state::{LastSuccess, QueuedWindow, SourceState};

/// Records a success of a source as the database would: its windows are collected, and the frontier moves on over all that is
/// collected or given up in a row. It never moves back, nor over a hole. The queue may hold other sources' windows. (The gap's past is
/// forgotten as well; that is the caller's.)
pub fn record(state: &mut SourceState, queue: &mut Vec<QueuedWindow>, success: &LastSuccess) {
    let (id, window) = (&success.collected.source, success.collected.window);
    state.source.clone_from(id);
    for row in queue.iter_mut().filter(|row| row.source == *id && window.start <= row.window.start && row.window.end <= window.end) {
        row.is_collected = true;
        row.is_requested = false;
        row.is_urgent = false;
        row.remote_id = None;
        row.given_up = None;
    }
    if state.frontier.is_none_or(|frontier| window.start <= frontier && frontier < window.end) {
        state.frontier = Some(window.end);
    }
    move_frontier(state, queue, None);
    let frontier = state.frontier;
    queue.retain(|row| row.source != *id || !row.is_collected || frontier.is_none_or(|frontier| row.window.end > frontier));
    state.empty = match success.collected.records {
        Some(0) => state.empty.saturating_add(1),
        Some(_) => 0,
        None => state.empty,
    };
    state.last = Some(success.clone());
}

/// Moves the frontier of a source over what is collected or given up in a row, as the database does. A source without one begins at `begin`.
pub fn move_frontier(state: &mut SourceState, queue: &[QueuedWindow], begin: Option<DateTime<Utc>>) {
    state.frontier = state.frontier.or(begin);
    let is_passed = |row: &&QueuedWindow| row.source == state.source && !row.is_open();
    let mut passed: Vec<_> = queue.iter().filter(is_passed).map(|row| row.window).collect();
    passed.sort();
    for window in passed {
        state.frontier = state.frontier.map(|frontier| if window.start <= frontier { frontier.max(window.end) } else { frontier });
    }
}
