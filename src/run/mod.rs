//! One invocation: recover, learn what is available, plan, execute (specification §6).
//!
//! Takes checked values and the ports; knows neither files of configuration nor what is printed.

mod attempt;
mod dispatch;
mod host;
pub mod lock;
mod output;
mod planning;
mod recover;
pub mod signals;
mod sync;
mod workshop;

use std::path::PathBuf;
use std::sync::Arc;

use chrono::{DateTime, Utc};
use tokio::sync::watch;
use tokio::time::Instant;
use uuid::Uuid;

pub use host::this_process;

use crate::execute::{Executor, Stop};
use crate::plan::decision::Why;
use crate::plan::etl::{Etl, writes_reports};
use crate::plan::event::Event;
use crate::plan::ids::{JobId, RunId};
use crate::plan::institution::Institutions;
use crate::plan::job::{NewJob, NewRun, RunCounts, RunState};
use crate::plan::planner::{Plan, PlannedJob};
use crate::plan::report::{self, Results, RunReport};
use crate::plan::schedule::Schedule;
use crate::plan::selection::Selection;
use crate::plan::settings::{RunSettings, SyncRule, Variables};
use crate::store::{Available, Store, StoreError};
use dispatch::Dispatch;
use planning::Subject;
use workshop::Workshop;

/// Everything that an invocation works with.
pub struct Invocation {
    /// Its id, should it be recorded.
    pub id: RunId,
    /// The monitored banks.
    pub institutions: Institutions,
    /// The ETLs.
    pub etls: Vec<Etl>,
    /// The variables of each ETL's `env_file`, in the order of `etls`.
    pub env_files: Vec<Variables>,
    /// How it goes about its work.
    pub settings: RunSettings,
    /// What it was asked to look at.
    pub selection: Selection,
    /// `--fail-fast`.
    pub fail_fast: bool,
    /// Where availability is learnt from files.
    pub sync: Vec<SyncRule>,
    /// Directory for logs and workspaces.
    pub state_dir: PathBuf,
    /// The options, for the record.
    pub options: serde_json::Value,
    /// The database.
    pub store: Arc<dyn Store>,
    /// What starts the programs.
    pub executor: Arc<dyn Executor>,
    /// Who is told what happens.
    pub events: Arc<dyn Fn(Event) + Send + Sync>,
}

/// The orchestrator could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The files that availability is learnt from cannot be read.
    #[error("cannot look for files of availability.sync: {0}")]
    Sync(std::io::Error),
}

impl Invocation {
    /// Finds out what a run would do. Takes no lock and changes nothing: recovery and sync are done in memory.
    ///
    /// # Errors
    /// When the database or a directory cannot be read.
    pub async fn dry_run(&self) -> Result<RunReport, RunError> {
        let started_at = Utc::now();
        let learnt = sync::learn(&self.sync, &self.institutions).map_err(RunError::Sync)?;
        self.check_tables().await?;
        let found = recover::look(&*self.store).await?;
        let news = self.store.not_yet_available(&learnt.available).await?;
        let synced = news.len() as u64;
        let plan = planning::plan(&*self.store, self.subject(), &found.running, news).await?;
        Ok(RunReport { run: None, started_at, plan, results: None, synced, lost: found.lost, warnings: learnt.warnings })
    }

    /// Does what there is to do. `since` is when the lock was taken, or the start without one.
    ///
    /// # Errors
    /// When the database or a directory cannot be read before anything was started; later trouble stands in the report.
    pub async fn run(&self, stop: watch::Receiver<Stop>, since: Instant) -> Result<RunReport, RunError> {
        let started_at = Utc::now();
        let learnt = sync::learn(&self.sync, &self.institutions).map_err(RunError::Sync)?;
        self.check_tables().await?;
        let found = recover::recover(&*self.store).await?;
        self.store.begin_run(&self.record(started_at)).await?;
        let worked = self.work(&learnt.available, &found, stop, since, started_at).await;
        let (state, counts) = match &worked {
            Ok((_, _, results)) => (state(results), results.counts()),
            Err(_) => (RunState::Failed, RunCounts::default()),
        };
        let ended = self.store.end_run(self.id, state, counts, Utc::now()).await;
        let (synced, plan, mut results) = worked?;
        if let Err(error) = ended {
            results.broken.get_or_insert_with(|| error.to_string());
        }
        let mut warnings = learnt.warnings;
        warnings.extend(self.slow(&plan, &results));
        Ok(RunReport { run: Some(self.id), started_at, plan, results: Some(results), synced, lost: found.lost, warnings })
    }

