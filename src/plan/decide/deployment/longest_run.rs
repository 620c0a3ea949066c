//! How long a run can take, so that what ends runs that hang never ends one that works.

use std::time::Duration;

use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::settings::RunSettings;
use crate::plan::model::work::Work;

/// How long a run that systemd starts waits for another one.
pub const LOCK_WAIT: Duration = Duration::from_secs(600);
/// What a run does before its first job and after its last.
const AROUND: Duration = Duration::from_secs(600);

/// The wait for the lock, the time in which jobs are started, and the slowest job after that. Without `run.deadline` jobs are started until
/// all that a run may take are done, in the worst case one after the other.
#[must_use]
pub fn longest_run(run: &RunSettings, catalogue: &Catalogue) -> Duration {
    let of_etls = catalogue.etls.iter().map(|etl| longest_job(&etl.work, &etl.retry));
    let of_sources = catalogue.sources.iter().map(|source| longest_job(&source.work, &source.retry));
    let job = of_etls.chain(of_sources).max().unwrap_or_default();
    let jobs = match run.deadline {
        Some(deadline) => deadline.saturating_add(job),
        None => job.saturating_mul(u32::try_from(run.max_jobs).unwrap_or(u32::MAX)),
    };
    let all = LOCK_WAIT.saturating_add(jobs).saturating_add(AROUND);
    // Whole minutes are read more easily.
    Duration::from_secs(all.as_secs().div_ceil(60).saturating_mul(60))
}

/// All attempts, and the waits between them.
fn longest_job(work: &Work, retry: &RetryPolicy) -> Duration {
    let attempts = work.timeout().saturating_add(work.grace()).saturating_mul(retry.max_attempts);
    // Beyond the last of these the wait is the longest one.
    let told = retry.max_attempts.min(100);
    let waits = (1..told).filter_map(|failed| retry.delay_after(failed, 1.0)).fold(Duration::ZERO, Duration::saturating_add);
    let more = retry.max_delay.saturating_mul(2).saturating_mul(retry.max_attempts.saturating_sub(told));
    attempts.saturating_add(waits).saturating_add(more)
}
