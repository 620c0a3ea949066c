//! Shows what happens in a run as it happens: log lines, and on a terminal a live display. It runs in a thread of its
//! own, so that a terminal that stands still (Ctrl-S, a stuck pipe) never holds up the run.

use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::escape::escaped;
use super::logs;
use super::words::count;
use crate::plan::model::job::JobState;
use crate::plan::run::event::Event;
use crate::plan::run::schedule::JobIndex;

/// Child lines that wait to be shown; when more wait they are dropped from the display (never from the log file).
const LINES_WAITING: usize = 4096;

/// How long the end of a run waits for a display that shows nothing more.
const PATIENCE: Duration = Duration::from_secs(1);

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// One line per running chain and a bar for the whole.
    pub live: bool,
    /// Child output, line by line (`-v`).
    pub child_output: ChildOutput,
}

/// What is shown of what children print.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ChildOutput {
    /// Nothing.
    Hidden,
    /// Each line, with whose it is before it.
    Lines,
    /// Each line as a diagnostic of its own, where diagnostics are for programs.
    Diagnostics,
}

/// The display. Events go in by [`Progress::sender`]; dropping every sender ends it.
#[derive(Debug)]
pub struct Progress {
    sender: Sender<Event>,
    waiting: Arc<AtomicUsize>,
    /// Closed when the display has ended.
    ended: Receiver<()>,
}

impl Progress {
    /// Starts the display.
    pub fn start(detail: Detail) -> Self {
        let (sender, receiver) = channel();
        let waiting = Arc::new(AtomicUsize::new(0));
        let (end, ended) = channel();
        std::thread::spawn({
            let waiting = waiting.clone();
            move || {
                Screen::new(detail).show(receiver, &waiting);
                drop(end);
            }
        });
        Self { sender, waiting, ended }
    }

    /// Takes events, without ever waiting.
    pub fn sender(&self) -> Arc<dyn Fn(Event) + Send + Sync> {
        let (sender, waiting) = (self.sender.clone(), self.waiting.clone());
        Arc::new(move |event| {
            let is_line = matches!(event, Event::Line { .. });
            if is_line && waiting.load(Ordering::Relaxed) >= LINES_WAITING {
                return;
            }
            waiting.fetch_add(1, Ordering::Relaxed);
            // The display ends only after its senders.
            let _ = sender.send(event);
        })
    }

    /// Waits until everything was shown and a live display is off the screen, for as long as that makes headway. All senders
    /// must be gone.
    pub fn finish(self) {
        drop(self.sender);
        let mut waiting = usize::MAX;
        while let Err(RecvTimeoutError::Timeout) = self.ended.recv_timeout(PATIENCE) {
            let before = std::mem::replace(&mut waiting, self.waiting.load(Ordering::Relaxed));
            if waiting >= before {
                return; // the terminal stands still; its thread ends with the process
            }
        }
    }
}

struct Screen {
    detail: Detail,
    labels: Vec<String>,
    bars: Option<Bars>,
}

struct Bars {
    all: MultiProgress,
    total: ProgressBar,
    running: HashMap<JobIndex, ProgressBar>,
}

impl Screen {
    fn new(detail: Detail) -> Self {
        Self { detail, labels: Vec::new(), bars: None }
    }

    fn show(mut self, events: Receiver<Event>, waiting: &AtomicUsize) {
        for event in events {
            waiting.fetch_sub(1, Ordering::Relaxed);
            self.event(event);
        }
        if let Some(bars) = self.bars {
            for bar in bars.running.values() {
                bar.finish_and_clear();
            }
            bars.total.finish_and_clear();
        }
    }

