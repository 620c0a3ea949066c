//! Jobs that are recorded as running: which of them have ended, which may still run, and which are lost.
//!
//! A job is closed as lost by a [`LostJob`], and only [`sort`] makes one. So no job is called lost whose owner may be alive, or
//! whose end is in the spool.

use std::collections::HashMap;

use chrono::{DateTime, TimeDelta, Utc};

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::job::Claim;
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::remember::recorded_job::RunningJob;

/// How long after its claim the end of a job may wait in another spool. After that the spool counts as gone.
const WAITS_ELSEWHERE: TimeDelta = TimeDelta::hours(24);

/// What the spool of this state directory has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spooled {
    /// The ends of jobs with these claims, each with the reason why it is not on record.
    Ends(HashMap<Claim, String>),
    /// Nobody knows: the spool cannot be read, and this says why.
    Unreadable(String),
}

impl Spooled {
    /// Adds an end, if it is not known.
    pub fn add(&mut self, claim: Claim, why: &str) {
        if let Self::Ends(ends) = self {
            ends.entry(claim).or_insert_with(|| why.to_owned());
        }
    }

    /// Why the end of a job that nobody runs may be in the spool.
    fn reason(&self, claim: Claim) -> Option<&str> {
        match self {
            Self::Ends(ends) => ends.get(&claim).map(String::as_str),
            Self::Unreadable(why) => Some(why),
        }
    }
}

/// The end of a job that is in the spool and that the database does not have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnrecordedEnd {
    pub job: JobId,
    /// Why it is not on record.
    pub why: String,
}

/// What is known of the run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JobsRun {
    /// It may be alive.
    Living,
    /// It died, and nobody ended it.
    Dead,
    /// It ended itself: what it could not record is in the spool that we see, or nowhere.
    Ended,
    /// It ended itself, on another host or with another state directory: what it could not record is in the spool there.
    EndedElsewhere,
}

/// What is known of a job that is recorded as running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unfinished {
    /// It has ended, and how is in the spool.
    Ended(UnrecordedEnd),
    /// Its owner may be alive.
    Held(RunningJob),
    /// Nobody knows how it ended, and its owner is dead.
    Lost(LostJob),
}

/// A job whose owner is dead, and whose end nobody saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LostJob(RunningJob);

impl LostJob {
    /// The claim that its owner had.
    #[must_use]
    pub fn claim(&self) -> Claim {
        self.0.claim
    }

    /// The gap's failures after the loss. That of a job that an operator cancelled does not count: its run may have been killed to stop it.
    #[must_use]
    pub fn history(&self, at: DateTime<Utc>) -> FailureHistory {
        let job = &self.0;
        if job.cancel.is_some() { job.history.clone() } else { job.history.lost(job.fingerprint.as_ref(), at) }
    }
}

