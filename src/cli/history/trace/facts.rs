//! What the trace of a job is made from, gathered from the record and from the logs.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};

use super::super::super::exit::Failure;
use super::super::log_file::{LogFile, NoLog};
use crate::config::Config;
use crate::execute::was_not_written;
use crate::os::identity;
use crate::plan::model::etl::ReportsBy;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{JobState, RunState};
use crate::plan::remember::past::{JobQuery, PastAttempt, PastJob, PastLog, PastRun, PastStage, TimeSpan};
use crate::plan::remember::recorded_job::Unplaced;
use crate::plan::remember::source_state::{LastSuccess, SourceState};
use crate::plan::remember::trace::usual::{Usual, earlier};
use crate::plan::remember::trace::{JobFacts, Output, Publication, is_open};
use crate::store::Store;

/// Jobs that are looked at for the last successes before a job: others of its run were planned with it.
const LOOKED_AT: u32 = 50;

/// Where facts are gathered, and when.
pub(super) struct Gathering<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) config: &'a Config,
    pub(super) now: DateTime<Utc>,
}

/// The last successes of an ETL or a source, with their stages.
struct Successes {
    jobs: Vec<PastJob>,
    stages: Vec<PastStage>,
}

impl Gathering<'_> {
    /// The facts of jobs of one run.
    pub(super) async fn facts(&self, jobs: Vec<PastJob>, run: Option<&PastRun>) -> Result<Vec<JobFacts>, Failure> {
        let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
        let mut stages: BTreeMap<JobId, Vec<PastStage>> = BTreeMap::new();
        for stage in self.store.stages(&ids).await? {
            stages.entry(stage.job).or_default().push(stage);
        }
        let mut not_stored: BTreeMap<JobId, Vec<PastLog>> = BTreeMap::new();
        for (job, log) in self.store.not_stored(&ids).await? {
            not_stored.entry(job).or_default().push(log);
        }
        let successes = self.successes(&jobs).await?;
        let collects = jobs.iter().any(|job| !matches!(job.gap, GapKey::Report { .. }));
        let sources = if collects { self.store.source_states().await? } else { Vec::new() };
        let unplaced = self.store.unplaced(None).await?;
        let mut facts = Vec::with_capacity(jobs.len());
        for job in jobs {
            let mut outputs = Vec::new();
            for attempt in &job.attempts {
                outputs.push(self.output(&job, attempt, run).await?);
            }
            let usual = successes.get(job.gap.filled_by()).map(|past| Usual::new(&earlier(&past.jobs, &job), &past.stages));
            let etl = self.config.catalogue.etls.iter().find(|etl| etl.name == job.gap.filled_by());
            let is_report = matches!(job.gap, GapKey::Report { .. });
            facts.push(JobFacts {
                stages: stages.remove(&job.id).unwrap_or_default(),
                outputs,
                not_stored: not_stored.remove(&job.id).unwrap_or_default(),
                usual: usual.unwrap_or_default(),
                warn_after: etl.filter(|_| is_report).and_then(|etl| etl.warn_after),
                publication: self.publication(&job, run, &unplaced),
                collected: last_of(&sources, &job),
                now: self.now,
                job,
            });
        }
        Ok(facts)
    }

    /// The last successes of whatever these jobs are of.
    async fn successes(&self, jobs: &[PastJob]) -> Result<BTreeMap<String, Successes>, Failure> {
        let mut until: BTreeMap<&str, DateTime<Utc>> = BTreeMap::new();
        for job in jobs {
            let end = job.ended_at.unwrap_or(self.now);
            until.entry(job.gap.filled_by()).and_modify(|until| *until = end.max(*until)).or_insert(end);
        }
        let mut found = BTreeMap::new();
        for (filled_by, until) in until {
            // The end itself does not belong to a span.
            let planned = TimeSpan { since: None, until: Some(until + TimeDelta::milliseconds(1)) };
            let query = JobQuery {
                filled_by: vec![filled_by.to_owned()],
                states: vec![JobState::Succeeded],
                planned,
                limit: LOOKED_AT,
                ..JobQuery::default()
            };
            let jobs = self.store.jobs(&query).await?;
            let ids: Vec<JobId> = jobs.iter().map(|job| job.id).collect();
            let stages = self.store.stages(&ids).await?;
            found.insert(filled_by.to_owned(), Successes { jobs, stages });
        }
        Ok(found)
    }

    /// What became of the report of a job that succeeded, where etl-orch publishes it.
    fn publication(&self, job: &PastJob, run: Option<&PastRun>, unplaced: &[Unplaced]) -> Option<Publication> {
        if job.state != JobState::Succeeded {
            return None;
        }
        if let Some(Unplaced { destination, .. }) = unplaced.iter().find(|unplaced| unplaced.job == job.id) {
            let is_under_way = run.is_some_and(|run| run.state == RunState::Running);
            let state = if is_under_way { Publication::UnderWay } else { Publication::Left };
            return Some(state(destination.clone()));
        }
        let etl = self.config.catalogue.etls.iter().find(|etl| etl.name == job.gap.filled_by())?;
        let is_report = matches!(job.gap, GapKey::Report { .. });
        (is_report && matches!(etl.reports, ReportsBy::Orchestrator { .. })).then_some(Publication::Done)
    }

    /// What an attempt printed, by its log and by its last lines on record.
    async fn output(&self, job: &PastJob, attempt: &PastAttempt, run: Option<&PastRun>) -> Result<Output, Failure> {
        if attempt.outcome.is_none() && is_open(job.state) {
            return Ok(Output::UnderWay);
        }
        let tail = self.store.tail(job.id, attempt.n).await?;
        if tail.as_deref().is_some_and(was_not_written) {
            return Ok(Output::NotWritten);
        }
        let was_elsewhere = run.is_none_or(|run| run.host != identity::this_process().host);
        Ok(match LogFile::open(&self.config.state_dir, attempt, &self.config.retention) {
            Ok(log) => match log.left_out() {
                Ok(None) => Output::Whole,
                Ok(Some(bytes)) => Output::LeftOut(bytes),
                Err(error) => Output::Unknown(format!("cannot be read: {error}")),
            },
            Err(NoLog::Missing) => match tail.as_deref() {
                Some("") => Output::Silent,
                _ if was_elsewhere => Output::Unknown("is on another host".to_owned()),
                Some(_) => Output::Missing,
                None => Output::Unknown("is not there, and nothing on record says whether it printed anything".to_owned()),
            },
            Err(NoLog::NotKept(_)) if tail.as_deref() == Some("") => Output::Silent,
            Err(problem) => Output::Unknown(problem.to_string()),
        })
    }
}

/// What a job of a source collected: only the last success of a source is on record.
fn last_of(sources: &[SourceState], job: &PastJob) -> Option<LastSuccess> {
    let source = sources.iter().find(|source| source.source == job.gap.filled_by() && !matches!(job.gap, GapKey::Report { .. }))?;
    source.last.clone().filter(|last| Some(last.at) == job.ended_at)
}
