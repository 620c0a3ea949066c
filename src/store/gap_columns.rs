//! What both adapters do alike with what is remembered of gaps: its columns, and what a claim makes of them.

use std::borrow::Cow;

use chrono::{DateTime, Utc};

use super::record::storable;
use super::rows::undecodable;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::{ClaimTarget, Claimed};
use crate::plan::model::orders::{CancelRequest, GapOrderKind};
use crate::plan::remember::failure_history::{FailureHistory, GapState, Quarantine, QuarantineReason, Rest, RestReason, SkipOrder};
use crate::plan::remember::fingerprint::Fingerprint;

/// The columns of a memory, in the order in which [`FailureHistoryValues`] are bound.
const MEMORY: [&str; 13] = [
    "failed_runs",
    "probes",
    "refunded",
    "not_ready",
    "lost",
    "rest_since",
    "rest_until",
    "rest_reason",
    "quarantined_at",
    "quarantine_reason",
    "released",
    "fingerprint",
    "error",
];

/// The columns of an order to leave a gap alone, and of a pending `--force`.
const ORDERS: [&str; 5] = ["skipped_at", "skip_until", "skipped_by", "skip_reason", "forced_at"];

/// Whether a memory says something, as a condition on its row. The same as [`FailureHistoryValues::noted`].
const SAYS_SOMETHING: &str = "(failed_runs > 0 OR refunded > 0 OR not_ready > 0 OR lost > 0 OR rest_until IS NOT NULL \
     OR quarantined_at IS NOT NULL OR error IS NOT NULL)";

/// The columns of [`FailureHistoryColumns`], of a row `g`.
pub(super) fn select_history() -> String {
    MEMORY.map(|column| format!("g.{column}")).join(", ")
}

/// The columns of [`GapColumns`], of a row `g`.
pub(super) fn select_gap() -> String {
    format!("g.fence, {}, {}", select_history(), ORDERS.map(|column| format!("g.{column}")).join(", "))
}

/// How a gap's memory is written, as parts of an `UPDATE`.
pub(super) struct Remember {
    /// The assignments.
    pub(super) set: String,
    /// The condition that there is something to write: a row that was not noted and will not be says nothing before and after.
    pub(super) is_new: String,
}

/// The parts for parameters that begin with number `first` and are written as `$1` or `?1`. A success answers a pending
/// `--force` too.
pub(super) fn remember(mark: char, first: usize, succeeded: bool) -> Remember {
    let mut set: Vec<String> = MEMORY.iter().zip(first..).map(|(column, number)| format!("{column} = {mark}{number}")).collect();
    let says = format!("{mark}{}", first + MEMORY.len());
    let pending = if succeeded { "" } else { " OR forced_at IS NOT NULL" };
    if succeeded {
        set.push("forced_at = NULL".to_owned());
    }
    set.push(format!("noted = {says} OR skipped_at IS NOT NULL{pending}"));
    Remember { set: set.join(", "), is_new: format!("(noted OR {says})") }
}

/// What an order changes, as parts of an `UPDATE`.
pub(super) struct Change {
    /// The assignments. Parameters: 2 who, 3 why, 4 when, 5 until when.
    pub(super) set: String,
    /// The condition that the row is changed by them.
    pub(super) is_change: String,
}

