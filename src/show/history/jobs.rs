//! The list of jobs.

use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;

use super::super::View;
use super::super::metrics::Metrics;
use super::super::names::by_name;
use super::super::terminal::stdout_width;
use super::super::words::{Time, Untrusted, brief, count, seconds};
use super::table::{Row, Table, UNKNOWN};
use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::{JobId, RunId};
use crate::plan::model::institution::stem;
use crate::plan::model::job::JobState;
use crate::plan::model::window::Window;
use crate::plan::remember::past::{PastAttempt, PastJob};

/// Jobs on record, newest first.
#[derive(Debug, Serialize)]
pub struct JobsView<'a> {
    timestamp: Time,
    jobs: Vec<JobEntry<'a>>,
}

#[derive(Debug, Serialize)]
pub(in crate::show) struct JobEntry<'a> {
    id: JobId,
    run_id: RunId,
    gap: &'a GapKey,
    etl: Option<&'a str>,
    bank_symbol: Option<&'a str>,
    bank_key: Option<&'a str>,
    fiscal_year: Option<u16>,
    quarter: Option<&'static str>,
    source: Option<&'a str>,
    window_start: Option<Time>,
    window_end: Option<Time>,
    #[serde(skip)]
    window: Option<Window>,
    #[serde(serialize_with = "by_name")]
    state: JobState,
    forced: bool,
    error: Option<Untrusted<'a>>,
    queued_at: Time,
    started_at: Option<Time>,
    ended_at: Option<Time>,
    duration_seconds: Option<f64>,
    metrics: Metrics,
    attempts: Vec<AttemptEntry<'a>>,
    #[serde(skip)]
    took: Option<Duration>,
}

#[derive(Debug, Serialize)]
struct AttemptEntry<'a> {
    n: u32,
    outcome: Option<Untrusted<'a>>,
    exit_code: Option<i32>,
    error: Option<Untrusted<'a>>,
    log: Untrusted<'a>,
    remote_id: Option<Untrusted<'a>>,
    started_at: Time,
    ended_at: Option<Time>,
    duration_seconds: Option<f64>,
}

impl<'a> JobsView<'a> {
    /// The view of these jobs at this time.
    pub fn new(jobs: &'a [PastJob], now: DateTime<Utc>) -> Self {
        Self { timestamp: Time(now), jobs: jobs.iter().map(|job| JobEntry::new(job, now)).collect() }
    }
}

impl<'a> JobEntry<'a> {
    pub(in crate::show) fn new(job: &'a PastJob, now: DateTime<Utc>) -> Self {
        let (report, source) = match &job.gap {
            GapKey::Report { bank, period, etl } => (Some((bank.as_str(), *period, etl.as_str())), None),
            GapKey::Source(source) | GapKey::Window { source, .. } => (None, Some(source.as_str())),
            GapKey::Group { .. } => (None, None),
        };
        let took = job.took(now);
        Self {
            id: job.id,
            run_id: job.run,
            gap: &job.gap,
            etl: report.map(|(_, _, etl)| etl),
            bank_symbol: report.map(|(bank, _, _)| stem(bank)),
            bank_key: report.map(|(bank, _, _)| bank),
            fiscal_year: report.map(|(_, period, _)| period.year()),
            quarter: report.map(|(_, period, _)| period.quarter().as_str()),
            source,
            window: job.window,
            window_start: job.window.map(|window| Time(window.start)),
            window_end: job.window.map(|window| Time(window.end)),
            state: job.state,
            forced: job.forced,
            error: job.error.as_deref().map(Untrusted::from),
            queued_at: Time(job.queued_at),
            started_at: job.started_at.map(Time),
            ended_at: job.ended_at.map(Time),
            duration_seconds: took.map(seconds),
            metrics: Metrics::new(&job.metrics),
            attempts: job.attempts.iter().map(AttemptEntry::new).collect(),
            took,
        }
    }

    /// A row of the table, and why the job did not succeed, with the log that says more.
    fn row(&self) -> Row {
        let mut below = Vec::new();
        below.extend(self.window.map(|window| format!("window {window}")));
        let last = self.attempts.last();
        if self.state != JobState::Succeeded {
            let error = self.error.as_ref().or(last.and_then(|attempt| attempt.error.as_ref()));
            let tries =
                if self.attempts.len() > 1 { format!("after {}: ", count(self.attempts.len() as u64, "attempt")) } else { String::new() };
            below.extend(error.map(|error| format!("{tries}{}", error.excerpt())));
            below.extend(last.map(|attempt| attempt.log.to_string()));
        }
        let cells = vec![
            self.id.short(),
            self.state.name().to_owned(),
            self.started_at.map(|at| at.to_string()).unwrap_or_default(),
            if self.state == JobState::Lost { UNKNOWN.to_owned() } else { self.took.map(brief).unwrap_or_default() },
            Untrusted::from(self.gap.to_string()).to_string(),
        ];
        Row { cells, below }
    }
}

impl<'a> AttemptEntry<'a> {
    fn new(attempt: &'a PastAttempt) -> Self {
        Self {
            n: attempt.n,
            outcome: attempt.outcome.as_deref().map(Untrusted::from),
            exit_code: attempt.exit_code(),
            error: attempt.error.as_deref().map(Untrusted::from),
            log: attempt.log.as_str().into(),
            remote_id: attempt.remote_id.as_deref().map(Untrusted::from),
            started_at: Time(attempt.started_at),
            ended_at: attempt.ended_at.map(Time),
            duration_seconds: attempt.duration_ms.map(|milliseconds| seconds(Duration::from_millis(milliseconds))),
        }
    }
}

impl View for JobsView<'_> {
    fn kind(&self) -> &'static str {
        "jobs"
    }

    fn text(&self) -> String {
        if self.jobs.is_empty() {
            return "no such job is on record\n".to_owned();
        }
        let table = Table { head: vec!["JOB", "STATE", "STARTED", "TOOK", "GAP"], rows: self.jobs.iter().map(JobEntry::row).collect() };
        table.text(stdout_width())
    }
}
