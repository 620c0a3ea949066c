//! `etl-orch prune`: removes at once what runs remove little by little.

use std::sync::Arc;

use chrono::Utc;
use clap::Args;

use super::context::Context;
use super::exit::{Exit, Failure};
use super::help::headings::RUN;
use super::run::args::lock_wait;
use crate::execute::stop::StopSender;
use crate::plan::model::settings::DatabaseTarget;
use crate::run::lock::{self, Acquisition, Lock, LockWait};
use crate::run::retention::{Pruning, note_done, to_the_end};
use crate::run::{check_database_file, check_state_dir, prepare_state_dir};
use crate::show::prune::PruneView;
use crate::store::{Access, Store};

/// Options of `prune`.
#[derive(Debug, Clone, Args)]
pub(super) struct PruneArgs {
    /// Say what would be removed, and remove nothing
    #[arg(long, help_heading = RUN)]
    dry_run: bool,
    /// How long to wait for the lock
    ///
    /// forever, none, or a duration such as 10m.
    #[arg(long, value_name = "WAIT", default_value = "forever", value_parser = lock_wait, help_heading = RUN)]
    lock_wait: LockWait,
}

pub(super) async fn command(context: &Context<'_>, args: &PruneArgs) -> Result<Exit, Failure> {
    let config = &context.config;
    for warning in check_state_dir(&config.state_dir)? {
        tracing::warn!("{warning}");
    }
    check_database_file(&config.database.target, &config.state_dir)?;
    if let DatabaseTarget::Sqlite(path) = &config.database.target
        && !path.exists()
    {
        return Err(Failure::Orchestrator(format!("the database {} is not there; the first run makes it", config.database.target)));
    }
    let view = PruneView::new(&config.retention);
    if args.dry_run {
        let count =
            async |store: Arc<dyn Store>| Ok(Pruning::new(&*store, &config.state_dir, &config.retention, Utc::now()).preview().await?);
        let removed = context.with_store(Access::ReadOnly, count).await?;
        context.print(&view.would_remove(removed))?;
        return Ok(Exit::Success);
    }
    let _lock = take_lock(context, args.lock_wait).await?;
    prepare_state_dir(&config.state_dir)?;
    let view = context.with_store(Access::ReadWrite, async |store: Arc<dyn Store>| {
        let now = Utc::now();
        let mut pruning = Pruning::new(&*store, &config.state_dir, &config.retention, now);
        let signal = to_the_end(&mut pruning).await?;
        let mut view = view.removed(pruning.removed());
        if let Some(signal) = signal {
            return Ok(view.stopped(signal));
        }
        note_done(&config.state_dir, now)?;
        match store.compact().await {
            Ok(compacted) => view = view.compacted(compacted),
            Err(error) => tracing::warn!(%error, "the space that is free now stays in the file of the database: {error}"),
        }
        Ok(view)
    });
    let view = view.await?;
    context.print(&view)?;
    Ok(view.signal().map_or(Exit::Success, Exit::Signal))
}

async fn take_lock(context: &Context<'_>, wait: LockWait) -> Result<Lock, Failure> {
    let path = &context.config.lock_file;
    let on_wait = |holder: &str| tracing::info!("Waiting for the lock {}, held by {holder}", path.display());
    // Until it has the lock, a signal ends the process.
    let nobody = StopSender::default();
    let lock = match lock::acquire(path, wait, true, &nobody.signal(), on_wait).await? {
        Acquisition::Locked { lock, .. } => lock,
        Acquisition::NotNeeded { holder } | Acquisition::TimedOut { holder } => {
            return Err(Failure::LockHeld(format!("the lock {} is held by {holder}", path.display())));
        }
        Acquisition::Stopped => return Err(Failure::Stopped(0)),
    };
    let announced = lock.announce_pruning(Utc::now());
    announced.map_err(|error| Failure::Orchestrator(format!("cannot write {}: {error}", path.display())))?;
    Ok(lock)
}
