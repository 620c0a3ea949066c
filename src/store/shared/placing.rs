//! Which jobs may have left a staged report.

use std::path::PathBuf;

use super::cell::Found;
use super::connection::SqlConnection;
use super::row::{Selected, row};
use super::statement::{Columns, Parameters};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::remember::recorded_job::Unplaced;

row! {
    struct UnplacedRow of "etl_jobs" {
        id: JobId,
        run_id: RunId,
        state: JobState,
        destination: String;
        host: HostRow,
        later: LaterRow,
    }
}

row! {
    struct HostRow of "etl_runs" {
        host: String,
        machine_id: Option<String>,
    }
}

row! {
    struct LaterRow of "etl_jobs" {
        is_superseded: bool = "{row}.is_superseded",
    }
}

impl UnplacedRow {
    fn unplaced(self) -> Unplaced {
        let Self { id, run_id, state, destination, host: HostRow { host, machine_id }, later: LaterRow { is_superseded } } = self;
        Unplaced { job: id, run: run_id, state, destination: PathBuf::from(destination), host, machine_id, is_superseded }
    }
}

pub(in crate::store) async fn unplaced<C: SqlConnection>(connection: &mut C, of: Option<&GapKey>) -> sqlx::Result<Found<Unplaced>> {
    let mut parameters = Parameters::default();
    let of = of.map(|gap| format!("AND j.gap_key = {}", parameters.add(gap))).unwrap_or_default();
    let text = format!(
        "SELECT {job}, {host}, {later}
         FROM (SELECT j.*, EXISTS (SELECT 1 FROM {own}etl_jobs n WHERE n.gap_key = j.gap_key AND n.state = 'succeeded' AND n.fence > j.fence)
                           AS is_superseded
               FROM {own}etl_jobs j WHERE j.destination IS NOT NULL {of}) u JOIN {own}etl_runs r ON r.id = u.run_id ORDER BY u.fence, u.id",
        job = UnplacedRow::select("u"),
        host = HostRow::select("r"),
        later = LaterRow::select("u"),
        own = C::OWN,
    );
    let jobs: Found<UnplacedRow> = connection.fetch_all(parameters.statement(text)).await?;
    Ok(jobs.map(UnplacedRow::unplaced))
}

pub(in crate::store) async fn placed<C: SqlConnection>(connection: &mut C, jobs: &[JobId]) -> sqlx::Result<()> {
    if jobs.is_empty() {
        return Ok(());
    }
    let rows: Vec<Columns> = jobs.iter().map(|job| vec![("id", (*job).into())]).collect();
    let mut parameters = Parameters::default();
    let text = format!(
        "UPDATE {own}etl_jobs SET destination = NULL WHERE destination IS NOT NULL AND id IN (SELECT id FROM ({jobs}) d)",
        own = C::OWN,
        jobs = parameters.rows::<C>(&rows),
    );
    connection.execute(parameters.statement(text)).await.map(drop)
}
