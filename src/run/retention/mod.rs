//! Removes what is over and not kept any longer: records of the database and logs of attempts, in slices, so that whoever stops it between
//! two of them loses nothing.

mod due;
mod logs;

use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, Utc};
use tokio::time::Instant;

use self::logs::OldLogs;
use super::error::RunError;
use super::termination_signals::TerminationSignals;
use crate::execute::stop::StopSignal;
use crate::plan::decide::retention::{KeptSince, RecordKind, Removed, Turn};
use crate::plan::model::retention::Retention;
use crate::store::Store;

/// Most records, or directories of logs, in one slice.
const SLICE: u32 = 500;

/// A run begins no slice once it has spent so long on them: the next run goes on.
const MOST_OF_A_RUN: Duration = Duration::from_millis(250);

/// Removes, or counts.
#[derive(Debug)]
pub struct Pruning<'a> {
    store: &'a dyn Store,
    kept_since: KeptSince,
    kinds: std::slice::Iter<'static, RecordKind>,
    kind: Option<RecordKind>,
    logs: OldLogs,
    removed: Removed,
}

impl<'a> Pruning<'a> {
    /// Begins with what is not kept any longer by now.
    pub fn new(store: &'a dyn Store, state_dir: &Path, retention: &Retention, now: DateTime<Utc>) -> Self {
        let kept_since = KeptSince::of(retention, now);
        let mut kinds = RecordKind::ALL.iter();
        let kind = kinds.next().copied();
        Self { store, kept_since, kinds, kind, logs: OldLogs::new(state_dir, kept_since.logs), removed: Removed::default() }
    }

    /// What was removed so far.
    #[must_use]
    pub fn removed(&self) -> Removed {
        self.removed
    }

    /// Removes a slice. Returns whether there is more to look for.
    ///
    /// # Errors
    /// When the database or the disk refuses. What was removed before stays removed.
    pub async fn step(&mut self) -> Result<bool, RunError> {
        let Some(kind) = self.kind else { return self.logs.step(self.store, Some(SLICE as usize), &mut self.removed).await };
        let records = self.store.remove(kind, self.kept_since, SLICE).await?;
        self.removed.add(kind, records);
        if records < u64::from(SLICE) {
            self.kind = self.kinds.next().copied();
        }
        Ok(true)
    }

    /// What all steps together would remove. Changes nothing.
    ///
    /// # Errors
    /// When the database or the disk cannot be read.
    pub async fn preview(mut self) -> Result<Removed, RunError> {
        for kind in RecordKind::ALL {
            self.removed.add(kind, self.store.count_removable(kind, self.kept_since).await?);
        }
        while self.logs.step(self.store, None, &mut self.removed).await? {}
        Ok(self.removed)
    }
}

/// What a run removes at its end, when it is its [`Turn`]: nothing for a day after it had removed everything. What fails is tried again after
/// a day, too.
///
/// # Errors
/// When the database or the disk refuses.
pub async fn after_run(
    store: &dyn Store,
    state_dir: &Path,
    retention: &Retention,
    stop: &StopSignal,
    now: DateTime<Utc>,
) -> Result<(), RunError> {
    if KeptSince::of(retention, now).keep_all() {
        return Ok(());
    }
    match Turn::of(due::last(state_dir), now) {
        Turn::NotYet => return Ok(()),
        Turn::Anew => return due::note(state_dir, now),
        Turn::Now => {}
    }
    let began = Instant::now();
    let mut pruning = Pruning::new(store, state_dir, retention, now);
    let done = loop {
        match pruning.step().await {
            Ok(true) if began.elapsed() > MOST_OF_A_RUN || stop.is_raised() => return Ok(()),
            Ok(true) => {}
            Ok(false) => break Ok(()),
            Err(error) => break Err(error),
        }
    };
    tracing::debug!("Removed what is not kept any longer: {:?}", pruning.removed());
    done.and(due::note(state_dir, now))
}

/// Removes everything, unless a signal asks to stop: then the slice that was begun is the last, and a second signal does not even wait for
/// that. Returns the number of the first.
///
/// # Errors
/// When the database or the disk refuses. What was removed before stays removed.
pub async fn to_the_end(pruning: &mut Pruning<'_>) -> Result<Option<i32>, RunError> {
    let mut signals = TerminationSignals::listen().map_err(RunError::Signals)?;
    loop {
        let mut stopped = None;
        let mut step = std::pin::pin!(pruning.step());
        let has_more = loop {
            tokio::select! {
                biased;
                done = &mut step => break done?,
                signal = signals.recv() => match stopped {
                    None => stopped = Some(signal.as_raw_value()),
                    Some(_) => return Ok(stopped),
                },
            }
        };
        if stopped.is_some() && has_more {
            return Ok(stopped);
        }
        if !has_more {
            return Ok(None);
        }
    }
}

/// Records that everything was removed by hand.
///
/// # Errors
/// When the disk refuses.
pub fn note_done(state_dir: &Path, now: DateTime<Utc>) -> Result<(), RunError> {
    due::note(state_dir, now)
}
