//! How things stand after a run: which reports are still missing and what keeps them from being made, and how far sources are.

use chrono::{DateTime, Utc};

use crate::plan::decide::decision::Why;
use crate::plan::decide::source_plan::{Lateness, SourcePlan};
use crate::plan::model::job::JobState;
use crate::plan::model::source::SourceIndex;
use crate::plan::remember::failure_history::Eligibility;
use crate::plan::run::summary::RunSummary;

/// How things stand after a run, in its selection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Standing {
    /// Reports that exist for the data that is available.
    pub reports: u64,
    pub gaps: GapCounts,
    /// In order of declaration.
    pub sources: Vec<SourceStanding>,
}

/// Reports that are missing, each counted once.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct GapCounts {
    /// The next run may make them.
    pub pending: u64,
    /// They wait for a report that they need.
    pub waiting: u64,
    /// Somebody else is making them.
    pub running: u64,
    /// Their job has ended, but that is not on record.
    pub unrecorded: u64,
    pub cooling_down: u64,
    pub quarantined: u64,
    /// Left for a later run by `max_jobs`.
    pub capped: u64,
    /// An operator wants them left alone.
    pub skipped: u64,
}

/// How far a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceStanding {
    pub source: SourceIndex,
    /// The end of what was collected without a hole; `None` where nothing ever was.
    pub collected_until: Option<DateTime<Utc>>,
    /// Windows that are due and not collected.
    pub behind: u64,
    /// As it was before the run, unless the run has collected all that was missing.
    pub lateness: Lateness,
    pub is_paused: bool,
}

impl Standing {
    /// How things stand after a run; after a dry run as before.
    #[must_use]
    pub fn of(summary: &RunSummary) -> Self {
        let (plan, results) = (&summary.plan, summary.results.as_ref());
        let mut reports = plan.existing;
        let mut gaps = GapCounts {
            pending: 0,
            waiting: plan.waiting.total,
            running: plan.claimed.total,
            unrecorded: plan.unrecorded.total,
            cooling_down: plan.cooling_down.total,
            quarantined: plan.quarantined.total,
            capped: plan.capped,
            skipped: plan.skipped.total,
        };
        for (position, job) in plan.jobs.iter().enumerate().filter(|(_, job)| job.report().is_some()) {
            let result = results.and_then(|results| results.jobs.get(position));
            let existed = matches!(job.why, Why::Forced);
            match result.map(|result| (result.state, result.held)) {
                Some((JobState::Succeeded, _)) => reports += u64::from(!existed),
                _ if existed => {}
                Some((_, Eligibility::Resting(_))) => gaps.cooling_down += 1,
                Some((_, Eligibility::Quarantined(_))) => gaps.quarantined += 1,
                Some((_, Eligibility::Free)) | None => gaps.pending += 1,
            }
        }
        Self { reports, gaps, sources: plan.sources.iter().map(|source| of_source(summary, source)).collect() }
    }
}

impl GapCounts {
    /// The counts, each with the name of its state.
    #[must_use]
    pub fn by_state(&self) -> [(&'static str, u64); 8] {
        [
            ("pending", self.pending),
            ("waiting", self.waiting),
            ("running", self.running),
            ("unrecorded", self.unrecorded),
            ("cooling_down", self.cooling_down),
            ("quarantined", self.quarantined),
            ("capped", self.capped),
            ("skipped", self.skipped),
        ]
    }
}

fn of_source(summary: &RunSummary, source: &SourcePlan) -> SourceStanding {
    let is_collected = |job: &&_| summary.result_of(job).is_some_and(|result| result.state == JobState::Succeeded);
    let before = source.state.frontier.or(source.begin);
    // Windows behind one that was not collected do not move the frontier.
    let frontier = source.jobs.iter().filter(is_collected).fold(before, |until, job| match until {
        Some(until) if job.window.start > until => Some(until),
        Some(until) => Some(until.max(job.window.end)),
        None => Some(job.window.end),
    });
    let collected: u64 = source.jobs.iter().filter(is_collected).map(|job| job.windows).sum();
    SourceStanding {
        source: source.source,
        collected_until: if frontier == before { source.collected_until() } else { frontier },
        behind: source.behind.saturating_sub(collected),
        lateness: if source.lateness != Lateness::Ahead && summary.has_caught_up(source) { Lateness::OnTime } else { source.lateness },
        is_paused: source.state.paused.is_some(),
    }
}

#[cfg(test)]
mod tests;
