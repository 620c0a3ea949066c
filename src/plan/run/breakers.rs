//! The breakers of a run's ETLs: what the schedule's notices change of them, and which failures are refunded.

use std::collections::{BTreeSet, HashMap};

use chrono::{DateTime, Utc};

use crate::plan::decide::plan::Plan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::cooldown::Cooldown;
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::settings::EnvFiles;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::remember::fingerprint;
use crate::plan::remember::stored_state::StoredState;
use crate::plan::run::schedule::{JobIndex, Notice};

/// What is to be remembered of a gap from now on, provided that no later claim was made on it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refund {
    pub gap: GapKey,
    /// The fence of its latest claim, as far as it is known here.
    pub fence: i64,
    /// Its history without the failures that are refunded.
    pub history: FailureHistory,
}

/// What the breakers of a run rest on.
#[derive(Debug, Clone, Copy)]
pub struct BreakerFacts<'a> {
    /// The banks and ETLs.
    pub catalogue: &'a Catalogue,
    /// The variables of `env_file`s: a breaker belongs to an ETL as it was set up when it opened.
    pub env_files: &'a EnvFiles,
    /// The jobs of the run.
    pub plan: &'a Plan,
    /// What was known before the run, its open breakers included.
    pub stored: &'a StoredState,
    /// How failures are charged, and so refunded.
    pub cooldown: Cooldown,
}

/// The breakers, and the failures of this run that may be refunded.
#[derive(Debug)]
pub struct Breakers<'a> {
    facts: BreakerFacts<'a>,
    open: HashMap<EtlIndex, OpenBreaker>,
    /// The jobs of this run that failed: the fence of each claim, and what is remembered of the gap.
    failed: HashMap<JobIndex, (i64, FailureHistory)>,
}

impl<'a> Breakers<'a> {
    /// As they are when the run begins.
    #[must_use]
    pub fn new(facts: BreakerFacts<'a>) -> Self {
        Self { facts, open: facts.stored.breakers.clone(), failed: HashMap::new() }
    }

    /// The breaker of an ETL, if it is open.
    #[must_use]
    pub fn of(&self, etl: EtlIndex) -> Option<&OpenBreaker> {
        self.open.get(&etl)
    }

    /// The ETLs whose breaker is open.
    #[must_use]
    pub fn open(&self) -> BTreeSet<EtlIndex> {
        self.open.keys().copied().collect()
    }

    /// A job failed for good: this is remembered of its gap, under the fence of its claim.
    pub fn failed(&mut self, job: JobIndex, fence: i64, history: FailureHistory) {
        self.failed.insert(job, (fence, history));
    }

    /// The probe of an ETL starts.
    pub fn probe_started(&mut self, probe: Gap, at: DateTime<Utc>) {
        if let Some(breaker) = self.open.get_mut(&probe.etl) {
            breaker.probed = Some(self.facts.catalogue.institutions.get(probe.bank).key.clone());
            breaker.probed_at = Some(at);
        }
    }

    /// Follows a notice of the schedule. Returns what it refunds, which is to be recorded with the breaker of
    /// [its ETL](Notice::etl).
    #[must_use]
    pub fn apply_notice(&mut self, notice: &Notice, at: DateTime<Utc>) -> Vec<Refund> {
        match notice {
            Notice::Opened { etl, banks, refund } => {
                let catalogue = self.facts.catalogue;
                let opened = OpenBreaker {
                    etl: catalogue.etls[*etl].name.clone(),
                    since: at,
                    banks: banks.iter().map(|bank| catalogue.institutions.get(*bank).key.clone()).collect(),
                    etl_digest: fingerprint::of_etl(&catalogue.etls[*etl], self.facts.env_files),
                    probed: None,
                    probed_at: None,
                };
                self.open.insert(*etl, opened);
                refund.iter().filter_map(|job| self.refund(*job, 1)).collect()
            }
            Notice::Refund { job, .. } => self.refund(*job, 1).into_iter().collect(),
            Notice::Closed(etl) => {
                self.open.remove(etl);
                self.refund_probes(*etl)
            }
        }
    }

    fn refund(&mut self, job: JobIndex, runs: u32) -> Option<Refund> {
        let (fence, history) = self.failed.get_mut(&job)?;
        *history = history.refunded(runs, &self.facts.cooldown);
        Some(Refund { gap: self.facts.plan.jobs[job].key.clone(), fence: *fence, history: history.clone() })
    }

    /// The ETL was broken, so that failed probes say nothing of their gaps: those of this run and of earlier ones.
    fn refund_probes(&mut self, etl: EtlIndex) -> Vec<Refund> {
        let BreakerFacts { catalogue, plan, stored, cooldown, .. } = self.facts;
        let is_probe = |(job, (_, history)): &(&JobIndex, &(i64, FailureHistory))| {
            history.probes > 0 && plan.jobs[**job].report().is_some_and(|gap| gap.etl == etl)
        };
        let of_this_run: Vec<(JobIndex, u32)> =
            self.failed.iter().filter(is_probe).map(|(job, (_, history))| (*job, history.probes)).collect();
        let is_of_this_run = |key: &GapKey| of_this_run.iter().any(|(job, _)| plan.jobs[*job].key == *key);
        let name = &catalogue.etls[etl].name;
        let mut refunds: Vec<Refund> = stored
            .gaps
            .values()
            .filter(|state| state.history.probes > 0 && matches!(&state.key, GapKey::Report { etl, .. } if etl == name))
            // Whoever is filling it now records what comes of that.
            .filter(|state| !stored.running.contains_key(&state.key) && !is_of_this_run(&state.key))
            .map(|state| Refund {
                gap: state.key.clone(),
                fence: state.fence,
                history: state.history.refunded(state.history.probes, &cooldown),
            })
            .collect();
        refunds.extend(of_this_run.into_iter().filter_map(|(job, probes)| self.refund(job, probes)));
        refunds
    }
}
