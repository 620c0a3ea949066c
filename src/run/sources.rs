//! What is known of the disclosure sources, for those who only look.

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use crate::plan::catalogue::Catalogue;
use crate::plan::collecting::{self, SourceFacts};
use crate::plan::collection::SourcePlan;
use crate::plan::selection::Selection;
use crate::plan::settings::EnvFiles;
use crate::store::{self, Store};

/// What a run would do about each source at this time, in order of declaration. Changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn look(store: &dyn Store, catalogue: &Catalogue, env_files: &EnvFiles, now: DateTime<Utc>) -> store::Result<Vec<SourcePlan>> {
    let _ = env_files;
    let states = store.source_states().await?.into_iter().map(|state| (state.source.clone(), state)).collect();
    let queue = store.queue().await?;
    let gaps = store.gap_states().await?.into_iter().map(|state| (state.key.clone(), state)).collect();
    let running: HashMap<_, _> = store.running_jobs().await?.into_iter().map(|job| (job.gap, job.owner)).collect();
    let facts = SourceFacts { now, states: &states, queue: &queue, gaps: &gaps, running: &running };
    let digests = vec![String::new(); catalogue.sources.len()];
    Ok(collecting::plan(&catalogue.sources, &Selection::default(), &digests, facts, usize::MAX))
}
