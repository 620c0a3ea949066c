//! Why gaps were not made, as runs decided.

use chrono::{DateTime, Utc};

use super::cell::Found;
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters, Statement};
use super::values::storable_json;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::RunId;
use crate::plan::remember::past::PastDecision;
use crate::plan::remember::stored_decision::{DecisionChanges, StoredDecision};

row! {
    struct InForceRow of "decisions" {
        gap_key: GapKey,
        data: StoredDecision = "CAST({row}.data AS text)",
    }
}

pub(in crate::store) async fn in_force<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<(GapKey, StoredDecision)>> {
    // By an expression: for the columns SQLite would follow their index, through all decisions there ever were.
    let query = format!(
        "SELECT {} FROM {}decisions d WHERE until IS NULL ORDER BY gap_key, coalesce(since, NULL)",
        InForceRow::select("d"),
        C::OWN
    );
    Ok(connection.fetch_all(Statement::plain(query)).await?.map(|row: InForceRow| (row.gap_key, row.data)))
}

/// Puts what changes on record, as decided at this time by this run.
pub(in crate::store) async fn record<C: SqlConnection>(
    connection: &mut C,
    run: RunId,
    changes: &DecisionChanges,
    at: DateTime<Utc>,
) -> sqlx::Result<()> {
    if changes.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_write().await?;
    let over: Vec<GapKey> = changes.new.iter().map(|(key, _)| key).chain(&changes.ended).cloned().collect();
    if !over.is_empty() {
        let mut parameters = Parameters::default();
        let text = format!(
            "UPDATE {own}decisions SET until = {at} WHERE until IS NULL AND since < {at} AND gap_key IN ({keys})",
            own = C::OWN,
            at = parameters.add(at),
            keys = parameters.gap_keys::<C>(&over),
        );
        transaction.execute(parameters.statement(text)).await?;
    }
    if !changes.new.is_empty() {
        insert::<C>(&mut transaction, run, &changes.new, at).await?;
    }
    if changes.capped > 0 {
        let mut parameters = Parameters::default();
        let text = format!(
            "UPDATE {own}etl_runs SET capped = {capped} WHERE id = {run}",
            own = C::OWN,
            capped = parameters.add(changes.capped),
            run = parameters.add(run),
        );
        transaction.execute(parameters.statement(text)).await?;
    }
    transaction.commit().await
}

/// All in one statement.
async fn insert<C: SqlConnection>(connection: &mut C, run: RunId, new: &[(GapKey, StoredDecision)], at: DateTime<Utc>) -> sqlx::Result<()> {
    let row = |(key, decision): &(GapKey, StoredDecision)| -> Columns {
        let data = storable_json(&serde_json::json!(decision));
        vec![("gap_key", key.into()), ("decision", decision.name().into()), ("data", data.into())]
    };
    let rows: Vec<Columns> = new.iter().map(row).collect();
    let mut parameters = Parameters::default();
    let text = format!(
        "INSERT INTO {own}decisions (gap_key, since, run_id, decision, data) \
         SELECT gap_key, {at}, {run}, decision, data{json} FROM ({rows}) d WHERE TRUE ON CONFLICT (gap_key, since) DO NOTHING",
        own = C::OWN,
        json = C::AS_JSON,
        at = parameters.add(at),
        run = parameters.add(run),
        rows = parameters.rows::<C>(&rows),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}

row! {
    struct PastDecisionRow of "decisions" {
        gap_key: GapKey,
        since: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        run_id: RunId,
        data: StoredDecision = "CAST({row}.data AS text)",
    }
}

/// So many are listed.
const MOST_LISTED: u32 = 10_000;

/// The decisions that were in force at this time, on these gaps or, where none are named, on all.
pub(in crate::store) async fn at<C: SqlConnection>(
    connection: &mut C,
    gaps: &[GapKey],
    at: DateTime<Utc>,
) -> sqlx::Result<Found<PastDecision>> {
    let mut parameters = Parameters::default();
    let only = if gaps.is_empty() { String::new() } else { format!(" AND gap_key IN ({})", parameters.gap_keys::<C>(gaps)) };
    let text = format!(
        "SELECT {row} FROM {own}decisions d WHERE since <= {at} AND (until IS NULL OR until > {at}){only} \
         ORDER BY gap_key, since LIMIT {MOST_LISTED}",
        row = PastDecisionRow::select("d"),
        own = C::OWN,
        at = parameters.add(at),
    );
    let found: Found<PastDecisionRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(found.map(|row| PastDecision { gap: row.gap_key, since: row.since, until: row.until, run: row.run_id, decision: row.data }))
}
