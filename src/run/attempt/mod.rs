//! One attempt of a job, from its claim to the record of its end. Everything is recorded before it is acted on.

mod claim;
mod execute;
mod misspelled;
mod place;
mod publish;
mod result;
mod said;
mod task;
mod verify;
mod workspace;

use std::io;
use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, Utc};
use futures::FutureExt;
use tracing::Instrument;

pub(super) use self::result::{AttemptResult, JobOver};
pub(super) use self::task::Setting;
pub(super) use self::workspace::{Paths, log_path, remove_workspaces};

use self::claim::Taken;
use self::place::host_outcome;
use super::context::RunContext;
use super::ledger::Recorded;
use super::spool::Record;
use super::{output, placing};
use crate::execute::stop::StopSignal;
use crate::plan::decide::plan::PlannedJob;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::{AttemptEnd, Claim, JobState};
use crate::plan::model::outcome::Class;
use crate::plan::model::said::{Metric, Said};
use crate::plan::model::work::Work;
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::remember::recorded_job::Unplaced;
use crate::plan::run::aftermath::{Aftermath, Attempted, Finding, Next};
use crate::plan::run::ended::{End, Ended};
use crate::plan::run::event::JobEvent;
use crate::plan::run::job_end::{Artifact, Finished, JobEnd};
use crate::plan::run::note::JobNote;
use crate::plan::run::schedule::JobIndex;
use crate::store::StoreError;

/// A claimed job between attempts.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct ActiveJob {
    pub(super) claim: Claim,
    /// The gap's failures when the job was claimed.
    history: FailureHistory,
    /// The fingerprint of the report that existed when the job was claimed (`--force`).
    before: Option<String>,
    /// The service's id of a job that was started for it and whose end was not seen.
    remote_id: Option<String>,
    /// The end of the attempt before, which is on record.
    ended: Option<AttemptEnd>,
    /// How the job ends if a signal stops the run before its next attempt.
    pub(super) if_stopped: Option<Box<JobEnd>>,
    /// Earlier jobs over the gap of which a staged report may be left.
    unplaced: Vec<Unplaced>,
}

/// The order to carry out an attempt.
pub(super) struct Assignment<'a> {
    /// What is the same for every attempt of the run.
    pub(super) context: &'a RunContext,
    /// The job's position in the plan.
    pub(super) index: JobIndex,
    pub(super) job: &'a PlannedJob,
    pub(super) id: JobId,
    /// Number of the attempt, from 1.
    pub(super) number: u32,
    /// What the attempt before left; `None` for the first.
    pub(super) active: Option<ActiveJob>,
    /// Uniform in `0.0..1.0`, for the jitter of the wait that may follow.
    pub(super) random: f64,
    /// When the attempt begins, for the record. Unchanged when it is begun again because the database did not answer.
    pub(super) begins_at: DateTime<Utc>,
    /// Set once the attempt is on record as begun.
    pub(super) is_begun: Arc<AtomicBool>,
    /// The attempt adds what it said at its end.
    pub(super) metrics: Arc<Mutex<Vec<Metric>>>,
    pub(super) stop: StopSignal,
}

/// An attempt that is on record as begun.
struct Attempt<'a> {
    order: Assignment<'a>,
    active: ActiveJob,
    paths: Paths,
}

impl Assignment<'_> {
    /// Claims the job, or records that another attempt of it begins, and carries the attempt out. A bug ends this job and not the run:
    /// what the attempt has started ends with its future.
    ///
    /// # Errors
    /// When the end of the attempt is recorded nowhere: neither the database nor the spool takes it.
    pub(super) async fn carry_out(self) -> Result<AttemptResult, StoreError> {
        let span = self.span();
        AssertUnwindSafe(self.claim_and_carry_out().instrument(span)).catch_unwind().await.unwrap_or_else(|_| Ok(AttemptResult::bug()))
    }

    /// What every log line of the attempt says of it.
    fn span(&self) -> tracing::Span {
        let gap = &self.job.key;
        tracing::error_span!(
            "attempt",
            job_id = %self.id,
            job = self.context.catalogue.label(self.job),
            gap = %gap,
            bank = gap.bank(),
            period = gap.period(),
            etl = gap.etl(),
            source = gap.source_id(),
            attempt = self.number,
        )
    }

    async fn claim_and_carry_out(self) -> Result<AttemptResult, StoreError> {
        let paths = Paths::of(self.context.layout(), self.job, self.id, self.number);
        if let Some(note) = self.no_place().await {
            return self.not_begun(note).await;
        }
        if let Some(note) = self.is_misspelled().await {
            return self.misconfigured(note).await;
        }
        match self.take(&paths).await? {
            Taken::Begun(active) => Attempt { order: self, active, paths }.carry_out().await,
            Taken::NotBegun(result) => Ok(result),
        }
    }
}

