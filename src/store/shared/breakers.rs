//! ETLs that are taken for broken.

use chrono::{DateTime, Utc};

use super::cell::{Found, Texts};
use super::connection::SqlConnection;
use super::gaps;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters, Statement, names};
use super::values::storable_json;
use crate::plan::model::gap::GapKey;
use crate::plan::remember::breaker::OpenBreaker;
use crate::plan::remember::failure_history::FailureHistory;

row! {
    struct BreakerRow of "breakers" {
        etl: String,
        opened_at: DateTime<Utc>,
        banks: Texts = "CAST({row}.banks AS text)",
        etl_digest: String,
        probed: Option<String>,
        probed_at: Option<DateTime<Utc>>,
    }
}

impl BreakerRow {
    fn breaker(self) -> OpenBreaker {
        OpenBreaker {
            etl: self.etl,
            since: self.opened_at,
            banks: self.banks.0,
            etl_digest: self.etl_digest,
            probed: self.probed,
            probed_at: self.probed_at,
        }
    }
}

pub(in crate::store) async fn open<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<OpenBreaker>> {
    let (columns, own) = (BreakerRow::select("b"), C::OWN);
    let query = Statement::plain(format!("SELECT {columns} FROM {own}breakers b ORDER BY etl"));
    Ok(connection.fetch_all(query).await?.map(BreakerRow::breaker))
}

/// Opens, changes or closes the breaker of an ETL, and writes what is to be remembered of gaps by it. A refund is left out where its
/// fence is not the gap's any more, or a job runs: then somebody else decides what is remembered of the gap.
pub(in crate::store) async fn set<C: SqlConnection>(
    connection: &mut C,
    etl: &str,
    breaker: Option<&OpenBreaker>,
    refunds: &[(GapKey, i64, FailureHistory)],
) -> sqlx::Result<()> {
    if refunds.is_empty() {
        return write(connection, etl, breaker).await;
    }
    let mut changes = connection.begin_write().await?;
    write::<C>(&mut changes, etl, breaker).await?;
    let keys: Vec<GapKey> = refunds.iter().map(|(key, _, _)| key.clone()).collect();
    gaps::lock::<C>(&mut changes, &keys).await?;
    for (key, fence, history) in refunds {
        let mut parameters = Parameters::default();
        let gap = gaps::write_history(&mut parameters, history, false);
        let text = format!(
            "UPDATE {own}gap_states SET {set} WHERE gap_key = {key} AND fence = {fence}
             AND NOT EXISTS (SELECT 1 FROM {own}etl_jobs j WHERE j.gap_key = {key} AND j.state = 'running')",
            own = C::OWN,
            set = gap.set,
            key = parameters.add(key),
            fence = parameters.add(*fence),
        );
        changes.execute(parameters.statement(text)).await?;
    }
    changes.commit().await
}

async fn write<C: SqlConnection>(connection: &mut C, etl: &str, breaker: Option<&OpenBreaker>) -> sqlx::Result<()> {
    let (mut parameters, own) = (Parameters::default(), C::OWN);
    let etl = parameters.add(etl);
    let Some(breaker) = breaker else {
        let text = format!("DELETE FROM {own}breakers WHERE etl = {etl}");
        return connection.execute(parameters.statement(text)).await.map(drop);
    };
    let columns: Columns = vec![
        ("opened_at", breaker.since.into()),
        ("etl_digest", breaker.etl_digest.as_str().into()),
        ("probed", breaker.probed.as_deref().into()),
        ("probed_at", breaker.probed_at.into()),
    ];
    let text = format!(
        "INSERT INTO {own}breakers (etl, banks, {names}) VALUES ({etl}, {banks}{json}, {values})
         ON CONFLICT (etl) DO UPDATE SET banks = excluded.banks, {replaced}",
        names = names(&columns),
        banks = parameters.add(storable_json(&serde_json::json!(breaker.banks))),
        json = C::AS_JSON,
        replaced = columns.iter().map(|(name, _)| format!("{name} = excluded.{name}")).collect::<Vec<_>>().join(", "),
        values = parameters.values(columns),
    );
    connection.write(parameters.statement(text), "breakers").await
}
