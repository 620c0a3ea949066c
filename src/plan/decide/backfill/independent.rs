//! Windows that do not depend on each other: each has a past of its own, and is held back by that alone.

use std::collections::HashSet;

use super::backlog::Backlog;
use super::{SourceFacts, rest};
use crate::plan::decide::source_plan::{HeldBack, SourceStatus};
use crate::plan::model::source::{CatchUp, Source};
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::remember::fingerprint::Fingerprint;
use crate::plan::remember::source_state::QueuedWindow;

/// What the pasts of windows come to.
#[derive(Default)]
pub(super) struct Pasts<'a> {
    /// Windows that are missing, or asked for again, and not to be tried now; oldest first.
    pub(super) held_back: Vec<HeldBack>,
    /// The worst of those that failed.
    pub(super) worst: Option<&'a FailureHistory>,
}

/// Looks at the past of each window in the queue. What an operator asked for is not held back by failures, nor is anything with `force`.
pub(super) fn pasts<'a>(
    source: &Source,
    missing: &Backlog<'_>,
    fingerprint: &Fingerprint,
    force: bool,
    facts: SourceFacts<'a>,
) -> Pasts<'a> {
    let mut pasts = Pasts::default();
    if source.catch_up != CatchUp::Independent {
        return pasts;
    }
    for row in missing.queued.iter().chain(&missing.again) {
        let key = source.gap_key(row.window);
        let history = facts.gaps.get(&key).map(|gap| &gap.history);
        if history.map(|history| history.failed_runs) > pasts.worst.map(|worst| worst.failed_runs) {
            pasts.worst = history;
        }
        if let Some(status) = obstacle(row, source, fingerprint, force, facts) {
            let failed_runs = history.map_or(0, |history| history.failed_runs);
            let error = history.and_then(|history| history.error.clone());
            pasts.held_back.push(HeldBack { window: row.window, status, failed_runs, error });
        }
    }
    pasts.held_back.sort_by_key(|held| held.window);
    pasts
}

fn obstacle(row: &QueuedWindow, source: &Source, fingerprint: &Fingerprint, force: bool, facts: SourceFacts<'_>) -> Option<SourceStatus> {
    let key = source.gap_key(row.window);
    let gap = facts.gaps.get(&key);
    if let Some(order) = gap.and_then(|gap| gap.skip.as_ref()).filter(|order| order.holds(facts.now)) {
        return Some(SourceStatus::Skipped(order.clone()));
    }
    if let Some(end) = facts.unrecorded.get(&key) {
        return Some(SourceStatus::Unrecorded(end.clone()));
    }
    if let Some(owner) = facts.running.get(&key) {
        return Some(SourceStatus::Claimed(owner.clone()));
    }
    rest(gap.filter(|_| !force && !row.is_urgent)?, fingerprint, facts.now)
}

impl Pasts<'_> {
    pub(super) fn windows(&self) -> HashSet<Window> {
        self.held_back.iter().map(|held| held.window).collect()
    }

    /// What is said of a source all of whose windows are held back: what ends first.
    pub(super) fn standing(&self) -> Option<SourceStatus> {
        let order = |status: &SourceStatus| match status {
            SourceStatus::Claimed(_) => (0, None),
            SourceStatus::Unrecorded(_) => (1, None),
            SourceStatus::CoolingDown(rest) => (2, Some(rest.until)),
            SourceStatus::Quarantined(quarantine) => (3, Some(quarantine.since)),
            SourceStatus::Skipped(_) | SourceStatus::Paused(_) | SourceStatus::UpToDate | SourceStatus::Due => (4, None),
        };
        self.held_back.iter().map(|held| &held.status).min_by_key(|status| order(status)).cloned()
    }
}
