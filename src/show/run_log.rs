//! What happens in a run as log lines, and what children print.
//!
//! The message of a line is for people. Its fields say the same for programs.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;
use std::time::Duration;

use chrono::{DateTime, SecondsFormat, Utc};

use super::escape::escaped;
use super::logs;
use super::stages;
use super::terminal::for_stderr;
use super::waits;
use super::words::{brief, count, grouped, seconds, where_to_look};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::job::JobState;
use crate::plan::model::outcome::Outcome;
use crate::plan::model::said::Stage;
use crate::plan::run::ended::End;
use crate::plan::run::event::{Event, EventKind, JobEvent, JobName, JobRef, ServiceWait, WaitReason};
use crate::plan::run::schedule::JobIndex;
use crate::plan::run::stop::StopReason;

/// What is shown of what children print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildOutput {
    /// Nothing.
    Hidden,
    /// Each line, with its job's label before it.
    Lines,
    /// Each line as it is, where a run has only one job.
    Plain,
    /// Each line as a diagnostic of its own, where diagnostics are for programs.
    Diagnostics,
}

/// Writes events as log lines.
pub(super) struct RunLog {
    child_output: ChildOutput,
    jobs: Vec<JobName>,
    /// How the latest attempt of a job ended, until the line about it is written.
    ended: HashMap<JobIndex, AttemptEnd>,
    /// For what a request of a job's attempt waited last, as that is told once.
    waits: HashMap<JobIndex, &'static str>,
}

/// How an attempt ended, as fields.
#[derive(Debug, Clone, Default)]
struct AttemptEnd {
    attempt: Option<u32>,
    outcome: Option<&'static str>,
    exit_code: Option<i32>,
    signal: Option<i32>,
    seconds: Option<f64>,
}

/// Why a job or an attempt did not succeed, and what it printed.
#[derive(Clone, Copy)]
struct Failure<'a> {
    reason: Option<&'a str>,
    log: Option<&'a Path>,
}

/// The job of a line, as fields.
struct Subject<'a> {
    run: RunId,
    job: JobRef,
    label: &'a str,
    gap: Option<&'a GapKey>,
}

/// What people see before the message of a line.
const SUCCESS: &str = "✅";
const FAILURE: &str = "❌";

/// A log line about a job: its level, the name of what happened, further fields, and the message.
macro_rules! job_line {
    ($level:ident, $event:literal, $subject:expr, { $($fields:tt)* }, $($message:tt)+) => {{
        let subject: &Subject<'_> = $subject;
        tracing::$level!(
            event = $event,
            run_id = %subject.run,
            job_id = %subject.job.id,
            job = subject.label,
            gap = subject.gap.map(ToString::to_string),
            bank = subject.gap.and_then(GapKey::bank),
            period = subject.gap.and_then(GapKey::period),
            etl = subject.gap.and_then(GapKey::etl),
            source = subject.gap.and_then(GapKey::source_id),
            $($fields)*
            $($message)+
        );
    }};
}

