//! Records how jobs end: in the database, or in the spool while the database does not answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use chrono::Utc;
use tokio::time::Instant;

use super::spool::{Record, Spool};
use crate::execute::stop::StopSignal;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::{AttemptEnd, Claim};
use crate::plan::run::job_end::{Finished, JobEnd};
use crate::store::{self, StoreError};

/// How long a record is tried again when the database is in trouble that may pass.
const RETRY_FOR: Duration = Duration::from_secs(10);
/// The same once the run is to stop.
const RETRY_FOR_WHEN_STOPPED: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// How long new jobs wait for a database that does not answer. After that no job is started.
const GIVE_UP_AFTER: Duration = Duration::from_secs(60);
/// The pause before a new job tries the database again; also the longest pause between two tries of one record.
const ASK_AGAIN_AFTER: Duration = Duration::from_secs(2);

/// Where the end of a job was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Recorded {
    /// In the database: the state of the job there, or that the claim was no longer valid.
    Database(Finished),
    /// In the spool, because of this error of the database: the next run records it there.
    Spool {
        error: String,
        /// Whether the table keeps no row of this kind.
        is_not_kept: bool,
    },
}

impl Recorded {
    /// Whether the database does not have it yet.
    pub(super) fn is_spooled(&self) -> bool {
        matches!(self, Self::Spool { .. })
    }
}

/// Where a run records how its jobs end.
#[derive(Debug)]
pub(super) struct Ledger {
    store: Arc<dyn store::Ledger>,
    spool: Spool,
    stop: StopSignal,
    /// Since when every operation of the database has failed; `None` while it works.
    away_since: Mutex<Option<Instant>>,
    /// The first error because of which something was put into the spool.
    trouble: OnceLock<String>,
    /// Whether the ends of further jobs could not be recorded either.
    is_hopeless: AtomicBool,
}

impl Ledger {
    pub(super) fn new(store: Arc<dyn store::Ledger>, spool: Spool, stop: StopSignal) -> Self {
        Self { store, spool, stop, away_since: Mutex::new(None), trouble: OnceLock::new(), is_hopeless: AtomicBool::new(false) }
    }

    /// Records the end of a job: tries the database for [`RETRY_FOR`], then the spool.
    ///
    /// # Errors
    /// When both fail. The next run then records the job as lost.
    pub(super) async fn finish(&self, record: &Record) -> Result<Recorded, StoreError> {
        match self.insist(|| record_end(&*self.store, record)).await {
            Ok(finished) => Ok(Recorded::Database(finished)),
            Err(error) => self.spool(record, error),
        }
    }

