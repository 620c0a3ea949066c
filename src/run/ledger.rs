//! Records what jobs come to: in the database, or while that is away in the spool.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use tokio::time::Instant;

use super::spool::{Record, RecordKind, Spool};
use crate::execute::stop::StopSignal;
use crate::plan::model::job::{Artifact, AttemptEnd, ReportKey};
use crate::plan::model::outcome::Outcome;
use crate::plan::run::stop::StopLevel;
use crate::store::{self, Store, StoreError};

/// For how long the database is asked again to take one record.
const PATIENCE: Duration = Duration::from_secs(10);
/// The same when everything is to stop at once.
const MOMENT: Duration = Duration::from_secs(1);
const FIRST_WAIT: Duration = Duration::from_millis(50);
/// For how long new jobs wait for a database that is away before the run gives up starting any.
const GIVE_UP: Duration = Duration::from_secs(60);
/// After this long a new job asks again whether the database is back.
const ASK_AGAIN: Duration = Duration::from_secs(2);

/// What became of a record.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Recorded {
    /// It is in the database.
    Yes,
    /// It is in the database, which now says that the report is not there.
    NotThere,
    /// The claim was not ours any more: nothing was recorded.
    ClaimLost,
    /// It is in the spool: the next run records it.
    Spooled,
}

/// Where a run records what its jobs come to.
#[derive(Debug)]
pub(super) struct Ledger {
    store: Arc<dyn Store>,
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
    pub(super) fn new(store: Arc<dyn Store>, spool: Spool, stop: StopSignal) -> Self {
        Self { store, spool, stop, away_since: Mutex::new(None), trouble: OnceLock::new(), is_hopeless: AtomicBool::new(false) }
    }

    /// Records the end of an attempt, whatever it takes: asks the database again for a while, then the spool.
    ///
    /// # Errors
    /// When neither takes it, or the database refuses what the record says. Then the next run finds a job whose end nobody saw.
    pub(super) async fn record(&self, record: &Record) -> Result<Recorded, StoreError> {
        match self.insist(|| replay(&*self.store, record)).await {
            Ok(Replayed::Recorded) => Ok(Recorded::Yes),
            Ok(Replayed::NotThere) => Ok(Recorded::NotThere),
            Ok(Replayed::ClaimLost) => Ok(Recorded::ClaimLost),
            Err(error) if error.is_about_values() => Err(error),
            Err(error) => match self.spool.keep(&closed(record)) {
                Ok(()) => {
                    tracing::warn!("{error}; {} is kept in the spool for the next run", record.gap);
                    self.trouble.get_or_init(|| error.to_string());
                    if !error.may_pass() {
                        self.is_hopeless.store(true, Ordering::Relaxed);
                    }
                    Ok(Recorded::Spooled)
                }
                Err(full) => {
                    tracing::error!("the spool does not take the end of {} either: {full}", record.gap);
                    Err(error)
                }
            },
        }
    }

    /// Does something that can be repeated, again and again for a while, when the database is in trouble that may pass. While it
    /// is away anyway, once; when told to stop at once, for a moment.
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

/// What became of a record that was handed over to the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Replayed {
    /// It is there. What was [unverified](RecordKind::Unverified) was found to be a success.
    Recorded,
    /// It is there: what was unverified was found not to be a success.
    NotThere,
    /// The claim is not good any more, and nothing was recorded.
    ClaimLost,
}

/// Hands one record over to the database.
pub(super) async fn replay(store: &dyn Store, record: &Record) -> store::Result<Replayed> {
    let Record { claim, end, open, kind, at, .. } = record;
    if let (Some(remote), Some(end)) = (open, end) {
        // The database may have been away when the service told it.
        store.follow(*claim, end.attempt, Some(remote)).await?;
    }
    let handed = |done| if done { Replayed::Recorded } else { Replayed::ClaimLost };
    let Some(end) = end else { return store.cancel(*claim, None, cancelled(kind), *at).await.map(handed) };
    let done = match kind {
        RecordKind::Succeeded(row) => store.succeed(*claim, end, Artifact::Report(row.as_deref())).await,
        RecordKind::Collected(collected) => store.succeed(*claim, end, Artifact::Collection(collected)).await,
        RecordKind::Unverified { report, before } => {
            if is_new(store, report, before.as_deref()).await? {
                store.succeed(*claim, end, Artifact::Report(None)).await
            } else {
                let outcome = Outcome::NoOutput("the report could not be looked at after exit 0, and is not there now".to_owned());
                let done = store.cancel(*claim, Some(&AttemptEnd { outcome, ..end.clone() }), cancelled(kind), *at).await?;
                return Ok(if done { Replayed::NotThere } else { Replayed::ClaimLost });
            }
        }
        RecordKind::Retry => store.end_attempt(*claim, end).await,
        RecordKind::Failed { error, history } => store.fail(*claim, end, error, history).await,
        RecordKind::Skipped { reason, history } => store.skip(*claim, end, reason, history).await,
        RecordKind::Cancelled { reason } => store.cancel(*claim, Some(end), reason, *at).await,
    };
    done.map(handed)
}

/// A job that cannot be tried again, because that could not be recorded, is over.
fn closed(record: &Record) -> Record {
    let mut record = record.clone();
    if record.kind == RecordKind::Retry {
        let reason = "the database was away, so that no further attempt could be recorded".to_owned();
        record.kind = RecordKind::Cancelled { reason };
    }
    record
}

/// Whether the report is there, and is another than before.
async fn is_new(store: &dyn Store, report: &ReportKey, before: Option<&str>) -> store::Result<bool> {
    let now = store.report_fingerprint(report).await?;
    Ok(now.is_some() && now.as_deref() != before)
}

fn cancelled(kind: &RecordKind) -> &str {
    match kind {
        RecordKind::Cancelled { reason } => reason,
        RecordKind::Unverified { .. } => "exit 0, but the report could not be looked at then, and is not there now",
        RecordKind::Succeeded(_)
        | RecordKind::Collected(_)
        | RecordKind::Retry
        | RecordKind::Failed { .. }
        | RecordKind::Skipped { .. } => "its run ended",
    }
}
