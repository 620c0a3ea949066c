//! Carries out the schedule: starts attempts, waits for them, and sends events. It owns the live state of all jobs.

mod breaker_records;
mod jobs;
mod lease;
mod progress;
mod stopping;
mod timer;
mod waits;
mod watch;

use std::collections::BTreeSet;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use futures::stream::FuturesUnordered;
use futures::{FutureExt, StreamExt};
use tokio::sync::mpsc::UnboundedReceiver;
use tokio::time::Instant;

use self::breaker_records::BreakerRecords;
use self::jobs::Jobs;
use self::lease::Lease;
use self::progress::JobProgress;
use self::timer::{Timer, sleep_until};
use super::attempt::{AttemptResult, JobOver, remove_workspaces};
use super::context::RunContext;
use super::ledger::Recorded;
use crate::execute::stop::StopSignal;
use crate::plan::decide::plan::{Gate, Plan, PlannedJob};
use crate::plan::model::etl::EtlIndex;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::model::outcome::Class;
use crate::plan::remember::failure_history::Eligibility;
use crate::plan::remember::recorded_job::Watched;
use crate::plan::remember::stored_state::StoredState;
use crate::plan::run::breakers::{BreakerFacts, Breakers};
use crate::plan::run::event::JobEvent;
use crate::plan::run::not_started::{CannotRecord, NotStarted};
use crate::plan::run::schedule::{JobIndex, NextStep, Notice, Schedule, Step};
use crate::plan::run::stop::{StopLevel, StopReason};
use crate::plan::run::summary::Results;
use crate::store::StoreError;

/// An attempt or a database operation that runs. The dispatcher awaits nothing else, so that a slow database never delays the stop of a
/// child.
type Operation<'a> = Pin<Box<dyn Future<Output = Completed> + Send + 'a>>;

/// The result of an operation.
enum Completed {
    /// An attempt and its number; an error when its end is recorded nowhere.
    Attempt(JobIndex, u32, Result<Box<AttemptResult>, StoreError>),
    /// A queued job was recorded as cancelled.
    Dropped(Result<(), StoreError>),
    /// The end of a job that waited for a retry was recorded.
    GivenUp(JobIndex, Result<Recorded, StoreError>),
    /// The lease was renewed: when that was asked for, and whether the run still has the lease.
    Renewal(Instant, Result<bool, StoreError>),
    /// The jobs that had a claim when the database was asked, and the claims of the run that it then had.
    Claims(BTreeSet<JobIndex>, Result<Vec<Watched>, StoreError>),
    /// A breaker was recorded, or a warning was logged.
    Breaker,
}

/// The pause between two questions to the database whether a job was cancelled or its claim lost.
const WATCH: Duration = Duration::from_secs(1);

/// The jobs of a run and their state while it executes them.
pub(super) struct Dispatch<'a> {
    context: &'a RunContext,
    plan: &'a Plan,
    schedule: Schedule,
    stop: StopSignal,
    /// ETLs that turned out to be set up wrongly.
    wrong_etls: UnboundedReceiver<EtlIndex>,
    breakers: BreakerRecords<'a>,
    lease: Lease,
    watch: Timer,
    jobs: Jobs,
    operations: FuturesUnordered<Operation<'a>>,
    /// Jobs whose end is in the spool and not in the database.
    spooled: Vec<JobIndex>,
    waiting_for_pools: BTreeSet<JobIndex>,
    /// Why the run could not do all its work.
    broken: Option<String>,
}

impl<'a> Dispatch<'a> {
    /// Ready to work on `plan`, whose jobs are recorded under `ids`.
    pub(super) fn new(
        context: &'a RunContext,
        plan: &'a Plan,
        ids: &[JobId],
        schedule: Schedule,
        (stop, wrong_etls): (StopSignal, UnboundedReceiver<EtlIndex>),
        stored: &'a StoredState,
    ) -> Self {
        let facts = BreakerFacts { catalogue: &context.catalogue, env_files: &context.env_files, plan, stored, cooldown: context.cooldown };
        Self {
            context,
            plan,
            schedule,
            stop,
            wrong_etls,
            breakers: BreakerRecords::new(Breakers::new(facts)),
            lease: Lease::new(context.lease, context.lease_renewed_at),
            watch: Timer::new(Instant::now() + WATCH),
            jobs: Jobs::new(ids),
            operations: FuturesUnordered::new(),
            spooled: Vec::new(),
            waiting_for_pools: BTreeSet::new(),
            broken: None,
        }
    }

