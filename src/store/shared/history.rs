//! What people read about the past.

use super::connection::SqlConnection;
use super::row::row;
use super::statement::Parameters;
use super::values::{job_state, undecodable};
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::orders::FoundJob;

row! {
    struct FoundJobRow {
        id: String,
        run_id: String,
        gap_key: String,
        state: String,
    }
}

impl FoundJobRow {
    fn job(self) -> sqlx::Result<FoundJob> {
        Ok(FoundJob {
            id: JobId::parse(&self.id).map_err(undecodable)?,
            run: RunId::parse(&self.run_id).map_err(undecodable)?,
            gap: self.gap_key.parse().map_err(undecodable)?,
            state: job_state(&self.state)?,
        })
    }
}

pub(in crate::store) async fn find_jobs<C: SqlConnection>(connection: &mut C, prefix: &str, limit: u32) -> sqlx::Result<Vec<FoundJob>> {
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
    connection.fetch_all(parameters.statement(text)).await?.into_iter().map(FoundJobRow::job).collect()
}
