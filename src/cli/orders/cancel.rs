//! `etl-orch cancel`: asks a job's owner to stop it, and waits until it has.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use tokio::time::{Instant, sleep};

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::args::OrderArgs;
use super::one_job;
use super::target::{self, JobPrefix};
use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::{JobState, Owner};
use crate::plan::model::orders::{CancelAnswer, FoundJob};
use crate::plan::remember::recorded_job::RunningJob;
use crate::run::{GiveUp, give_up};
use crate::show::orders::CancelView;
use crate::store::{Access, History, Store};

/// How long the owner may take to stop the job.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Options of `cancel`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct CancelArgs {
    /// The id of a job, or its beginning (at least 4 characters); or a source that is being collected
    #[arg(value_name = "ID")]
    id: String,
    #[command(flatten)]
    order: OrderArgs,
}

pub(in crate::cli) async fn command(context: &Context<'_>, args: &CancelArgs) -> Result<Exit, Failure> {
    let target = CancelTarget::parse(&context.config.catalogue, &args.id)?;
    let (by, reason) = (&context.user, &args.order.reason);
    let ended = context.with_store(Access::ReadWrite, async |store| cancel(&*store, &context.config.state_dir, &target, by, reason).await);
    let (job, state) = ended.await?;
    context.print(&CancelView::new(by, reason, &job, state))?;
    Ok(Exit::Success)
}

/// What is to be cancelled.
enum CancelTarget {
    /// The job whose id has this prefix.
    Job(JobPrefix),
    /// The running job of a source.
    Source(GapKey),
}

impl CancelTarget {
    fn parse(catalogue: &Catalogue, word: &str) -> Result<Self, Failure> {
        if let Some(source) = target::source(catalogue, word)? {
            return Ok(Self::Source(source));
        }
        JobPrefix::parse(word).map(Self::Job).ok_or_else(|| {
            Failure::Usage(format!("{word:?} is not the id of a job; write at least its first 4 characters, 0 to 9 and a to f"))
        })
    }
}

async fn find(store: &dyn Store, target: &CancelTarget) -> Result<FoundJob, Failure> {
    let source = match target {
        CancelTarget::Job(prefix) => return one_job(store, prefix).await,
        CancelTarget::Source(source) => source,
    };
    let running = store.running_jobs().await?.into_iter().find(|job| job.gap == *source || source.covers(&job.gap));
    let job = running.map(|job| FoundJob { id: job.claim.job, run: job.run, gap: job.gap, state: JobState::Running });
    job.ok_or_else(|| Failure::Orchestrator(format!("{source} is not being collected; there was nothing to cancel")))
}

/// The job, and how it ended.
async fn cancel(
    store: &dyn Store,
    state_dir: &Path,
    target: &CancelTarget,
    by: &str,
    reason: &str,
) -> Result<(FoundJob, JobState), Failure> {
    let job = find(store, target).await?;
    let at = Utc::now();
    match store.order_cancel(job.id, by, reason, at).await? {
        CancelAnswer::Dropped => Ok((job, JobState::Cancelled)),
        CancelAnswer::Asked(owner) => {
            // Where it has ended and only its end is not on record, nobody else answers.
            let running: Vec<RunningJob> = store.running_jobs().await?.into_iter().filter(|running| running.claim.job == job.id).collect();
            give_up(store, state_dir, std::slice::from_ref(&job.gap), &running, GiveUp { by, reason, at }).await?;
            let state = ended(store, &job, &owner).await?;
            Ok((job, state))
        }
        CancelAnswer::Ended(state) => {
            let text = format!("job {} ({}) has ended: {}; there was nothing to cancel", job.id.short(), job.gap, state.name());
            Err(Failure::Orchestrator(text))
        }
        CancelAnswer::Unknown => Err(no_longer_on_record(&job)),
    }
}

/// Waits until the job is not running any more.
async fn ended(store: &dyn History, job: &FoundJob, owner: &Owner) -> Result<JobState, Failure> {
    let since = Instant::now();
    let id = job.id.to_string();
    loop {
        let state = store.find_jobs(&id, 1).await?.first().map(|job| job.state);
        match state {
            Some(JobState::Running) if since.elapsed() < PATIENCE => sleep(BETWEEN_LOOKS).await,
            Some(JobState::Running) => {
                let text = format!(
                    "job {} ({}) is still running: its owner ({owner}) was asked to stop it and has not answered yet; its gap is skipped until retry",
                    job.id.short(),
                    job.gap
                );
                return Err(Failure::Orchestrator(text));
            }
            Some(state) => return Ok(state),
            None => return Err(no_longer_on_record(job)),
        }
    }
}

fn no_longer_on_record(job: &FoundJob) -> Failure {
    Failure::Usage(format!("job {} is no longer on record", job.id.short()))
}