    /// Executes the schedule until it is finished and no operation runs.
    pub(super) async fn run(mut self) -> Results {
        let began = Instant::now();
        let mut seen = StopLevel::None;
        loop {
            let level = self.stop.level();
            if level > seen {
                seen = level;
                self.stop_run(level);
            }
            while let Ok(etl) = self.wrong_etls.try_recv() {
                self.stop_etl(etl);
            }
            let until = match self.schedule.step(self.plan, self.context.lock_taken_at.elapsed()) {
                Step::Start { job, attempt } => {
                    self.start(job, attempt);
                    continue;
                }
                Step::Drop { job, reason } => {
                    self.drop_queued(job, reason);
                    continue;
                }
                Step::GiveUp { job, reason } => {
                    self.give_up(job, reason);
                    continue;
                }
                Step::Finished if self.operations.is_empty() => break,
                Step::Finished => None,
                Step::Wait { until } => self.told_waits(until),
            };
            tokio::select! {
                Some(completed) = self.operations.next(), if !self.operations.is_empty() => self.all_completed(completed),
                () = sleep_until(until) => {}
                () = self.lease.renewal_due() => self.renew_lease(),
                () = self.lease.late() => self.lease_late(),
                () = self.watch.due() => self.watch_claims(),
                _ = self.stop.raised_above(seen) => {}
            }
        }
        let filled = self.plan.jobs.iter().zip(self.jobs.iter()).filter(|(_, progress)| progress.result.state == JobState::Succeeded);
        remove_workspaces(self.context, filled.map(|(job, _)| job));
        Results {
            jobs: self.jobs.into_results(),
            duration: began.elapsed(),
            stopped: seen > StopLevel::None,
            spooled: self.spooled,
            broken: self.broken,
            open_breakers: self.breakers.open(),
        }
    }

    /// Follows this, and what else is completed by now: what is known is heeded before anything more is started.
    fn all_completed(&mut self, first: Completed) {
        self.completed(first);
        while let Some(Some(completed)) = self.operations.next().now_or_never() {
            self.completed(completed);
        }
    }

    fn completed(&mut self, completed: Completed) {
        match completed {
            Completed::Attempt(job, attempt, Ok(result)) => self.attempt_ended(job, attempt, *result),
            Completed::Attempt(job, _, Err(error)) => self.attempt_unrecorded(job, &error),
            Completed::GivenUp(job, Ok(Recorded::Spool { .. })) => self.spooled.push(job),
            Completed::Dropped(Ok(())) | Completed::GivenUp(_, Ok(Recorded::Database(_))) => {}
            Completed::Dropped(Err(error)) | Completed::GivenUp(_, Err(error)) => {
                self.give_up_run(error.to_string(), CannotRecord::DatabaseFailed);
            }
            Completed::Renewal(asked, renewed) => self.lease_renewed(asked, renewed),
            Completed::Claims(begun, claims) => self.claims_watched(&begun, claims),
            Completed::Breaker => {
                self.breakers.recorded();
                self.record_breakers();
            }
        }
    }

    fn start(&mut self, index: JobIndex, attempt: u32) {
        let job = self.plan.job(index);
        let assignment = self.jobs[index].begin_attempt(self.context, index, job, attempt);
        if let Some(gap) = job.report().filter(|_| attempt == 1 && job.gate == Gate::Probe) {
            self.breakers.probe_started(gap);
            self.record_breakers();
        }
        self.operations.push(Box::pin(async move { Completed::Attempt(index, attempt, assignment.carry_out().await.map(Box::new)) }));
    }

