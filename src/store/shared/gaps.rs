//! What is remembered of gaps.

use chrono::{DateTime, Utc};

use super::cell::{Cells, Fence, Found, FromRow, Malformed, Unread};
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters, Statement};
use super::{jobs, sources};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::remember::failure_history::{
    FailureHistory, GapState, PendingForce, Quarantine, QuarantineReason, Rest, RestReason, SkipOrder,
};
use crate::plan::remember::fingerprint::Fingerprint;

/// Whether a failure history says something, as a condition on its row. The same as [`is_noted`].
pub(super) const SAYS_SOMETHING: &str = "(failed_runs > 0 OR refunded > 0 OR not_ready > 0 OR lost > 0 OR rest_until IS NOT NULL \
     OR quarantined_at IS NOT NULL OR error IS NOT NULL)";

/// Whether a failure history says something. Rows that say nothing are not read when a run is planned.
fn is_noted(history: &FailureHistory) -> bool {
    history.is_tried() || history.refunded > 0 || history.rest.is_some() || history.quarantine.is_some() || history.error.is_some()
}

/// A failure history. Where it says nothing its columns say nothing.
pub(super) fn history_columns(history: &FailureHistory) -> Columns {
    let count = |number: u32| i32::try_from(number).unwrap_or(i32::MAX);
    let noted = is_noted(history);
    let (rest, quarantine) = (history.rest, history.quarantine);
    vec![
        ("failed_runs", count(history.failed_runs).into()),
        ("probes", count(if noted { history.probes } else { 0 }).into()),
        ("refunded", count(history.refunded).into()),
        ("not_ready", count(history.not_ready).into()),
        ("lost", count(history.lost).into()),
        ("rest_since", rest.map(|rest| rest.since).into()),
        ("rest_until", rest.map(|rest| rest.until).into()),
        ("rest_reason", rest.map(|rest| rest.why.name()).into()),
        ("quarantined_at", quarantine.map(|quarantine| quarantine.since).into()),
        ("quarantine_reason", quarantine.map(|quarantine| quarantine.why.name()).into()),
        ("released", (noted && history.released).into()),
        ("fingerprint", history.fingerprint.as_ref().filter(|_| noted).map(Fingerprint::to_text).into()),
        ("error", history.error.as_deref().filter(|_| noted).into()),
    ]
}

row! {
    /// A failure history; all NULL where the gap has no row.
    pub(in crate::store) struct HistoryRow of "gap_states" {
        failed_runs: Option<u32>,
        probes: Option<u32>,
        refunded: Option<u32>,
        not_ready: Option<u32>,
        lost: Option<u32>,
        rest_since: Option<DateTime<Utc>>,
        rest_until: Option<DateTime<Utc>>,
        rest_reason: Option<RestReason>,
        quarantined_at: Option<DateTime<Utc>>,
        quarantine_reason: Option<QuarantineReason>,
        released: Option<bool>,
        fingerprint: Option<String>,
        error: Option<String>,
    }
}

impl HistoryRow {
    pub(in crate::store) fn history(self) -> FailureHistory {
        let rest = self.rest_reason.unwrap_or(RestReason::Failed);
        let quarantine = self.quarantine_reason.unwrap_or(QuarantineReason::Failures);
        FailureHistory {
            failed_runs: self.failed_runs.unwrap_or(0),
            probes: self.probes.unwrap_or(0),
            refunded: self.refunded.unwrap_or(0),
            not_ready: self.not_ready.unwrap_or(0),
            lost: self.lost.unwrap_or(0),
            rest: self.rest_since.zip(self.rest_until).map(|(since, until)| Rest { since, until, why: rest }),
            quarantine: self.quarantined_at.map(|since| Quarantine { since, why: quarantine }),
            released: self.released.unwrap_or(false),
            fingerprint: self.fingerprint.as_deref().and_then(Fingerprint::parse),
            error: self.error,
        }
    }
}

row! {
    /// The rest of what is known of a gap: its fence, an order to leave it alone, a pending `--force`.
    struct OrdersRow of "gap_states" {
        fence: Option<Fence>,
        skipped_at: Option<DateTime<Utc>>,
        skip_until: Option<DateTime<Utc>>,
        skipped_by: Option<String>,
        skip_reason: Option<String>,
        forced_at: Option<DateTime<Utc>>,
        forced_missing: Option<bool>,
    }
}

