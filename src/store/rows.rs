//! Rows of our own tables as both adapters select them, and what they are as values.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};

use super::gap_columns::{CancelColumns, FailureHistoryColumns};
use crate::plan::model::collection::{Collected, Seen};
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::{Claim, JobState, Owner, RunningJob, RunningRun, Watched};
use crate::plan::model::orders::{CancelAnswer, FoundJob};
use crate::plan::model::period::Period;
use crate::plan::model::window::Window;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::SkipOrder;
use crate::plan::remember::fingerprint::Fingerprint;
use crate::plan::remember::source_state::{LastSuccess, Pause, QueuedWindow, SourceState};

/// The columns of an owner.
#[derive(sqlx::FromRow)]
pub(super) struct OwnerColumns {
    host: String,
    boot_id: String,
    pid: i64,
    pid_started: i64,
}

impl OwnerColumns {
    pub(super) fn owner(self) -> sqlx::Result<Owner> {
        Ok(Owner {
            host: self.host,
            boot_id: self.boot_id,
            pid: self.pid.try_into().map_err(undecodable)?,
            pid_started: self.pid_started.try_into().map_err(undecodable)?,
        })
    }
}

/// A running run, as both adapters select it.
#[derive(sqlx::FromRow)]
pub(super) struct RunningRunColumns {
    id: String,
    expired: bool,
    #[sqlx(flatten)]
    owner: OwnerColumns,
}

impl RunningRunColumns {
    pub(super) fn run(self) -> sqlx::Result<RunningRun> {
        Ok(RunningRun { id: RunId::parse(&self.id).map_err(undecodable)?, owner: self.owner.owner()?, expired: self.expired })
    }
}

/// A running job, as both adapters select it.
#[derive(sqlx::FromRow)]
pub(super) struct RunningJobColumns {
    id: String,
    run_id: String,
    gap_key: String,
    claimed: i64,
    started_at: DateTime<Utc>,
    planned_with: Option<String>,
    #[sqlx(flatten)]
    cancel: CancelColumns,
    #[sqlx(flatten)]
    owner: OwnerColumns,
    #[sqlx(flatten)]
    history: FailureHistoryColumns,
}

impl RunningJobColumns {
    pub(super) fn job(self) -> sqlx::Result<RunningJob> {
        Ok(RunningJob {
            claim: Claim { job: JobId::parse(&self.id).map_err(undecodable)?, fence: self.claimed },
            run: RunId::parse(&self.run_id).map_err(undecodable)?,
            gap: self.gap_key.parse().map_err(undecodable)?,
            owner: self.owner.owner()?,
            since: self.started_at,
            history: self.history.history(),
            fingerprint: self.planned_with.as_deref().and_then(Fingerprint::parse),
            cancel: self.cancel.request(),
        })
    }
}

/// A job of a run, as both adapters watch it.
#[derive(sqlx::FromRow)]
pub(super) struct WatchedColumns {
    id: String,
    fence: i64,
    #[sqlx(flatten)]
    cancel: CancelColumns,
}

impl WatchedColumns {
    pub(super) fn watched(self) -> sqlx::Result<Watched> {
        let claim = Claim { job: JobId::parse(&self.id).map_err(undecodable)?, fence: self.fence };
        Ok(Watched { claim, cancel: self.cancel.request() })
    }
}

/// A job, as both adapters find it.
#[derive(sqlx::FromRow)]
pub(super) struct FoundJobColumns {
    id: String,
    run_id: String,
    gap_key: String,
    state: String,
}

impl FoundJobColumns {
    pub(super) fn job(self) -> sqlx::Result<FoundJob> {
        Ok(FoundJob {
            id: JobId::parse(&self.id).map_err(undecodable)?,
            run: RunId::parse(&self.run_id).map_err(undecodable)?,
            gap: self.gap_key.parse().map_err(undecodable)?,
            state: job_state(&self.state)?,
        })
    }
}

/// A job that is to be cancelled, as both adapters select it.
#[derive(sqlx::FromRow)]
pub(super) struct CancelledColumns {
    pub(super) gap_key: String,
    state: String,
    /// Whether it was queued and ended by the same order, given before.
    is_repeated: bool,
    #[sqlx(flatten)]
    cancel: CancelColumns,
    #[sqlx(flatten)]
    owner: OwnerColumns,
}

impl CancelledColumns {
    /// The answer, and whether there is something to change for it.
    pub(super) fn answer(self) -> sqlx::Result<(CancelAnswer, bool)> {
        Ok(match job_state(&self.state)? {
            JobState::Running => (CancelAnswer::Asked(self.owner.owner()?), self.cancel.request().is_none()),
            JobState::Queued => (CancelAnswer::Dropped, true),
            JobState::Cancelled if self.is_repeated => (CancelAnswer::Dropped, false),
            ended => (CancelAnswer::Ended(ended), false),
        })
    }
}