    /// An attempt is over, or could not begin.
    fn attempt_ended(&mut self, job: JobIndex, attempt: u32, result: AttemptResult) {
        let progress = &mut self.jobs[job];
        let (class, step) = match result {
            AttemptResult::NotYet { step, active } => {
                // When the database did not answer, the attempt may be on record, with its begin time: the next try repeats that time.
                progress.end_attempt(!matches!(step, NextStep::Later(_)));
                progress.held = active;
                if attempt == 1 {
                    progress.unbegin();
                }
                (None, step)
            }
            AttemptResult::Retry { class, wait, note, active } => {
                progress.end_attempt(true);
                progress.held = Some(active);
                progress.result.attempts = attempt;
                let error = note.map(|note| note.to_string()).unwrap_or_default();
                let log = progress.log(self.context);
                let of = self.context.catalogue.retry(self.plan.job(job)).max_attempts;
                let delay = self.schedule.may_retry(self.plan, job).then_some(wait);
                self.emit(job, JobEvent::Retrying { attempt, of, error, log, delay });
                (Some(class), NextStep::Retry(wait))
            }
            AttemptResult::Over(over) => {
                progress.end_attempt(true);
                let (class, step) = (over.class, over.step);
                self.job_over(job, attempt, over);
                (class, step)
            }
        };
        if let Some(gap) = self.plan.job(job).report().filter(|_| class == Some(Class::Configuration)) {
            self.stop_etl(gap.etl);
        }
        for notice in self.schedule.ended(self.plan, job, class, step, self.context.lock_taken_at.elapsed()) {
            self.note(&notice);
        }
    }

    fn job_over(&mut self, job: JobIndex, attempt: u32, over: JobOver) {
        let JobOver { state, note, class, step: _, exhausted, history, collected, is_spooled, for_want_of_record, host_unfit, trouble } =
            over;
        let result = &mut self.jobs[job].result;
        result.collected = collected;
        result.exhausted = exhausted;
        result.for_want_of_record = for_want_of_record;
        if class.is_some() {
            result.attempts = attempt;
        }
        if let Some(trouble) = trouble {
            // No further job is started. Attempts that run go on as long as the lease is valid.
            self.broken.get_or_insert(trouble);
            self.schedule.halt(NotStarted::CannotRecord(CannotRecord::DatabaseFailed));
        }
        if let Some(trouble) = host_unfit {
            self.broken.get_or_insert(trouble);
        }
        if is_spooled {
            self.spooled.push(job);
        }
        if let Some((fence, history)) = history {
            self.jobs[job].result.held = history.held();
            self.breakers.failed(job, fence, history);
        }
        self.finish(job, state, note.map(|note| note.to_string()));
    }

    /// The end of an attempt is recorded nowhere.
    fn attempt_unrecorded(&mut self, job: JobIndex, error: &StoreError) {
        self.give_up_run(error.to_string(), CannotRecord::DatabaseFailed);
        self.jobs[job].end_attempt(false);
        self.finish(job, JobState::Failed, Some(format!("its end could not be recorded: {error}")));
        self.schedule.ended(self.plan, job, None, NextStep::Cancel, self.context.lock_taken_at.elapsed());
    }

    /// Starts nothing more of an ETL that is set up wrongly.
    fn stop_etl(&mut self, etl: EtlIndex) {
        if !self.schedule.stop_etl(etl) {
            return;
        }
        let jobs = self.plan.jobs.iter().zip(self.jobs.iter());
        let is_left = |(job, progress): &(&PlannedJob, &JobProgress)| {
            progress.result.state == JobState::Queued && job.report().is_some_and(|gap| gap.etl == etl)
        };
        let left = jobs.filter(is_left).count();
        if left > 0 {
            let jobs = if left == 1 { "1 other job".to_owned() } else { format!("{left} other jobs") };
            let name = &self.context.catalogue.etl(etl).name;
            tracing::warn!(etl = name, "{name} is set up wrongly: {jobs} of it will not be started in this run");
        }
    }

