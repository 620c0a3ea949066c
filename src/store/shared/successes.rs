//! How long the last successes took.

use chrono::{DateTime, Utc};

use super::cell::{AnyText, Found};
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::Parameters;
use crate::plan::remember::durations::PastSuccess;

/// Most successes of an ETL or source that are looked at: enough for the last ones of most of its banks.
pub(super) const MOST: u32 = 100;

/// Most ETLs and sources in one statement; SQLite has a limit for it.
const AT_ONCE: usize = 100;

row! {
    struct SuccessRow of "etl_jobs" {
        etl: AnyText,
        bank_key: Option<AnyText>,
        started_at: DateTime<Utc>,
        ended_at: DateTime<Utc>,
    }
}

impl SuccessRow {
    /// `None` where the clock went backwards meanwhile.
    fn success(self) -> Option<PastSuccess> {
        let took = (self.ended_at - self.started_at).to_std().ok()?;
        Some(PastSuccess { filled_by: self.etl.0, bank: self.bank_key.map(|AnyText(bank)| bank), took })
    }
}

/// The last successes of these ETLs and sources, the newest first. A job that followed a service's job of an earlier one is none: it says
/// nothing of how long the service took.
pub(in crate::store) async fn latest<C: SqlConnection>(connection: &mut C, of: &[String]) -> sqlx::Result<Found<PastSuccess>> {
    let (mut rows, mut malformed) = (Vec::new(), Vec::new());
    for names in of.chunks(AT_ONCE) {
        let mut parameters = Parameters::default();
        let most = parameters.add(MOST);
        let queries: Vec<String> = names.iter().map(|name| query::<C>(&parameters.add(name.as_str()), &most)).collect();
        let mut found: Found<SuccessRow> = connection.fetch_all(parameters.statement(queries.join(" UNION ALL "))).await?;
        rows.append(&mut found.rows);
        malformed.append(&mut found.malformed);
    }
    rows.sort_by_key(|row| std::cmp::Reverse(row.ended_at));
    Ok(Found { rows: rows.into_iter().filter_map(SuccessRow::success).collect(), malformed })
}

fn query<C: SqlConnection>(name: &str, most: &str) -> String {
    format!(
        "SELECT * FROM (
            SELECT {row} FROM {own}etl_jobs j
            WHERE j.etl = {name} AND j.state = 'succeeded' AND j.started_at IS NOT NULL AND j.ended_at IS NOT NULL
            AND NOT EXISTS (
                SELECT 1 FROM {own}etl_attempts a JOIN {own}etl_attempts b ON b.remote_id = a.remote_id
                WHERE a.job_id = j.id AND b.job_id = (
                    SELECT p.id FROM {own}etl_jobs p
                    WHERE p.gap_key = j.gap_key AND p.queued_at < j.queued_at AND p.started_at IS NOT NULL
                    ORDER BY p.queued_at DESC LIMIT 1))
            ORDER BY j.ended_at DESC LIMIT {most}) s",
        row = SuccessRow::select("j"),
        own = C::OWN,
    )
}
