//! Disclosure sources: their records and their queue.
//!
//! Whoever changes rows of the queue locks the source's gap before, so that nobody waits in a circle.

use chrono::{DateTime, Utc};

use super::cell::{Found, Malformed};
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters, Statement};
use crate::plan::model::collection::{Collected, Seen};
use crate::plan::model::gap::GapKey;
use crate::plan::model::window::Window;
use crate::plan::remember::failure_history::SkipOrder;
use crate::plan::remember::source_state::{GivenUp, LastSuccess, Pause, QueuedWindow, SourceState};

row! {
    /// An operator's pause of a source; all NULL where there is none.
    pub(in crate::store) struct PauseRow of "sources" {
        paused_at: Option<DateTime<Utc>>,
        paused_by: Option<String>,
        pause_reason: Option<String>,
    }
}

impl PauseRow {
    fn pause(self) -> Option<Pause> {
        let (by, reason) = (self.paused_by.unwrap_or_default(), self.pause_reason.unwrap_or_default());
        self.paused_at.map(|since| Pause { since, by, reason })
    }

    /// The pause as an order that forbids a claim.
    pub(in crate::store) fn order(self) -> Option<SkipOrder> {
        self.pause().map(|Pause { since, by, reason }| SkipOrder { since, until: None, by, reason })
    }
}

row! {
    struct CollectedRow of "sources" {
        frontier: Option<DateTime<Utc>>,
        last_at: Option<DateTime<Utc>>,
        last_start: Option<DateTime<Utc>>,
        last_end: Option<DateTime<Utc>>,
        last_seen: Option<Seen>,
        last_records: Option<i64>,
        last_message: Option<String>,
        empty: u32;
        pause: PauseRow,
    }
}

row! {
    struct SourceRow of "sources" {
        source: String;
        collected: Result<CollectedRow, Malformed>,
    }
}

impl CollectedRow {
    fn state(self, source: String) -> SourceState {
        let window = self.last_start.zip(self.last_end).map(|(start, end)| Window { start, end });
        let seen = self.last_seen.unwrap_or(Seen::Reported);
        let last = self.last_at.zip(window).map(|(at, window)| {
            let (source, records, message) = (source.clone(), self.last_records, self.last_message);
            LastSuccess { at, collected: Collected { source, window, seen, records, message } }
        });
        SourceState { source, frontier: self.frontier, paused: self.pause.pause(), last, empty: self.empty }
    }
}

async fn all<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<SourceRow>> {
    let query = Statement::plain(format!(
        "SELECT {source}, {collected}, {pause} FROM {own}sources s ORDER BY source",
        source = SourceRow::select("s"),
        collected = CollectedRow::select("s"),
        pause = PauseRow::select("s"),
        own = C::OWN,
    ));
    connection.fetch_all(query).await
}

pub(in crate::store) async fn states<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<SourceState>> {
    let Found { rows, mut malformed } = all(connection).await?;
    let mut states = Vec::with_capacity(rows.len());
    for SourceRow { source, collected } in rows {
        match collected {
            Ok(collected) => states.push(collected.state(source)),
            Err(one) => malformed.push(one),
        }
    }
    Ok(Found { rows: states, malformed })
}

/// Sources whose record cannot be read, as gaps, and what to do about it: without its frontier, everything would be collected again.
pub(super) async fn unreadable<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Vec<(GapKey, String)>> {
    let rows = all(connection).await?.rows;
    Ok(rows.into_iter().filter_map(|row| Some((GapKey::source(&row.source), way_out(&row.collected.err()?)))).collect())
}

/// What to do about a record of a source that cannot be read.
pub(super) fn way_out(malformed: &Malformed) -> String {
    format!("the record of the source cannot be read: {}; correct it", malformed.problem())
}

row! {
    /// A window of the queue.
    struct QueuedRow of "disclosure_queue" {
        source: String,
        window_start: DateTime<Utc>,
        window_end: DateTime<Utc>,
        is_collected: bool = "{row}.state = 'collected'",
        is_requested: bool = "{row}.requested_at IS NOT NULL",
        is_urgent: bool = "({row}.requested_at IS NOT NULL AND {row}.job_id IS NULL)",
        remote_id: Option<String>,
        given_up_at: Option<DateTime<Utc>>,
        given_up_by: Option<String>,
        give_up_reason: Option<String>,
    }
}

