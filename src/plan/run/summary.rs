//! What a run came to: the facts that its summary shows.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::decide::plan::Plan;
use crate::plan::decide::source_plan::{Lateness, SourcePlan, SourceStatus};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::{Collected, Collection};
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{JobState, RunCounts};
use crate::plan::model::said::Metric;
use crate::plan::remember::failure_history::Eligibility;
use crate::plan::run::outlook::Outlook;
use crate::plan::text::span;

/// Everything that a summary shows, as text or JSON.
#[derive(Debug, Clone)]
pub struct RunSummary {
    /// `None` for a dry run, which is not recorded.
    pub run: Option<RunId>,
    /// Wall clock at the start.
    pub started_at: DateTime<Utc>,
    /// What was found and planned.
    pub plan: Plan,
    /// When the planned jobs are expected to have ended, where a dry run was asked for that.
    pub outlook: Option<Outlook>,
    /// The jobs that were executed; `None` for a dry run.
    pub results: Option<Results>,
    /// How many (bank, period, tag) were learnt from files; in a dry run: would be.
    pub synced: u64,
    /// Gaps whose owner died over them.
    pub lost: Vec<GapKey>,
    /// Ends of attempts that an earlier run could not record in the database, and that this one recorded (a dry run: would).
    pub respooled: u64,
    /// Ends that the database did not take from the spool.
    pub left: Vec<LeftEnd>,
    /// What a person should know.
    pub warnings: Vec<String>,
}

/// How a job ended, as it waits in the spool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeftEnd {
    pub gap: GapKey,
    /// Its file.
    pub path: PathBuf,
    /// Why it is not on record.
    pub why: String,
}

impl RunSummary {
    /// Whether something was done, failed or changed, or nothing of the data matches. What [lasts](super::lasting) is none of these.
    pub fn is_noteworthy(&self) -> bool {
        self.synced > 0
            || self.respooled > 0
            || self.has_unrecorded_ends()
            || !self.lost.is_empty()
            || self.plan.data_issues.unmatched.is_some()
            || self.results.as_ref().is_some_and(|results| !results.jobs.is_empty() || results.broken.is_some())
    }

    /// How a source's job ended in this run, where it was run.
    #[must_use]
    pub fn result_of(&self, job: &Collection) -> Option<&JobResult> {
        self.results.as_ref()?.jobs.get(self.position_of(job)?)
    }

    /// The position of a source's job in the plan.
    #[must_use]
    pub fn position_of(&self, job: &Collection) -> Option<usize> {
        let is_it = |other: &Collection| other.source == job.source && other.window == job.window;
        self.plan.jobs.iter().position(|planned| planned.collection().is_some_and(is_it))
    }

    /// Whether a source is on time after this run: it was, or the run has collected all that was missing.
    #[must_use]
    pub fn has_caught_up(&self, source: &SourcePlan) -> bool {
        let is_collected = |job: &Collection| self.result_of(job).is_some_and(|result| result.state == JobState::Succeeded);
        source.lateness == Lateness::OnTime || !source.jobs.is_empty() && source.left == 0 && source.jobs.iter().all(is_collected)
    }

    /// Whether an ETL requires what nobody supplies.
    #[must_use]
    pub fn has_unknown_tags(&self) -> bool {
        !self.plan.data_issues.names.unknown_tags.is_empty()
    }

    /// Whether jobs have ended that the database does not have on record: their ends are in the spool of this host, or of another.
    #[must_use]
    pub fn has_unrecorded_ends(&self) -> bool {
        let is_unrecorded = |source: &SourcePlan| matches!(source.standing, SourceStatus::Unrecorded(_));
        !self.left.is_empty() || self.plan.unrecorded.total > 0 || self.plan.sources.iter().any(is_unrecorded)
    }
}

/// What the jobs of a run came to.
#[derive(Debug, Clone, Default)]
pub struct Results {
    /// One for each job of the plan, in the same order.
    pub jobs: Vec<JobResult>,
    /// From the first start to the last end.
    pub duration: Duration,
    /// Whether the run was asked to stop before its end.
    pub stopped: bool,
    /// The jobs whose end the database could not take; it waits in the spool.
    pub spooled: Vec<usize>,
    /// Why the orchestrator itself could not go on.
    pub broken: Option<String>,
    /// The ETLs whose breaker is open at its end.
    pub open_breakers: BTreeSet<EtlIndex>,
}

/// What a job came to.
#[derive(Debug, Clone)]
pub struct JobResult {
    pub id: JobId,
    /// How it ended; still `Queued` if it never came to it.
    pub state: JobState,
    /// How many attempts it had.
    pub attempts: u32,
    /// Whether it failed because no attempt was left, and not because another could not help.
    pub exhausted: bool,
    /// From its first attempt to its end.
    pub duration: Duration,
    /// Why it did not succeed; of a success, what a person should know.
    pub reason: Option<String>,
    /// What is remembered of its gap now: whether the next run may try it.
    pub held: Eligibility,
    /// What its last attempt printed; `None` where there is nothing.
    pub log: Option<PathBuf>,
    /// What was collected, also where that is not on record.
    pub collected: Option<Collected>,
    /// What its attempts said, summed, by name.
    pub metrics: Vec<Metric>,
    /// Whether it was not done, or not tried again, because something could not be recorded, or not be looked at, in time.
    pub for_want_of_record: bool,
}

