//! What follows from the end of an attempt: its outcome and class, the next step, what is charged to the gap, and the record of
//! the job's end. The program, and the simulation in `tests/model`, ask the same functions.

use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::decide::plan::{Gate, PlannedJob};
use crate::plan::model::cooldown::Cooldown;
use crate::plan::model::job::{AttemptEnd, JobState, ReportKey};
use crate::plan::model::outcome::{Class, Fault, Outcome};
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::work::Work;
use crate::plan::remember::failure_history::{Failure, FailureHistory};
use crate::plan::run::ended::{End, Ended};
use crate::plan::run::job_end::{Artifact, JobEnd};
use crate::plan::run::message::ChildError;
use crate::plan::run::note::JobNote;
use crate::plan::run::schedule::{NextStep, next_step};
use crate::plan::run::stop::StopReason;

/// What an attempt came to, once its result was looked at.
#[derive(Debug, Clone, PartialEq)]
pub enum Finding {
    /// The result is there.
    Succeeded(Artifact),
    /// The ETL did not end well, and yet the report that it writes itself is there. It was made, so it is not made again.
    ReportThere(Outcome),
    /// It did not succeed.
    Failed(Outcome),
    /// The process exited with 0, but the database does not answer whether the report is there.
    ReportUnverified {
        report: ReportKey,
        /// Its fingerprint when the job was claimed, if it existed then.
        before: Option<String>,
    },
    /// The collector reports success, but the database does not answer whether the data is there.
    CollectionUnverified,
}

/// The outcome of an end that needs no further look; `None` where the work claims success, so that its result must be looked at.
#[must_use]
pub fn outcome(ended: &Ended, work: &Work) -> Option<Outcome> {
    Some(match &ended.end {
        End::Completed => return None,
        End::Exited(code) => return exit(*code, ended, work).map(|(outcome, _)| outcome),
        End::Signalled(signal) => Outcome::Signal(*signal),
        End::Reported { why, fault } => Outcome::ReportedError { why: why.clone(), fault: *fault, exit: None },
        End::TimedOut => Outcome::TimedOut(work.timeout()),
        End::Stopped => Outcome::Interrupted,
        End::SpawnFailed(why) => Outcome::SpawnFailed { why: why.clone(), may_pass: false },
        End::HostShort(why) => Outcome::SpawnFailed { why: why.clone(), may_pass: true },
        End::Vanished | End::Unseen(_) => Outcome::Lost,
    })
}

/// The outcome of an exit, and the line that says most of it; `None` where the program claims success. What was configured of last lines goes
/// before what the program itself reports, and that before its exit code.
fn exit(code: i32, ended: &Ended, work: &Work) -> Option<(Outcome, Option<String>)> {
    let reported = |ChildError { message, fault }: &ChildError, fallback: Option<Fault>| {
        let fault = fault.or(fallback)?;
        Some((Outcome::ReportedError { why: message.clone(), fault, exit: Some(code) }, None))
    };
    let error = ended.error.as_ref();
    if code == 0 {
        return reported(error?, Some(Fault::Transient));
    }
    let codes = work.exit_codes();
    let by_pattern = codes.by_last_lines(code, &ended.tail).map(|(outcome, line)| (outcome, line.map(str::to_owned)));
    by_pattern.or_else(|| reported(error?, None)).or_else(|| {
        let line = error.map(|error| error.message.clone()).or_else(|| last_line(&ended.tail));
        Some((codes.outcome(code), line))
    })
}

/// The attempt that ended, and the rules that hold for it.
#[derive(Debug, Clone, Copy)]
pub struct Attempted<'a> {
    pub job: &'a PlannedJob,
    /// Number of the attempt, from 1.
    pub number: u32,
    /// How the job does its work.
    pub work: &'a Work,
    /// How often it is tried in a run.
    pub retry: &'a RetryPolicy,
    /// How often it is tried in later runs.
    pub cooldown: &'a Cooldown,
    /// The gap's failures when the job was claimed.
    pub history: &'a FailureHistory,
    /// Why the attempt was asked to stop.
    pub stop: Option<&'a StopReason>,
    /// When the attempt ended, by the wall clock.
    pub at: DateTime<Utc>,
    /// Uniform in `0.0..1.0`, for the jitter of the wait before the next attempt.
    pub random: f64,
}

/// Whether the report may be there in spite of this outcome, so that it must be looked for before anything follows. Not after a stop that we
/// asked for, which the job's end is then put down to.
#[must_use]
pub fn may_have_written(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::ExitCode(_)
        | Outcome::Signal(_)
        | Outcome::TimedOut(_)
        | Outcome::ReportedError { .. }
        | Outcome::NotReady(_)
        | Outcome::Lost => true,
        Outcome::Succeeded
        | Outcome::SpawnFailed { .. }
        | Outcome::NoOutput(_)
        | Outcome::Misspelled(_)
        | Outcome::HostUnfit(_)
        | Outcome::Interrupted => false,
    }
}

