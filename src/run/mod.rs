//! One invocation: recover, learn what is available, plan, execute (specification §6).
//!
//! Takes checked values and the ports; knows neither files of configuration nor what is printed.

mod attempt;
mod breakers;
mod context;
mod dispatch;
pub mod guard;
mod ledger;
pub mod lock;
mod output;
mod planning;
mod recover;
pub mod signals;
pub mod sources;
mod spool;
mod sync;

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use rustix::fs::{Access, AtFlags, CWD};
use tokio::time::Instant;
use uuid::Uuid;

use crate::execute::Executor;
use crate::execute::stop::StopSignal;
use crate::os::identity::this_process;
use crate::os::{files, survivors};
use crate::plan::decide::decision::Why;
use crate::plan::decide::plan::{Plan, PlannedJob};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::etl::writes_reports;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{JobState, JobSubject, NewJob, NewRun, RunCounts, RunState};
use crate::plan::model::orders::{SourceOrder, SourceOrderKind};
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::{EnvFiles, RunSettings, SyncRule};
use crate::plan::model::target::Target;
use crate::plan::remember::stored_state::StoredState;
use crate::plan::run::event::EventKind;
use crate::plan::run::job_end::Finished;
use crate::plan::run::note::JobNote;
use crate::plan::run::schedule::Schedule;
use crate::plan::run::stop::StopLevel;
use crate::plan::run::summary::{self, Results, RunSummary};
use crate::store::{Store, StoreError};
use crate::tell::events::Events;
use context::RunContext;
use dispatch::Dispatch;
use ledger::Ledger;
use planning::{PlanInput, Planned};
use spool::Spool;

/// Everything that an invocation works with.
pub struct Invocation {
    /// Its id, should it be recorded.
    pub id: RunId,
    /// The banks, ETLs and sources.
    pub catalogue: Arc<Catalogue>,
    /// The variables of the `env_file`s that its programs name, by path.
    pub env_files: EnvFiles,
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
    /// Who started it.
    pub user: String,
    /// The options, for the record.
    pub options: serde_json::Value,
    /// The database.
    pub store: Arc<dyn Store>,
    /// What starts the programs.
    pub executor: Arc<dyn Executor>,
    /// What happens is sent there.
    pub events: Arc<Events>,
}

/// The orchestrator could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The database failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A process that a dead run left cannot be ended, so its gap must not be started again.
    #[error(transparent)]
    Survivors(std::io::Error),
    /// The files that availability is learnt from cannot be read.
    #[error("cannot look for files of availability.sync: {0}")]
    Sync(std::io::Error),
    /// Logs and workspaces have no place.
    #[error("cannot write to {0}: {1}; make it writable and see that it has room, or name another directory as state_dir")]
    StateDir(PathBuf, std::io::Error),
    /// Planning took longer than the lease.
    #[error("another host took this run for dead before it had planned; lengthen the lease")]
    TakenForDead,
    /// The database keeps silent at the very end.
    #[error("the database does not answer, so that the end of the run is not on record; the next run closes it")]
    Silent,
    /// A stop was asked for while the run found out what there is to do.
    #[error("stopped before anything was started")]
    Stopped,
}

/// How long the database may take for the last records of a run.
const LAST_WORDS: Duration = Duration::from_secs(10);

/// Makes the directories for logs and workspaces, and sees that they can be written to: better now than for every job.
///
/// # Errors
/// When they cannot.
pub fn prepare_state_dir(state_dir: &Path) -> Result<(), RunError> {
    for directory in ["logs", "work", "spool"].map(|name| state_dir.join(name)) {
        let made = files::create_private_dir(&directory);
        let writable = made.and_then(|()| Ok(rustix::fs::accessat(CWD, &directory, Access::WRITE_OK, AtFlags::EACCESS)?));
        writable.map_err(|error| RunError::StateDir(directory, error))?;
    }
    Ok(())
}

