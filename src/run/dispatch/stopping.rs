//! How a run ends before its time: jobs that are not started or not tried again, and attempts that are stopped.

use chrono::Utc;

use super::super::spool::Record;
use super::{Completed, Dispatch};
use crate::plan::model::job::JobState;
use crate::plan::run::event::EventKind;
use crate::plan::run::job_end::JobEnd;
use crate::plan::run::not_started::{CannotRecord, NotStarted};
use crate::plan::run::schedule::JobIndex;
use crate::plan::run::stop::{StopLevel, StopReason};

impl Dispatch<'_> {
    /// Ends a job that will not be started. Where there may be many of them for one reason, the end of the run records all at once.
    pub(super) fn drop_queued(&mut self, job: JobIndex, reason: NotStarted) {
        let why = reason.explain(&self.context.catalogue);
        self.note_want_of_record(job, reason);
        if !reason.is_of_many() {
            let (context, id, why, now) = (self.context, self.jobs[job].result.id, why.clone(), Utc::now());
            self.operations.push(Box::pin(async move {
                let dropped = context.ledger.insist(|| context.store.drop_queued(id, &why, now)).await;
                // An error that may pass does no harm: the end of the run cancels all jobs that are still queued.
                Completed::Dropped(dropped.map(drop).or_else(|error| if error.may_pass() { Ok(()) } else { Err(error) }))
            }));
        }
        self.finish(job, JobState::Cancelled, Some(why));
    }

    /// Cancels a job that waits for a retry.
    pub(super) fn cancel(&mut self, job: JobIndex, reason: String) {
        self.end_held(job, JobEnd::Cancelled { attempt: None, reason, at: Utc::now() });
    }

    /// Ends a job that waits for a retry.
    fn end_held(&mut self, job: JobIndex, end: JobEnd) {
        let (state, reason) = (end.state(), end.error().map(str::to_owned));
        if let Some(held) = self.jobs[job].held.take() {
            let ledger = &self.context.ledger;
            let record = Record { claim: held.claim, gap: self.plan.job(job).key.clone(), remote_id: None, staged: None, end };
            self.operations.push(Box::pin(async move { Completed::GivenUp(job, ledger.finish(&record).await) }));
        }
        self.finish(job, state, reason);
    }

    /// Ends a job that waits for a retry which will not come. Its failed attempts stay on record. Where a signal stops the run, the job has
    /// failed: how its attempt ended was seen before.
    pub(super) fn give_up(&mut self, job: JobIndex, reason: NotStarted) {
        self.note_want_of_record(job, reason);
        let held = self.jobs[job].held.as_mut().filter(|_| reason == NotStarted::Stopped);
        match held.and_then(|held| held.if_stopped.take()) {
            Some(end) if end.state() == JobState::Failed => self.end_held(job, *end),
            Some(_) | None => self.cancel(job, reason.explain(&self.context.catalogue)),
        }
    }

    /// Notes whether a job would have gone on had the database recorded everything in time.
    fn note_want_of_record(&mut self, job: JobIndex, reason: NotStarted) {
        let waited_too_long = reason == NotStarted::Deadline && self.context.ledger.is_away();
        self.jobs[job].result.for_want_of_record = reason.is_for_want_of_record() || waited_too_long;
    }

    /// A signal asks the run to stop.
    pub(super) fn stop_run(&mut self, level: StopLevel) {
        if let Some(reason) = self.stop.reason() {
            self.stop_attempts(level, &reason);
        }
        self.schedule.halt(NotStarted::Stopped);
        if let Some(reason) = self.stop.latest_reason() {
            let running = || self.plan.jobs.iter().zip(self.jobs.iter()).filter(|(_, progress)| progress.is_begun());
            self.context.events.of_run(EventKind::RunStopping {
                reason,
                is_immediate: level == StopLevel::Immediate,
                running: running().count(),
                grace: running().map(|(job, _)| self.context.catalogue.work(job).grace()).max().unwrap_or_default(),
            });
        }
    }

    /// The run cannot record what it does: no further job is started, and all attempts are stopped.
    pub(super) fn give_up_run(&mut self, trouble: String, reason: CannotRecord) {
        self.broken.get_or_insert(trouble);
        let stop = match reason {
            CannotRecord::DatabaseFailed => StopReason::DatabaseFailed,
            CannotRecord::LeaseLate => StopReason::LeaseLate,
            CannotRecord::RunLost => StopReason::RunLost,
        };
        self.stop_attempts(StopLevel::Graceful, &stop);
        self.schedule.halt(NotStarted::CannotRecord(reason));
    }

    /// Asks all attempts to stop, also those that begin later.
    pub(super) fn stop_attempts(&self, level: StopLevel, reason: &StopReason) {
        for progress in self.jobs.iter() {
            progress.stop(level, reason.clone());
        }
    }
}
