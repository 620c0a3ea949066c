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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::model::work::CommandSpec;
    use crate::plan::test_support::{command, etl, program};

    const MINUTE: Duration = Duration::from_secs(60);

    fn catalogue(timeout: Duration, retry: RetryPolicy) -> Catalogue {
        let mut slow = etl("slow", "Slow");
        slow.work = program(CommandSpec { timeout, ..command() });
        slow.retry = retry;
        Catalogue { etls: vec![etl("quick", "Quick"), slow], ..Catalogue::default() }
    }

    #[test]
    fn it_is_the_deadline_and_all_attempts_of_the_slowest_job() {
        let retry = |max_attempts| RetryPolicy { max_attempts, initial_delay: MINUTE, multiplier: 2.0, max_delay: 3 * MINUTE, jitter: 0.0 };
        let with = |deadline, max_jobs| RunSettings { max_jobs, deadline, ..RunSettings::default() };
        let hour = 60 * MINUTE;
        for (run, timeout, attempts, minutes) in [
            // 10 + 10 minutes around it; an attempt and its grace are 60 minutes and 10 seconds, rounded up at the end.
            (with(Some(hour), 500), hour, 1, 20 + 60 + 61),
            // Waits of 1, 2 and 3 minutes.
            (with(Some(hour), 500), hour, 4, 20 + 60 + 4 * 60 + 1 + 6),
            (with(None, 3), hour, 1, 20 + 3 * 60 + 1),
        ] {
            assert_eq!(longest_run(&run, &catalogue(timeout, retry(attempts))), minutes * MINUTE, "{run:?} {attempts}");
        }
        let endless = longest_run(&with(None, usize::MAX), &catalogue(Duration::MAX, retry(u32::MAX)));
        assert!(endless > 1000 * hour, "it does not overflow: {endless:?}");
        assert_eq!(longest_run(&with(Some(hour), 1), &Catalogue::default()), 80 * MINUTE);
    }
}