/// The parts for an order, with parameters that are written as `$1` or `?1`.
pub(super) fn change(kind: GapOrderKind, mark: char) -> Change {
    const NO_SKIP: &str = "skipped_at = NULL, skip_until = NULL, skipped_by = NULL, skip_reason = NULL";
    match kind {
        GapOrderKind::Retry => Change {
            set: format!(
                "fence = fence + 1, failed_runs = 0, probes = 0, refunded = 0, not_ready = 0, lost = 0, rest_since = NULL, rest_until = NULL, \
                 rest_reason = NULL, quarantined_at = NULL, quarantine_reason = NULL, released = FALSE, fingerprint = NULL, \
                 error = NULL, {NO_SKIP}, noted = forced_at IS NOT NULL"
            ),
            is_change: format!("(skipped_at IS NOT NULL OR {SAYS_SOMETHING})"),
        },
        GapOrderKind::Skip { .. } => Change {
            set: format!(
                "skipped_by = {mark}2, skip_reason = {mark}3, skipped_at = {mark}4, skip_until = {mark}5, forced_at = NULL, noted = TRUE"
            ),
            is_change: "TRUE".to_owned(),
        },
        GapOrderKind::Unskip => Change {
            set: format!("{NO_SKIP}, noted = forced_at IS NOT NULL OR {SAYS_SOMETHING}"),
            is_change: "skipped_at IS NOT NULL".to_owned(),
        },
    }
}

/// A memory on its way into its columns. Where it says nothing they say nothing.
pub(super) struct FailureHistoryValues<'a> {
    pub(super) failed_runs: i32,
    pub(super) probes: i32,
    pub(super) refunded: i32,
    pub(super) not_ready: i32,
    pub(super) lost: i32,
    pub(super) rest: Option<Rest>,
    pub(super) quarantine: Option<Quarantine>,
    pub(super) released: bool,
    pub(super) fingerprint: Option<String>,
    pub(super) error: Option<Cow<'a, str>>,
    pub(super) noted: bool,
}

impl<'a> From<&'a FailureHistory> for FailureHistoryValues<'a> {
    fn from(history: &'a FailureHistory) -> Self {
        let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
        let noted =
            history.is_tried() || history.refunded > 0 || history.rest.is_some() || history.quarantine.is_some() || history.error.is_some();
        Self {
            failed_runs: count(history.failed_runs),
            probes: if noted { count(history.probes) } else { 0 },
            refunded: count(history.refunded),
            not_ready: count(history.not_ready),
            lost: count(history.lost),
            rest: history.rest,
            quarantine: history.quarantine,
            released: noted && history.released,
            fingerprint: history.fingerprint.as_ref().filter(|_| noted).map(|fingerprint| storable(&fingerprint.to_text()).into_owned()),
            error: history.error.as_deref().filter(|_| noted).map(storable),
            noted,
        }
    }
}

/// A memory, as both adapters select it; all NULL where the gap has no row.
#[derive(sqlx::FromRow)]
pub(super) struct FailureHistoryColumns {
    failed_runs: Option<i32>,
    probes: Option<i32>,
    refunded: Option<i32>,
    not_ready: Option<i32>,
    lost: Option<i32>,
    rest_since: Option<DateTime<Utc>>,
    rest_until: Option<DateTime<Utc>>,
    rest_reason: Option<String>,
    quarantined_at: Option<DateTime<Utc>>,
    quarantine_reason: Option<String>,
    released: Option<bool>,
    fingerprint: Option<String>,
    error: Option<String>,
}

impl FailureHistoryColumns {
    pub(super) fn history(self) -> FailureHistory {
        let count = |number: Option<i32>| number.and_then(|number| u32::try_from(number).ok()).unwrap_or(0);
        let (rest, quarantine) = (self.rest_reason.as_deref(), self.quarantine_reason.as_deref());
        let rest = rest.and_then(RestReason::parse).unwrap_or(RestReason::Failed);
        let quarantine = quarantine.and_then(QuarantineReason::parse).unwrap_or(QuarantineReason::Failures);
        FailureHistory {
            failed_runs: count(self.failed_runs),
            probes: count(self.probes),
            refunded: count(self.refunded),
            not_ready: count(self.not_ready),
            lost: count(self.lost),
            rest: self.rest_since.zip(self.rest_until).map(|(since, until)| Rest { since, until, why: rest }),
            quarantine: self.quarantined_at.map(|since| Quarantine { since, why: quarantine }),
            released: self.released.unwrap_or(false),
            fingerprint: self.fingerprint.as_deref().and_then(Fingerprint::parse),
            error: self.error,
        }
    }
}

