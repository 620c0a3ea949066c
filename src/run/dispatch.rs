//! Drives the schedule: starts attempts, waits for their ends, and tells what happens. It owns all live state of the jobs.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::StreamExt;
use futures::stream::FuturesUnordered;
use tokio::time::Instant;
use uuid::Uuid;

use super::attempt::{ActiveJob, Assignment, AttemptResult, JobOver, remove_workspaces};
use super::breakers::{Breakers, Refund};
use super::context::RunContext;
use super::ledger::Recorded;
use crate::execute::stop::{StopSender, StopSignal};
use crate::plan::decide::plan::{Gate, Plan};
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{JobState, Watched};
use crate::plan::model::orders::CancelRequest;
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::remember::stored_state::StoredState;
use crate::plan::run::event::{EventKind, JobEvent};
use crate::plan::run::schedule::{JobIndex, NextStep, NotStarted, Schedule, Step};
use crate::plan::run::stop::{StopLevel, StopReason};
use crate::plan::run::summary::{JobResult, Results};
use crate::store::StoreError;

/// Something under way: an attempt, or the record of a job that will not be started (again). Nothing is awaited outside of
/// these, so that a slow database never keeps a child from being stopped.
type Work<'a> = Pin<Box<dyn Future<Output = Done> + Send + 'a>>;

enum Done {
    Attempt(JobIndex, u32, Result<Box<AttemptResult>, StoreError>),
    Record(Result<(), StoreError>),
    LetGo(JobIndex, Result<Recorded, StoreError>),
    Renewal(Instant, Result<bool, StoreError>),
    Watch(BTreeSet<JobIndex>, Result<Vec<Watched>, StoreError>),
    Told,
}

/// How often the database is asked what others want of our jobs.
const WATCH: Duration = Duration::from_secs(1);

/// The jobs of a run, being worked on.
pub(super) struct Dispatch<'a> {
    context: &'a RunContext,
    plan: &'a Plan,
    schedule: Schedule,
    stop: StopSignal,
    breakers: Breakers<'a>,
    /// ETLs whose breaker changed since that was last recorded, and what is to be remembered of gaps by it.
    untold: BTreeMap<EtlIndex, BTreeMap<GapKey, (i64, FailureHistory)>>,
    telling: bool,
    jobs: Vec<JobProgress>,
    work: FuturesUnordered<Work<'a>>,
    started: Instant,
    /// When the lease was last known to be renewed.
    leased_since: Instant,
    renew_at: Instant,
    renewing: bool,
    /// Whether the lease could not be renewed in time.
    is_late: bool,
    watch_at: Instant,
    watching: bool,
    spooled: Vec<JobIndex>,
    broken: Option<String>,
}

#[derive(Debug)]
struct JobProgress {
    result: JobResult,
    held: Option<ActiveJob>,
    since: Option<Instant>,
    /// What its attempt sees: the signals' stop, ours when the database fails, or that of this job alone.
    stop: StopSender,
    /// Whether its attempt is on record as begun.
    is_begun: Arc<AtomicBool>,
    /// Whether an attempt is under way.
    is_at_work: bool,
    /// When its attempt began, for the record; stays while it is not known whether that is on record.
    begins_at: Option<DateTime<Utc>>,
}

impl<'a> Dispatch<'a> {
    /// Ready to work on `plan`, whose jobs are recorded under `ids`.
    pub(super) fn new(
        context: &'a RunContext,
        plan: &'a Plan,
        ids: &[JobId],
        schedule: Schedule,
        stop: StopSignal,
        stored: &'a StoredState,
    ) -> Self {
        let jobs = ids
            .iter()
            .map(|id| JobProgress {
                result: JobResult {
                    id: *id,
                    state: JobState::Queued,
                    attempts: 0,
                    exhausted: false,
                    duration: Duration::ZERO,
                    reason: None,
                    collected: None,
                },
                held: None,
                since: None,
                stop: StopSender::default(),
                is_begun: Arc::default(),
                is_at_work: false,
                begins_at: None,
            })
            .collect();
        let now = Instant::now();
        Self {
            context,
            plan,
            schedule,
            stop,
            breakers: Breakers::new(context, plan, stored),
            untold: BTreeMap::new(),
            telling: false,
            jobs,
            work: FuturesUnordered::new(),
            started: context.since,
            leased_since: context.leased_since,
            renew_at: context.leased_since + context.lease / 3,
            renewing: false,
            is_late: false,
            watch_at: now + WATCH,
            watching: false,
            spooled: Vec::new(),
            broken: None,
        }
    }

