//! What is left of a run that is under way, from its record.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};

use super::schedule::JobIndex;
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{BreakerPlan, Gate, Plan, PlannedJob};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::Collection;
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::institution::BankIndex;
use crate::plan::model::period::Period;
use crate::plan::model::settings::{ChainBy, RunSettings};
use crate::plan::model::source::SourceIndex;
use crate::plan::model::target::Target;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::past::{PastJob, PastRun};

/// A run that is under way.
#[derive(Debug, Clone)]
pub struct RecordedRun {
    pub started_at: DateTime<Utc>,
    /// Its jobs that are not over.
    pub plan: Plan,
    /// Those of them that are under way, and since when.
    pub running: Vec<(JobIndex, DateTime<Utc>)>,
    /// Whether all of its jobs are known here: another configuration may have other banks.
    pub is_whole: bool,
}

/// What makes a chain.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum ChainKey {
    Bank(BankIndex, Option<Period>),
    Source(SourceIndex),
}

impl RecordedRun {
    /// A run, and its jobs that are not over: those that are under way first, then the others in the order of their turns.
    pub fn new(run: &PastRun, jobs: &[PastJob], breakers: &[OpenBreaker], catalogue: &Catalogue, settings: &RunSettings) -> Self {
        let (mut planned, mut running): (Vec<PlannedJob>, Vec<(JobIndex, DateTime<Utc>)>) = (Vec::new(), Vec::new());
        let mut chains: BTreeMap<ChainKey, Vec<JobIndex>> = BTreeMap::new();
        for job in jobs {
            let Some(target) = target_of(job, catalogue) else { continue };
            let chain = match &target {
                Target::Report { gap, .. } => ChainKey::Bank(gap.bank, (settings.chain_by == ChainBy::BankPeriod).then_some(gap.period)),
                Target::Collection(collection) => ChainKey::Source(collection.source),
            };
            chains.entry(chain).or_default().push(planned.len());
            running.extend(job.started_at.map(|since| (planned.len(), since)));
            let is_broken = matches!(&job.gap, GapKey::Report { etl, .. } if breakers.iter().any(|breaker| breaker.etl == *etl));
            planned.push(PlannedJob {
                target,
                key: job.gap.clone(),
                why: if job.forced { Why::Forced } else { Why::Missing },
                gate: if is_broken { Gate::BehindProbe } else { Gate::Open },
                planned_fence: 0,
                fingerprint: None,
            });
        }
        let broken = breakers.iter().filter_map(|breaker| {
            let etl = catalogue.etls.iter().position(|etl| etl.name == breaker.etl)?;
            Some(BreakerPlan { etl, since: breaker.since, probe: None, behind: 0, error: None })
        });
        let is_whole = planned.len() == jobs.len();
        let breakers = broken.collect();
        Self {
            started_at: run.started_at,
            plan: Plan { jobs: planned, chains: chains.into_values().collect(), breakers, ..Plan::default() },
            running,
            is_whole,
        }
    }
}

/// `None` where this configuration has no such bank, ETL or source.
fn target_of(job: &PastJob, catalogue: &Catalogue) -> Option<Target> {
    match &job.gap {
        GapKey::Report { bank, period, etl } => {
            let (bank, _) = catalogue.institutions.iter().find(|(_, monitored)| monitored.key == *bank)?;
            let etl = catalogue.etls.iter().position(|declared| declared.name == *etl)?;
            Some(Target::Report { gap: Gap { bank, period: *period, etl }, data_symbol: String::new() })
        }
        GapKey::Source(id) | GapKey::Window { source: id, .. } => {
            let source = catalogue.sources.iter().position(|declared| declared.id == *id)?;
            Some(Target::Collection(Collection { source, window: job.window?, windows: 1, remote_id: None }))
        }
        GapKey::Group { .. } => None,
    }
}