/// What the database knows of a gap, as both adapters select it; all NULL where the gap has no row.
#[derive(sqlx::FromRow)]
pub(super) struct GapColumns {
    fence: Option<i64>,
    #[sqlx(flatten)]
    history: FailureHistoryColumns,
    skipped_at: Option<DateTime<Utc>>,
    skip_until: Option<DateTime<Utc>>,
    skipped_by: Option<String>,
    skip_reason: Option<String>,
    forced_at: Option<DateTime<Utc>>,
}

impl GapColumns {
    pub(super) fn state(self, key: GapKey) -> GapState {
        let (by, reason, until) = (self.skipped_by.unwrap_or_default(), self.skip_reason.unwrap_or_default(), self.skip_until);
        GapState {
            key,
            fence: self.fence.unwrap_or(0),
            history: self.history.history(),
            skip: self.skipped_at.map(|since| SkipOrder { since, until, by, reason }),
            forced: self.forced_at.is_some(),
        }
    }
}

/// A gap with its key, as both adapters list it.
#[derive(sqlx::FromRow)]
pub(super) struct GapStateColumns {
    gap_key: String,
    #[sqlx(flatten)]
    gap: GapColumns,
}

impl GapStateColumns {
    pub(super) fn state(self) -> sqlx::Result<GapState> {
        Ok(self.gap.state(self.gap_key.parse().map_err(undecodable)?))
    }
}

/// Whether another invocation worked on the gap since it was planned, and it is to be left alone now.
pub(super) fn is_held_back(gap: &GapState, planned_fence: i64, at: DateTime<Utc>) -> bool {
    let rests = gap.history.rest.is_some_and(|rest| rest.since <= at && at < rest.until);
    gap.fence != planned_fence && (gap.history.quarantine.is_some() || rests)
}

/// What is recorded of a job that its claim skipped; `None` where it did not.
pub(super) fn why_skipped(claimed: &Claimed, wanted: ClaimTarget<'_>) -> Option<String> {
    match claimed {
        Claimed::AlreadyDone => Some(
            match wanted {
                ClaimTarget::Report(_) => "the report exists",
                ClaimTarget::Windows { .. } => "the windows were collected",
            }
            .to_owned(),
        ),
        Claimed::Elsewhere { owner } => Some(format!("already running as {owner}")),
        Claimed::Ordered(order) => Some(format!("{} wants it left alone: {}", order.by, order.reason)),
        Claimed::HeldBack => Some("another invocation failed at it meanwhile".to_owned()),
        Claimed::Yes { .. } | Claimed::PoolFull | Claimed::Gone => None,
    }
}

/// What is recorded of a queued job that somebody cancelled.
pub(super) fn why_cancelled(by: &str, reason: &str) -> String {
    format!("{by} cancelled it: {reason}")
}

/// A wish to cancel, as both adapters select it.
#[derive(sqlx::FromRow)]
pub(super) struct CancelColumns {
    cancel_by: Option<String>,
    cancel_reason: Option<String>,
}

impl CancelColumns {
    pub(super) fn request(self) -> Option<CancelRequest> {
        let reason = self.cancel_reason.unwrap_or_default();
        self.cancel_by.map(|by| CancelRequest { by, reason })
    }
}

/// The gaps of these rows. A row whose key no version of this program writes names no gap: it is left alone, with a warning.
pub(super) fn gap_states(rows: Vec<GapStateColumns>) -> Vec<GapState> {
    let state = |row: GapStateColumns| match row.gap_key.parse() {
        Ok(key) => Some(row.gap.state(key)),
        Err(error) => {
            tracing::warn!("a row of gap_states is left alone: {error}");
            None
        }
    };
    rows.into_iter().filter_map(state).collect()
}