row! {
    /// An order to leave a group of gaps alone.
    struct GroupSkipRow of "gap_states" {
        skipped_at: Option<DateTime<Utc>>,
        skip_until: Option<DateTime<Utc>>,
        skipped_by: Option<String>,
        skip_reason: Option<String>,
    }
}

/// The keys of the groups that cover the report of job `j`, or of its source, as `GapKey` writes them.
const GROUPS_OF_J: &str = "(j.bank_key || '/*/*', CASE WHEN j.bank_key IS NULL THEN 'source:' ELSE '*/*/' END || j.etl, \
     j.bank_key || '/*/' || j.etl)";

/// The condition that an order, which [`group_skip`] finds, may be on a group that covers job `j`.
pub(in crate::store) fn may_be_of_skipped_group<C: SqlConnection>() -> String {
    format!("EXISTS (SELECT 1 FROM {}gap_states o WHERE o.gap_key IN {GROUPS_OF_J} AND o.skipped_at IS NOT NULL)", C::OWN)
}

/// An order that holds at this time, to leave the bank or the ETL of a job's report alone, or the source of its window.
pub(in crate::store) async fn group_skip<C: SqlConnection>(
    connection: &mut C,
    job: JobId,
    at: DateTime<Utc>,
) -> sqlx::Result<Option<SkipOrder>> {
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT g.gap_key, {skip} FROM {own}etl_jobs j JOIN {own}gap_states g ON g.gap_key IN {GROUPS_OF_J}
         WHERE j.id = {job} AND g.skipped_at IS NOT NULL ORDER BY g.gap_key",
        skip = GroupSkipRow::select("g"),
        own = C::OWN,
        job = parameters.add(job),
    );
    let Found { rows, malformed } = connection.fetch_all::<GroupSkipRow>(parameters.statement(text)).await?;
    let orders = rows.into_iter().filter_map(|row| {
        let (by, reason) = (row.skipped_by.unwrap_or_default(), row.skip_reason.unwrap_or_default());
        Some(SkipOrder { since: row.skipped_at?, until: row.skip_until, by, reason })
    });
    let unreadable = malformed.iter().map(|one| SkipOrder::of_unreadable(way_out(one), at));
    Ok(orders.chain(unreadable).find(|order| order.holds(at)))
}

/// What is known of a gap, but for its key; all NULL where it has no row.
#[derive(Debug)]
pub(in crate::store) struct Known {
    pub(in crate::store) fence: i64,
    pub(in crate::store) history: FailureHistory,
    pub(in crate::store) skip: Option<SkipOrder>,
    forced: Option<PendingForce>,
}

impl Known {
    /// Its columns, of a row `g`.
    pub(in crate::store) fn select_g() -> String {
        format!("{}, {}", OrdersRow::select("g"), HistoryRow::select("g"))
    }

    /// What is known of a gap whose record cannot be read: that it is to be left alone.
    pub(in crate::store) fn unreadable(why: String, now: DateTime<Utc>) -> Self {
        let skip = SkipOrder::of_unreadable(why, now);
        Self { fence: 0, history: FailureHistory::default(), skip: Some(skip), forced: None }
    }

    fn of(self, key: GapKey) -> GapState {
        GapState { key, fence: self.fence, history: self.history, skip: self.skip, forced: self.forced }
    }
}

impl FromRow for Known {
    fn read(row: &dyn Cells) -> Result<Self, Unread> {
        let OrdersRow { fence, skipped_at, skip_until, skipped_by, skip_reason, forced_at, forced_missing } = OrdersRow::read(row)?;
        let (by, reason) = (skipped_by.unwrap_or_default(), skip_reason.unwrap_or_default());
        Ok(Self {
            fence: fence.map_or(0, |Fence(fence)| fence),
            history: HistoryRow::read(row)?.history(),
            skip: skipped_at.map(|since| SkipOrder { since, until: skip_until, by, reason }),
            forced: forced_at.map(|at| PendingForce { at, was_missing: forced_missing.unwrap_or(false) }),
        })
    }
}

/// What to do about a record of a gap that cannot be read.
pub(in crate::store) fn way_out(malformed: &Malformed) -> String {
    // A retry raises the fence, and writes all the rest anew.
    let mend = if malformed.column == "fence" { "correct it" } else { "`etl-orch retry` writes it anew" };
    format!("its record cannot be read: {}; {mend}", malformed.problem())
}

row! {
    struct GapRow of "gap_states" {
        gap_key: GapKey;
        known: Result<Known, Malformed>,
    }
}