    /// Works until nothing is left to do or to wait for.
    pub(super) async fn run(mut self) -> Results {
        let began = Instant::now();
        let mut seen = StopLevel::None;
        loop {
            let level = self.stop.level();
            if level > seen {
                seen = level;
                self.stop_as_asked(level);
            }
            let until = match self.schedule.step(self.plan, self.started.elapsed()) {
                Step::Start { job, attempt } => {
                    self.start(job, attempt);
                    continue;
                }
                Step::Drop { job, reason } => {
                    self.leave(job, reason);
                    continue;
                }
                Step::GiveUp { job, reason } => {
                    self.give_up(job, reason);
                    continue;
                }
                Step::Finished if self.work.is_empty() => break,
                Step::Finished => None,
                Step::Wait { until } => until.map(|until| self.started + until),
            };
            tokio::select! {
                Some(done) = self.work.next(), if !self.work.is_empty() => self.done(done),
                () = sleep_until(until) => {}
                () = tokio::time::sleep_until(self.renew_at), if !self.renewing => self.renew(),
                () = tokio::time::sleep_until(self.leased_since + self.context.lease * 2 / 3), if !self.is_late => self.too_late(),
                () = tokio::time::sleep_until(self.watch_at), if !self.watching => self.watch(),
                _ = self.stop.raised_above(seen) => {}
            }
        }
        let filled = self.plan.jobs.iter().zip(&self.jobs).filter(|(_, live)| live.result.state == JobState::Succeeded);
        remove_workspaces(self.context, filled.map(|(job, _)| job));
        Results {
            jobs: self.jobs.into_iter().map(|job| job.result).collect(),
            duration: began.elapsed(),
            stopped: seen > StopLevel::None,
            spooled: self.spooled,
            broken: self.broken,
        }
    }

    fn stop_as_asked(&mut self, level: StopLevel) {
        if let Some(reason) = self.stop.reason() {
            self.stop_attempts(level, &reason);
        }
        self.schedule.halt(NotStarted::Stopped);
        self.context.events.of_run(EventKind::RunStopping { is_immediate: level == StopLevel::Immediate });
    }

    fn start(&mut self, index: JobIndex, attempt: u32) {
        let live = &mut self.jobs[index];
        live.since.get_or_insert_with(Instant::now);
        live.result.state = JobState::Running;
        live.is_at_work = true;
        live.is_begun.store(false, Ordering::Relaxed);
        let job = &self.plan.jobs[index];
        let assignment = Assignment {
            context: self.context,
            index,
            job,
            id: live.result.id,
            number: attempt,
            active: live.held.take(),
            random: random(),
            begins_at: *live.begins_at.get_or_insert_with(Utc::now),
            is_begun: live.is_begun.clone(),
            stop: live.stop.signal(),
        };
        if let Some(gap) = job.report().filter(|_| attempt == 1 && job.gate == Gate::Probe) {
            self.breakers.probes(gap);
            self.tell_breaker(gap.etl, Vec::new());
        }
        self.work.push(Box::pin(async move { Done::Attempt(index, attempt, assignment.carry_out().await.map(Box::new)) }));
    }

    fn done(&mut self, done: Done) {
        match done {
            Done::Attempt(job, attempt, Ok(result)) => self.ended(job, attempt, *result),
            Done::Attempt(job, _, Err(error)) => self.unrecorded(job, &error),
            Done::LetGo(job, Ok(Recorded::Spool)) => self.spooled.push(job),
            Done::Record(Ok(())) | Done::LetGo(_, Ok(Recorded::Database(_))) => {}
            Done::Record(Err(error)) | Done::LetGo(_, Err(error)) => self.give_up_run(error.to_string(), StopReason::DatabaseFailed),
            Done::Renewal(asked, renewed) => self.renewed(asked, renewed),
            Done::Watch(ours, watched) => self.watched(&ours, watched),
            Done::Told => {
                self.telling = false;
                self.tell_next();
            }
        }
    }

    /// An attempt is over, or could not begin.
    fn ended(&mut self, job: JobIndex, attempt: u32, result: AttemptResult) {
        let live = &mut self.jobs[job];
        live.is_at_work = false;
        let (class, step) = match result {
            AttemptResult::NotYet { step, active } => {
                live.held = active;
                if attempt == 1 {
                    live.since = None;
                }
                // Where the database did not answer, the attempt may be on record, with this time.
                if !matches!(step, NextStep::Later(_)) {
                    live.begins_at = None;
                }
                (None, step)
            }
            AttemptResult::Retry { class, wait, note, active } => {
                live.held = Some(active);
                live.begins_at = None;
                live.result.attempts = attempt;
                let error = note.map(|note| note.to_string()).unwrap_or_default();
                self.context.events.of_job(job, live.result.id, JobEvent::Retrying { attempt, error, delay: wait });
                (Some(class), NextStep::Retry(wait))
            }
            AttemptResult::Over(over) => {
                let (class, step) = (over.class, over.step);
                self.over(job, attempt, over);
                (class, step)
            }
        };
        for notice in self.schedule.ended(self.plan, job, class, step, attempt, self.started.elapsed()) {
            let (etl, refunds) = self.breakers.apply_notice(notice);
            self.tell_breaker(etl, refunds);
        }
    }