impl Invocation {
    /// Finds out what a run would do. Takes no lock and changes nothing: recovery and sync are done in memory.
    ///
    /// # Errors
    /// When the database or a directory cannot be read.
    pub async fn dry_run(&self) -> Result<RunSummary, RunError> {
        let started_at = Utc::now();
        let learnt = self.learn()?;
        self.check_tables().await?;
        let found = recover::look(&*self.store, &self.state_dir).await?;
        let news = self.store.not_yet_available(&learnt.available).await?;
        let synced = news.len() as u64;
        let Planned { plan, .. } = planning::plan(&*self.store, self.input(&learnt.stamps), &found, news).await?;
        let warnings = [learnt.warnings, found.warnings].concat();
        Ok(RunSummary { run: None, started_at, plan, results: None, synced, lost: found.lost, respooled: found.respooled, warnings })
    }

    /// Does what there is to do. `since` is when the lock was taken, or the start without one.
    ///
    /// # Errors
    /// When the database or a directory cannot be read before anything was started; later trouble stands in the report.
    pub async fn run(&self, stop: &StopSignal, since: Instant) -> Result<RunSummary, RunError> {
        let started_at = Utc::now();
        let learnt = self.learn()?;
        let found = or_stopped(StopLevel::Graceful, stop, self.begin(started_at)).await?;
        let worked = self.work(&learnt, &found, stop, since, started_at).await;
        let (state, counts) = match &worked {
            Ok((_, _, results)) => (state(results), results.counts()),
            Err(RunError::Stopped) => (RunState::Cancelled, RunCounts::default()),
            Err(
                RunError::Store(_)
                | RunError::Sync(_)
                | RunError::StateDir(..)
                | RunError::Survivors(_)
                | RunError::Silent
                | RunError::TakenForDead,
            ) => (RunState::Failed, RunCounts::default()),
        };
        let left = if matches!(&worked, Ok((_, plan, _)) if plan.jobs.is_empty()) { Ok(0) } else { self.end_daemons(stop).await };
        let end = async {
            let end = self.store.end_run(self.id, state, counts, Utc::now());
            Ok(tokio::time::timeout(LAST_WORDS, end).await.map_err(|_| RunError::Silent)??)
        };
        // A database that stands still must not keep us when nothing depends on it: the next run closes the record.
        let ended = if matches!(worked, Err(RunError::Stopped)) { or_stopped(StopLevel::Immediate, stop, end).await } else { end.await };
        let (synced, plan, mut results) = worked?;
        let mut warnings = [learnt.warnings, found.warnings].concat();
        warnings.extend(summary::slow_jobs(&plan, &results, &self.catalogue));
        for trouble in [ended.err().map(|error| error.to_string()), left.err().map(|error| error.to_string())].into_iter().flatten() {
            results.broken.get_or_insert(trouble);
        }
        Ok(RunSummary {
            run: Some(self.id),
            started_at,
            plan,
            results: Some(results),
            synced,
            lost: found.lost,
            respooled: found.respooled,
            warnings,
        })
    }

    /// Checks what is there, closes what dead runs left, and records this one.
    async fn begin(&self, started_at: DateTime<Utc>) -> Result<recover::Found, RunError> {
        self.check_tables().await?;
        let found = recover::recover(&*self.store, &self.state_dir).await?;
        self.store.begin_run(&self.record(started_at)).await?;
        Ok(found)
    }

    async fn work(
        &self,
        learnt: &sync::Learnt,
        found: &recover::Found,
        stop: &StopSignal,
        since: Instant,
        started_at: DateTime<Utc>,
    ) -> Result<(u64, Plan, Results), RunError> {
        let Prepared { synced, plan, stored, ids, leased_since } =
            or_stopped(StopLevel::Graceful, stop, self.prepare(learnt, found, started_at)).await?;
        let results = self.execute(&plan, &stored, (&ids, leased_since), stop.clone(), since, started_at).await?;
        Ok((synced, plan, results))
    }