/// What follows from the end of an attempt.
#[derive(Debug, Clone, PartialEq)]
pub struct Aftermath {
    /// What the end means for the ETL and its budget of attempts.
    pub class: Class,
    /// Why it is no success.
    pub note: Option<JobNote>,
    /// Whether another attempt follows, and what is to be recorded.
    pub next: Next,
}

/// What is to be recorded of an attempt's end.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// Another attempt follows; the job goes on running.
    Retry {
        /// After this wait.
        wait: Duration,
        /// The end of this one.
        attempt: AttemptEnd,
        /// How the job ends if a signal stops the run before the next one: what was seen before the stop counts.
        if_stopped: Box<JobEnd>,
    },
    End(JobEnd),
}

impl Next {
    /// The end of the attempt.
    #[must_use]
    pub fn attempt(&self) -> Option<&AttemptEnd> {
        match self {
            Self::Retry { attempt, .. } => Some(attempt),
            Self::End(end) => end.attempt(),
        }
    }

    /// The step for the schedule.
    #[must_use]
    pub fn step(&self) -> NextStep {
        match self {
            Self::Retry { wait, .. } => NextStep::Retry(*wait),
            Self::End(end) => step_to(end.state()),
        }
    }
}

/// The step that led to a job's final state.
#[must_use]
pub fn step_to(state: JobState) -> NextStep {
    match state {
        JobState::Succeeded => NextStep::Succeed,
        JobState::Failed => NextStep::Fail,
        JobState::Skipped => NextStep::Skip,
        JobState::Cancelled | JobState::Lost | JobState::Queued | JobState::Running => NextStep::Cancel,
    }
}

impl Attempted<'_> {
    /// What follows, given what the executor saw and what was found.
    #[must_use]
    pub fn aftermath(&self, ended: &Ended, finding: Finding) -> Aftermath {
        let finding = match finding {
            // Whoever stopped this run has stopped the program as well.
            Finding::Failed(outcome) if self.is_run_stopped() && was_asked_to_end(&outcome) => Finding::Failed(Outcome::Interrupted),
            finding => finding,
        };
        let (outcome, unverified) = match &finding {
            Finding::Succeeded(_) => (Outcome::Succeeded, None),
            Finding::Failed(outcome) | Finding::ReportThere(outcome) => (outcome.clone(), None),
            Finding::ReportUnverified { .. } => (Outcome::Succeeded, Some(JobNote::ReportUnverified)),
            // Nobody saw whether it succeeded, and nobody will look again before the next run.
            Finding::CollectionUnverified => (Outcome::Lost, Some(JobNote::CollectionUnverified)),
        };
        let class = self.work.exit_codes().classify(&outcome);
        let note = unverified.or_else(|| explain(&outcome, ended, self.work));
        let attempt = AttemptEnd {
            attempt: self.number,
            outcome,
            ended_at: self.at,
            duration_ms: i64::try_from(ended.duration.as_millis()).unwrap_or(i64::MAX),
            tail: ended.tail.clone(),
            pid: ended.pid,
        };
        match finding {
            Finding::Succeeded(artifact) => Aftermath { class, note, next: Next::End(JobEnd::Succeeded { attempt, artifact }) },
            Finding::ReportThere(outcome) => {
                let note = Some(JobNote::ReportThere { outcome, last_line: last_line(&ended.tail) });
                Aftermath { class: Class::Success, note, next: Next::End(JobEnd::Succeeded { attempt, artifact: Artifact::Report }) }
            }
            Finding::ReportUnverified { report, before } => {
                let note = self.stop_note().or(note);
                Aftermath { class, note, next: Next::End(JobEnd::Unverified { attempt, report, before }) }
            }
            Finding::CollectionUnverified => self.cancelled(class, note, attempt),
            Finding::Failed(_) => self.failed(class, note, attempt),
        }
    }

    fn failed(&self, class: Class, note: Option<JobNote>, attempt: AttemptEnd) -> Aftermath {
        match next_step(class, self.number, self.retry, self.random) {
            NextStep::Retry(wait) => {
                let if_stopped = Box::new(self.if_stopped(class, note.as_ref(), &attempt));
                Aftermath { class, note, next: Next::Retry { wait, attempt, if_stopped } }
            }
            NextStep::Cancel | NextStep::Unrecorded => self.cancelled(class, note, attempt),
            NextStep::Skip => {
                let reason = note.as_ref().map(JobNote::to_string).unwrap_or_default();
                let history = self.history.not_ready(&reason, self.job.fingerprint.as_ref(), self.at, self.cooldown);
                Aftermath { class, note, next: Next::End(JobEnd::Skipped { attempt, reason, history }) }
            }
            NextStep::Fail | NextStep::Succeed | NextStep::Later(_) | NextStep::PoolFull(_) => {
                let error = note.as_ref().map(JobNote::to_string).unwrap_or_default();
                let history = self.charge(class, &error);
                Aftermath { class, note, next: Next::End(JobEnd::Failed { attempt, error, history }) }
            }
        }
    }

    /// How the job ends where no other attempt follows this one because the run is stopped. A program that was asked to end, and not by us,
    /// was stopped together with the run.
    fn if_stopped(&self, class: Class, note: Option<&JobNote>, attempt: &AttemptEnd) -> JobEnd {
        let failure = note.map(JobNote::to_string).unwrap_or_default();
        let attempt = attempt.clone();
        if was_asked_to_end(&attempt.outcome) {
            return JobEnd::Cancelled { reason: failure, at: attempt.ended_at, attempt: Some(attempt) };
        }
        let history = self.charge(class, &failure);
        JobEnd::Failed { error: format!("{failure}; the run was stopped before another attempt"), attempt, history }
    }

    fn cancelled(&self, class: Class, note: Option<JobNote>, attempt: AttemptEnd) -> Aftermath {
        let note = self.stop_note().or(note);
        let reason = note.as_ref().map(JobNote::to_string).unwrap_or_default();
        Aftermath { class, note, next: Next::End(JobEnd::Cancelled { attempt: Some(attempt), reason, at: self.at }) }
    }

    /// The gap's failures after a final failure. What is not the gap's own fault is not charged to it: this host is short
    /// of something or cannot keep its files, or the ETL is set up wrongly. A source remembers the error in any case, as `sources` shows it.
    fn charge(&self, class: Class, error: &str) -> FailureHistory {
        if !matches!(class, Class::Configuration | Class::HostShort | Class::HostUnfit) {
            let probe = self.job.gate == Gate::Probe;
            let failure = Failure { class, probe, error, fingerprint: self.job.fingerprint.as_ref(), at: self.at };
            self.history.failed(failure, self.cooldown)
        } else if self.job.collection().is_some() {
            self.history.told(error)
        } else {
            self.history.clone()
        }
    }

    fn is_run_stopped(&self) -> bool {
        matches!(self.stop, Some(StopReason::Signal(_) | StopReason::GuardGone))
    }

    fn stop_note(&self) -> Option<JobNote> {
        self.stop.filter(|reason| reason.is_of_job()).cloned().map(JobNote::Stopped)
    }
}