impl QueuedRow {
    fn window(self) -> QueuedWindow {
        let (by, reason) = (self.given_up_by.unwrap_or_default(), self.give_up_reason.unwrap_or_default());
        QueuedWindow {
            source: self.source,
            window: Window { start: self.window_start, end: self.window_end },
            is_collected: self.is_collected,
            is_requested: self.is_requested,
            is_urgent: self.is_urgent,
            remote_id: self.remote_id,
            given_up: self.given_up_at.map(|since| GivenUp { since, by, reason }),
        }
    }
}

pub(in crate::store) async fn queue<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<QueuedWindow>> {
    // Each part has its index, so that what was collected long ago is not read. SQLite would follow another to give an order, and begin with
    // the queue if the join allowed it.
    let query = Statement::plain(format!(
        "SELECT {window} FROM {own}disclosure_queue q WHERE q.state = 'queued'
         UNION ALL SELECT {window} FROM {own}disclosure_queue q WHERE q.state = 'given_up'
         UNION ALL SELECT {window} FROM {own}sources s CROSS JOIN {own}disclosure_queue q
             WHERE q.source = s.source AND q.state = 'collected' AND q.window_end > coalesce(s.frontier, {long_ago})",
        window = QueuedRow::select("q"),
        own = C::OWN,
        long_ago = C::LONG_AGO,
    ));
    let mut queue = connection.fetch_all(query).await?.map(QueuedRow::window);
    queue.rows.sort_by(|a, b| (&a.source, a.window.start, a.window.end).cmp(&(&b.source, b.window.start, b.window.end)));
    Ok(queue)
}

/// Makes the record of a source that has none. A source without a frontier gets this one, if it is one.
pub(in crate::store) async fn begin<C: SqlConnection>(
    connection: &mut C,
    source: &str,
    frontier: Option<DateTime<Utc>>,
) -> sqlx::Result<()> {
    let mut parameters = Parameters::default();
    let text = format!(
        "INSERT INTO {own}sources AS s (source, frontier) VALUES ({source}, {frontier})
         ON CONFLICT (source) DO UPDATE SET frontier = coalesce(s.frontier, excluded.frontier)",
        own = C::OWN,
        source = parameters.add(source),
        frontier = parameters.add(frontier),
    );
    connection.write(parameters.statement(text), "sources").await
}

pub(super) fn window_rows(windows: &[Window]) -> Vec<Columns> {
    windows.iter().map(|window| vec![("window_start", window.start.into()), ("window_end", window.end.into())]).collect()
}

pub(in crate::store) async fn enqueue_windows<C: SqlConnection>(
    connection: &mut C,
    source: &str,
    windows: &[Window],
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    if windows.is_empty() {
        return Ok(());
    }
    let mut parameters = Parameters::default();
    // Without the WHERE, SQLite would take the ON for that of a join.
    let text = format!(
        "INSERT INTO {own}disclosure_queue (source, window_start, window_end, queued_at)
         SELECT {source}, w.window_start, w.window_end, {at} FROM ({windows}) w WHERE TRUE ORDER BY w.window_start, w.window_end
         ON CONFLICT DO NOTHING",
        own = C::OWN,
        source = parameters.add(source),
        at = parameters.add(at),
        windows = parameters.rows::<C>(&window_rows(windows)),
    );
    if connection.execute(parameters.statement(text)).await? >= windows.len() as u64 {
        return Ok(());
    }
    let mut parameters = Parameters::default();
    // Some were there before. A difference takes linear time, whatever the database expects.
    let text = format!(
        "SELECT 1 WHERE NOT EXISTS (SELECT w.window_start, w.window_end FROM ({windows}) w
             EXCEPT SELECT q.window_start, q.window_end FROM {own}disclosure_queue q WHERE q.source = {source})",
        own = C::OWN,
        source = parameters.add(source),
        windows = parameters.rows::<C>(&window_rows(windows)),
    );
    connection.must_find(parameters.statement(text), "disclosure_queue").await
}