fn job_state(name: &str) -> sqlx::Result<JobState> {
    JobState::parse(name).ok_or_else(|| sqlx::Error::Decode(format!("no state of a job: {name}").into()))
}

/// An open breaker, as both adapters select it.
#[derive(sqlx::FromRow)]
pub(super) struct BreakerColumns {
    etl: String,
    opened_at: DateTime<Utc>,
    banks: String,
    etl_digest: String,
    probed: Option<String>,
    probed_at: Option<DateTime<Utc>>,
}

impl BreakerColumns {
    pub(super) fn breaker(self) -> sqlx::Result<OpenBreaker> {
        Ok(OpenBreaker {
            etl: self.etl,
            since: self.opened_at,
            banks: serde_json::from_str(&self.banks).map_err(undecodable)?,
            etl_digest: self.etl_digest,
            probed: self.probed,
            probed_at: self.probed_at,
        })
    }
}

/// An operator's pause of a source; all NULL where there is none.
#[derive(sqlx::FromRow)]
pub(super) struct PauseColumns {
    paused_at: Option<DateTime<Utc>>,
    paused_by: Option<String>,
    pause_reason: Option<String>,
}

impl PauseColumns {
    fn pause(self) -> Option<Pause> {
        let (by, reason) = (self.paused_by.unwrap_or_default(), self.pause_reason.unwrap_or_default());
        self.paused_at.map(|since| Pause { since, by, reason })
    }

    /// The pause as an order that forbids a claim.
    pub(super) fn order(self) -> Option<SkipOrder> {
        self.pause().map(|Pause { since, by, reason }| SkipOrder { since, until: None, by, reason })
    }
}

/// A source's record, as both adapters select it.
#[derive(sqlx::FromRow)]
pub(super) struct SourceColumns {
    source: String,
    frontier: Option<DateTime<Utc>>,
    #[sqlx(flatten)]
    pause: PauseColumns,
    last_at: Option<DateTime<Utc>>,
    last_start: Option<DateTime<Utc>>,
    last_end: Option<DateTime<Utc>>,
    last_seen: Option<String>,
    last_records: Option<i64>,
    last_message: Option<String>,
    empty: i32,
}

impl SourceColumns {
    pub(super) fn state(self) -> SourceState {
        let window = self.last_start.zip(self.last_end).map(|(start, end)| Window { start, end });
        let seen = self.last_seen.as_deref().and_then(Seen::parse).unwrap_or(Seen::Reported);
        let last = self.last_at.zip(window).map(|(at, window)| {
            let (source, records, message) = (self.source.clone(), self.last_records, self.last_message);
            LastSuccess { at, collected: Collected { source, window, seen, records, message } }
        });
        let empty = self.empty.try_into().unwrap_or(0);
        SourceState { source: self.source, frontier: self.frontier, paused: self.pause.pause(), last, empty }
    }
}

/// A window of the queue, as both adapters select it.
#[derive(sqlx::FromRow)]
pub(super) struct QueuedColumns {
    source: String,
    window_start: DateTime<Utc>,
    window_end: DateTime<Utc>,
    is_collected: bool,
    is_requested: bool,
    is_urgent: bool,
    remote_id: Option<String>,
}

impl QueuedColumns {
    pub(super) fn window(self) -> QueuedWindow {
        QueuedWindow {
            source: self.source,
            window: Window { start: self.window_start, end: self.window_end },
            is_collected: self.is_collected,
            is_requested: self.is_requested,
            is_urgent: self.is_urgent,
            remote: self.remote_id,
        }
    }
}

/// What the availability rows of one bank and period say: tags, and values of the `version_column`.
type Said = (BTreeSet<String>, BTreeSet<String>);

/// One availability row: the place of its bank and period among those asked for, its tags, its value of the `version_column`.
pub(super) type SourceRow = (i64, Vec<String>, Option<String>);

/// Puts together what the rows of each bank and period say.
pub(super) fn sources(of: &[(i64, Period)], rows: impl IntoIterator<Item = SourceRow>) -> Vec<((i64, Period), String)> {
    let mut said: BTreeMap<i64, Said> = BTreeMap::new();
    for (place, tags, version) in rows {
        let (all_tags, versions) = said.entry(place).or_default();
        all_tags.extend(tags);
        versions.extend(version);
    }
    said.into_iter()
        .filter_map(|(place, said)| Some((*of.get(usize::try_from(place).ok()?)?, serde_json::json!(said).to_string())))
        .collect()
}

pub(super) fn undecodable(error: impl std::error::Error + Send + Sync + 'static) -> sqlx::Error {
    sqlx::Error::Decode(Box::new(error))
}
