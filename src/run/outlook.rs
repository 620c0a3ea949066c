//! Reads from the record what expectations are made from.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};

use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::ids::RunId;
use crate::plan::model::job::{JobState, RunState};
use crate::plan::model::settings::RunSettings;
use crate::plan::remember::durations::Durations;
use crate::plan::remember::past::{JobQuery, PastRun, RunQuery};
use crate::plan::remember::rhythm::{Rhythm, STARTS};
use crate::plan::run::outlook::OutlookFacts;
use crate::plan::run::recorded::RecordedRun;
use crate::store::{self, Store};

/// Most jobs of a run that are looked at; of one with more nothing is reckoned.
const MOST_JOBS: u32 = 10_000;

/// Reads the facts. `living` are the runs that are under way.
///
/// # Errors
/// When the database fails.
pub(super) async fn facts<'a>(
    store: &dyn Store,
    catalogue: &'a Catalogue,
    settings: &'a RunSettings,
    living: &BTreeSet<RunId>,
    now: DateTime<Utc>,
) -> store::Result<OutlookFacts<'a>> {
    let names = catalogue.etls.iter().map(|etl| &etl.name).chain(catalogue.sources.iter().map(|source| &source.id));
    let names: BTreeSet<String> = names.cloned().collect();
    let durations = Durations::of(store.successes(&names.into_iter().collect::<Vec<_>>()).await?);
    let starts: Vec<DateTime<Utc>> = plain_runs(store).await?.iter().map(|run| run.started_at).collect();
    let mut active = Vec::new();
    if !living.is_empty() {
        let breakers = store.open_breakers().await?;
        let query = RunQuery { states: vec![RunState::Running], limit: MOST_JOBS, ..RunQuery::default() };
        for run in store.runs(&query).await?.into_iter().filter(|run| living.contains(&run.id)) {
            let states = vec![JobState::Queued, JobState::Running];
            let query = JobQuery { run: Some(run.id.to_string()), states, limit: MOST_JOBS, ..JobQuery::default() };
            let jobs = store.jobs(&query).await?;
            let mut recorded = RecordedRun::new(&run, &jobs, &breakers, catalogue, settings);
            recorded.is_whole &= u32::try_from(jobs.len()).is_ok_and(|jobs| jobs < MOST_JOBS);
            active.push(recorded);
        }
    }
    Ok(OutlookFacts { catalogue, settings, durations, active, rhythm: Rhythm::of(&starts, now), now })
}

/// The last runs without a selection of their own. Those with one were started by hand.
async fn plain_runs(store: &dyn Store) -> store::Result<Vec<PastRun>> {
    let runs = store.runs(&RunQuery { limit: 3 * STARTS, ..RunQuery::default() }).await?;
    Ok(runs.into_iter().filter(|run| !run.is_narrowed()).take(STARTS as usize).collect())
}