    async fn work(
        &self,
        available: &[Available],
        found: &recover::Found,
        stop: watch::Receiver<Stop>,
        since: Instant,
        started_at: DateTime<Utc>,
    ) -> Result<(u64, Plan, Results), RunError> {
        let news = self.store.not_yet_available(available).await?;
        if !news.is_empty() {
            self.store.add_availability(&news).await?;
        }
        let plan = planning::plan(&*self.store, self.subject(), &found.running, Vec::new()).await?;
        let results = self.execute(&plan, stop, since, started_at).await?;
        Ok((news.len() as u64, plan, results))
    }

    async fn execute(
        &self,
        plan: &Plan,
        stop: watch::Receiver<Stop>,
        since: Instant,
        started_at: DateTime<Utc>,
    ) -> Result<Results, StoreError> {
        if plan.jobs.is_empty() {
            return Ok(Results::default());
        }
        let ids: Vec<JobId> = plan.jobs.iter().map(|_| JobId::new(Uuid::new_v4())).collect();
        self.store.enqueue(self.id, &self.new_jobs(plan, &ids), started_at).await?;
        (self.events)(Event::Started {
            labels: plan.jobs.iter().map(|job| self.label(job)).collect(),
            chains: plan.chains.len(),
            max_parallel: self.settings.max_parallel,
        });
        let workshop = Workshop {
            run: self.id,
            store: self.store.clone(),
            executor: self.executor.clone(),
            institutions: self.institutions.clone(),
            etls: self.etls.clone(),
            env_files: self.env_files.clone(),
            state_dir: self.state_dir.clone(),
            started_at,
        };
        let schedule = Schedule::new(plan, &self.etls, self.settings.max_parallel, self.settings.deadline, self.fail_fast);
        Ok(Dispatch::new(&workshop, plan, &ids, schedule, stop, &*self.events, since).run().await)
    }

    async fn check_tables(&self) -> Result<(), StoreError> {
        self.store.check_data_tables(writes_reports(&self.etls), !self.sync.is_empty()).await
    }

    fn subject(&self) -> Subject<'_> {
        Subject { institutions: &self.institutions, etls: &self.etls, settings: &self.settings, selection: &self.selection }
    }

    fn record(&self, started_at: DateTime<Utc>) -> NewRun {
        NewRun { id: self.id, owner: this_process(), version: env!("CARGO_PKG_VERSION"), options: self.options.clone(), started_at }
    }

    fn new_jobs(&self, plan: &Plan, ids: &[JobId]) -> Vec<NewJob> {
        let jobs = plan.jobs.iter().zip(ids).enumerate();
        jobs.map(|(position, (job, id))| {
            let bank = self.institutions.get(job.gap.bank);
            NewJob {
                id: *id,
                gap: job.key.clone(),
                etl: self.etls[job.gap.etl].name.clone(),
                bank_key: bank.key.clone(),
                bank_id: bank.id,
                period: job.gap.period,
                position,
                forced: job.why == Why::Forced,
            }
        })
        .collect()
    }

    /// Jobs that took longer than their ETL's `warn_after`.
    fn slow(&self, plan: &Plan, results: &Results) -> Vec<String> {
        let jobs = plan.jobs.iter().zip(&results.jobs);
        jobs.filter_map(|(job, result)| {
            let limit = self.etls[job.gap.etl].warn_after.filter(|limit| result.duration > *limit)?;
            let (label, seconds) = (self.label(job), result.duration.as_secs_f64());
            Some(format!("{label} took {seconds:.1}s; warn_after is {}", humantime::format_duration(limit)))
        })
        .collect()
    }

    /// `RY 2025 Q2 [call_summary]`.
    fn label(&self, job: &PlannedJob) -> String {
        report::label(job, &self.institutions, &self.etls)
    }
}

fn state(results: &Results) -> RunState {
    let counts = results.counts();
    if results.broken.is_some() || counts.failed > 0 {
        RunState::Failed
    } else if results.stopped {
        RunState::Cancelled
    } else {
        RunState::Succeeded
    }
}
