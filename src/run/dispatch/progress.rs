//! The live state of one job.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;
use uuid::Uuid;

use super::super::attempt::{ActiveJob, Assignment, log_path};
use super::super::context::RunContext;
use crate::execute::stop::StopSender;
use crate::plan::decide::plan::PlannedJob;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::model::said::{self, Metric};
use crate::plan::remember::failure_history::Eligibility;
use crate::plan::run::event::JobEvent;
use crate::plan::run::schedule::JobIndex;
use crate::plan::run::stop::{StopLevel, StopReason};
use crate::plan::run::summary::JobResult;

/// Where a job stands, and what its attempt under way shares with the dispatcher.
#[derive(Debug)]
pub(super) struct JobProgress {
    pub(super) result: JobResult,
    /// The claim on it, between attempts.
    pub(super) held: Option<ActiveJob>,
    /// When its first attempt began.
    since: Option<Instant>,
    /// Seen by its attempts: raised for the whole run, or for this job alone.
    stop: StopSender,
    /// What its attempts said, each added at its end.
    metrics: Arc<Mutex<Vec<Metric>>>,
    /// Set by its attempt once that is on record.
    is_begun: Arc<AtomicBool>,
    has_attempt: bool,
    /// When its attempt began, for the record; stays while it is not known whether that is on record.
    begins_at: Option<DateTime<Utc>>,
}

impl JobProgress {
    pub(super) fn new(id: JobId) -> Self {
        let result = JobResult {
            id,
            state: JobState::Queued,
            attempts: 0,
            exhausted: false,
            duration: Duration::ZERO,
            reason: None,
            held: Eligibility::Free,
            log: None,
            collected: None,
            metrics: Vec::new(),
            for_want_of_record: false,
        };
        Self {
            result,
            held: None,
            since: None,
            stop: StopSender::default(),
            is_begun: Arc::default(),
            metrics: Arc::default(),
            has_attempt: false,
            begins_at: None,
        }
    }

    /// Whether an attempt of it is under way.
    pub(super) fn has_attempt(&self) -> bool {
        self.has_attempt
    }

    /// Whether an attempt of it is under way and on record.
    pub(super) fn is_begun(&self) -> bool {
        self.has_attempt && self.is_begun.load(Ordering::Relaxed)
    }

    /// Whether the run may have a claim on it.
    pub(super) fn may_be_claimed(&self) -> bool {
        self.has_attempt || self.held.is_some()
    }

    /// Asks its attempt to stop, also one that begins later.
    pub(super) fn stop(&self, level: StopLevel, reason: StopReason) {
        self.stop.raise(level, reason);
    }

    /// An attempt begins. Returns what it is to do.
    pub(super) fn begin_attempt<'a>(
        &mut self,
        context: &'a RunContext,
        index: JobIndex,
        job: &'a PlannedJob,
        number: u32,
    ) -> Assignment<'a> {
        self.since.get_or_insert_with(Instant::now);
        self.result.state = JobState::Running;
        self.has_attempt = true;
        self.is_begun.store(false, Ordering::Relaxed);
        Assignment {
            context,
            index,
            job,
            id: self.result.id,
            number,
            active: self.held.take(),
            random: random(),
            begins_at: *self.begins_at.get_or_insert_with(Utc::now),
            is_begun: self.is_begun.clone(),
            metrics: self.metrics.clone(),
            stop: self.stop.signal(),
        }
    }

    /// The attempt is over. `is_known`: whether it is known what the database has of it.
    pub(super) fn end_attempt(&mut self, is_known: bool) {
        self.has_attempt = false;
        if is_known {
            self.begins_at = None;
        }
    }

    /// Its first attempt could not begin: the job has not begun either.
    pub(super) fn unbegin(&mut self) {
        self.since = None;
    }

    /// The log of its last attempt, if that printed anything.
    pub(super) fn log(&self, context: &RunContext) -> Option<PathBuf> {
        let log = log_path(context.layout(), self.result.id, self.result.attempts);
        (self.result.attempts > 0 && log.exists()).then_some(log)
    }

    /// The job is over.
    pub(super) fn finish(&mut self, context: &RunContext, state: JobState, reason: Option<String>) -> JobEvent {
        self.result.state = state;
        self.result.duration = self.since.map(|since| since.elapsed()).unwrap_or_default();
        self.result.reason.clone_from(&reason);
        // Nothing panics while it is held.
        self.result.metrics = said::sum(self.metrics.lock().unwrap_or_else(PoisonError::into_inner).iter());
        self.result.log = self.log(context);
        JobEvent::Ended { state, duration: self.result.duration, reason, log: self.result.log.clone() }
    }
}

/// Uniform in `0.0..1.0`, from the generator that makes the ids.
fn random() -> f64 {
    let (bits, _) = Uuid::new_v4().as_u64_pair();
    f64::from(u32::try_from(bits >> 32).unwrap_or_default()) / (f64::from(u32::MAX) + 1.0)
}