    /// Finds out what there is to do, and records it as planned.
    async fn prepare(&self, learnt: &sync::Learnt, found: &recover::Found, started_at: DateTime<Utc>) -> Result<Prepared, RunError> {
        let news = self.store.not_yet_available(&learnt.available).await?;
        if !news.is_empty() {
            self.store.add_availability(&news).await?;
        }
        let planned = planning::plan(&*self.store, self.input(&learnt.stamps), found, Vec::new()).await?;
        let Planned { plan, stored, stale_breakers } = planned;
        for etl in stale_breakers {
            self.store.set_breaker(&etl, None, &[]).await?;
        }
        self.queue_windows(&plan, started_at).await?;
        let ids: Vec<JobId> = plan.jobs.iter().map(|_| JobId::new(Uuid::new_v4())).collect();
        let leased_since = Instant::now();
        if !ids.is_empty() {
            // Planning may have taken a good part of the lease.
            if !self.store.renew(self.id, self.settings.lease).await? {
                return Err(RunError::TakenForDead);
            }
            self.store.enqueue(self.id, &self.new_jobs(&plan, &ids), &self.user, started_at).await?;
        }
        Ok(Prepared { synced: news.len() as u64, plan, stored, ids, leased_since })
    }

    async fn execute(
        &self,
        plan: &Plan,
        stored: &StoredState,
        (ids, leased_since): (&[JobId], Instant),
        stop: StopSignal,
        since: Instant,
        started_at: DateTime<Utc>,
    ) -> Result<Results, RunError> {
        if plan.jobs.is_empty() {
            return Ok(Results { stopped: stop.is_raised(), ..Results::default() });
        }
        let at_once = self.settings.max_parallel.min(plan.chains.len());
        let spool = Spool::reserve(&self.state_dir, self.id, at_once)
            .map_err(|error| RunError::StateDir(spool::directory(&self.state_dir), error))?;
        self.events.of_run(EventKind::RunStarted {
            labels: plan.jobs.iter().map(|job| self.label(job)).collect(),
            chains: plan.chains.len(),
            max_parallel: self.settings.max_parallel,
        });
        let context = RunContext {
            run: self.id,
            lease: self.settings.lease,
            store: self.store.clone(),
            ledger: Ledger::new(self.store.clone(), spool, stop.clone()),
            cooldown: self.settings.cooldown,
            executor: self.executor.clone(),
            events: self.events.clone(),
            catalogue: self.catalogue.clone(),
            env_files: self.env_files.clone(),
            state_dir: self.state_dir.clone(),
            leased_since,
            since,
            started_at,
        };
        let schedule = Schedule::new(plan, &self.catalogue, &self.settings, self.fail_fast);
        let mut results = Dispatch::new(&context, plan, ids, schedule, stop, stored).run().await;
        if let Some(trouble) = context.ledger.trouble() {
            // The database may be back by now.
            self.settle(&mut results, trouble).await;
        }
        Ok(results)
    }

    /// Hands over what waits in the spool, if the database takes it now; otherwise the run could not do all its work.
    async fn settle(&self, results: &mut Results, trouble: String) {
        let ids: HashSet<JobId> = results.spooled.iter().map(|job| results.jobs[*job].id).collect();
        let settled = tokio::time::timeout(LAST_WORDS, recover::settle(&*self.store, &self.state_dir, &ids)).await.unwrap_or_default();
        for job in std::mem::take(&mut results.spooled) {
            let result = &mut results.jobs[job];
            match settled.get(&result.id) {
                Some(Finished::Recorded(JobState::Succeeded)) => (result.state, result.reason) = (JobState::Succeeded, None),
                // The state and the reason are known already; an unverified report turned out to be missing.
                Some(Finished::Recorded(_)) => {}
                Some(Finished::ClaimLost) => {
                    (result.state, result.reason) = (JobState::Failed, Some(JobNote::ClaimLost.to_string()));
                }
                None => results.spooled.push(job),
            }
        }
        if !results.spooled.is_empty() {
            let ends = if results.spooled.len() == 1 {
                "the end of 1 job".to_owned()
            } else {
                format!("the ends of {} jobs", results.spooled.len())
            };
            let trouble = results.broken.take().unwrap_or(trouble);
            results.broken = Some(format!("{trouble}; the next run records {ends} from the spool"));
        }
    }

