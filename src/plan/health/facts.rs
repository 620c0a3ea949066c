//! What a judgement is made from.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use crate::plan::decide::decision::{Decision, Why};
use crate::plan::decide::plan::Plan;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::RunState;
use crate::plan::run::summary::LeftEnd;

/// What a run without a selection finds, and what is on record beside it.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Wall clock.
    pub now: DateTime<Utc>,
    pub plan: &'a Plan,
    /// Ends of jobs that the database did not take.
    pub left: &'a [LeftEnd],
    /// What a run warns of, each in a sentence.
    pub warnings: &'a [String],
    pub runs: RecentRuns,
    /// Since when missing reports are known to be missing; a report that is not here was not seen to be missing before.
    pub missing_since: BTreeMap<GapKey, DateTime<Utc>>,
    /// What could not be looked at, each in a sentence.
    pub unseen: Vec<String>,
}

/// The runs that say whether anything runs at all.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecentRuns {
    /// The run that ended last by itself.
    pub last: Option<EndedRun>,
    /// Runs that are under way, as far as can be known from this host.
    pub active: Vec<OpenRun>,
    /// Runs whose process is gone and whose record no later run has closed.
    pub dead: Vec<OpenRun>,
}

/// A run that ended by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedRun {
    pub id: RunId,
    pub state: RunState,
    pub started_at: DateTime<Utc>,
    pub ended_at: DateTime<Utc>,
    /// Whether it came as far as to its jobs.
    pub has_counts: bool,
}

/// A run that is recorded as running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenRun {
    pub id: RunId,
    pub host: String,
    pub pid: u32,
    pub started_at: DateTime<Utc>,
}

/// The reports of a plan that are missing and that nobody wants left alone: of those that `max_jobs` cuts off nothing is known but their
/// number.
#[must_use]
pub fn missing_reports(plan: &Plan) -> BTreeSet<&GapKey> {
    let of_jobs = plan.jobs.iter().filter(|job| job.report().is_some() && job.why == Why::Missing).map(|job| &job.key);
    let is_missing = |decision: &Decision| match decision {
        Decision::Unrecorded(_)
        | Decision::Claimed(_)
        | Decision::Waiting(_)
        | Decision::Quarantined(_)
        | Decision::CoolingDown(_)
        | Decision::Deferred
        | Decision::Run(Why::Missing) => true,
        Decision::Invalid(_) | Decision::Filtered(_) | Decision::Done | Decision::Skipped(_) | Decision::Run(Why::Forced) => false,
    };
    let decided = plan.decided.iter().filter(|(_, decided)| !decided.exists && is_missing(&decided.decision)).map(|(key, _)| key);
    of_jobs.chain(decided).filter(|key| matches!(key, GapKey::Report { .. })).collect()
}
