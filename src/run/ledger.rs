//! Records what jobs come to: in the database, or while that is away in the spool.

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
use crate::plan::run::stop::StopLevel;
use crate::store::{self, StoreError};

/// For how long the database is asked again to take one record.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same when everything is to stop at once.
const MOMENT: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// For how long new jobs wait for a database that is away before the run gives up starting any.
const GIVE_UP: Duration = Duration::from_secs(60);
/// After this long a new job asks again whether the database is back.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// Where the end of a job was recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    /// In the database, which says in which state the job is, or that the claim is not valid any more.
    Database(Finished),
    /// In the spool: the next run records it in the database.
    Spool,
}

/// Where a run records what its jobs come to.
#[derive(Debug)]
pub(super) struct Ledger {
    store: Arc<dyn store::Ledger>,
    spool: Spool,
    stop: StopSignal,
    /// Since when the database has failed at everything.
    away_since: Mutex<Option<Instant>>,
    /// The first error for which something was spooled.
    trouble: OnceLock<String>,
    /// Whether such an error was one that does not pass.
    is_hopeless: AtomicBool,
}

impl Ledger {
    pub(super) fn new(store: Arc<dyn store::Ledger>, spool: Spool, stop: StopSignal) -> Self {
        Self { store, spool, stop, away_since: Mutex::new(None), trouble: OnceLock::new(), is_hopeless: AtomicBool::new(false) }
    }

    /// Records the end of a job: tries the database for a while, then the spool.
    ///
    /// # Errors
    /// When neither takes it, or the database refuses the values. Then the next run finds a job whose end nobody saw.
    pub(super) async fn finish(&self, record: &Record) -> Result<Recorded, StoreError> {
        match self.insist(|| replay(&*self.store, record)).await {
            Ok(finished) => Ok(Recorded::Database(finished)),
            Err(error) if error.is_about_values() => Err(error),
            Err(error) => self.spool(record, error),
        }
    }

    /// Records that a claimed job is not tried again, between attempts.
    ///
    /// # Errors
    /// As [`finish`](Self::finish).
    pub(super) async fn cancel(&self, gap: &GapKey, claim: Claim, reason: String) -> Result<Recorded, StoreError> {
        let end = JobEnd::Cancelled { attempt: None, reason, at: Utc::now() };
        self.finish(&Record { claim, gap: gap.clone(), remote: None, end }).await
    }

    /// Records the end of an attempt that another one follows. Returns whether the claim is still valid.
    ///
    /// # Errors
    /// When the database does not take it.
    pub(super) async fn end_attempt(&self, claim: Claim, end: &AttemptEnd, remote: Option<&str>) -> store::Result<bool> {
        self.insist(async || {
            follow_again(&*self.store, claim, end, remote).await?;
            self.store.end_attempt(claim, end).await
        })
        .await
    }

    /// Keeps a record that the database does not take, because of `error`, for the next run.
    ///
    /// # Errors
    /// `error`, when the spool does not take it either.
    pub(super) fn spool(&self, record: &Record, error: StoreError) -> Result<Recorded, StoreError> {
        if let Err(full) = self.spool.keep(record) {
            tracing::error!("the spool does not take the end of {} either: {full}", record.gap);
            return Err(error);
        }
        tracing::warn!("{error}; {} is kept in the spool for the next run", record.gap);
        self.trouble.get_or_init(|| error.to_string());
        if !error.may_pass() {
            self.is_hopeless.store(true, Ordering::Relaxed);
        }
        Ok(Recorded::Spool)
    }

    /// Does something that can be repeated, again and again for a while, when the database is in trouble that may pass. While it
    /// is away anyway, once; after an immediate stop, for a moment.
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
            if was_away || began.elapsed() + wait > PATIENCE || self.stop.level() == StopLevel::Immediate {
                if !was_away {
                    tracing::warn!("{error}; waiting for the database");
                }
                self.away_since().get_or_insert(began);
                return Err(error);
            }
            tracing::debug!("{error}; asking again");
            tokio::time::sleep(wait).await;
            wait = (wait * 2).min(ASK_AGAIN);
        }
    }

    /// What the database says, if it says anything in time.
    async fn answer<T>(&self, began: Instant, work: impl Future<Output = store::Result<T>>) -> store::Result<T> {
        let silent = |span: Duration| StoreError::Unreachable {
            target: "in use".to_owned(),
            reason: format!("no answer within {} s", span.as_secs()),
        };
        let hurried = async {
            self.stop.reached(StopLevel::Immediate).await;
            tokio::time::sleep(MOMENT).await;
        };
        tokio::select! {
            answer = work => answer,
            () = tokio::time::sleep_until(began + PATIENCE) => Err(silent(PATIENCE)),
            () = hurried => Err(silent(MOMENT)),
        }
    }

    /// How long a job that could not be started for this error is to wait; `None` when it is not worth waiting any longer.
    pub(super) fn wait_after(&self, error: &StoreError) -> Option<Duration> {
        if !error.may_pass() {
            return None;
        }
        let mut away_since = self.away_since();
        if away_since.is_none() {
            tracing::warn!("{error}; waiting for the database");
        }
        let since = *away_since.get_or_insert_with(Instant::now);
        (since.elapsed() < GIVE_UP).then_some(ASK_AGAIN)
    }

    /// Why something was spooled, if anything was.
    pub(super) fn trouble(&self) -> Option<String> {
        self.trouble.get().cloned()
    }

    /// Why there is no use in starting anything: the database has refused a record for a reason that does not pass.
    pub(super) fn hopeless(&self) -> Option<String> {
        self.trouble().filter(|_| self.is_hopeless.load(Ordering::Relaxed))
    }

    /// The database has answered.
    pub(super) fn is_back(&self) {
        *self.away_since() = None;
    }

    fn away_since(&self) -> std::sync::MutexGuard<'_, Option<Instant>> {
        // Nothing panics while it is held.
        self.away_since.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// Records the end of a job in the database. Repeating it changes nothing.
pub(super) async fn replay(store: &dyn store::Ledger, record: &Record) -> store::Result<Finished> {
    if let Some(end) = record.end.attempt() {
        follow_again(store, record.claim, end, record.remote.as_deref()).await?;
    }
    store.finish(record.claim, &record.end).await
}

/// The database may have been away when the service named its job.
async fn follow_again(store: &dyn store::Ledger, claim: Claim, end: &AttemptEnd, remote: Option<&str>) -> store::Result<()> {
    if let Some(remote) = remote {
        store.follow(claim, end.attempt, Some(remote)).await?;
    }
    Ok(())
}