    /// Records that a claimed job is cancelled between two attempts.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub(super) async fn cancel(&self, gap: &GapKey, claim: Claim, reason: String) -> Result<Recorded, StoreError> {
        let end = JobEnd::Cancelled { attempt: None, reason, at: Utc::now() };
        self.finish(&Record { claim, gap: gap.clone(), remote_id: None, staged: None, end }).await
    }

    /// Records the end of an attempt that will be retried. Returns whether the claim is still valid.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn end_attempt(&self, claim: Claim, end: &AttemptEnd, remote_id: Option<&str>) -> store::Result<bool> {
        self.insist(async || {
            follow_again(&*self.store, claim, end, remote_id).await?;
            self.store.end_attempt(claim, end).await
        })
        .await
    }

    /// Puts a record that the database did not take, because of `error`, into the spool for the next run.
    ///
    /// # Errors
    /// Returns `error` when the spool cannot be written either.
    pub(super) fn spool(&self, record: &Record, error: StoreError) -> Result<Recorded, StoreError> {
        let why = error.to_string();
        if let Err(full) = self.spool.keep(record, (!error.may_pass()).then_some(&why)) {
            tracing::error!("the spool does not take the end of {} either: {full}", record.gap);
            return Err(error);
        }
        tracing::warn!("{why}; the end of {} is kept in the spool for the next run", record.gap);
        self.trouble.get_or_init(|| why.clone());
        if !error.may_pass() && !error.is_about_values() && !error.is_not_kept() {
            // Other ends would be refused as well.
            self.is_hopeless.store(true, Ordering::Relaxed);
        }
        if let Err(full) = self.spool.refill() {
            tracing::warn!("no room is left in the spool for the ends of further jobs: {full}");
            self.is_hopeless.store(true, Ordering::Relaxed);
        }
        Ok(Recorded::Spool { error: why, is_not_kept: error.is_not_kept() })
    }

    /// Repeats `work`, which must be safe to repeat, for up to [`RETRY_FOR`] while it fails for a reason that may pass. Tries only once
    /// when the database did not answer the time before, and for [`RETRY_FOR_WHEN_STOPPED`] once the run is to stop.
    pub(super) async fn insist<T, F: Future<Output = store::Result<T>>>(&self, mut work: impl FnMut() -> F) -> store::Result<T> {
        let began = Instant::now();
        let mut wait = FIRST_WAIT;
        loop {
            let was_away = self.away_since().is_some();
            let error = match self.answer(began, work()).await {
                Ok(done) => {
                    self.is_back();
                    return Ok(done);
                }
                Err(error) => error,
            };
            if !error.may_pass() {
                return Err(error);
            }
            let retry_for = if self.stop.is_raised() { RETRY_FOR_WHEN_STOPPED } else { RETRY_FOR };
            if was_away || began.elapsed() + wait > retry_for {
                if !was_away {
                    tracing::warn!("{error}; waiting for the database");
                }
                self.away_since().get_or_insert(began);
                return Err(error);
            }
            tracing::debug!("{error}; asking again");
            tokio::select! {
                () = tokio::time::sleep(wait) => {}
                _ = self.stop.raised_above(self.stop.level()) => {}
            }
            wait = (wait * 2).min(ASK_AGAIN_AFTER);
        }
    }

    /// The answer of the database, or an error when there is none in time. The store itself is in a hurry once the run is to stop.
    async fn answer<T>(&self, began: Instant, work: impl Future<Output = store::Result<T>>) -> store::Result<T> {
        let silent = |span: Duration| StoreError::Unreachable {
            target: "in use".to_owned(),
            reason: format!("no answer within {} s", span.as_secs()),
        };
        tokio::select! {
            answer = work => answer,
            () = tokio::time::sleep_until(began + RETRY_FOR) => Err(silent(RETRY_FOR)),
        }
    }

    /// How long a job that could not be started because of this error waits before it tries again; `None` when it must not try again.
    pub(super) fn wait_after(&self, error: &StoreError) -> Option<Duration> {
        if !error.may_pass() {
            return None;
        }
        let mut away_since = self.away_since();
        if away_since.is_none() {
            tracing::warn!("{error}; waiting for the database");
        }
        let since = *away_since.get_or_insert_with(Instant::now);
        (since.elapsed() < GIVE_UP_AFTER).then_some(ASK_AGAIN_AFTER)
    }

    /// The error because of which something was put into the spool, if anything was.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.get().cloned()
    }

    /// The same, when the ends of further jobs could not be recorded either: then none is to be started.
    pub(super) fn hopeless(&self) -> Option<String> {
        self.trouble().filter(|_| self.is_hopeless.load(Ordering::Relaxed))
    }

    /// Whether the database did not answer when it was asked last.
    pub(super) fn is_away(&self) -> bool {
        self.away_since().is_some()
    }

    /// To be called when the database has answered.
    pub(super) fn is_back(&self) {
        *self.away_since() = None;
    }

    fn away_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        // Nothing panics while it is held.
        self.away_since.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Records the end of a job in the database. To repeat it does no harm.
pub(super) async fn record_end(store: &dyn store::Ledger, record: &Record) -> store::Result<Finished> {
    if let Some(end) = record.end.attempt() {
        follow_again(store, record.claim, end, record.remote_id.as_deref()).await?;
    }
    store.finish(record.claim, &record.end).await
}

/// Records the service's id of the job once more: the database may not have answered when the service named it.
async fn follow_again(store: &dyn store::Ledger, claim: Claim, end: &AttemptEnd, remote_id: Option<&str>) -> store::Result<()> {
    if let Some(remote_id) = remote_id {
        store.follow(claim, end.attempt, Some(remote_id)).await?;
    }
    Ok(())
}
