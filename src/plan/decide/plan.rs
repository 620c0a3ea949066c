//! The plan of one run: its jobs, their chains, and what is not made and why.

use std::collections::{BTreeMap, HashSet};

use chrono::{DateTime, Utc};

use crate::plan::decide::census::{Census, DataIssues};
use crate::plan::decide::decision::{Decided, Why};
use crate::plan::decide::source_plan::{SourcePlan, SourceStatus};
use crate::plan::model::collection::Collection;
use crate::plan::model::etl::{Etl, EtlIndex};
use crate::plan::model::gap::{Gap, GapKey};
use crate::plan::model::job::Owner;
use crate::plan::model::listed::Listed;
use crate::plan::model::orders::{Forced, PendingOrder};
use crate::plan::model::target::Target;
use crate::plan::remember::arrivals::NewlySeen;
use crate::plan::remember::failure_history::{Quarantine, Rest, SkipOrder};
use crate::plan::remember::fingerprint::Fingerprint;
use crate::plan::remember::unfinished::UnrecordedEnd;

/// What one run is to do, and what it found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Plan {
    /// The jobs in the order of their turns: of those that may start, the first one does.
    pub jobs: Vec<PlannedJob>,
    /// Positions in `jobs`, ascending: the jobs of a chain run one after the other.
    pub chains: Vec<Vec<usize>>,
    /// The ETLs in the selection, in order of declaration.
    pub etls: Vec<EtlIndex>,
    /// Gaps that wait for a report that they need.
    pub waiting: Listed<(GapKey, EtlIndex)>,
    /// Gaps whose job has ended, which the database does not have on record yet.
    pub unrecorded: Listed<(GapKey, UnrecordedEnd)>,
    /// Gaps that somebody else is filling.
    pub claimed: Listed<(GapKey, Owner)>,
    /// Gaps that an operator wants left alone; they are not counted as missing.
    pub skipped: Listed<(GapKey, SkipOrder)>,
    /// Gaps in quarantine, with their last error.
    pub quarantined: Listed<(GapKey, Quarantine, Option<String>)>,
    /// Gaps that rest, with their last error.
    pub cooling_down: Listed<(GapKey, Rest, Option<String>)>,
    /// ETLs that are taken for broken. Their gaps are among the jobs: the probe, and those that wait for it.
    pub breakers: Vec<BreakerPlan>,
    /// The sources in the selection, in order of declaration.
    pub sources: Vec<SourcePlan>,
    /// The decisions on gaps that are not made; with [`Planner::note_all`](super::planner::Planner::note_all) those on all gaps. At most
    /// [`MOST_NOTED`](super::planner::MOST_NOTED), the first by key.
    pub decided: BTreeMap<GapKey, Decided>,
    /// Orders that the jobs answer, at most one on each gap.
    pub orders: Vec<PendingOrder>,
    /// Gaps left for the next run by `max_jobs`.
    pub capped: u64,
    /// What `--force` asks for.
    pub forced: ForcedPlan,
    /// Reports that exist for the data that is available, in this selection.
    pub existing: u64,
    /// What is available.
    pub census: Census,
    /// What is seen for the first time of the data, by its tags.
    pub newly_seen: Vec<NewlySeen>,
    /// Rows and banks that a person should look at.
    pub data_issues: DataIssues,
}

impl Plan {
    /// The job at a position, which comes from this plan or from its schedule.
    #[must_use]
    pub fn job(&self, index: usize) -> &PlannedJob {
        &self.jobs[index]
    }

    /// How many of the jobs make a report.
    #[must_use]
    pub fn reports(&self) -> usize {
        self.jobs.iter().filter(|job| job.report().is_some()).count()
    }

    /// How many of these need not wait for a probe.
    #[must_use]
    pub fn startable_reports(&self, etls: &[Etl]) -> usize {
        self.jobs.iter().zip(self.waits_for_probe(etls)).filter(|(job, waits)| job.report().is_some() && !waits).count()
    }