    /// Follows a notice of the schedule.
    fn note(&mut self, notice: &Notice) {
        for job in notice.refunded() {
            self.jobs[*job].result.held = Eligibility::Free;
        }
        let name = &self.context.catalogue.etl(notice.etl()).name;
        match notice {
            Notice::Opened { banks, .. } => {
                let banks: Vec<&str> = banks.iter().map(|bank| self.context.catalogue.institutions.get(*bank).key.as_str()).collect();
                let banks = banks.join(", ");
                tracing::warn!(etl = name, "{name} failed for {banks} in a row: the rest of it is deferred until it works again");
            }
            Notice::Refund { .. } => {}
            Notice::Closed(_) => tracing::info!(etl = name, "{name} works again"),
        }
        self.breakers.apply_notice(notice);
        self.record_breakers();
    }

    fn record_breakers(&mut self) {
        let Some(record) = self.breakers.next() else { return };
        let context = self.context;
        self.operations.push(Box::pin(async move {
            record.write(context).await;
            Completed::Breaker
        }));
    }

    /// Asks the database for the claims of the run, unless no job can have one.
    fn watch_claims(&mut self) {
        if !self.jobs.iter().any(JobProgress::may_be_claimed) {
            return self.watch.end(WATCH);
        }
        self.watch.begin();
        let (store, run, begun) = (&self.context.store, self.context.run, watch::begun(&self.jobs));
        self.operations.push(Box::pin(async move { Completed::Claims(begun, store.watch(run).await) }));
    }

    fn claims_watched(&mut self, begun: &BTreeSet<JobIndex>, claims: Result<Vec<Watched>, StoreError>) {
        self.watch.end(WATCH);
        let claims = match claims {
            Ok(claims) => claims,
            // The next question follows soon. When the database stays away, the lease cannot be renewed, and that stops the run.
            Err(error) if error.may_pass() => return tracing::debug!("{error}"),
            // Nothing can be recorded any more. Attempts that run go on as long as the lease is valid.
            Err(error) => {
                if self.broken.is_none() {
                    tracing::error!("{error}");
                }
                self.broken.get_or_insert(error.to_string());
                return self.schedule.halt(NotStarted::Stopped);
            }
        };
        self.context.ledger.is_back();
        for (job, reason) in watch::stops(&self.jobs, begun, claims) {
            if self.jobs[job].has_attempt() {
                self.jobs[job].stop(StopLevel::Graceful, reason);
            } else if self.schedule.give_up(self.plan, job) {
                self.cancel(job, reason.to_string());
            }
        }
    }

    fn renew_lease(&mut self) {
        self.lease.begin_renewal();
        let (store, run, lease) = (&self.context.store, self.context.run, self.context.lease);
        let asked = Instant::now();
        self.operations.push(Box::pin(async move { Completed::Renewal(asked, store.renew(run, lease).await) }));
    }

    fn lease_renewed(&mut self, asked: Instant, renewed: Result<bool, StoreError>) {
        match renewed {
            Ok(true) => {
                self.lease.renewed(asked);
                self.context.ledger.is_back();
            }
            // The renewal timer is not started again: a lost lease cannot be regained.
            Ok(false) => {
                self.give_up_run(StopReason::RunLost.to_string(), CannotRecord::RunLost);
                self.stop_attempts(StopLevel::Immediate, &StopReason::RunLost);
            }
            Err(error) => {
                tracing::warn!("{error}; trying again");
                self.lease.not_renewed();
            }
        }
    }

    fn lease_late(&mut self) {
        self.lease.note_late();
        self.give_up_run(StopReason::LeaseLate.to_string(), CannotRecord::LeaseLate);
    }

    fn finish(&mut self, job: JobIndex, state: JobState, reason: Option<String>) {
        let ended = self.jobs[job].finish(self.context, state, reason);
        self.emit(job, ended);
    }

    fn emit(&self, job: JobIndex, event: JobEvent) {
        self.context.events.of_job(job, self.jobs[job].result.id, event);
    }
}
