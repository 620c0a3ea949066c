//! `etl-orch health`: whether anything is behind, failing or stopped.

mod after_run;
mod recover;
#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use clap::Args;

use super::args::Global;
use super::context::Context;
use super::exit::{Exit, Failure};
use super::help::headings::{RUN, SELECT};
use super::{names, output, run};
use crate::plan::health::judgement::{Judgement, Status, judge, judge_age};
use crate::plan::health::recovery::Action;
use crate::plan::model::settings::{DatabaseTarget, Variables};
use crate::plan::run::summary::RunSummary;
use crate::plan::text::span;
use crate::run::health::facts;
use crate::run::{check_database_file, check_state_dir, sources};
use crate::show::health::HealthView;
use crate::store::{Access, Store};
pub(super) use after_run::{after_failure, after_run};

/// Options of `health`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct HealthArgs {
    /// With --max-age: only these [default: all]
    #[arg(value_name = "SOURCE", requires = "max_age")]
    sources: Vec<String>,
    /// Ask only: are the sources younger than this?
    ///
    /// Whether what was collected of them ends less than this ago, such as 7h.
    #[arg(long, value_name = "DURATION", value_parser = span::parse, help_heading = SELECT)]
    max_age: Option<Duration>,
    /// Make a run where one is due, and judge again
    ///
    /// Where something is wrong and a run has work to do; not after 3 in a row that did not help.
    #[arg(long, conflicts_with = "max_age", help_heading = RUN)]
    recover: bool,
    /// Give up when this time has passed
    ///
    /// A run of --recover may take longer.
    #[arg(long, value_name = "DURATION", value_parser = span::parse, default_value = "30s", help_heading = RUN)]
    timeout: Duration,
}

pub(super) async fn command(global: &Global, environment: &Variables, args: &HealthArgs) -> Result<Exit, Failure> {
    let context = match Context::load(global, environment) {
        Ok(context) => context,
        Err(failure) => return print_failure(global, &failure, Action::None),
    };
    if args.recover {
        return Box::pin(recover::command(&context, args.timeout)).await;
    }
    let judged = match args.max_age {
        Some(max_age) => age(&context, named(&context, &args.sources)?, max_age, args.timeout).await,
        None => within(&context, args.timeout, async |store| Ok(judge_now(store, &context).await?.0)).await,
    };
    match judged {
        Ok(judgement) => print(&context, &judgement, Action::None),
        Err(failure) => print_failure(global, &failure, Action::None),
    }
}

/// The positions of these sources; of all where none is named.
fn named(context: &Context<'_>, words: &[String]) -> Result<Vec<usize>, Failure> {
    let catalogue = &context.config.catalogue;
    if catalogue.sources.is_empty() {
        return Err(Failure::Usage("no sources are configured, so nothing has an age".to_owned()));
    }
    if words.is_empty() {
        return Ok((0..catalogue.sources.len()).collect());
    }
    words.iter().map(|word| names::source(catalogue, word).map_err(Failure::Usage)).collect()
}

async fn age(context: &Context<'_>, named: Vec<usize>, max_age: Duration, timeout: Duration) -> Result<Judgement, Failure> {
    let config = &context.config;
    check_state_dir(&config.state_dir)?;
    let env_files = config.env_files(context.environment)?.files;
    within(context, timeout, async |store| {
        let plans = sources::preview(&*store, &config.catalogue, &env_files, &config.run, &config.state_dir).await?;
        let plans: Vec<_> = plans.iter().filter(|plan| named.contains(&plan.source)).collect();
        Ok(judge_age(&plans, &config.catalogue, max_age, Utc::now()))
    })
    .await
}

/// What `work` finds in the database within this time. One that is not there yet cannot be judged.
async fn within<T>(
    context: &Context<'_>,
    timeout: Duration,
    work: impl AsyncFnOnce(Arc<dyn Store>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (target, state_dir) = (&context.config.database.target, &context.config.state_dir);
    check_database_file(target, state_dir)?;
    if let DatabaseTarget::Sqlite(path) = target
        && !path.exists()
    {
        return Err(Failure::Orchestrator(format!("the database {target} is not there; the first run makes it")));
    }
    let found = tokio::time::timeout(timeout, context.with_store(Access::ReadOnly, work)).await;
    found.unwrap_or_else(|_| {
        Err(Failure::Orchestrator(format!("the database {target} did not answer everything within {}", span::exact(timeout))))
    })
}

/// The judgement at this moment, and what a run would find.
async fn judge_now(store: Arc<dyn Store>, context: &Context<'_>) -> Result<(Judgement, RunSummary), Failure> {
    let config = &context.config;
    let summary = run::plain(context, store.clone())?.dry_run(None).await?;
    let judgement = judge(facts(&*store, &config.state_dir, &summary, None).await?, &config.catalogue, &config.health);
    Ok((judgement, summary))
}

fn exit(judgement: &Judgement) -> Exit {
    match judgement.status {
        Status::Healthy => Exit::Success,
        Status::Unhealthy => Exit::Unhealthy,
        Status::Unknown => Exit::HealthUnknown,
    }
}

fn print(context: &Context<'_>, judgement: &Judgement, action: Action) -> Result<Exit, Failure> {
    print_before(exit(judgement), context, judgement, action)
}

/// Prints it before the process ends in this way.
fn print_before(exit: Exit, context: &Context<'_>, judgement: &Judgement, action: Action) -> Result<Exit, Failure> {
    context.print(&HealthView::new(judgement, action, &context.config.catalogue, exit.code(), &context.command_line()))?;
    Ok(exit)
}

/// What could not be judged is no reason to say nothing.
fn print_failure(global: &Global, failure: &Failure, action: Action) -> Result<Exit, Failure> {
    output::print(global.format, &view_of(failure, action))?;
    Ok(Exit::HealthError)
}

fn view_of(failure: &Failure, action: Action) -> HealthView<'static> {
    HealthView::of_error(Exit::HealthError.code(), failure.class(), &failure.message(), failure.causes(), action, Utc::now())
}