    fn event(&mut self, event: Event) {
        match event {
            Event::Started { labels, chains, max_parallel } => self.started(labels, chains, max_parallel),
            Event::AttemptStarted { job, attempt, of } => {
                tracing::info!("Executing {} (attempt {attempt}/{of})", self.label(job));
                self.running(job, attempt);
            }
            Event::Line { job, text } => self.line(job, &text),
            Event::Retrying { job, attempt, error, delay } => {
                tracing::error!("❌ Failed {} (attempt {attempt}): {}", self.label(job), escaped(&error));
                tracing::info!("Retrying {} in {}", self.label(job), humantime::format_duration(round(delay)));
                self.stopped_running(job);
            }
            Event::Ended { job, state, duration, reason } => self.ended(job, state, duration, reason.as_deref()),
            Event::Stopping { at_once: false } => tracing::warn!("Told to stop: stopping what runs; tell it again to kill it"),
            Event::Stopping { at_once: true } => tracing::warn!("Told to stop again: killing what runs"),
        }
    }

    fn started(&mut self, labels: Vec<String>, chains: usize, max_parallel: usize) {
        let jobs = labels.len();
        let (work, lanes) = (count(jobs as u64, "ETL job"), count(chains as u64, "chain"));
        tracing::info!("Starting parallel execution of {work} in {lanes} (max {max_parallel} parallel)");
        self.labels = labels;
        if self.detail.live {
            let all = MultiProgress::new();
            let total = all.add(ProgressBar::new(jobs as u64));
            total.set_style(style("{bar:30} {pos}/{len} jobs, {elapsed_precise}"));
            total.enable_steady_tick(Duration::from_millis(250));
            logs::write_above(all.clone());
            self.bars = Some(Bars { all, total, running: HashMap::new() });
        }
    }

    fn running(&mut self, job: JobIndex, attempt: u32) {
        let label = self.label(job).to_owned();
        if let Some(bars) = &mut self.bars {
            let bar = bars.all.insert_before(&bars.total, ProgressBar::new_spinner());
            bar.set_style(style("{spinner} {prefix} {elapsed} {wide_msg}"));
            bar.set_prefix(if attempt > 1 { format!("{label} (attempt {attempt})") } else { label });
            bar.enable_steady_tick(Duration::from_millis(250));
            bars.running.insert(job, bar);
        }
    }

    fn stopped_running(&mut self, job: JobIndex) {
        if let Some(bar) = self.bars.as_mut().and_then(|bars| bars.running.remove(&job)) {
            bar.finish_and_clear();
        }
    }

    fn line(&mut self, job: JobIndex, text: &str) {
        let text = escaped(text);
        if let Some(bar) = self.bars.as_ref().and_then(|bars| bars.running.get(&job)) {
            bar.set_message(text.chars().take(200).collect::<String>());
        }
        match self.detail.child_output {
            ChildOutput::Hidden => {}
            // A terminal that went away ends the display, not the run.
            ChildOutput::Lines => drop(writeln!(logs::Stderr, "{} | {text}", self.label(job))),
            ChildOutput::Diagnostics => tracing::info!(job = self.label(job), "{text}"),
        }
    }

    fn ended(&mut self, job: JobIndex, state: JobState, duration: Duration, reason: Option<&str>) {
        let label = self.label(job);
        let seconds = duration.as_secs_f64();
        let reason = escaped(reason.unwrap_or_default());
        match state {
            JobState::Succeeded => tracing::info!("✅ Success {label} in {seconds:.1}s"),
            JobState::Failed | JobState::Lost => tracing::error!("❌ Failed {label} after {seconds:.1}s: {reason}"),
            JobState::Skipped => tracing::info!("Skipped {label}: {reason}"),
            JobState::Cancelled | JobState::Queued | JobState::Running => tracing::debug!("Not run {label}: {reason}"),
        }
        self.stopped_running(job);
        if let Some(bars) = &self.bars {
            bars.total.inc(1);
        }
    }

    fn label(&self, job: JobIndex) -> &str {
        self.labels.get(job).map_or("?", String::as_str)
    }
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours; a wrong one falls back to the default rather than take a run down.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}

/// To whole seconds where there are any: "5s", not "5s 17ms".
fn round(duration: Duration) -> Duration {
    if duration >= Duration::from_secs(1) {
        Duration::from_secs(duration.as_secs())
    } else {
        Duration::from_millis(u64::try_from(duration.as_millis()).unwrap_or_default())
    }
}