/// Sorts running jobs, each with its gap. `spooled` must have been read after the jobs and the runs: a run puts an end into the spool
/// before it ends itself.
#[must_use]
pub fn sort(
    jobs: Vec<RunningJob>,
    spooled: &Spooled,
    now: DateTime<Utc>,
    run: impl Fn(&RunningJob) -> JobsRun,
) -> Vec<(GapKey, Unfinished)> {
    let known = |job: RunningJob| {
        let gap = job.gap.clone();
        let ended = |why: String| Unfinished::Ended(UnrecordedEnd { job: job.claim.job, why });
        let known = match (run(&job), spooled.reason(job.claim)) {
            (JobsRun::Living, _) => Unfinished::Held(job),
            (JobsRun::Dead | JobsRun::Ended | JobsRun::EndedElsewhere, Some(why)) => ended(why.to_owned()),
            (JobsRun::EndedElsewhere, None) if job.cancel.is_none() && now - job.since < WAITS_ELSEWHERE => {
                let directory = job.state_dir.as_ref().map(|path| format!(" in {path}")).unwrap_or_default();
                ended(format!("host {} has it{directory}, and could not record it yet", job.owner.host))
            }
            (JobsRun::Dead | JobsRun::Ended | JobsRun::EndedElsewhere, None) => Unfinished::Lost(LostJob(job)),
        };
        (gap, known)
    };
    jobs.into_iter().map(known).collect()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::plan::model::ids::RunId;
    use crate::plan::model::job::Owner;
    use crate::plan::model::orders::CancelRequest;

    fn job(number: u128) -> RunningJob {
        RunningJob {
            claim: Claim { job: JobId::new(Uuid::from_u128(number)), fence: 1 },
            run: RunId::new(Uuid::from_u128(number)),
            gap: GapKey::source(&number.to_string()),
            owner: Owner { host: "h".to_owned(), machine_id: None, boot_id: "b".to_owned(), pid: 1, pid_started: 2 },
            state_dir: None,
            since: at(),
            history: FailureHistory::default(),
            fingerprint: None,
            cancel: None,
        }
    }

    fn at() -> DateTime<Utc> {
        "2026-05-01T12:00:00Z".parse().unwrap()
    }

    fn names(sorted: Vec<(GapKey, Unfinished)>) -> Vec<&'static str> {
        let name = |known| match known {
            Unfinished::Ended(_) => "ended",
            Unfinished::Held(_) => "held",
            Unfinished::Lost(_) => "lost",
        };
        sorted.into_iter().map(|(_, known)| name(known)).collect()
    }

    #[test]
    fn only_a_job_of_a_dead_owner_without_an_end_is_lost() {
        let ends = Spooled::Ends(HashMap::from([(job(1).claim, "refused".to_owned()), (job(2).claim, "refused".to_owned())]));
        let run = |of: &RunningJob| if of.run == job(2).run || of.run == job(4).run { JobsRun::Living } else { JobsRun::Dead };
        let jobs = || vec![job(1), job(2), job(3), job(4)];
        assert_eq!(names(sort(jobs(), &ends, at(), run)), ["ended", "held", "lost", "held"]);
        let another_fence = Claim { fence: 2, ..job(3).claim };
        let ends = Spooled::Ends(HashMap::from([(another_fence, "refused".to_owned())]));
        assert_eq!(names(sort(vec![job(3)], &ends, at(), run)), ["lost"], "the end of another claim says nothing");
        assert_eq!(names(sort(jobs(), &Spooled::Unreadable("no".to_owned()), at(), run)), ["ended", "held", "ended", "held"]);
    }

    #[test]
    fn what_another_host_could_not_record_is_left_to_it_for_a_day() {
        let none = Spooled::Ends(HashMap::new());
        let sorted = |job: RunningJob, run: JobsRun, now| names(sort(vec![job], &none, now, |_| run));
        assert_eq!(sorted(job(1), JobsRun::EndedElsewhere, at()), ["ended"]);
        assert_eq!(sorted(job(1), JobsRun::EndedElsewhere, at() + TimeDelta::hours(24)), ["lost"]);
        assert_eq!(sorted(job(1), JobsRun::Ended, at()), ["lost"], "the spool that we see does not have it");
        assert_eq!(sorted(job(1), JobsRun::Dead, at()), ["lost"]);
        let cancel = Some(CancelRequest { by: "ann".to_owned(), reason: "that host is gone".to_owned() });
        assert_eq!(sorted(RunningJob { cancel, ..job(1) }, JobsRun::EndedElsewhere, at()), ["lost"], "an operator does not wait");
    }

    #[test]
    fn a_loss_is_charged_unless_the_job_was_cancelled() {
        assert_eq!(LostJob(job(1)).history(at()).lost, 1);
        let cancel = Some(CancelRequest { by: "ann".to_owned(), reason: "x".to_owned() });
        assert_eq!(LostJob(RunningJob { cancel, ..job(1) }).history(at()).lost, 0);
    }
}