    fn over(&mut self, job: JobIndex, attempt: u32, over: JobOver) {
        let JobOver { state, note, class, step: _, exhausted, history, collected, is_spooled, trouble } = over;
        let result = &mut self.jobs[job].result;
        result.collected = collected;
        result.exhausted = exhausted;
        if class.is_some() {
            result.attempts = attempt;
        }
        if let Some(trouble) = trouble {
            // Nothing more is started. What runs goes on, for as long as the lease is good.
            self.broken.get_or_insert(trouble);
            self.schedule.halt(NotStarted::Stopped);
        }
        if is_spooled {
            self.spooled.push(job);
        }
        if let Some((fence, history)) = history {
            self.breakers.failed(job, fence, history);
        }
        self.finish(job, state, note.map(|note| note.to_string()));
    }

    /// Has recorded how the breaker of an ETL is now, and what that changes for gaps. Nothing depends on it but what is tried
    /// when.
    fn tell_breaker(&mut self, etl: EtlIndex, refunds: Vec<Refund>) {
        let untold = self.untold.entry(etl).or_default();
        untold.extend(refunds.into_iter().map(|(gap, fence, history)| (gap, (fence, history))));
        self.tell_next();
    }

    /// One after the other, as a later word on a breaker replaces an earlier one.
    fn tell_next(&mut self) {
        if self.telling {
            return;
        }
        let Some((etl, refunds)) = self.untold.pop_first() else { return };
        self.telling = true;
        let (context, breaker) = (self.context, self.breakers.of(etl).cloned());
        let refunds: Vec<Refund> = refunds.into_iter().map(|(gap, (fence, history))| (gap, fence, history)).collect();
        self.work.push(Box::pin(async move {
            let name = &context.catalogue.etls[etl].name;
            let told = context.ledger.insist(|| context.store.set_breaker(name, breaker.as_ref(), &refunds)).await;
            if let Err(error) = told {
                tracing::warn!("the breaker of {name} could not be recorded: {error}");
            }
            Done::Told
        }));
    }

    /// Asks what others want of our jobs, while there are any.
    fn watch(&mut self) {
        self.watch_at = Instant::now() + WATCH;
        if self.jobs.iter().any(|live| live.is_at_work || live.held.is_some()) {
            self.watching = true;
            let (store, run) = (&self.context.store, self.context.run);
            let begun = |(_, live): &(JobIndex, &JobProgress)| live.is_at_work && live.is_begun.load(Ordering::Relaxed);
            let ours = self.jobs.iter().enumerate().filter(begun).map(|(job, _)| job).collect();
            self.work.push(Box::pin(async move { Done::Watch(ours, store.watch(run).await) }));
        }
    }

    fn watched(&mut self, ours: &BTreeSet<JobIndex>, watched: Result<Vec<Watched>, StoreError>) {
        self.watching = false;
        self.watch_at = Instant::now() + WATCH;
        let watched: HashMap<JobId, Option<CancelRequest>> = match watched {
            Ok(watched) => {
                self.context.ledger.is_back();
                watched.into_iter().map(|watched| (watched.claim.job, watched.cancel)).collect()
            }
            // Asked again in a moment; the renewal of the lease sees to what follows from a database that stays away.
            Err(error) => return tracing::debug!("{error}"),
        };
        for job in 0..self.jobs.len() {
            let live = &mut self.jobs[job];
            let reason = match watched.get(&live.result.id) {
                Some(Some(CancelRequest { by, reason })) => StopReason::Cancelled { by: by.clone(), reason: reason.clone() },
                // An attempt whose end was recorded a moment ago is about to be reported, and reacts to no stop.
                None if ours.contains(&job) && live.is_at_work => StopReason::ClaimLost,
                Some(None) | None => continue,
            };
            if live.is_at_work {
                live.stop.raise(StopLevel::Graceful, reason);
            } else if self.schedule.give_up(self.plan, job) {
                self.cancel(job, reason.to_string());
            }
        }
    }

    /// Renews the lease when a third of it has passed, one renewal at a time. What counts is when it was asked for.
    fn renew(&mut self) {
        self.renewing = true;
        let (store, run, lease) = (&self.context.store, self.context.run, self.context.lease);
        let asked = Instant::now();
        self.work.push(Box::pin(async move { Done::Renewal(asked, store.renew(run, lease).await) }));
    }

