//! `etl-orch sources`: what is known of the disclosure sources, and orders on them.

pub(super) mod args;
mod enqueue;
mod pause;
mod window_choice;

use std::collections::HashMap;

use chrono::{DateTime, Utc};

use super::args::{Format, Global};
use super::exit::{Exit, Failure};
use crate::config::{self, Config};
use crate::plan::decide::freshness::Freshness;
use crate::plan::decide::source_plan::SourcePlan;
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::settings::Variables;
use crate::show::escape::escaped;
use crate::show::{self, SourceView};
use crate::store::{self, Access, Store};
use args::SourcesCommand;

/// `etl-orch sources` and what stands below it.
pub(super) async fn command(global: &Global, command: Option<&SourcesCommand>, environment: &Variables) -> Result<Exit, Failure> {
    match command {
        None => list(global, environment).await,
        Some(SourcesCommand::Enqueue(args)) => enqueue::command(global, args, environment).await,
        Some(SourcesCommand::Pause(args)) => pause::pause(global, args, environment).await,
        Some(SourcesCommand::Resume(args)) => pause::resume(global, args, environment).await,
    }
}

fn load(global: &Global, environment: &Variables) -> Result<Config, Failure> {
    let path = config::find(global.config.as_deref(), environment)?;
    Ok(config::load(&path, environment)?)
}

/// The sources, as a run that started now would find them.
async fn list(global: &Global, environment: &Variables) -> Result<Exit, Failure> {
    let config = load(global, environment)?;
    let now = Utc::now();
    let store = store::open(&config.database, Access::ReadOnly).await?;
    let views = views(&*store, &config).await;
    store.close().await;
    let views = views?;
    let page = match global.format {
        Format::Text => show::sources_as_text(&views, &config.catalogue, now),
        Format::Json => show::sources_as_json(&views, &config.catalogue, now)
            .map_err(|error| Failure::Orchestrator(format!("cannot write the sources: {error}")))?,
    };
    show::out(&page)?;
    Ok(Exit::Success)
}

async fn views(store: &dyn Store, config: &Config) -> Result<Vec<SourceView>, Failure> {
    let catalogue = &*config.catalogue;
    let plans = crate::run::sources::look(store, catalogue, &config.env_files()?, &config.run, &config.state_dir).await?;
    let mut queued: HashMap<String, u64> = HashMap::new();
    for window in store.queue().await?.into_iter().filter(|window| !window.is_collected || window.is_requested) {
        *queued.entry(window.source).or_default() += 1;
    }
    let mut views = Vec::new();
    for plan in plans {
        let queued = queued.get(&catalogue.sources[plan.source].id).copied().unwrap_or_default();
        let freshness = freshness(store, catalogue, &plan).await;
        views.push(SourceView { plan, queued, freshness });
    }
    Ok(views)
}

/// The age of a source's data. A query that fails is the user's, and keeps nothing else from being shown.
async fn freshness(store: &dyn Store, catalogue: &Catalogue, plan: &SourcePlan) -> Option<Freshness> {
    let source = &catalogue.sources[plan.source];
    let query = source.freshness.as_ref()?;
    Some(match store.value_of(query).await {
        Ok(answer) => Freshness::of(answer.as_deref()),
        Err(error) => {
            tracing::warn!("{}: freshness cannot be asked: {}", source.id, escaped(&error.to_string()));
            Freshness::Failed(error.to_string())
        }
    })
}

/// A time as it is printed.
fn time(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(chrono::SecondsFormat::Secs, true)
}
