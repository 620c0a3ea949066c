//! `etl-orch sources`: what is known of the disclosure sources, and orders on them.

mod enqueue;
mod give_up;
mod pause;
mod window_choice;

use std::collections::HashMap;

use chrono::Utc;
use clap::Subcommand;

use super::context::Context;
use super::exit::{Exit, Failure};
use crate::plan::decide::freshness::Freshness;
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::source::Source;
use crate::plan::remember::source_state::QueuedWindow;
use crate::run::check_state_dir;
use crate::run::sources::preview;
use crate::show::sources::{ListedSource, SourcesView};
use crate::store::{Access, Data, Store};
use enqueue::EnqueueArgs;
use give_up::GiveUpArgs;
use pause::PauseArgs;

/// What can be done with a source.
#[derive(Debug, Subcommand)]
pub(in crate::cli) enum SourcesCommand {
    /// Collect windows of a source, again or for the first time
    ///
    /// They are put into its queue, whether they were collected before or not. The next run collects them; with --now a run of its own does.
    Enqueue(EnqueueArgs),
    /// Go on without windows that cannot be collected
    ///
    /// They hold up no others from then on. `enqueue` takes that back.
    GiveUp(GiveUpArgs),
    /// Leave a source alone until `resume`
    Pause(PauseArgs),
    /// Take `pause` back
    Resume(PauseArgs),
}

/// `etl-orch sources` and its subcommands.
pub(super) async fn command(context: &Context<'_>, command: Option<&SourcesCommand>) -> Result<Exit, Failure> {
    match command {
        None => list(context).await,
        Some(SourcesCommand::Enqueue(args)) => enqueue::command(context, args).await,
        Some(SourcesCommand::GiveUp(args)) => give_up::command(context, args).await,
        Some(SourcesCommand::Pause(args)) => pause::pause(context, args).await,
        Some(SourcesCommand::Resume(args)) => pause::resume(context, args).await,
    }
}

/// The sources, as a run that started now would find them.
async fn list(context: &Context<'_>) -> Result<Exit, Failure> {
    let now = Utc::now();
    let listed = context.with_store(Access::ReadOnly, async |store| listed(&*store, context).await).await?;
    context.print(&SourcesView::new(&listed, &context.config.catalogue, now))?;
    Ok(Exit::Success)
}

pub(super) async fn listed(store: &dyn Store, context: &Context<'_>) -> Result<Vec<ListedSource>, Failure> {
    let plans = plans(store, context).await?;
    let mut queued: HashMap<String, u64> = HashMap::new();
    for window in store.queue().await?.into_iter().filter(QueuedWindow::is_open) {
        *queued.entry(window.source).or_default() += 1;
    }
    let mut listed = Vec::new();
    for plan in plans {
        let source = &context.config.catalogue.sources[plan.source];
        let queued = queued.get(&source.id).copied().unwrap_or_default();
        let freshness = freshness(store, source).await;
        listed.push(ListedSource { plan, queued, freshness });
    }
    Ok(listed)
}

/// What a run that started now would do about each source.
async fn plans(store: &dyn Store, context: &Context<'_>) -> Result<Vec<SourcePlan>, Failure> {
    let config = &context.config;
    check_state_dir(&config.state_dir)?;
    let env_files = config.env_files(context.environment)?.files;
    Ok(preview(store, &config.catalogue, &env_files, &config.run, &config.state_dir).await?)
}

/// The age of a source's data. The query is the user's: when it fails, everything else is shown all the same.
async fn freshness(store: &dyn Data, source: &Source) -> Option<Freshness> {
    let query = source.freshness.as_ref()?;
    Some(match store.value_of(query).await {
        Ok(answer) => Freshness::of(answer.as_deref()),
        Err(error) => {
            tracing::warn!(source = source.id, "{}: freshness cannot be asked: {error}", source.id);
            Freshness::Failed(error.to_string())
        }
    })
}
