//! One invocation: it recovers what dead runs left, learns which data is available, plans, and executes the plan.
//!
//! It takes checked values and the ports. It reads no configuration files and prints nothing.

mod arrivals;
mod attempt;
mod context;
mod decision_log;
mod dispatch;
pub mod doctor;
mod error;
mod expectation;
mod give_up;
pub mod guard;
pub mod health;
mod invocation;
mod ledger;
pub mod lock;
pub mod names;
mod outlook;
mod output;
mod placing;
mod plan_input;
mod planning;
mod prepare;
mod preview;
mod recover;
mod replay;
pub mod retention;
pub mod schedules;
pub mod signals;
pub mod sources;
mod spool;
mod state_dir;
mod sync;
mod termination_signals;
pub mod why;
mod why_then;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

pub use self::error::RunError;
pub use self::give_up::{GiveUp, ends_to_give_up, give_up};
pub use self::invocation::Invocation;
pub use self::prepare::check_database_file;
pub use self::preview::Preview;
pub use self::state_dir::{check_state_dir, prepare_state_dir};
pub use self::why_then::why_then;

use self::context::RunContext;
use self::dispatch::Dispatch;
use self::ledger::Ledger;
use self::placing::Placements;
use self::planning::Planned;
use self::prepare::Prepared;
use self::recover::Recovery;
use self::spool::Spool;
use crate::execute::stop::StopSignal;
use crate::os::descendants;
use crate::os::directory::Directory;
use crate::plan::decide::coverage::Coverage;
use crate::plan::decide::plan::{Plan, PlannedJob};
use crate::plan::model::job::{RunCounts, RunState};
use crate::plan::run::event::{EventKind, JobName};
use crate::plan::run::expectations::Expectations;
use crate::plan::run::outlook::{Outlook, Start};
use crate::plan::run::schedule::Schedule;
use crate::plan::run::stop::StopLevel;
use crate::plan::run::summary::{self, Results, RunSummary};
use crate::plan::text::span::brief;

/// How long the database may take to record the end of a run.
const END_RUN_TIMEOUT: Duration = Duration::from_secs(10);

impl Invocation {
    /// Finds out what a run would do and, where that is asked for, when. Takes no lock and changes nothing: recovery and sync are done in
    /// memory.
    ///
    /// # Errors
    /// When the database or a directory cannot be read.
    pub async fn dry_run(&self, forecast: Option<Start>) -> Result<RunSummary, RunError> {
        self.look(forecast, None).await
    }

    /// The same, with the state of every report that is selected, those that exist included.
    ///
    /// # Errors
    /// As there.
    pub async fn survey(&self) -> Result<(RunSummary, Coverage), RunError> {
        let banks = self.catalogue.institutions.iter().map(|(bank, _)| bank).filter(|bank| self.selection.has_bank(*bank));
        let etls = (0..self.catalogue.etls.len()).filter(|etl| self.selection.etls.is_empty() || self.selection.etls.contains(etl));
        let mut coverage = Coverage::new(banks, etls.collect());
        let summary = self.look(None, Some(&mut coverage)).await?;
        Ok((summary, coverage))
    }

    async fn look(&self, forecast: Option<Start>, coverage: Option<&mut Coverage>) -> Result<RunSummary, RunError> {
        let started_at = Utc::now();
        let learnt = self.learn()?;
        let cannot_write = self.check_tables().await?;
        let recovery = recover::preview(&*self.store, &self.state_dir).await?;
        let news = self.store.not_yet_available(&learnt.available).await?;
        let synced = news.len() as u64;
        let Planned { plan, stored, .. } = planning::plan(&*self.store, self.plan_input(&learnt.stamps), &recovery, news, coverage).await?;
        decision_log::log(&plan, &stored, &self.catalogue);
        let outlook = match forecast {
            Some(start) => Some(self.outlook(&plan, &recovery, started_at, start).await?),
            None => None,
        };
        let mut warnings = [learnt.warnings, recovery.warnings].concat();
        warnings.extend(cannot_write.map(|error| error.to_string()));
        Ok(RunSummary {
            run: None,
            started_at,
            plan,
            outlook,
            results: None,
            synced,
            lost: recovery.lost,
            respooled: recovery.respooled,
            left: recovery.left,
            warnings,
        })
    }

