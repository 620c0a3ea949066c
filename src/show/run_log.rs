//! What happens in a run as log lines, and what children print.

use std::io::Write;
use std::time::Duration;

use super::escape::escaped;
use super::logs;
use super::words::count;
use crate::plan::model::job::JobState;
use crate::plan::run::event::{Event, EventKind, JobEvent};

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
            JobEvent::Line(text) => self.line(label, &escaped(text)),
            JobEvent::LinesOmitted(1) => self.line(label, "… 1 line omitted"),
            JobEvent::LinesOmitted(lines) => self.line(label, &format!("… {} lines omitted", grouped(*lines))),
            JobEvent::Retrying { attempt, error, delay } => {
                tracing::error!("❌ Failed {label} (attempt {attempt}): {}", escaped(error));
                tracing::info!("Retrying {label} in {}", humantime::format_duration(round(*delay)));
            }
            JobEvent::Ended { state, duration, reason } => {
                let seconds = duration.as_secs_f64();
                let reason = escaped(reason.as_deref().unwrap_or_default());
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
            ChildOutput::Lines => drop(logs::Stderr.write_all(format!("{label} | {text}\n").as_bytes())),
            ChildOutput::Diagnostics => tracing::info!(job = label, "{text}"),
        }
    }
}

/// `1,411`.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (position, digit) in digits.chars().enumerate() {
        if position > 0 && (digits.len() - position).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// To whole seconds where there are any: "5s", not "5s 17ms".
fn round(duration: Duration) -> Duration {
    if duration >= Duration::from_secs(1) {
        Duration::from_secs(duration.as_secs())
    } else {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_thousands() {
        let texts = [0, 999, 1411, 100_000, 1_234_567].map(grouped);
        assert_eq!(texts, ["0", "999", "1,411", "100,000", "1,234,567"]);
    }
}