/// Whether somebody asked the program to end: the signals SIGHUP, SIGINT and SIGTERM, and the exit codes of a shell for them.
fn was_asked_to_end(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Signal(signal) => matches!(signal, 1 | 2 | 15),
        Outcome::ExitCode(code) => matches!(code, 129 | 130 | 143),
        Outcome::Succeeded
        | Outcome::NotReady(_)
        | Outcome::TimedOut(_)
        | Outcome::SpawnFailed { .. }
        | Outcome::NoOutput(_)
        | Outcome::Misspelled(_)
        | Outcome::ReportedError { .. }
        | Outcome::HostUnfit(_)
        | Outcome::Interrupted
        | Outcome::Lost => false,
    }
}

/// Whether a job that failed in this class used up its attempts. An uncertain end is followed by no attempt, as the service may still be at
/// work on the one before: it fails without having used them up.
#[must_use]
pub fn uses_up_attempts(class: Class) -> bool {
    match class {
        Class::Transient | Class::Crash | Class::HostShort => true,
        Class::Success
        | Class::Permanent
        | Class::Configuration
        | Class::HostUnfit
        | Class::NotReady
        | Class::Uncertain
        | Class::Interrupted => false,
    }
}

/// The outcome, with the last line that the process printed where that usually says what went wrong.
fn explain(outcome: &Outcome, ended: &Ended, work: &Work) -> Option<JobNote> {
    let has_cause_in_tail = match outcome {
        Outcome::Succeeded => return None,
        Outcome::Lost | Outcome::ExitCode(_) | Outcome::Signal(_) | Outcome::NotReady(_) | Outcome::TimedOut(_) => true,
        Outcome::SpawnFailed { .. }
        | Outcome::NoOutput(_)
        | Outcome::Misspelled(_)
        | Outcome::ReportedError { .. }
        | Outcome::HostUnfit(_)
        | Outcome::Interrupted => false,
    };
    let line = match (&ended.end, outcome) {
        (End::Exited(code), Outcome::ExitCode(_) | Outcome::NotReady(_)) => exit(*code, ended, work).and_then(|(_, line)| line),
        (_, _) => last_line(&ended.tail),
    };
    Some(JobNote::Outcome { outcome: outcome.clone(), last_line: line.filter(|_| has_cause_in_tail) })
}

fn last_line(tail: &str) -> Option<String> {
    tail.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests;
