//! What a collection that succeeded changes of its source: queue, last success and frontier.

use chrono::{DateTime, Utc};

use super::connection::SqlConnection;
use super::gaps;
use super::statement::{Columns, Parameters, names};
use crate::plan::model::collection::Collected;
use crate::plan::model::job::Claim;

/// Records what the claim's job collected, in the transaction that ends it.
pub(in crate::store) async fn write<C: SqlConnection>(
    connection: &mut C,
    claim: Claim,
    collected: &Collected,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    gaps::lock_of_job(connection, claim.job).await?;
    take_off_queue(connection, claim, collected, at).await?;
    record_success(connection, claim, collected, at).await?;
    advance(connection, &collected.source).await
}

/// The windows that become collected are the job's, and all others within the collected window.
async fn take_off_queue<C: SqlConnection>(connection: &mut C, claim: Claim, collected: &Collected, at: DateTime<Utc>) -> sqlx::Result<()> {
    // Each state has its indexes.
    for state in ["queued", "given_up"] {
        let mut parameters = Parameters::default();
        let text = format!(
            "UPDATE {own}disclosure_queue
             SET state = 'collected', collected_at = {at}, job_id = {job}, remote_id = NULL, requested_by = NULL, requested_at = NULL,
                 given_up_at = NULL, given_up_by = NULL, give_up_reason = NULL
             WHERE state = '{state}' AND (job_id = {job} OR (source = {source} AND window_start >= {start} AND window_end <= {end}))",
            own = C::OWN,
            at = parameters.add(at),
            job = parameters.add(claim.job),
            source = parameters.add(collected.source.as_str()),
            start = parameters.add(collected.window.start),
            end = parameters.add(collected.window.end),
        );
        connection.execute(parameters.statement(text)).await?;
    }
    Ok(())
}

async fn record_success<C: SqlConnection>(connection: &mut C, claim: Claim, collected: &Collected, at: DateTime<Utc>) -> sqlx::Result<()> {
    let last: Columns = vec![
        ("last_at", at.into()),
        ("last_start", collected.window.start.into()),
        ("last_end", collected.window.end.into()),
        ("last_seen", collected.seen.name().into()),
        ("last_records", collected.records.into()),
        ("last_message", collected.message.as_deref().into()),
        ("last_job", claim.job.into()),
    ];
    let empty = match collected.records {
        None => "s.empty",
        // Bounded, so that it never exceeds its type.
        Some(0) => "CASE WHEN s.empty < 1000000 THEN s.empty + 1 ELSE s.empty END",
        Some(_) => "0",
    };
    let mut parameters = Parameters::default();
    let text = format!(
        "INSERT INTO {own}sources AS s (source, frontier, empty, {names}) VALUES ({source}, {end}, {first_empty}, {values})
         ON CONFLICT (source) DO UPDATE
         SET frontier = CASE WHEN s.frontier IS NULL OR (s.frontier >= {start} AND s.frontier < {end}) THEN {end} ELSE s.frontier END,
             empty = {empty}, {replaced}",
        own = C::OWN,
        names = names(&last),
        source = parameters.add(collected.source.as_str()),
        start = parameters.add(collected.window.start),
        end = parameters.add(collected.window.end),
        first_empty = i32::from(collected.records == Some(0)),
        replaced = last.iter().map(|(name, _)| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", "),
        values = parameters.values(last),
    );
    connection.write(parameters.statement(text), "sources").await
}

/// Moves the frontier over windows beyond it that were collected before it came there, or given up, to the first hole.
pub(super) async fn advance<C: SqlConnection>(connection: &mut C, source: &str) -> sqlx::Result<()> {
    let mut parameters = Parameters::default();
    let source = parameters.add(source);
    let beyond = |state: &str| {
        format!(
            "SELECT q.window_start, q.window_end, s.frontier FROM {own}sources s JOIN {own}disclosure_queue q ON q.source = s.source
             WHERE s.source = {source} AND q.state = '{state}' AND q.window_end > s.frontier",
            own = C::OWN,
        )
    };
    let text = format!(
        "WITH passed AS ({collected} UNION ALL {given_up}),
              ahead AS (SELECT window_start, window_end, frontier, max(window_end) OVER
                            (ORDER BY window_start, window_end ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS reached
                        FROM passed),
              hole AS (SELECT min(window_start) AS start FROM ahead
                       WHERE window_start > frontier AND (reached IS NULL OR window_start > reached))
         UPDATE {own}sources
         SET frontier = coalesce((SELECT max(window_end) FROM ahead, hole WHERE hole.start IS NULL OR window_start < hole.start), frontier)
         WHERE source = {source}",
        own = C::OWN,
        collected = beyond("collected"),
        given_up = beyond("given_up"),
    );
    connection.write(parameters.statement(text), "sources").await
}
