//! What happens in a run as log lines, and what children print.

use std::io::Write;
use std::time::Duration;

use super::escape::escaped;
use super::logs;
use super::words::count;
use crate::plan::model::job::JobState;
use crate::plan::run::event::{Event, EventKind, JobEvent};
use crate::plan::text::size::grouped;

/// What is shown of what children print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildOutput {
    /// Nothing.
    Hidden,
    /// Each line, with its job's label before it.
    Lines,
    /// Each line as a diagnostic of its own, where diagnostics are for programs.
    Diagnostics,
}

/// Writes events as log lines.
pub(super) struct RunLog {
    child_output: ChildOutput,
    labels: Vec<String>,
}

impl RunLog {
    pub(super) fn new(child_output: ChildOutput) -> Self {
        Self { child_output, labels: Vec::new() }
    }

    pub(super) fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { labels, chains, max_parallel } => {
                let (jobs, chains) = (count(labels.len() as u64, "ETL job"), count(*chains as u64, "chain"));
                tracing::info!("Starting parallel execution of {jobs} in {chains} (max {max_parallel} parallel)");
                self.labels.clone_from(labels);
            }
            EventKind::RunStopping { is_immediate: false } => {
                tracing::warn!("Told to stop: stopping what runs; tell it again to kill it");
            }
            EventKind::RunStopping { is_immediate: true } => tracing::warn!("Told to stop again: killing what runs"),
            EventKind::Job { job, event } => self.job(self.labels.get(job.index).map_or("?", String::as_str), event),
        }
    }

    fn job(&self, label: &str, event: &JobEvent) {
        match event {
            JobEvent::AttemptStarted { attempt, of } => tracing::info!("Executing {label} (attempt {attempt}/{of})"),
            JobEvent::Line(text) => self.line(label, text),
            JobEvent::LinesOmitted(1) => self.line(label, "… 1 line omitted"),
            JobEvent::LinesOmitted(lines) => self.line(label, &format!("… {} lines omitted", grouped(*lines))),
            JobEvent::Retrying { attempt, error, delay } => {
                tracing::error!("❌ Failed {label} (attempt {attempt}): {error}");
                tracing::info!("Retrying {label} in {}", humantime::format_duration(round(*delay)));
            }
            JobEvent::Ended { state, duration, reason } => {
                let seconds = duration.as_secs_f64();
                let reason = reason.as_deref().unwrap_or_default();
                match state {
                    JobState::Succeeded => tracing::info!("✅ Success {label} in {seconds:.1}s"),
                    JobState::Failed | JobState::Lost => tracing::error!("❌ Failed {label} after {seconds:.1}s: {reason}"),
                    JobState::Skipped => tracing::info!("Skipped {label}: {reason}"),
                    JobState::Cancelled | JobState::Queued | JobState::Running => tracing::debug!("Not run {label}: {reason}"),
                }
            }
        }
    }

    fn line(&self, label: &str, text: &str) {
        match self.child_output {
            ChildOutput::Hidden => {}
            // In one piece, as each write takes a live display off the screen. A terminal that went away is no error.
            ChildOutput::Lines => drop(logs::Stderr.write_all(format!("{label} | {}\n", escaped(text)).as_bytes())),
            ChildOutput::Diagnostics => tracing::info!(job = label, "{text}"),
        }
    }
}

/// To whole seconds where there are any: "5s", not "5s 17ms".
fn round(duration: Duration) -> Duration {
    if duration >= Duration::from_secs(1) {
        Duration::from_secs(duration.as_secs())
    } else {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or_default())
    }
}