impl RunLog {
    pub(super) fn new(child_output: ChildOutput) -> Self {
        Self { child_output, jobs: Vec::new(), ended: HashMap::new(), waits: HashMap::new() }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { jobs, waiting, chains, max_parallel, expectations: _ } => {
                let startable = jobs.len().saturating_sub(*waiting);
                let (number, in_chains) = (count(startable as u64, "ETL job"), count(*chains as u64, "chain"));
                let others = match waiting {
                    0 => String::new(),
                    1 => "; 1 more waits for a probe".to_owned(),
                    waiting => format!("; {waiting} more wait for a probe"),
                };
                tracing::info!(
                            event = "run_started",
                    run_id = %event.run,
                    jobs = jobs.len(),
                    startable,
                    chains,
                    max_parallel,
                    "Starting parallel execution of {number} in {in_chains} (max {max_parallel} parallel){others}"
                );
                self.jobs.clone_from(jobs);
            }
            EventKind::RunStopping { reason, is_immediate, running, grace } => {
                tracing::warn!(
                            event = "run_stopping",
                    run_id = %event.run,
                    signal = signal_of(reason),
                    is_immediate,
                    running,
                    grace_seconds = seconds(*grace),
                    "{}",
                    stopping(reason, *is_immediate, *running as u64, *grace)
                );
            }
            EventKind::Job { job, event: of_job } => self.job(event, *job, of_job),
        }
    }

    fn job(&mut self, Event { run, at, .. }: &Event, job: JobRef, event: &JobEvent) {
        let ended = match event {
            JobEvent::AttemptEnded { attempt, end, outcome, duration } => {
                self.ended.insert(job.index, AttemptEnd::new(*attempt, end, outcome.as_ref(), *duration));
                return;
            }
            JobEvent::Retrying { .. } | JobEvent::Ended { .. } => {
                self.waits.remove(&job.index);
                self.ended.remove(&job.index).unwrap_or_default()
            }
            JobEvent::WaitsForPool(_)
            | JobEvent::WaitsForService(_)
            | JobEvent::AttemptStarted { .. }
            | JobEvent::Line(_)
            | JobEvent::ProgressBar(_)
            | JobEvent::LinesOmitted(_)
            | JobEvent::Stage(_) => AttemptEnd::default(),
        };
        let name = self.jobs.get(job.index);
        let subject = &Subject { run: *run, job, label: name.map_or("?", |name| &name.label), gap: name.map(|name| &name.gap) };
        let label = subject.label;
        match event {
            JobEvent::AttemptStarted { attempt, of } => {
                job_line!(info, "attempt_started", subject, { attempt, attempts = of, }, "Executing {label} (attempt {attempt}/{of})");
            }
            JobEvent::WaitsForService(Some(wait)) => {
                let reason = waits::name(wait.reason);
                if self.waits.insert(job.index, reason) != Some(reason) {
                    waiting(subject, wait, *at);
                }
            }
            JobEvent::WaitsForPool(_) | JobEvent::WaitsForService(None) | JobEvent::ProgressBar(_) | JobEvent::AttemptEnded { .. } => {}
            JobEvent::Line(text) => self.line(subject, text),
            JobEvent::LinesOmitted(1) => self.line(subject, "… 1 line omitted"),
            JobEvent::LinesOmitted(lines) => self.line(subject, &format!("… {} lines omitted", grouped(*lines))),
            JobEvent::Stage(stage) => self.stage(subject, stage),
            JobEvent::Retrying { attempt, of, error, log, delay } => {
                let failure = Failure { reason: Some(error), log: log.as_deref() };
                retrying(subject, &ended, (*attempt, *of), failure, *delay);
            }
            JobEvent::Ended { state, duration, reason, log } => {
                over(subject, &ended, *state, *duration, Failure { reason: reason.as_deref(), log: log.as_deref() });
            }
        }
    }

    fn stage(&self, subject: &Subject<'_>, stage: &Stage) {
        let (said, now) = (stages::in_words(stage), stage.state.name());
        match self.child_output {
            ChildOutput::Hidden => {}
            ChildOutput::Lines | ChildOutput::Plain => self.line(subject, &said),
            ChildOutput::Diagnostics => job_line!(
                info, "stage", subject,
                {
                    stage = &stage.name, stage_state = now, records_read = stage.records.read, records_written = stage.records.written,
                    records_rejected = stage.records.rejected, records_estimate = stage.records.estimate,
                    counts = (!stage.counts.is_empty()).then(|| stages::counts(stage)),
                },
                "{said}"
            ),
        }
    }

    fn line(&self, subject: &Subject<'_>, text: &str) {
        match self.child_output {
            ChildOutput::Hidden => {}
            // In one piece, as each write takes a live display off the screen. A terminal that went away is no error.
            ChildOutput::Lines => drop(logs::Stderr.write_all(format!("{} | {}\n", subject.label, for_stderr(&escaped(text))).as_bytes())),
            ChildOutput::Plain => drop(logs::Stderr.write_all(format!("{}\n", for_stderr(&escaped(text))).as_bytes())),
            ChildOutput::Diagnostics => job_line!(info, "output", subject, {}, "{text}"),
        }
    }
}

/// A request of an attempt waits.
fn waiting(subject: &Subject<'_>, wait: &ServiceWait, at: DateTime<Utc>) {
    let (label, until) = (subject.label, if let WaitReason::Pause(until) = wait.reason { Some(until) } else { None });
    job_line!(
        info, "waiting", subject,
        { waits_for = waits::name(wait.reason), host = &wait.host, until = until.map(|until| until.to_rfc3339_opts(SecondsFormat::Secs, true)), },
        "{label} {}", waits::in_words(wait, at)
    );
}

/// An attempt failed, and another may follow.
fn retrying(subject: &Subject<'_>, ended: &AttemptEnd, (attempt, of): (u32, u32), failure: Failure<'_>, delay: Option<Duration>) {
    let (label, next) = (subject.label, attempt.saturating_add(1));
    let why = failure.text(subject.job.id);
    job_line!(
        error, "attempt_failed", subject,
        {
            sign = FAILURE, attempt, attempts = of, outcome = ended.outcome, exit_code = ended.exit_code, signal = ended.signal,
            duration_seconds = ended.seconds, reason = failure.reason, log = failure.path(),
        },
        "Failed {label} (attempt {attempt}/{of}): {why}"
    );
    let Some(delay) = delay else { return };
    let wait = brief(delay);
    job_line!(
        info, "retry_scheduled", subject,
        { attempt = next, attempts = of, delay_seconds = seconds(delay), },
        "Retrying {label} in {wait} (attempt {next}/{of})"
    );
}

