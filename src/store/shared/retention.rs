//! Removes what is over and not kept any longer, and counts it by the same conditions.
//!
//! What a run or a person may still need stays, however old it is: all of a gap that is open, the last runs, the last successes of each
//! ETL and source, and what an order or a queue names.

use chrono::{DateTime, Utc};

use super::cell::Found;
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters};
use super::successes;
use crate::plan::decide::retention::{KeptSince, RecordKind};
use crate::plan::model::ids::JobId;

/// So many of the last runs stay.
const KEPT_RUNS: u32 = 100;

/// Records that may go: `key` of `alias` in `from`, in this order.
struct Over {
    table: &'static str,
    key: &'static str,
    alias: &'static str,
    from: String,
    order: &'static str,
}

/// Removes at most so many records of a kind. Returns how many there were.
pub(in crate::store) async fn remove<C: SqlConnection>(
    connection: &mut C,
    kind: RecordKind,
    kept_since: KeptSince,
    most: u32,
) -> sqlx::Result<u64> {
    let mut parameters = Parameters::default();
    let Some(Over { table, key, alias, from, order }) = over::<C>(kind, kept_since, &mut parameters) else { return Ok(0) };
    let columns: Vec<String> = key.split(", ").map(|column| format!("{alias}.{column}")).collect();
    let text = format!(
        "DELETE FROM {own}{table} WHERE ({key}) IN (SELECT {columns} FROM {from} {order} LIMIT {most} {lock})",
        own = C::OWN,
        columns = columns.join(", "),
        most = parameters.add(most),
        // Another host may be at it. Nobody is waited for.
        lock = if C::HAS_ROW_LOCKS { format!("FOR UPDATE OF {alias} SKIP LOCKED") } else { String::new() },
    );
    connection.execute(parameters.statement(text)).await
}

row! {
    struct CountRow of "etl_runs" {
        records: u64,
    }
}

/// How many records of a kind would be removed in the end.
pub(in crate::store) async fn count<C: SqlConnection>(connection: &mut C, kind: RecordKind, kept_since: KeptSince) -> sqlx::Result<u64> {
    let mut parameters = Parameters::default();
    let Some(Over { from, .. }) = over::<C>(kind, kept_since, &mut parameters) else { return Ok(0) };
    let text = format!("SELECT {row} FROM (SELECT count(*) AS records FROM {from}) c", row = CountRow::select("c"));
    let found: Option<CountRow> = connection.fetch_optional(parameters.statement(text)).await?;
    Ok(found.map_or(0, |row| row.records))
}

fn over<C: SqlConnection>(kind: RecordKind, kept_since: KeptSince, parameters: &mut Parameters) -> Option<Over> {
    let own = C::OWN;
    let history = kept_since.history.map(|at| parameters.add(at));
    Some(match kind {
        RecordKind::Decisions => {
            let history = history?;
            Over {
                table: "decisions",
                key: "gap_key, since",
                alias: "d",
                // By way of their runs, which have an index by time.
                from: format!(
                    "{own}etl_runs r JOIN {own}decisions d ON d.run_id = r.id WHERE r.started_at < {history} AND {}",
                    is_decision_over::<C>(&history)
                ),
                order: "ORDER BY r.started_at",
            }
        }
        RecordKind::Jobs => {
            let from = format!("{own}etl_jobs j WHERE {}", is_job_over::<C>(&history?));
            Over { table: "etl_jobs", key: "id", alias: "j", from, order: "ORDER BY j.queued_at" }
        }
        RecordKind::Runs => {
            let from = format!("{own}etl_runs r WHERE {}", is_run_over::<C>(history.as_deref(), kept_since.idle_runs, parameters)?);
            Over { table: "etl_runs", key: "id", alias: "r", from, order: "ORDER BY r.started_at" }
        }
        RecordKind::Windows => {
            let history = history?;
            Over {
                table: "disclosure_queue",
                key: "source, window_start, window_end",
                alias: "q",
                // It is over since it was collected, which may have been long after its end.
                from: format!(
                    "{own}sources s JOIN {own}disclosure_queue q ON q.source = s.source AND q.state = 'collected' \
                     AND q.window_end <= s.frontier AND q.window_end < {history} AND coalesce(q.collected_at, q.window_end) < {history} \
                     WHERE TRUE"
                ),
                order: "",
            }
        }
        RecordKind::Notices => {
            let from = format!("{own}notifications n WHERE n.state IS NULL AND n.notified_at < {}", history?);
            Over { table: "notifications", key: "channel, subject", alias: "n", from, order: "" }
        }
    })
}

