//! The breakers of a run's ETLs: what the schedule says of them, as it is to be recorded.

use std::collections::HashMap;

use chrono::Utc;

use super::context::RunContext;
use crate::plan::decide::plan::Plan;
use crate::plan::model::cooldown::Cooldown;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::remember::fingerprint;
use crate::plan::remember::stored_state::StoredState;
use crate::plan::run::schedule::{JobIndex, Notice};

/// What is to be remembered of a gap from now on, if its latest claim is still of this fence.
pub(super) type Refund = (GapKey, i64, FailureHistory);

pub(super) struct Breakers<'a> {
    context: &'a RunContext,
    plan: &'a Plan,
    stored: &'a StoredState,
    open: HashMap<EtlIndex, OpenBreaker>,
    /// The jobs of this run that failed, with what is remembered of their gaps.
    failed: HashMap<JobIndex, (i64, FailureHistory)>,
}

impl<'a> Breakers<'a> {
    pub(super) fn new(context: &'a RunContext, plan: &'a Plan, stored: &'a StoredState) -> Self {
        Self { context, plan, stored, open: stored.breakers.clone(), failed: HashMap::new() }
    }

    /// The breaker of an ETL, if it is open.
    pub(super) fn of(&self, etl: EtlIndex) -> Option<&OpenBreaker> {
        self.open.get(&etl)
    }

    /// A job failed for good, and this is remembered of its gap.
    pub(super) fn failed(&mut self, job: JobIndex, fence: i64, history: FailureHistory) {
        self.failed.insert(job, (fence, history));
    }

    /// A probe starts.
    pub(super) fn probes(&mut self, gap: Gap) {
        if let Some(breaker) = self.open.get_mut(&gap.etl) {
            breaker.probed = Some(self.context.catalogue.institutions.get(gap.bank).key.clone());
            breaker.probed_at = Some(Utc::now());
        }
    }

    /// Does what the schedule says. Returns the ETL whose breaker changed, and what is to be given back.
    pub(super) fn apply_notice(&mut self, notice: Notice) -> (EtlIndex, Vec<Refund>) {
        match notice {
            Notice::Opened { etl, banks, refund } => {
                let banks: Vec<String> = banks.iter().map(|bank| self.context.catalogue.institutions.get(*bank).key.clone()).collect();
                let name = &self.context.catalogue.etls[etl].name;
                tracing::warn!("{name} failed for {} in a row: the rest of it is deferred until it works again", banks.join(", "));
                let opened = OpenBreaker {
                    etl: name.clone(),
                    since: Utc::now(),
                    banks,
                    etl_digest: fingerprint::of_etl(&self.context.catalogue.etls[etl], &self.context.env_files),
                    probed: None,
                    probed_at: None,
                };
                self.open.insert(etl, opened);
                (etl, refund.into_iter().filter_map(|job| self.refund(job, 1)).collect())
            }
            Notice::Refund { etl, job } => (etl, self.refund(job, 1).into_iter().collect()),
            Notice::Closed(etl) => {
                self.open.remove(&etl);
                tracing::info!("{} works again", self.context.catalogue.etls[etl].name);
                (etl, self.probes_given_back(etl))
            }
        }
    }

    fn refund(&mut self, job: JobIndex, runs: u32) -> Option<Refund> {
        let (fence, history) = self.failed.get_mut(&job)?;
        *history = history.refunded(runs, &self.context.cooldown);
        Some((self.plan.jobs[job].key.clone(), *fence, history.clone()))
    }

    /// The ETL was broken, so that failed probes say nothing of their gaps.
    fn probes_given_back(&mut self, etl: EtlIndex) -> Vec<Refund> {
        let cooldown: &Cooldown = &self.context.cooldown;
        let name = &self.context.catalogue.etls[etl].name;
        let of_this_run: Vec<JobIndex> = self
            .failed
            .iter()
            .filter(|(job, (_, history))| self.plan.jobs[**job].report().is_some_and(|gap| gap.etl == etl) && history.probes > 0)
            .map(|(job, _)| *job)
            .collect();
        let mut refunds: Vec<Refund> = self
            .stored
            .gaps
            .values()
            .filter(|state| state.history.probes > 0 && matches!(&state.key, GapKey::Report { etl, .. } if etl == name))
            // Who is at it now records what comes of that.
            .filter(|state| !self.stored.running.contains_key(&state.key))
            .filter(|state| !of_this_run.iter().any(|job| self.plan.jobs[*job].key == state.key))
            .map(|state| (state.key.clone(), state.fence, state.history.refunded(state.history.probes, cooldown)))
            .collect();
        for job in of_this_run {
            let runs = self.failed.get(&job).map_or(0, |(_, history)| history.probes);
            refunds.extend(self.refund(job, runs));
        }
        refunds
    }
}
