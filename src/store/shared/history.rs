//! What people read about the past.

use super::cell::Found;
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::Parameters;
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::model::orders::FoundJob;

row! {
    struct FoundJobRow of "etl_jobs" {
        id: JobId,
        run_id: RunId,
        gap_key: GapKey,
        state: JobState,
    }
}

pub(in crate::store) async fn find_jobs<C: SqlConnection>(connection: &mut C, prefix: &str, limit: u32) -> sqlx::Result<Found<FoundJob>> {
    let prefix = prefix.to_ascii_lowercase();
    let is_whole = JobId::parse(&prefix).is_ok_and(|id| id.to_string() == prefix);
    let mut parameters = Parameters::default();
    let condition = if prefix.is_empty() {
        "TRUE".to_owned()
    } else if is_whole {
        // Both databases have an index for this.
        format!("id = {}", parameters.add(prefix))
    } else {
        C::begins_with("id", &parameters.add(prefix))
    };
    let text = format!(
        "SELECT {job} FROM {own}etl_jobs j WHERE {condition}
         ORDER BY queued_at DESC, started_at DESC NULLS LAST, position, id LIMIT {limit}",
        job = FoundJobRow::select("j"),
        own = C::OWN,
        limit = parameters.add(limit),
    );
    let jobs: Found<FoundJobRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(jobs.map(|FoundJobRow { id, run_id, gap_key, state }| FoundJob { id, run: run_id, gap: gap_key, state }))
}
