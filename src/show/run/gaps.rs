//! How many reports are missing, by what is done about them.

use serde::Serialize;

use super::super::words::Time;
use crate::plan::decide::plan::Plan;
use crate::plan::model::etl::Etl;

#[derive(Debug, Serialize)]
pub(super) struct Gaps {
    pub(super) total: u64,
    pub(super) planned: usize,
    /// Those of the planned that need not wait for a probe.
    pub(super) startable: usize,
    pub(super) waiting: u64,
    pub(super) unrecorded: u64,
    pub(super) claimed: u64,
    pub(super) skipped: u64,
    pub(super) quarantined: u64,
    pub(super) cooling_down: u64,
    pub(super) behind_probe: u64,
    pub(super) deferred: u64,
    /// Made since an earlier `--force` asked for them, so that this one does not.
    pub(super) made_again: u64,
    #[serde(skip)]
    pub(super) forced_since: Option<Time>,
}

impl Gaps {
    pub(super) fn of(plan: &Plan, etls: &[Etl]) -> Self {
        Self {
            total: plan.gaps(),
            planned: plan.reports(),
            startable: plan.startable_reports(etls),
            waiting: plan.waiting.total,
            unrecorded: plan.unrecorded.total,
            claimed: plan.claimed.total,
            skipped: plan.skipped.total,
            quarantined: plan.quarantined.total,
            cooling_down: plan.cooling_down.total,
            behind_probe: plan.breakers.iter().map(|breaker| breaker.behind).sum(),
            deferred: plan.capped,
            made_again: plan.forced.made,
            forced_since: plan.forced.since.map(Time),
        }
    }
}
