//! Jobs for the tests of what is made from them.

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use super::usual::Usual;
use super::{JobFacts, Output, is_open};
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::model::said::{Records, Stage, StageState};
use crate::plan::remember::past::{PastAttempt, PastJob, PastStage};

pub(crate) fn at(milliseconds: i64) -> DateTime<Utc> {
    DateTime::UNIX_EPOCH + TimeDelta::milliseconds(milliseconds)
}

pub(crate) fn attempt(n: u32, outcome: Option<&str>, start: i64, end: Option<i64>) -> PastAttempt {
    PastAttempt {
        n,
        outcome: outcome.map(str::to_owned),
        number: None,
        error: outcome.filter(|outcome| *outcome != "succeeded").map(|outcome| format!("error of {outcome}")),
        log: format!("/logs/{n}.log"),
        remote_id: None,
        started_at: at(start),
        ended_at: end.map(at),
        duration_ms: end.map(|end| u64::try_from(end - start).unwrap()),
    }
}

pub(crate) fn job(state: JobState, attempts: Vec<PastAttempt>) -> PastJob {
    let (started_at, ended_at) = (attempts.first().map(|first| first.started_at), attempts.last().and_then(|last| last.ended_at));
    PastJob {
        id: JobId::new(Uuid::from_u128(1)),
        run: RunId::new(Uuid::from_u128(2)),
        gap: "RY-CA/2025Q2/key_themes".parse().unwrap(),
        window: None,
        state,
        forced: false,
        error: None,
        queued_at: at(0),
        started_at,
        ended_at: ended_at.filter(|_| !is_open(state)),
        attempts,
        metrics: Vec::new(),
    }
}

/// A job that took a second, of which everything could be checked.
pub(crate) fn good() -> JobFacts {
    let mut facts = facts(job(JobState::Succeeded, vec![attempt(1, Some("succeeded"), 1000, Some(2000))]));
    facts.stages = vec![stage(1, "Query", StageState::Complete, 1100, Some(1900))];
    facts.usual = successes(&[800]);
    facts
}

pub(crate) fn facts(job: PastJob) -> JobFacts {
    let outputs = job.attempts.iter().map(|_| Output::Whole).collect();
    JobFacts {
        job,
        stages: Vec::new(),
        outputs,
        not_stored: Vec::new(),
        usual: Usual::default(),
        warn_after: None,
        collected: None,
        publication: None,
        now: at(60_000),
    }
}

pub(crate) fn stage(attempt: u32, name: &str, state: StageState, start: i64, end: Option<i64>) -> PastStage {
    let records = Records { read: Some(5), written: Some(4), rejected: Some(1), estimate: None };
    let told = Stage { n: 1, name: name.to_owned(), state, started_at: at(start), ended_at: end.map(at), records, counts: Vec::new() };
    PastStage { job: JobId::new(Uuid::from_u128(1)), attempt, stage: told }
}

/// Successes whose stage `Query` took so many milliseconds.
pub(crate) fn successes(durations: &[i64]) -> Usual {
    let ids = (100..).map(|n| JobId::new(Uuid::from_u128(n)));
    let job_of =
        |(id, took): (JobId, &i64)| PastJob { id, ..job(JobState::Succeeded, vec![attempt(1, Some("succeeded"), 0, Some(*took))]) };
    let jobs: Vec<PastJob> = ids.zip(durations).map(job_of).collect();
    let stage_of = |(job, took): (&PastJob, &i64)| PastStage { job: job.id, ..stage(1, "Query", StageState::Complete, 0, Some(*took)) };
    let stages: Vec<PastStage> = jobs.iter().zip(durations).map(stage_of).collect();
    Usual::new(&jobs.iter().collect::<Vec<_>>(), &stages)
}