impl Attempt<'_> {
    async fn carry_out(self) -> Result<AttemptResult, StoreError> {
        let Assignment { context, job, number, .. } = self.order;
        self.order.is_begun.store(true, Ordering::Relaxed);
        self.tell(JobEvent::AttemptStarted { attempt: number, of: context.catalogue.retry(job).max_attempts });
        let (ended, finding) = match self.prepare().await {
            Ok(()) => {
                let ended = self.execute().await;
                let finding = self.finding(&ended).await;
                (ended, finding)
            }
            Err(error) => self.without_workspace(&error),
        };
        self.conclude(&ended, finding).await
    }

    /// Makes the workspace ready, once what earlier jobs over the gap left at its destination is done.
    async fn prepare(&self) -> io::Result<()> {
        if !self.active.unplaced.is_empty() {
            let (done, troubles) = placing::finish_each(self.active.unplaced.clone()).await;
            if let Some(trouble) = troubles.into_iter().next() {
                return Err(io::Error::other(trouble));
            }
            let context = self.order.context;
            if let Err(error) = context.store.placed(&done).await {
                tracing::debug!("{error}; the next run records it");
            }
        }
        self.paths.prepare(&self.order.context.workspaces)
    }

    /// Records what follows from the end of the attempt.
    async fn conclude(&self, ended: &Ended, finding: Finding) -> Result<AttemptResult, StoreError> {
        let stop = self.order.stop.reason();
        let attempted = Attempted {
            job: self.order.job,
            number: self.order.number,
            work: self.work(),
            retry: self.order.context.catalogue.retry(self.order.job),
            cooldown: &self.order.context.cooldown,
            history: &self.active.history,
            stop: stop.as_ref(),
            at: Utc::now(),
            random: self.order.random,
        };
        let Aftermath { class, note, next } = attempted.aftermath(ended, finding);
        if let Some(gap) = self.order.job.report().filter(|_| class == Class::Configuration) {
            // Nobody listens any more: then nothing is started either.
            let _ = self.order.context.set_up_wrongly.send(gap.etl);
        }
        let outcome = next.attempt().map(|attempt| attempt.outcome.clone());
        self.tell(JobEvent::AttemptEnded { attempt: self.order.number, end: ended.end.clone(), outcome, duration: ended.duration });
        match next {
            Next::Retry { wait, attempt, if_stopped } => self.end_attempt(ended, (attempt, if_stopped), class, note, wait).await,
            Next::End(end) => self.finish(ended, end, class, note).await,
        }
    }

    /// Records the end of an attempt that another one follows.
    async fn end_attempt(
        &self,
        ended: &Ended,
        (attempt, if_stopped): (AttemptEnd, Box<JobEnd>),
        class: Class,
        note: Option<JobNote>,
        wait: Duration,
    ) -> Result<AttemptResult, StoreError> {
        let ledger = &self.order.context.ledger;
        match ledger.end_attempt(self.active.claim, &attempt, ended.remote_id.as_deref()).await {
            Ok(true) => {
                let active = ActiveJob {
                    remote_id: ended.remote_id.clone(),
                    ended: Some(attempt),
                    if_stopped: Some(if_stopped),
                    ..self.active.clone()
                };
                Ok(AttemptResult::Retry { class, wait, note, active })
            }
            Ok(false) => Ok(AttemptResult::claim_lost()),
            // What cannot be recorded is not tried again: the job is over.
            Err(error) => {
                let note = JobNote::NoFurtherAttempt { failure: note.map(Box::new), error: error.to_string() };
                let reason = note.to_string();
                let record = self.record(ended, JobEnd::Cancelled { at: attempt.ended_at, attempt: Some(attempt), reason });
                let recorded = ledger.spool(&record, error)?;
                Ok(self.over(&record.end, &recorded, class, Some(note), None))
            }
        }
    }

    /// Records the end of the job.
    async fn finish(&self, ended: &Ended, end: JobEnd, class: Class, note: Option<JobNote>) -> Result<AttemptResult, StoreError> {
        let record = self.record(ended, end);
        let to_place = self.order.job.report().and_then(|gap| self.order.context.destination(gap)).filter(|_| record.staged.is_some());
        let recorded = self.order.context.ledger.finish(&record).await;
        let not_placed = match (&recorded, to_place) {
            (Ok(Recorded::Database(Finished::Recorded(JobState::Succeeded))), Some(destination)) => self.place(destination).await.err(),
            (Ok(Recorded::Database(_)), Some(destination)) => {
                self.unstage(destination).await;
                None
            }
            (Ok(Recorded::Spool { .. }) | Err(_), Some(_)) => {
                self.order.context.placements.leave(self.order.id);
                None
            }
            (Ok(_) | Err(_), None) => None,
        };
        match recorded {
            Ok(Recorded::Database(Finished::ClaimLost)) => Ok(AttemptResult::claim_lost()),
            Ok(recorded) => Ok(self.over(&record.end, &recorded, class, note, not_placed)),
            Err(error) => Err(error),
        }
    }

    /// The job is over and recorded as `end`, by this attempt. `not_placed`: why its report is not at its destination.
    fn over(&self, end: &JobEnd, recorded: &Recorded, class: Class, note: Option<JobNote>, not_placed: Option<io::Error>) -> AttemptResult {
        let mut over = JobOver::new(end, recorded, class, note);
        if let Some(error) = not_placed {
            over = over.with_misplaced_report(&error);
        }
        if over.is_spooled {
            over.trouble = self.order.context.ledger.hopeless();
        }
        if over.state == JobState::Succeeded || end.state() == JobState::Succeeded {
            self.paths.clear(&self.order.context.workspaces);
        }
        over.history = match end {
            JobEnd::Failed { history, .. } if *history != self.active.history => Some((self.active.claim.fence, history.clone())),
            JobEnd::Failed { .. }
            | JobEnd::Succeeded { .. }
            | JobEnd::Unverified { .. }
            | JobEnd::Skipped { .. }
            | JobEnd::Cancelled { .. }
            | JobEnd::Lost { .. } => None,
        };
        AttemptResult::Over(over)
    }

    fn record(&self, ended: &Ended, end: JobEnd) -> Record {
        let staged = match end.artifact() {
            Artifact::ReportRow(row) => Some(output::staged_path(Path::new(&row.local_filepath), self.order.id)),
            Artifact::Report | Artifact::Collection(_) => None,
        };
        Record { claim: self.active.claim, gap: self.order.job.key.clone(), remote_id: ended.remote_id.clone(), staged, end }
    }

    fn tell(&self, event: JobEvent) {
        self.order.context.events.of_job(self.order.index, self.order.id, event);
    }

    /// How the job does its work.
    fn work(&self) -> &Work {
        self.order.context.catalogue.work(self.order.job)
    }

    /// The end of an attempt that has no workspace.
    fn without_workspace(&self, error: &io::Error) -> (Ended, Finding) {
        let why = format!("cannot prepare {}: {error}", self.paths.work_dir.display());
        let outcome = host_outcome(error, why.clone());
        let ended = Ended {
            end: End::SpawnFailed(why),
            duration: Duration::ZERO,
            tail: String::new(),
            pid: None,
            said: Said::default(),
            error: None,
            answer: None,
            service_job: self.active.remote_id.clone(),
            remote_id: self.active.remote_id.clone(),
        };
        (ended, Finding::Failed(outcome))
    }
}