    /// Of each job, whether it waits for the probe of a broken ETL: of its own, or of one whose report it needs from this run.
    #[must_use]
    pub fn waits_for_probe(&self, etls: &[Etl]) -> Vec<bool> {
        let mut waiting = HashSet::new();
        let mut waits = |job: &PlannedJob| {
            let Some(gap) = job.report() else { return false };
            let waits =
                job.gate == Gate::BehindProbe || etls[gap.etl].needs.iter().any(|need| waiting.contains(&Gap { etl: *need, ..gap }));
            if waits {
                waiting.insert(gap);
            }
            waits
        };
        // What a job needs comes before it.
        self.jobs.iter().map(&mut waits).collect()
    }

    /// Whether it is about sources alone: nobody asked for a report.
    #[must_use]
    pub fn is_of_sources_alone(&self) -> bool {
        self.etls.is_empty() && !self.sources.is_empty()
    }

    /// How many reports are missing (with `--force`: to be made), whether this run makes them or not.
    pub fn gaps(&self) -> u64 {
        let held_back = self.quarantined.total + self.cooling_down.total + self.capped;
        self.reports() as u64 + self.waiting.total + self.unrecorded.total + self.claimed.total + held_back
    }

    /// How many windows of sources are due and were not collected. As with reports, what an operator wants left alone is not
    /// missed.
    pub fn windows_behind(&self) -> u64 {
        let is_missed = |source: &&SourcePlan| match source.standing {
            SourceStatus::Paused(_) | SourceStatus::Skipped(_) => false,
            SourceStatus::UpToDate
            | SourceStatus::Unrecorded(_)
            | SourceStatus::Claimed(_)
            | SourceStatus::Quarantined(_)
            | SourceStatus::CoolingDown(_)
            | SourceStatus::Due => true,
        };
        self.sources.iter().filter(is_missed).map(|source| source.behind).sum()
    }

    /// Whether anything is missing, or to be made again.
    pub fn has_gaps(&self) -> bool {
        self.gaps() > 0 || self.windows_behind() > 0 || !self.jobs.is_empty()
    }

    /// Whether reports or windows are missing, those included that an operator wants left alone, and none of them may be made now.
    pub fn is_held_back(&self) -> bool {
        let is_behind = self.sources.iter().any(|source| source.behind > 0);
        self.jobs.is_empty() && (self.gaps() > 0 || self.skipped.total > 0 || is_behind)
    }
}

/// What a run with `--force` does about its order, and about earlier ones. Of a run without it all is empty.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct ForcedPlan {
    /// The order that is to be put on record before anything is started. Empty where an earlier one says all.
    pub order: Vec<Forced>,
    /// When the earliest order was given of which something is left.
    pub since: Option<DateTime<Utc>>,
    /// Reports that were made since then, and are not made again.
    pub made: u64,
}

/// What a run does about an ETL that is taken for broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BreakerPlan {
    pub etl: EtlIndex,
    pub since: DateTime<Utc>,
    /// The job that tries it; `None` when none of its gaps may be tried now.
    pub probe: Option<usize>,
    /// How many jobs wait for the probe.
    pub behind: u64,
    /// Why it failed last, as far as that is remembered.
    pub error: Option<String>,
}

/// Whether a job may start by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Gate {
    /// It may.
    #[default]
    Open,
    /// It may, and tries for others whether its ETL works again.
    Probe,
    /// Only after the probe of its ETL succeeded.
    BehindProbe,
}

/// One job of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedJob {
    /// What it fills.
    pub target: Target,
    /// The gap's name.
    pub key: GapKey,
    /// Why it is made.
    pub why: Why,
    /// Whether it may start by itself.
    pub gate: Gate,
    /// The fence of the gap's latest claim, 0 if there was none.
    pub planned_fence: i64,
    /// What it is made from and how, once that was looked up.
    pub fingerprint: Option<Fingerprint>,
}

impl PlannedJob {
    /// Which report it makes; `None` where it makes none.
    #[must_use]
    pub fn report(&self) -> Option<Gap> {
        match &self.target {
            Target::Report { gap, .. } => Some(*gap),
            Target::Collection(_) => None,
        }
    }

    /// What it collects; `None` where it makes a report.
    #[must_use]
    pub fn collection(&self) -> Option<&Collection> {
        match &self.target {
            Target::Report { .. } => None,
            Target::Collection(collection) => Some(collection),
        }
    }
}

impl AsRef<Target> for PlannedJob {
    fn as_ref(&self) -> &Target {
        &self.target
    }
}