impl JobResult {
    /// What was collected and is on record so.
    #[must_use]
    pub fn collected(&self) -> Option<&Collected> {
        self.collected.as_ref().filter(|_| self.state == JobState::Succeeded)
    }
}

impl Results {
    /// A run that left work undone because of its database has not done what it should, also where the database has everything on
    /// record in the end.
    /// `trouble` is the database's error, if any is known.
    pub fn note_want_of_record(&mut self, trouble: Option<String>) {
        let undone = self.jobs.iter().filter(|job| job.for_want_of_record && job.state != JobState::Succeeded).count();
        if undone > 0 {
            let trouble = self.broken.take().or(trouble).unwrap_or_else(|| "the database did not answer for a while".to_owned());
            let jobs = if undone == 1 { "1 job was".to_owned() } else { format!("{undone} jobs were") };
            self.broken = Some(format!("{trouble}; {jobs} not done because of that"));
        }
    }

    /// The jobs that were cancelled before their first attempt, by the reason.
    #[must_use]
    pub fn not_started(&self) -> BTreeMap<&str, Vec<JobId>> {
        let mut by_reason: BTreeMap<&str, Vec<JobId>> = BTreeMap::new();
        for job in self.jobs.iter().filter(|job| job.state == JobState::Cancelled && job.attempts == 0) {
            by_reason.entry(job.reason.as_deref().unwrap_or_default()).or_default().push(job.id);
        }
        by_reason
    }

    /// The counts by state.
    pub fn counts(&self) -> RunCounts {
        let count = |state: JobState| self.jobs.iter().filter(|job| job.state == state).count() as u64;
        RunCounts {
            planned: self.jobs.len() as u64,
            succeeded: count(JobState::Succeeded),
            failed: count(JobState::Failed),
            skipped: count(JobState::Skipped),
            cancelled: count(JobState::Cancelled) + count(JobState::Queued),
        }
    }
}

/// Jobs that took longer than their ETL's `warn_after`, each in a sentence.
pub fn slow_jobs(plan: &Plan, results: &Results, catalogue: &Catalogue) -> Vec<String> {
    let jobs = plan.jobs.iter().zip(&results.jobs);
    jobs.filter_map(|(job, result)| {
        let limit = catalogue.etls[job.report()?.etl].warn_after.filter(|limit| result.duration > *limit)?;
        let took = span::brief(result.duration);
        Some(format!("{} took {took}, longer than warn_after {}", catalogue.label(job), span::exact(limit)))
    })
    .collect()
}

/// Jobs that succeeded, though something about it is odd, each in a sentence.
pub fn odd_successes(plan: &Plan, results: &Results, catalogue: &Catalogue) -> Vec<String> {
    let jobs = plan.jobs.iter().zip(&results.jobs).filter(|(_, result)| result.state == JobState::Succeeded);
    jobs.filter_map(|(job, result)| Some(format!("{}: {}", catalogue.label(job), result.reason.as_ref()?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::decide::decision::Why;
    use crate::plan::decide::plan::PlannedJob;
    use crate::plan::model::etl::Etl;
    use crate::plan::model::gap::{Gap, GapKey};
    use crate::plan::model::institution::Institutions;
    use crate::plan::model::target::Target;
    use crate::plan::test_support::{bank, etl, plan_of};
    use uuid::Uuid;

    #[test]
    fn a_job_over_its_limit_is_named() {
        let limit = Some(Duration::from_secs(600));
        let etls = vec![Etl { warn_after: limit, ..etl("call_summary", "Call Summary") }, etl("key_themes", "Key Themes")];
        let catalogue = Catalogue { institutions: Institutions::new(vec![bank("RY-CA", 1)]), etls, ..Catalogue::default() };
        let job = |etl| PlannedJob {
            target: Target::Report { gap: Gap { bank: 0, period: "2025Q2".parse().unwrap(), etl }, data_symbol: String::new() },
            key: GapKey::source("any"),
            why: Why::Missing,
            gate: crate::plan::decide::plan::Gate::Open,
            planned_fence: 0,
            fingerprint: None,
        };
        let result = |seconds| JobResult {
            id: JobId::new(Uuid::nil()),
            state: JobState::Succeeded,
            attempts: 1,
            exhausted: false,
            duration: Duration::from_secs(seconds),
            reason: None,
            held: Eligibility::Free,
            log: None,
            collected: None,
            metrics: Vec::new(),
            for_want_of_record: false,
        };
        let plan = plan_of(vec![job(0), job(0), job(1)], Vec::new());
        let results = Results { jobs: vec![result(600), result(754), result(9999)], ..Results::default() };
        assert_eq!(slow_jobs(&plan, &results, &catalogue), ["RY 2025 Q2 [call_summary] took 12m 34s, longer than warn_after 10m"]);
    }
}
