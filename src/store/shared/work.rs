//! What was made on each day, and how long it took.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};

use super::cell::{AnyText, Found};
use super::connection::SqlConnection;
use super::history::Conditions;
use super::row::{Selected, row};
use crate::plan::remember::past::{DayOfWork, TimeSpan};

row! {
    /// What an ETL or a source succeeded at in a run.
    struct OfRunRow of "etl_runs" {
        started_at: DateTime<Utc>,
        etl: AnyText,
        succeeded: u64,
        total: u64,
        longest: u64,
    }
}

pub(in crate::store) async fn per_day<C: SqlConnection>(connection: &mut C, span: TimeSpan) -> sqlx::Result<Found<DayOfWork>> {
    let mut conditions = Conditions::default();
    conditions.within("r.started_at", span);
    let text = format!(
        "SELECT {of_run} FROM (SELECT r.started_at, j.etl, count(*) AS succeeded, \
         CAST(sum(a.duration_ms) AS bigint) AS total, max(a.duration_ms) AS longest \
         FROM {own}etl_runs r JOIN {own}etl_jobs j ON j.run_id = r.id JOIN {own}etl_attempts a ON a.job_id = j.id \
         WHERE {span} AND a.outcome = 'succeeded' AND a.duration_ms IS NOT NULL GROUP BY r.id, r.started_at, j.etl) w",
        of_run = OfRunRow::select("w"),
        own = C::OWN,
        span = conditions.text(),
    );
    let Found { rows, malformed } = connection.fetch_all::<OfRunRow>(conditions.parameters.statement(text)).await?;
    let mut days: BTreeMap<(NaiveDate, String), DayOfWork> = BTreeMap::new();
    for OfRunRow { started_at, etl: AnyText(etl), succeeded, total, longest } in rows {
        let key = (started_at.date_naive(), etl);
        let empty = || DayOfWork { day: key.0, filled_by: key.1.clone(), succeeded: 0, total: Duration::ZERO, longest: Duration::ZERO };
        let day = days.entry(key.clone()).or_insert_with(empty);
        day.succeeded += succeeded;
        day.total += Duration::from_millis(total);
        day.longest = day.longest.max(Duration::from_millis(longest));
    }
    Ok(Found { rows: days.into_values().collect(), malformed })
}