    /// When the jobs of a plan are expected to have ended.
    async fn outlook(&self, plan: &Plan, recovery: &Recovery, now: DateTime<Utc>, start: Start) -> Result<Outlook, RunError> {
        let facts = outlook::facts(&*self.store, &self.catalogue, &self.settings, &recovery.living, now).await?;
        Ok(Outlook::of(plan, &facts, start))
    }

    /// Plans a run and executes it. `lock_taken_at` is when the lock was taken, or without a lock when the process started: the deadline
    /// of the run counts from there.
    ///
    /// # Errors
    /// When the database or a directory cannot be read before anything was started. Later errors are in the summary.
    pub async fn run(&self, stop: &StopSignal, lock_taken_at: Instant) -> Result<RunSummary, RunError> {
        let started_at = Utc::now();
        let learnt = self.learn()?;
        let recovery = or_stopped(StopLevel::Graceful, stop, self.begin(started_at)).await?;
        let worked = self.work(&learnt, &recovery, stop, lock_taken_at, started_at).await;
        let (state, counts) = match &worked {
            Ok((prepared, results)) if prepared.plan.data_issues.names.unknown_tags.is_empty() => (state(results), Some(results.counts())),
            Ok((_, results)) => (RunState::Failed, Some(results.counts())),
            Err(RunError::Stopped) => (RunState::Cancelled, None),
            Err(
                RunError::Store(_)
                | RunError::Sync(_)
                | RunError::StateDir(..)
                | RunError::Spool(..)
                | RunError::Rights(_)
                | RunError::ForeignStateDir { .. }
                | RunError::Survivors(_)
                | RunError::Signals(_)
                | RunError::DatabaseGone(..)
                | RunError::NoAnswer
                | RunError::LeaseLost,
            ) => (RunState::Failed, None),
        };
        let left = if matches!(&worked, Ok((prepared, _)) if prepared.plan.jobs.is_empty()) { Ok(()) } else { end_daemons(stop).await };
        let end = self.end(worked.as_ref().ok().map(|(_, results)| results), state, counts);
        // A run that started nothing need not wait for a database that does not answer: the next run closes its record.
        let ended = if matches!(worked, Err(RunError::Stopped)) { or_stopped(StopLevel::Immediate, stop, end).await } else { end.await };
        let (Prepared { plan, synced, .. }, mut results) = worked?;
        let mut unplaced = recovery.unplaced.into_iter();
        if let Some(trouble) = unplaced.next() {
            results.broken.get_or_insert(trouble);
        }
        let mut warnings = [learnt.warnings, recovery.warnings, unplaced.collect()].concat();
        warnings.extend(summary::odd_successes(&plan, &results, &self.catalogue));
        warnings.extend(summary::slow_jobs(&plan, &results, &self.catalogue));
        for trouble in [ended.err().map(|error| error.to_string()), left.err().map(|error| error.to_string())].into_iter().flatten() {
            results.broken.get_or_insert(trouble);
        }
        Ok(RunSummary {
            run: Some(self.id),
            started_at,
            plan,
            outlook: None,
            results: Some(results),
            synced,
            lost: recovery.lost,
            respooled: recovery.respooled,
            left: recovery.left,
            warnings,
        })
    }

    /// Records the end of the run, and why jobs of it were not started.
    async fn end(&self, results: Option<&Results>, state: RunState, counts: Option<RunCounts>) -> Result<(), RunError> {
        let now = Utc::now();
        let end = async {
            for (reason, jobs) in results.map(Results::not_started).unwrap_or_default() {
                if let Err(error) = self.store.drop_all(&jobs, reason, now).await {
                    // The end of the run cancels them too, without that reason.
                    tracing::debug!("{error}");
                }
            }
            self.store.end_run(self.id, state, counts, now).await
        };
        Ok(tokio::time::timeout(END_RUN_TIMEOUT, end).await.map_err(|_| RunError::NoAnswer)??)
    }

    /// Prepares the run and runs its jobs.
    async fn work(
        &self,
        learnt: &sync::Learnt,
        recovery: &Recovery,
        stop: &StopSignal,
        lock_taken_at: Instant,
        started_at: DateTime<Utc>,
    ) -> Result<(Prepared, Results), RunError> {
        let prepared = or_stopped(StopLevel::Graceful, stop, self.prepare(learnt, recovery, started_at)).await?;
        let results = self.execute(&prepared, stop, lock_taken_at, started_at).await?;
        Ok((prepared, results))
    }

