//! Reads the facts about sources from the database, and has `plan` decide.

use std::collections::HashMap;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::error::RunError;
use super::plan_input::PlanInput;
use super::recover::{self, Recovery};
use super::sync::Stamps;
use crate::plan::decide::backfill::{self, SourceFacts};
use crate::plan::decide::plan::Plan;
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::selection::Selection;
use crate::plan::model::settings::{EnvFiles, RunSettings};
use crate::plan::remember::fingerprint;
use crate::plan::remember::source_state::{QueuedWindow, SourceState};
use crate::plan::remember::stored_state::StoredState;
use crate::store::{self, Store};

/// The facts about sources; empty where the selection has no source.
#[derive(Debug, Default)]
pub(super) struct Sources {
    /// By the id of the source.
    states: HashMap<String, SourceState>,
    queue: Vec<QueuedWindow>,
    /// The fingerprint of each source, by its index: it changes when the way it is collected does.
    digests: Vec<String>,
}

impl Sources {
    /// Reads the facts. In a dry run they include the collections in the spool that `recovery` found.
    ///
    /// # Errors
    /// When the database fails.
    pub(super) async fn gather(store: &dyn store::Sources, input: PlanInput<'_>, recovery: &Recovery) -> store::Result<Self> {
        let mut sources = input.catalogue.sources.iter().enumerate();
        if !sources.any(|(index, _)| input.selection.has_source(index)) {
            return Ok(Self::default());
        }
        let states = store.source_states().await?;
        let mut states: HashMap<String, SourceState> = states.into_iter().map(|state| (state.source.clone(), state)).collect();
        let mut queue = store.queue().await?;
        for success in &recovery.collected {
            backfill::record(states.entry(success.collected.source.clone()).or_default(), &mut queue, success);
        }
        let digest = |source| fingerprint::of_source(source, input.env_files);
        Ok(Self { states, queue, digests: input.catalogue.sources.iter().map(digest).collect() })
    }

    /// Plans the collections of the sources in the selection, with at most `most` jobs.
    pub(super) fn plan(&self, input: PlanInput<'_>, stored: &StoredState, most: usize) -> Vec<SourcePlan> {
        backfill::plan(&input.catalogue.sources, input.selection, &self.digests, self.facts(stored.now, stored), most)
    }

    /// Adds the planned collections to the plan of reports.
    pub(super) fn add(&self, plan: &mut Plan, collections: Vec<SourcePlan>, catalogue: &Catalogue, stored: &StoredState) {
        backfill::add(plan, collections, &catalogue.sources, &self.digests, self.facts(stored.now, stored));
    }

    fn facts<'a>(&'a self, now: DateTime<Utc>, stored: &'a StoredState) -> SourceFacts<'a> {
        SourceFacts {
            now,
            states: &self.states,
            queue: &self.queue,
            gaps: &stored.gaps,
            unrecorded: &stored.unrecorded,
            running: &stored.running,
        }
    }
}

/// What a run that starts now would do about each source, in order of declaration. Changes nothing.
///
/// # Errors
/// When the database fails.
pub async fn preview(
    store: &dyn Store,
    catalogue: &Catalogue,
    env_files: &EnvFiles,
    settings: &RunSettings,
    state_dir: &Path,
) -> Result<Vec<SourcePlan>, RunError> {
    let recovery = recover::preview(store, state_dir).await?;
    let stored = StoredState {
        now: Utc::now(),
        running: recovery.running.clone(),
        unrecorded: recovery.unrecorded.clone(),
        gaps: recovery.gap_states(store).await?,
        ..StoredState::default()
    };
    let (selection, stamps) = (Selection::default(), Stamps::default());
    let input = PlanInput { catalogue, env_files, settings, selection: &selection, sync: &[], stamps: &stamps };
    let mut plans = Sources::gather(store, input, &recovery).await?.plan(input, &stored, input.most_collections());
    look_up_orders(store, &mut plans, catalogue).await?;
    Ok(plans)
}

/// Looks up which orders on sources no job has answered yet.
///
/// # Errors
/// When the database fails.
pub(super) async fn look_up_orders(store: &dyn store::Orders, plans: &mut [SourcePlan], catalogue: &Catalogue) -> store::Result<()> {
    if plans.is_empty() {
        return Ok(());
    }
    let key = |plan: &SourcePlan| GapKey::source(&catalogue.source(plan.source).id);
    let gaps: Vec<GapKey> = plans.iter().map(key).collect();
    let orders = store.pending_orders(&gaps).await?;
    for plan in plans {
        let gap = key(plan);
        plan.order = orders.iter().find(|order| order.gap == gap).cloned();
    }
    Ok(())
}