/// A job is over.
fn over(subject: &Subject<'_>, ended: &AttemptEnd, state: JobState, duration: Duration, failure: Failure<'_>) {
    let (label, took, why) = (subject.label, brief(duration), failure.reason.unwrap_or_default());
    macro_rules! line {
        ($level:ident, $sign:expr, $($message:tt)+) => {
            job_line!(
                $level, "job_ended", subject,
                {
                    sign = $sign, state = state.name(), attempt = ended.attempt, outcome = ended.outcome, exit_code = ended.exit_code,
                    signal = ended.signal, duration_seconds = seconds(duration), reason = failure.reason, log = failure.path(),
                },
                $($message)+
            )
        };
    }
    match state {
        JobState::Succeeded => line!(info, Some(SUCCESS), "Success {label} in {took}"),
        JobState::Failed | JobState::Lost => line!(error, Some(FAILURE), "Failed {label} after {took}: {}", failure.text(subject.job.id)),
        JobState::Skipped => line!(info, None::<&str>, "Skipped {label}: {why}"),
        JobState::Cancelled | JobState::Queued | JobState::Running => line!(debug, None::<&str>, "Not run {label}: {why}"),
    }
}

/// What happens now that the run is to stop.
fn stopping(reason: &StopReason, is_immediate: bool, running: u64, grace: Duration) -> String {
    let etls = count(running, "ETL");
    let them = if running == 1 { "it" } else { "them" };
    let why = match signal_of(reason) {
        Some(2) => "Interrupted".to_owned(),
        Some(signal) => format!("Received {}", signal_name(signal)),
        None => format!("Stopping, as {reason}"),
    };
    if running == 0 {
        return format!("{why}: no ETL is running, nothing more is started");
    }
    if is_immediate {
        let again = if signal_of(reason).is_some() { " again" } else { "" };
        return format!("{why}{again}: killing {etls}");
    }
    let again = if signal_of(reason) == Some(2) { "press Ctrl-C again to kill" } else { "a second signal kills" };
    format!("{why}: waiting up to {} for {etls} to stop; {again} {them}", brief(grace))
}

fn signal_of(reason: &StopReason) -> Option<i32> {
    match reason {
        StopReason::Signal(signal) => Some(*signal),
        StopReason::GuardGone
        | StopReason::DatabaseFailed
        | StopReason::LeaseLate
        | StopReason::RunLost
        | StopReason::Cancelled { .. }
        | StopReason::ClaimLost => None,
    }
}

fn signal_name(signal: i32) -> String {
    match signal {
        1 => "SIGHUP".to_owned(),
        15 => "SIGTERM".to_owned(),
        other => format!("signal {other}"),
    }
}

impl AttemptEnd {
    fn new(attempt: u32, end: &End, outcome: Option<&Outcome>, duration: Duration) -> Self {
        let (exit_code, signal) = match end {
            End::Exited(code) => (Some(*code), None),
            End::Signalled(signal) => (None, Some(*signal)),
            End::Completed
            | End::Reported { .. }
            | End::Vanished
            | End::TimedOut
            | End::Stopped
            | End::SpawnFailed(_)
            | End::HostShort(_)
            | End::Unseen(_) => (None, None),
        };
        Self { attempt: Some(attempt), outcome: outcome.map(Outcome::name), exit_code, signal, seconds: Some(seconds(duration)) }
    }
}

impl Failure<'_> {
    fn text(self, job: JobId) -> String {
        format!("{} ({})", self.reason.unwrap_or_default(), where_to_look(job, self.path().as_deref()))
    }

    fn path(self) -> Option<String> {
        self.log.map(|log| log.display().to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_says_what_it_waits_for_and_who_asked_for_it() {
        let say = |reason: &StopReason, is_immediate, running| stopping(reason, is_immediate, running, Duration::from_secs(30));
        let (term, int, gone) = (StopReason::Signal(15), StopReason::Signal(2), StopReason::GuardGone);
        let lines =
            [say(&int, false, 3), say(&term, false, 1), say(&int, true, 3), say(&term, true, 1), say(&gone, true, 2), say(&term, false, 0)];
        insta::assert_snapshot!(lines.join("\n"), @r"
        Interrupted: waiting up to 30s for 3 ETLs to stop; press Ctrl-C again to kill them
        Received SIGTERM: waiting up to 30s for 1 ETL to stop; a second signal kills it
        Interrupted again: killing 3 ETLs
        Received SIGTERM again: killing 1 ETL
        Stopping, as the process that guards the run is gone: killing 2 ETLs
        Received SIGTERM: no ETL is running, nothing more is started
        ");
    }
}