    /// What left its group is the guard's to end, but the guard may be killed. It comes before the record of the run's end: who
    /// looks for survivors later looks only for those of runs that have none.
    async fn end_daemons(&self, stop: &StopSignal) -> std::io::Result<usize> {
        survivors::end(self.id, guard::GRACE, async {
            stop.reached(StopLevel::Immediate).await;
        })
        .await
    }

    /// What files say is available, where that matters.
    fn learn(&self) -> Result<sync::Learnt, RunError> {
        let rules = if self.has_reports() { self.sync.as_slice() } else { &[] };
        sync::learn(rules, &self.catalogue.institutions).map_err(RunError::Sync)
    }

    /// Whether it is about reports.
    fn has_reports(&self) -> bool {
        self.selection.has_reports() && !self.catalogue.etls.is_empty()
    }

    async fn check_tables(&self) -> Result<(), StoreError> {
        if self.has_reports() {
            self.store.check_data_tables(writes_reports(&self.catalogue.etls), !self.sync.is_empty()).await?;
        }
        Ok(())
    }

    fn input<'a>(&'a self, stamps: &'a sync::Stamps) -> PlanInput<'a> {
        PlanInput { catalogue: &self.catalogue, env_files: &self.env_files, settings: &self.settings, selection: &self.selection, stamps }
    }

    fn record(&self, started_at: DateTime<Utc>) -> NewRun {
        NewRun {
            id: self.id,
            owner: this_process(),
            version: env!("CARGO_PKG_VERSION"),
            options: self.options.clone(),
            lease: self.settings.lease,
            started_at,
        }
    }

    fn new_jobs(&self, plan: &Plan, ids: &[JobId]) -> Vec<NewJob> {
        let jobs = plan.jobs.iter().zip(ids).enumerate();
        jobs.map(|(position, (job, id))| {
            let subject = match &job.target {
                Target::Report { gap, .. } => JobSubject::Report { bank_id: self.catalogue.institutions.get(gap.bank).id },
                Target::Collection(collection) => JobSubject::Windows(collection.window),
            };
            NewJob {
                id: *id,
                gap: job.key.clone(),
                subject,
                position,
                forced: job.why == Why::Forced,
                fingerprint: job.fingerprint.clone(),
            }
        })
        .collect()
    }

    /// Puts into the queue what became due, and what `--force` asks for again.
    async fn queue_windows(&self, plan: &Plan, at: DateTime<Utc>) -> Result<(), StoreError> {
        for found in &plan.sources {
            let source = &self.catalogue.sources[found.source].id;
            if !found.new.is_empty() {
                self.store.enqueue_windows(source, &found.new, at).await?;
            }
            if !found.again.is_empty() {
                let kind = SourceOrderKind::Collect(found.again.clone());
                let order = SourceOrder { source: source.clone(), kind, by: self.user.clone(), reason: "--force".to_owned(), at };
                self.store.order_source(&order).await?;
            }
        }
        Ok(())
    }

    /// `RY 2025 Q2 [call_summary]`.
    fn label(&self, job: &PlannedJob) -> String {
        self.catalogue.label(job)
    }
}

/// What there is to do, and what was found out on the way.
struct Prepared {
    synced: u64,
    plan: Plan,
    stored: StoredState,
    ids: Vec<JobId>,
    /// When the lease was last renewed.
    leased_since: Instant,
}

/// What `work` comes to, unless the stop level reaches `least` first: then `work` is dropped where it stands.
async fn or_stopped<T>(least: StopLevel, stop: &StopSignal, work: impl Future<Output = Result<T, RunError>>) -> Result<T, RunError> {
    tokio::select! {
        biased;
        done = work => done,
        _ = stop.reached(least) => Err(RunError::Stopped),
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
