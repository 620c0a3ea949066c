//! `etl-orch cancel`: asks a job's owner to stop it, and waits until it has.

use std::sync::Arc;
use std::time::Duration;

use chrono::Utc;
use serde_json::json;
use tokio::time::{Instant, sleep};

use super::super::args::{Format, Global};
use super::super::exit::{Exit, Failure};
use super::super::user::user;
use super::args::CancelArgs;
use super::target::{self, Jobs};
use super::{load, one_job};
use crate::config::Config;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::{JobState, Owner};
use crate::plan::model::orders::{CancelAnswer, FoundJob};
use crate::plan::model::settings::Variables;
use crate::show;
use crate::show::escape::escaped;
use crate::store::{self, Access, Store};

/// How long the owner may take, and how often it is looked.
const PATIENCE: Duration = Duration::from_secs(30);
const BETWEEN_LOOKS: Duration = Duration::from_millis(200);

pub(in crate::cli) async fn command(global: &Global, args: &CancelArgs, environment: &Variables) -> Result<Exit, Failure> {
    let config = load(global, environment)?;
    let wanted = wanted(&config, &args.id)?;
    let by = user(environment);
    let store = store::open(&config.database, Access::ReadWrite).await?;
    let ended = cancel(&store, &wanted, &by, &args.order.reason).await;
    store.close().await;
    let (job, state) = ended?;
    let page = match global.format {
        Format::Text => as_text(&job, state),
        Format::Json => {
            let object = json!({
                "schema_version": 1,
                "kind": "cancel",
                "by": by,
                "reason": args.order.reason,
                "job": job.id.to_string(),
                "gap": job.gap.to_string(),
                "state": state.name(),
            });
            format!("{object:#}\n")
        }
    };
    show::out(&page)?;
    Ok(Exit::Success)
}

/// What is to be cancelled.
enum CancelTarget {
    /// A job.
    Job(Jobs),
    /// The running job of a source.
    Source(GapKey),
}

fn wanted(config: &Config, word: &str) -> Result<CancelTarget, Failure> {
    if let Some(source) = target::source(config, word)? {
        return Ok(CancelTarget::Source(source));
    }
    Jobs::parse(word)
        .map(CancelTarget::Job)
        .ok_or_else(|| Failure::Usage(format!("{word:?} is no id of a job; write at least its first 4 characters, 0 to 9 and a to f")))
}

async fn find(store: &Arc<dyn Store>, wanted: &CancelTarget) -> Result<FoundJob, Failure> {
    let source = match wanted {
        CancelTarget::Job(jobs) => return one_job(store, jobs).await,
        CancelTarget::Source(source) => source,
    };
    let running = store.running_jobs().await?.into_iter().find(|job| job.gap == *source);
    let job = running.map(|job| FoundJob { id: job.claim.job, run: job.run, gap: job.gap, state: JobState::Running });
    job.ok_or_else(|| Failure::Orchestrator(format!("{source} is not being collected; there was nothing to cancel")))
}

/// The job, and how it ended.
async fn cancel(store: &Arc<dyn Store>, wanted: &CancelTarget, by: &str, reason: &str) -> Result<(FoundJob, JobState), Failure> {
    let job = find(store, wanted).await?;
    match store.order_cancel(job.id, by, reason, Utc::now()).await? {
        CancelAnswer::Dropped => Ok((job, JobState::Cancelled)),
        CancelAnswer::Asked(owner) => {
            let state = ended(store, &job, &owner).await?;
            Ok((job, state))
        }
        CancelAnswer::Ended(state) => {
            let text = format!("job {} ({}) has ended: {}; there was nothing to cancel", job.id.short(), job.gap, state.name());
            Err(Failure::Orchestrator(text))
        }
        CancelAnswer::Unknown => Err(Failure::Usage(format!("job {} is not on record any more", job.id))),
    }
}

/// Waits until the job is not running any more.
async fn ended(store: &Arc<dyn Store>, job: &FoundJob, owner: &Owner) -> Result<JobState, Failure> {
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
            None => return Err(Failure::Orchestrator(format!("job {} is not on record any more", job.id.short()))),
        }
    }
}

fn as_text(job: &FoundJob, state: JobState) -> String {
    let (id, gap) = (job.id.short(), escaped(&job.gap.to_string()).into_owned());
    let skipped = "; its gap is skipped until `etl-orch retry` or `unskip`";
    match state {
        JobState::Cancelled => format!("cancel: {gap}: job {id} is cancelled{skipped}\n"),
        other => format!("cancel: {gap}: job {id} ended before it was stopped: {}{skipped}\n", other.name()),
    }
}
