//! What a person should look at in a job, and what could not be checked.

use std::path::Path;
use std::time::Duration;

use super::usual::Median;
use super::{JobFacts, Output, Publication, records};
use crate::plan::model::job::JobState;
use crate::plan::model::said::{Stage, StageState};
use crate::plan::remember::past::{PastAttempt, PastLog};

/// So many times the usual duration is too long.
const TIMES_USUAL: u32 = 3;

/// A part that is longer than usual by less than this is no issue: the machine may have been busy.
const TOLERATED: Duration = Duration::from_secs(1);

/// What was found in a job.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Findings<'a> {
    pub issues: Vec<Issue<'a>>,
    pub unchecked: Vec<Unchecked<'a>>,
}

/// A stage of an attempt, or an attempt that named none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place<'a> {
    pub attempt: u32,
    pub stage: Option<&'a Stage>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issue<'a> {
    /// It ended in this state, which is no success.
    Ended { state: JobState, error: Option<&'a str> },
    /// Its run died.
    OwnerLost,
    /// It took several attempts.
    Retried { attempts: usize },
    /// The report was there, although its last attempt ended otherwise.
    SucceededAllTheSame { attempt: &'a PastAttempt },
    /// Its file may still lie beside this place.
    NotPlaced { destination: &'a Path },
    /// The program or the service reported success, and an error.
    ReportedError { attempt: u32, error: Option<&'a str> },
    /// It took longer than its ETL's `warn_after`.
    OverLimit { place: Place<'a>, took: Duration, warn_after: Duration },
    /// It took much longer than usual.
    Slow { place: Place<'a>, took: Duration, usual: Median },
    /// It had no records, while so many earlier successes had some.
    NoRecords { place: Place<'a>, successes: usize, is_told: bool },
    /// Read is not written and rejected.
    Unbalanced { place: Place<'a>, read: u64, written: u64, rejected: Option<u64> },
    /// The attempt ended before the stage did.
    LeftOpen { place: Place<'a> },
    /// The attempt said that the stage did not come to its end.
    Incomplete { place: Place<'a> },
    /// Not all that it printed is in its log.
    Truncated { attempt: &'a PastAttempt, output: &'a Output },
    /// Its log is gone.
    NoLog { attempt: &'a PastAttempt },
    /// Not all that it said is on record.
    NotStored { log: &'a PastLog },
}

/// A check that could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unchecked<'a> {
    /// Whether it took longer, or had fewer records, than usual: there is no earlier success.
    Usual,
    /// The same of this stage: no earlier success had it.
    UsualOf(Place<'a>),
    /// Whether records are missing: it counted none.
    Records,
    /// Whether its log is whole: why.
    Log { attempt: u32, why: &'a str },
}

/// What is found in a job.
#[must_use]
pub fn findings(facts: &JobFacts) -> Findings<'_> {
    let mut found = Findings::default();
    found.issues.extend(of_end(facts));
    for (attempt, output) in facts.job.attempts.iter().zip(&facts.outputs) {
        found.of_attempt(facts, attempt);
        found.of_output(attempt, output);
    }
    found.issues.extend(facts.not_stored.iter().map(|log| Issue::NotStored { log }));
    let collected = facts.collected.as_ref().and_then(|last| last.collected.records).is_some_and(|records| records > 0);
    let counted = collected || facts.stages.iter().any(|stage| records(&stage.stage).is_some());
    if !facts.job.attempts.is_empty() && !facts.is_open() && !counted {
        found.unchecked.push(Unchecked::Records);
    }
    found
}

fn of_end(facts: &JobFacts) -> Vec<Issue<'_>> {
    let job = &facts.job;
    let error = job.error.as_deref();
    let mut issues = Vec::new();
    match job.state {
        JobState::Failed | JobState::Skipped | JobState::Cancelled => issues.push(Issue::Ended { state: job.state, error }),
        JobState::Lost => issues.push(Issue::OwnerLost),
        JobState::Queued | JobState::Running | JobState::Succeeded => {}
    }
    if job.attempts.len() > 1 {
        issues.push(Issue::Retried { attempts: job.attempts.len() });
    }
    let last = job.attempts.last().filter(|attempt| attempt.outcome.as_deref() != Some("succeeded"));
    if let (JobState::Succeeded, Some(attempt)) = (job.state, last) {
        issues.push(Issue::SucceededAllTheSame { attempt });
    }
    if let Some(Publication::Left(destination)) = &facts.publication {
        issues.push(Issue::NotPlaced { destination });
    }
    issues
}

impl<'a> Findings<'a> {
    fn of_attempt(&mut self, facts: &'a JobFacts, attempt: &'a PastAttempt) {
        if attempt.outcome.as_deref() == Some("reported_error") {
            self.issues.push(Issue::ReportedError { attempt: attempt.n, error: attempt.error.as_deref() });
        }
        let mut is_silent = true;
        for stage in facts.stages_of(attempt.n) {
            is_silent = false;
            let place = Place { attempt: attempt.n, stage: Some(stage) };
            self.of_duration(facts, place, facts.stage_took(attempt, stage), facts.usual.stage(&stage.name));
            self.of_stage(facts, place, stage, attempt.outcome.is_some());
        }
        if is_silent {
            self.of_duration(facts, Place { attempt: attempt.n, stage: None }, facts.attempt_took(attempt), facts.usual.attempt());
        }
    }

    fn of_duration(&mut self, facts: &JobFacts, place: Place<'a>, took: Duration, usual: Option<Median>) {
        let limit = facts.warn_after.filter(|limit| took > *limit);
        match (limit, usual) {
            (Some(warn_after), _) => self.issues.push(Issue::OverLimit { place, took, warn_after }),
            (None, Some(usual)) if took > usual.of * TIMES_USUAL && took > usual.of + TOLERATED => {
                self.issues.push(Issue::Slow { place, took, usual });
            }
            (None, Some(_)) => {}
            (None, None) if facts.usual.is_empty() => self.unchecked_once(Unchecked::Usual),
            (None, None) => self.unchecked_once(Unchecked::UsualOf(place)),
        }
    }

    fn of_stage(&mut self, facts: &JobFacts, place: Place<'a>, stage: &Stage, has_ended: bool) {
        match stage.state {
            StageState::Incomplete => self.issues.push(Issue::Incomplete { place }),
            StageState::Started | StageState::Running if has_ended => self.issues.push(Issue::LeftOpen { place }),
            StageState::Started | StageState::Running => return,
            StageState::Complete => {}
        }
        let successes = facts.usual.with_records(&stage.name);
        let told = records(stage);
        if told.is_none_or(|records| records == 0) && successes > 0 {
            self.issues.push(Issue::NoRecords { place, successes, is_told: told.is_some() });
        }
        if let (Some(read), Some(written)) = (stage.records.read, stage.records.written) {
            let rejected = stage.records.rejected;
            if read != written.saturating_add(rejected.unwrap_or_default()) {
                self.issues.push(Issue::Unbalanced { place, read, written, rejected });
            }
        }
    }

    fn of_output(&mut self, attempt: &'a PastAttempt, output: &'a Output) {
        match output {
            Output::UnderWay | Output::Whole | Output::Silent => {}
            Output::LeftOut(_) | Output::NotWritten => self.issues.push(Issue::Truncated { attempt, output }),
            Output::Missing => self.issues.push(Issue::NoLog { attempt }),
            Output::Unknown(why) => self.unchecked.push(Unchecked::Log { attempt: attempt.n, why }),
        }
    }

    fn unchecked_once(&mut self, unchecked: Unchecked<'a>) {
        if !self.unchecked.contains(&unchecked) {
            self.unchecked.push(unchecked);
        }
    }
}