/// Whether a gap, by this expression for its key, is open as far as that is on record: something is remembered of it, a run has decided
/// against it, or it is running.
fn is_gap_open<C: SqlConnection>(key: &str) -> String {
    format!(
        "(EXISTS (SELECT 1 FROM {own}gap_states g WHERE g.gap_key = {key} AND (g.noted OR g.remote_id IS NOT NULL))
          OR EXISTS (SELECT 1 FROM {own}decisions f WHERE f.gap_key = {key} AND f.until IS NULL)
          OR EXISTS (SELECT 1 FROM {own}etl_jobs u WHERE u.gap_key = {key} AND u.state = 'running'))",
        own = C::OWN,
    )
}

/// The condition on a decision `d`.
fn is_decision_over<C: SqlConnection>(history: &str) -> String {
    format!("d.until < {history} AND NOT {}", is_gap_open::<C>("d.gap_key"))
}

/// The condition on a job `j`.
fn is_job_over<C: SqlConnection>(history: &str) -> String {
    let own = C::OWN;
    format!(
        "j.queued_at < {history} AND coalesce(j.ended_at, j.queued_at) < {history} AND j.state NOT IN ('queued', 'running')
         AND j.destination IS NULL AND NOT {is_open}
         AND NOT (j.state = 'succeeded' AND coalesce(j.ended_at >= (
             SELECT s.ended_at FROM {own}etl_jobs s WHERE s.etl = j.etl AND s.state = 'succeeded'
             ORDER BY s.ended_at DESC LIMIT 1 OFFSET {others}), TRUE))
         AND NOT EXISTS (SELECT 1 FROM {own}sources l WHERE l.last_job = j.id)
         AND NOT EXISTS (SELECT 1 FROM {own}disclosure_queue q WHERE q.job_id = j.id AND q.state = 'queued')
         AND NOT {answers}",
        is_open = is_gap_open::<C>("j.gap_key"),
        others = successes::MOST - 1,
        answers = is_last_after_retry::<C>(),
    )
}

/// Whether job `j` is the one by which it is known that a `retry` of its gap was answered.
fn is_last_after_retry<C: SqlConnection>() -> String {
    format!(
        "(EXISTS (SELECT 1 FROM {own}overrides o WHERE o.gap_key = j.gap_key AND o.kind = 'retry')
          AND NOT EXISTS (SELECT 1 FROM {own}etl_jobs n
                          WHERE n.gap_key = j.gap_key AND n.queued_at > j.queued_at AND n.ended_at >= j.ended_at))",
        own = C::OWN,
    )
}

/// The condition on a run `r`. Whoever has nothing of it left is removed with what was a part of it.
fn is_run_over<C: SqlConnection>(history: Option<&str>, idle: Option<DateTime<Utc>>, parameters: &mut Parameters) -> Option<String> {
    let own = C::OWN;
    let idle = idle.map(|at| parameters.add(at));
    let is_old = match (history, &idle) {
        (Some(history), Some(idle)) => {
            format!("r.started_at < {idle} AND (r.started_at < {history} OR (r.state = 'succeeded' AND r.planned = 0))")
        }
        (Some(history), None) => format!("r.started_at < {history}"),
        (None, Some(idle)) => format!("r.started_at < {idle} AND r.state = 'succeeded' AND r.planned = 0"),
        (None, None) => return None,
    };
    let is_left = |is_over: Option<String>| is_over.map_or_else(String::new, |is_over| format!(" AND NOT coalesce({is_over}, FALSE)"));
    Some(format!(
        "{is_old} AND r.state <> 'running'
         AND r.started_at < (SELECT l.started_at FROM {own}etl_runs l ORDER BY l.started_at DESC LIMIT 1 OFFSET {others})
         AND NOT EXISTS (SELECT 1 FROM {own}etl_jobs j WHERE j.run_id = r.id{job})
         AND NOT EXISTS (SELECT 1 FROM {own}decisions d WHERE d.run_id = r.id{decision})",
        others = KEPT_RUNS - 1,
        job = is_left(history.map(|history| format!("({})", is_job_over::<C>(history)))),
        decision = is_left(history.map(|history| format!("({})", is_decision_over::<C>(history)))),
    ))
}

row! {
    struct OpenRow of "etl_jobs" {
        id: JobId,
    }
}

/// Those of these jobs whose gap is open.
pub(in crate::store) async fn of_open_gaps<C: SqlConnection>(connection: &mut C, jobs: &[JobId]) -> sqlx::Result<Found<JobId>> {
    if jobs.is_empty() {
        return Ok(Found::none());
    }
    let ids: Vec<Columns> = jobs.iter().map(|job| vec![("id", (*job).into())]).collect();
    let mut parameters = Parameters::default();
    let text = format!(
        "SELECT {row} FROM {own}etl_jobs j WHERE j.id IN (SELECT id FROM ({ids}) i) AND {is_open}",
        row = OpenRow::select("j"),
        own = C::OWN,
        ids = parameters.rows::<C>(&ids),
        is_open = is_gap_open::<C>("j.gap_key"),
    );
    let found: Found<OpenRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(found.map(|row| row.id))
}