/// The records of gaps that say something. One that cannot be read says that the gap is to be left alone; so does the record of its
/// running job, or of its source, that cannot be read. A row whose key is none is left alone itself.
pub(in crate::store) async fn states<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<GapState>> {
    let (columns, own) = (Known::select_g(), C::OWN);
    let query = format!("SELECT g.gap_key, {columns} FROM {own}gap_states g WHERE g.noted ORDER BY g.gap_key");
    let gaps: Found<GapRow> = connection.fetch_all(Statement::plain(query)).await?;
    let Found { rows, mut malformed } = gaps;
    let mut unreadable = jobs::unreadable(connection).await?;
    unreadable.extend(sources::unreadable(connection).await?);
    let now = Utc::now();
    let mut states = Vec::with_capacity(rows.len());
    for GapRow { gap_key, known } in rows {
        match known {
            Ok(known) => states.push(known.of(gap_key)),
            Err(one) => {
                unreadable.push((gap_key, way_out(&one)));
                malformed.push(one);
            }
        }
    }
    for (key, why) in unreadable {
        states.retain(|state: &GapState| state.key != key);
        states.push(Known::unreadable(why, now).of(key));
    }
    Ok(Found { rows: states, malformed })
}

/// How a gap's failure history is written, as parts of an `UPDATE`.
pub(in crate::store) struct HistoryUpdate {
    /// The assignments.
    pub(in crate::store) set: String,
    /// The condition that there is something to write: a row that says nothing, before and after, is left as it is.
    pub(in crate::store) is_news: String,
}

/// The parts that write a failure history. A success answers a pending `--force` too, and leaves no service's job to
/// be followed.
pub(in crate::store) fn write_history(parameters: &mut Parameters, history: &FailureHistory, succeeded: bool) -> HistoryUpdate {
    let columns = parameters.assign(history_columns(history));
    let noted = parameters.add(is_noted(history));
    let (answered, pending) = if succeeded { (", forced_at = NULL, remote_id = NULL", "") } else { ("", " OR forced_at IS NOT NULL") };
    let is_left = if succeeded { " OR remote_id IS NOT NULL" } else { "" };
    HistoryUpdate {
        set: format!("{columns}{answered}, noted = {noted} OR skipped_at IS NOT NULL{pending}"),
        is_news: format!("(noted OR {noted}{is_left})"),
    }
}

/// Makes the rows of gaps that have none.
pub(in crate::store) async fn make<C: SqlConnection>(connection: &mut C, keys: &[GapKey]) -> sqlx::Result<()> {
    let mut parameters = Parameters::default();
    // Always in the same order, so that of two who make several neither waits for the other.
    let text = format!(
        "INSERT INTO {own}gap_states (gap_key, fence) SELECT gap_key, 0 FROM ({keys}) k WHERE TRUE ORDER BY gap_key
         ON CONFLICT (gap_key) DO NOTHING",
        own = C::OWN,
        keys = parameters.gap_keys::<C>(keys),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}

/// Until the end of the transaction nobody else changes these gaps. They are locked in one order, so that of two who lock several
/// neither waits for the other.
pub(in crate::store) async fn lock<C: SqlConnection>(connection: &mut C, keys: &[GapKey]) -> sqlx::Result<()> {
    if !C::HAS_ROW_LOCKS {
        return Ok(());
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT 1 FROM {own}gap_states g WHERE g.gap_key IN ({keys}) ORDER BY g.gap_key FOR UPDATE OF g",
        own = C::OWN,
        keys = parameters.gap_keys::<C>(keys),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}

/// Until the end of the transaction nobody else claims the gap of a job, or gives an order on it.
pub(in crate::store) async fn lock_of_job<C: SqlConnection>(connection: &mut C, job: JobId) -> sqlx::Result<()> {
    if !C::HAS_ROW_LOCKS {
        return Ok(());
    }
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT 1 FROM {own}etl_jobs j JOIN {own}gap_states g ON g.gap_key = j.gap_key WHERE j.id = {job} FOR UPDATE OF g",
        own = C::OWN,
        job = parameters.add(job),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::shared::statement::names;

    #[test]
    fn a_history_is_read_from_the_columns_it_is_written_to() {
        let written = names(&history_columns(&FailureHistory::default()));
        assert_eq!(written.split(", ").map(|name| format!("g.{name}")).collect::<Vec<_>>().join(", "), HistoryRow::select("g"));
    }
}