    /// Runs the planned jobs.
    async fn execute(
        &self,
        prepared: &Prepared,
        stop: &StopSignal,
        lock_taken_at: Instant,
        started_at: DateTime<Utc>,
    ) -> Result<Results, RunError> {
        let Prepared { plan, stored, ids, lease_renewed_at, .. } = prepared;
        if plan.jobs.is_empty() {
            let open_breakers = stored.breakers.keys().copied().collect();
            return Ok(Results { stopped: stop.is_raised(), open_breakers, ..Results::default() });
        }
        let at_once = self.settings.max_parallel.min(plan.chains.len());
        let spool = Spool::reserve(&self.state_dir, self.id, at_once)
            .map_err(|error| RunError::StateDir(spool::directory(&self.state_dir), error))?;
        self.tell_start(plan, self.expectations(plan, lock_taken_at).await);
        let (set_up_wrongly, wrong_etls) = tokio::sync::mpsc::unbounded_channel();
        let context = RunContext {
            run: self.id,
            trace: self.trace,
            set_up_wrongly,
            lease: self.settings.lease,
            store: self.store.clone(),
            ledger: Ledger::new(self.store.clone(), spool, stop.clone()),
            cooldown: self.settings.cooldown,
            executor: self.executor.clone(),
            events: self.events.clone(),
            catalogue: self.catalogue.clone(),
            suspects: plan.data_issues.names.similar_types.iter().map(|similar| similar.etl).collect(),
            env_files: self.env_files.clone(),
            state_dir: self.state_dir.clone(),
            workspaces: workspaces(&self.state_dir)?,
            placements: Placements::default(),
            lease_renewed_at: *lease_renewed_at,
            lock_taken_at,
            started_at,
        };
        let schedule = Schedule::new(plan, &self.catalogue, &self.settings, self.fail_fast);
        let mut results = Dispatch::new(&context, plan, ids, schedule, (stop.clone(), wrong_etls), stored).run().await;
        if let Some(trouble) = context.ledger.trouble() {
            // The database may answer again.
            self.replay_spool(&mut results, trouble).await;
        }
        results.note_want_of_record(context.ledger.trouble());
        let published = plan.jobs.iter().zip(ids).filter(|(job, _)| job.report().is_some_and(|gap| context.destination(gap).is_some()));
        if let Err(trouble) = context.placements.close(&*self.store, published.map(|(_, id)| *id)).await {
            results.broken.get_or_insert(trouble);
        }
        Ok(results)
    }

    fn job_name(&self, job: &PlannedJob) -> JobName {
        JobName { label: self.catalogue.label(job), gap: job.key.clone(), window: job.collection().map(|collection| collection.window) }
    }

    fn tell_start(&self, plan: &Plan, expectations: Expectations) {
        let waits = plan.waits_for_probe(&self.catalogue.etls);
        let may_start = |chain: &&Vec<usize>| chain.iter().any(|job| waits.get(*job) == Some(&false));
        self.events.of_run(EventKind::RunStarted {
            jobs: plan.jobs.iter().map(|job| self.job_name(job)).collect(),
            waiting: waits.iter().filter(|waits| **waits).count(),
            chains: plan.chains.iter().filter(may_start).count(),
            max_parallel: self.settings.max_parallel,
            expectations,
        });
    }
}

/// Opens the directory of all workspaces.
fn workspaces(state_dir: &Path) -> Result<Arc<Directory>, RunError> {
    let path = state_dir.join("work");
    Directory::open(&path).map(Arc::new).map_err(|error| RunError::StateDir(path, error))
}

/// Ends the processes that left the process group of their ETL. The guard would end them too, but the guard may be killed. To be
/// called before the end of the run is recorded: recovery looks only for processes of runs whose end is not on record.
async fn end_daemons(stop: &StopSignal) -> std::io::Result<()> {
    let immediate = async {
        stop.reached(StopLevel::Immediate).await;
    };
    let began = Instant::now();
    let refused = descendants::end(guard::GRACE, immediate).await?;
    tracing::debug!("Ended what ETLs had left behind ({})", brief(began.elapsed()));
    if !refused.is_empty() {
        tracing::warn!("Processes {refused:?} that ETLs started with other rights go on, as this user may not end them");
    }
    Ok(())
}

/// The result of `work`, or [`RunError::Stopped`] when the stop level reaches `least` first; `work` is then dropped unfinished.
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
