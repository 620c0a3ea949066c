//! `etl-orch cancel`: asks a job's owner to stop it, and waits until it has.

use std::path::Path;
use std::time::Duration;

use chrono::Utc;
use clap::Args;
use tokio::time::{Instant, sleep};

use super::super::context::Context;
use super::super::exit::{Exit, Failure};
use super::args::{GapWords, OrderArgs};
use super::target::{OrderTarget, of_gaps};
use super::{LISTED, one_job};
use crate::plan::model::job::{JobState, Owner};
use crate::plan::model::orders::{CancelAnswer, FoundJob};
use crate::plan::remember::past::{JobQuery, PastJob};
use crate::plan::remember::recorded_job::RunningJob;
use crate::run::{GiveUp, give_up};
use crate::show::orders::{CancelView, job_list};
use crate::store::{Access, History, Store};

/// How long the owner may take to stop the job.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

/// Options of `cancel`.
#[derive(Debug, Clone, Args)]
pub(in crate::cli) struct CancelArgs {
    #[command(flatten)]
    gaps: GapWords,
    #[command(flatten)]
    order: OrderArgs,
}

pub(in crate::cli) async fn command(context: &Context<'_>, args: &CancelArgs) -> Result<Exit, Failure> {
    let target = of_gaps(&context.config.catalogue, &args.gaps)?;
    let (by, reason) = (&context.user, &args.order.reason);
    let ended = context.with_store(Access::ReadWrite, async |store| cancel(&*store, &context.config.state_dir, target, by, reason).await);
    let (job, state) = ended.await?;
    context.print(&CancelView::new(by, reason, &job, state))?;
    Ok(Exit::Success)
}

/// The job with this id; or the only job of what is named that runs or, where none does, that is queued.
async fn find(store: &dyn Store, target: OrderTarget) -> Result<FoundJob, Failure> {
    if let OrderTarget::Job(prefix) = &target {
        return one_job(store, prefix).await;
    }
    let what = target.to_string();
    let query = JobQuery { limit: LISTED, ..target.job_query() };
    for state in [JobState::Running, JobState::Queued] {
        let jobs = store.jobs(&JobQuery { states: vec![state], ..query.clone() }).await?;
        let found = |job: PastJob| FoundJob { id: job.id, run: job.run, gap: job.gap, state: job.state };
        let mut found: Vec<FoundJob> = jobs.into_iter().map(found).collect();
        match (found.pop(), found.as_slice()) {
            (None, _) => {}
            (Some(job), []) => return Ok(job),
            (Some(job), _) => {
                found.push(job);
                let text = format!("several jobs of {what} are {}; name one of them{}", state.name(), job_list(&found));
                return Err(Failure::Usage(text));
            }
        }
    }
    Err(Failure::Orchestrator(format!("no job of {what} is running or queued; there was nothing to cancel")))
}

/// The job, and how it ended.
async fn cancel(store: &dyn Store, state_dir: &Path, target: OrderTarget, by: &str, reason: &str) -> Result<(FoundJob, JobState), Failure> {
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
                    "job {} ({}) is still running: its owner ({owner}) was asked to stop it and has not answered yet; its gap is skipped until `etl-orch retry` or `unskip`",
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