    fn renewed(&mut self, asked: Instant, renewed: Result<bool, StoreError>) {
        self.renewing = false;
        self.renew_at = Instant::now() + self.context.lease / 3;
        match renewed {
            Ok(true) => {
                self.leased_since = asked;
                self.context.ledger.is_back();
            }
            Ok(false) => {
                self.give_up_run(StopReason::RunLost.to_string(), StopReason::RunLost);
                self.stop_attempts(StopLevel::Immediate, &StopReason::RunLost);
            }
            Err(error) => {
                tracing::warn!("{error}; trying again");
                self.renew_at = Instant::now() + self.context.lease / 30;
            }
        }
    }

    /// Children are stopped while the claims on them are still good: their grace is shorter than a third of the lease.
    fn too_late(&mut self) {
        self.is_late = true;
        self.give_up_run(StopReason::LeaseLate.to_string(), StopReason::LeaseLate);
    }

    /// The database failed during an attempt: how it ended is not on record.
    fn unrecorded(&mut self, job: JobIndex, error: &StoreError) {
        self.give_up_run(error.to_string(), StopReason::DatabaseFailed);
        self.jobs[job].is_at_work = false;
        self.finish(job, JobState::Failed, Some(format!("its end could not be recorded: {error}")));
        self.schedule.ended(self.plan, job, None, NextStep::Cancel, 1, self.started.elapsed());
    }

    /// A job that will not be started. Where there may be many of them the end of the run closes their
    /// records, all at once.
    fn leave(&mut self, job: JobIndex, reason: NotStarted) {
        let words = self.words(reason);
        if !matches!(reason, NotStarted::Stopped | NotStarted::Breaker(_)) {
            let (context, id, words, now) = (self.context, self.jobs[job].result.id, words.clone(), Utc::now());
            self.work.push(Box::pin(async move {
                // The end of the run closes what is still queued in any case.
                let dropped = context.ledger.insist(|| context.store.drop_queued(id, &words, now)).await;
                Done::Record(dropped.map(drop).or_else(|error| if error.may_pass() { Ok(()) } else { Err(error) }))
            }));
        }
        self.finish(job, JobState::Cancelled, Some(words));
    }

    /// A job whose retry will not come: what failed before is not undone by that.
    fn give_up(&mut self, job: JobIndex, reason: NotStarted) {
        self.cancel(job, self.words(reason));
    }

    fn cancel(&mut self, job: JobIndex, because: String) {
        if let Some(held) = self.jobs[job].held.take() {
            let (ledger, gap, reason) = (&self.context.ledger, &self.plan.jobs[job].key, because.clone());
            self.work.push(Box::pin(async move { Done::LetGo(job, ledger.cancel(gap, held.claim, reason).await) }));
        }
        self.finish(job, JobState::Cancelled, Some(because));
    }

    fn finish(&mut self, job: JobIndex, state: JobState, reason: Option<String>) {
        let live = &mut self.jobs[job];
        live.result.state = state;
        live.result.duration = live.since.map(|since| since.elapsed()).unwrap_or_default();
        live.result.reason.clone_from(&reason);
        let ended = JobEvent::Ended { state, duration: live.result.duration, reason };
        self.context.events.of_job(job, live.result.id, ended);
    }

    /// The run cannot record what it does: nothing more is started, and what runs is stopped.
    fn give_up_run(&mut self, trouble: String, reason: StopReason) {
        self.broken.get_or_insert(trouble);
        self.stop_attempts(StopLevel::Graceful, &reason);
        self.schedule.halt(NotStarted::Stopped);
    }

    /// Asks all attempts to stop, those that have not begun included.
    fn stop_attempts(&self, level: StopLevel, reason: &StopReason) {
        for live in &self.jobs {
            live.stop.raise(level, reason.clone());
        }
    }

    fn words(&self, reason: NotStarted) -> String {
        let name = |etl: usize| &self.context.catalogue.etls[etl].name;
        match reason {
            NotStarted::Stopped => "the run was stopped".to_owned(),
            NotStarted::FailFast => "another job failed, and --fail-fast was given".to_owned(),
            NotStarted::Deadline => "the run's deadline was past".to_owned(),
            NotStarted::EtlStopped(etl) => format!("{} is set up wrongly, as another job showed", name(etl)),
            NotStarted::Breaker(etl) => format!("{} fails for one bank after the other", name(etl)),
            NotStarted::BankStopped => "its bank failed in several periods in a row".to_owned(),
            NotStarted::EarlierWindow => "an earlier window of its source was not collected".to_owned(),
            NotStarted::NeedUnmet(need) => format!("it needs {}, which was not made", name(need)),
        }
    }
}

async fn sleep_until(until: Option<Instant>) {
    match until {
        Some(until) => tokio::time::sleep_until(until).await,
        None => std::future::pending().await,
    }
}

/// Uniform in `0.0..1.0`, from the generator that makes the ids.
fn random() -> f64 {
    let (bits, _) = Uuid::new_v4().as_u64_pair();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}
