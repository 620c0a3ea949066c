//! When the data of banks arrived.

use chrono::{DateTime, Utc};

use super::cell::Found;
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters, Statement};
use super::values::storable_json;
use crate::plan::model::period::Period;
use crate::plan::remember::arrivals::{Arrival, ArrivalQuery, Newest, NewlySeen, SeenData};

/// So many arrivals are read, the last ones.
const MOST_LISTED: u32 = 100_000;

row! {
    struct SeenRow of "data_seen" {
        tags: String,
        newest: Newest = "CAST({row}.newest AS text)",
    }
}

pub(in crate::store) async fn seen<C: SqlConnection>(connection: &mut C) -> sqlx::Result<Found<SeenData>> {
    let query = format!("SELECT {} FROM {}data_seen s ORDER BY tags", SeenRow::select("s"), C::OWN);
    Ok(connection.fetch_all(Statement::plain(query)).await?.map(|SeenRow { tags, newest }| SeenData { tags, newest }))
}

row! {
    struct ArrivalRow of "data_arrivals" {
        tags: String,
        bank_key: String,
        period: Period = "CAST({row}.fiscal_year AS text) || {row}.quarter",
        first_seen_at: DateTime<Utc>,
        is_latest: bool,
    }
}

/// The latest periods first.
pub(in crate::store) async fn find<C: SqlConnection>(connection: &mut C, query: ArrivalQuery<'_>) -> sqlx::Result<Found<Arrival>> {
    let mut parameters = Parameters::default();
    let only = match query {
        ArrivalQuery::Tags(tags) => format!("tags = {}", parameters.add(tags)),
        ArrivalQuery::Data(bank, period) => format!(
            "bank_key = {} AND fiscal_year = {} AND quarter = {}",
            parameters.add(bank),
            parameters.add(i32::from(period.year())),
            parameters.add(period.quarter().as_str()),
        ),
    };
    let text = format!(
        "SELECT {row} FROM {own}data_arrivals a WHERE {only} ORDER BY fiscal_year DESC, quarter DESC, bank_key, tags LIMIT {MOST_LISTED}",
        row = ArrivalRow::select("a"),
        own = C::OWN,
    );
    let found: Found<ArrivalRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(found.map(|ArrivalRow { tags, bank_key: bank, period, first_seen_at, is_latest }| Arrival {
        tags,
        bank,
        period,
        first_seen_at,
        is_latest,
    }))
}

/// Puts on record what was seen. An arrival that is there stays as it is: another run was the first to see it.
pub(in crate::store) async fn record<C: SqlConnection>(connection: &mut C, newly_seen: &[NewlySeen]) -> sqlx::Result<()> {
    if newly_seen.is_empty() {
        return Ok(());
    }
    let mut transaction = connection.begin_write().await?;
    for NewlySeen { seen, arrivals } in newly_seen {
        if !arrivals.is_empty() {
            insert::<C>(&mut transaction, arrivals).await?;
        }
        let mut parameters = Parameters::default();
        let text = format!(
            "INSERT INTO {own}data_seen (tags, newest) SELECT s.tags, s.newest{json} FROM ({row}) s WHERE TRUE \
             ON CONFLICT (tags) DO UPDATE SET newest = excluded.newest",
            own = C::OWN,
            json = C::AS_JSON,
            row = parameters
                .rows::<C>(&[
                    vec![("tags", seen.tags.as_str().into()), ("newest", storable_json(&serde_json::json!(seen.newest)).into()),]
                ]),
        );
        transaction.execute(parameters.statement(text)).await?;
    }
    transaction.commit().await
}

async fn insert<C: SqlConnection>(connection: &mut C, arrivals: &[Arrival]) -> sqlx::Result<()> {
    let row = |arrival: &Arrival| -> Columns {
        vec![
            ("tags", arrival.tags.as_str().into()),
            ("bank_key", arrival.bank.as_str().into()),
            ("fiscal_year", i32::from(arrival.period.year()).into()),
            ("quarter", arrival.period.quarter().as_str().into()),
            ("first_seen_at", arrival.first_seen_at.into()),
            ("is_latest", arrival.is_latest.into()),
        ]
    };
    let rows: Vec<Columns> = arrivals.iter().map(row).collect();
    let mut parameters = Parameters::default();
    let text = format!(
        "INSERT INTO {own}data_arrivals (tags, bank_key, fiscal_year, quarter, first_seen_at, is_latest) \
         SELECT a.tags, a.bank_key, a.fiscal_year, a.quarter, a.first_seen_at, a.is_latest FROM ({rows}) a WHERE TRUE \
         ON CONFLICT (bank_key, tags, fiscal_year, quarter) DO NOTHING",
        own = C::OWN,
        rows = parameters.rows::<C>(&rows),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}
