//! Keeps the changes of breakers that are still to be recorded. They are recorded one at a time, as a later record of a breaker replaces an
//! earlier one.

use std::collections::{BTreeMap, BTreeSet};

use chrono::Utc;

use super::super::context::RunContext;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::run::breakers::{Breakers, Refund};
use crate::plan::run::schedule::{JobIndex, Notice};

/// The breakers of a run, and what is not on record yet.
#[derive(Debug)]
pub(super) struct BreakerRecords<'a> {
    breakers: Breakers<'a>,
    /// ETLs whose breaker changed, and what is to be remembered of gaps with it.
    unrecorded: BTreeMap<EtlIndex, BTreeMap<GapKey, Refund>>,
    is_under_way: bool,
}

/// A breaker as it is to be recorded.
#[derive(Debug)]
pub(super) struct BreakerRecord {
    etl: EtlIndex,
    breaker: Option<OpenBreaker>,
    refunds: Vec<(GapKey, i64, FailureHistory)>,
}

impl<'a> BreakerRecords<'a> {
    pub(super) fn new(breakers: Breakers<'a>) -> Self {
        Self { breakers, unrecorded: BTreeMap::new(), is_under_way: false }
    }

    /// The ETLs whose breaker is open.
    pub(super) fn open(&self) -> BTreeSet<EtlIndex> {
        self.breakers.open()
    }

    /// The probe of an ETL starts.
    pub(super) fn probe_started(&mut self, probe: Gap) {
        self.breakers.probe_started(probe, Utc::now());
        self.unrecorded.entry(probe.etl).or_default();
    }

    /// A job failed for good. `history` was recorded for its gap under `fence`.
    pub(super) fn failed(&mut self, job: JobIndex, fence: i64, history: FailureHistory) {
        self.breakers.failed(job, fence, history);
    }

    /// Follows a notice of the schedule.
    pub(super) fn apply_notice(&mut self, notice: &Notice) {
        let refunds = self.breakers.apply_notice(notice, Utc::now());
        let unrecorded = self.unrecorded.entry(notice.etl()).or_default();
        unrecorded.extend(refunds.into_iter().map(|refund| (refund.gap.clone(), refund)));
    }

    /// The next change to record; `None` while another one is being recorded. Call [`recorded`](Self::recorded) once it is.
    pub(super) fn next(&mut self) -> Option<BreakerRecord> {
        if self.is_under_way {
            return None;
        }
        let (etl, refunds) = self.unrecorded.pop_first()?;
        self.is_under_way = true;
        let refunds = refunds.into_values().map(|Refund { gap, fence, history }| (gap, fence, history)).collect();
        Some(BreakerRecord { etl, breaker: self.breakers.of(etl).cloned(), refunds })
    }

    /// The record that was under way is done.
    pub(super) fn recorded(&mut self) {
        self.is_under_way = false;
    }
}

impl BreakerRecord {
    /// Records it. A failure is only logged: nothing but the order in which gaps are tried depends on it.
    pub(super) async fn write(self, context: &RunContext) {
        let name = &context.catalogue.etl(self.etl).name;
        let recorded = context.ledger.insist(|| context.store.set_breaker(name, self.breaker.as_ref(), &self.refunds)).await;
        if let Err(error) = recorded {
            tracing::warn!(etl = name, "the breaker of {name} could not be recorded: {error}");
        }
    }
}
