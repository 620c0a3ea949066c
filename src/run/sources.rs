//! Gathers what is known of sources and lets `plan` decide.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::RunError;
use super::planning::{Subject, most_collections, remembered};
use super::recover::{self, Found};
use super::sync::Stamps;
use crate::plan::decide::backfill::{self, SourceFacts};
use crate::plan::decide::planner::Plan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::collection::{QueuedWindow, SourcePlan, SourceState};
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::{EnvFiles, RunSettings};
use crate::plan::remember::fingerprint;
use crate::plan::remember::stored_state::Known;
use crate::store::{self, Store};

/// What is known of sources.
#[derive(Debug, Default)]
pub(super) struct Sources {
    states: HashMap<String, SourceState>,
    queue: Vec<QueuedWindow>,
    /// How each source is collected.
    digests: Vec<String>,
}

impl Sources {
    /// Gathers it, where the selection has any source. In a dry run, as if what waits in the spool were recorded.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn gather(store: &dyn Store, subject: Subject<'_>, found: &Found) -> store::Result<Self> {
        let mut sources = subject.catalogue.sources.iter().enumerate();
        if !sources.any(|(index, _)| subject.selection.has_source(index)) {
            return Ok(Self::default());
        }
        let states = store.source_states().await?;
        let mut states: HashMap<String, SourceState> = states.into_iter().map(|state| (state.source.clone(), state)).collect();
        let mut queue = store.queue().await?;
        for success in &found.collected {
            backfill::record(states.entry(success.collected.source.clone()).or_default(), &mut queue, success);
        }
        let digest = |source| fingerprint::of_source(source, subject.env_files);
        Ok(Self { states, queue, digests: subject.catalogue.sources.iter().map(digest).collect() })
    }

    /// What is done about the sources in the selection, by at most so many jobs.
    pub(super) fn plan(&self, subject: Subject<'_>, known: &Known, most: usize) -> Vec<SourcePlan> {
        backfill::plan(&subject.catalogue.sources, subject.selection, &self.digests, self.facts(known.now, known), most)
    }

    /// Adds what is done about them to the plan of reports.
    pub(super) fn add(&self, plan: &mut Plan, found: Vec<SourcePlan>, catalogue: &Catalogue, known: &Known) {
        backfill::add(plan, found, &catalogue.sources, &self.digests, self.facts(known.now, known));
    }

    fn facts<'a>(&'a self, now: DateTime<Utc>, known: &'a Known) -> SourceFacts<'a> {
        SourceFacts { now, states: &self.states, queue: &self.queue, gaps: &known.gaps, running: &known.running }
    }
}

/// What the next run does about all sources, in order of declaration, as things stand.
///
/// # Errors
/// When the database fails.
pub async fn look(
    store: &dyn Store,
    catalogue: &Catalogue,
    env_files: &EnvFiles,
    settings: &RunSettings,
    state_dir: &Path,
) -> Result<Vec<SourcePlan>, RunError> {
    let found = recover::look(store, state_dir).await?;
    let known = Known { now: Utc::now(), running: found.running.clone(), gaps: remembered(store, &found).await?, ..Known::default() };
    let (selection, stamps) = (Selection::default(), Stamps::default());
    let subject = Subject { catalogue, env_files, settings, selection: &selection, stamps: &stamps };
    Ok(Sources::gather(store, subject, &found).await?.plan(subject, &known, most_collections(subject)))
}
