//! Shows a run as it happens: as log lines, and on a terminal by a live display with a line for each running chain and a bar for
//! the whole.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};

use super::escape::escaped;
use super::listener::Listener;
use super::logs;
use super::run_log::{ChildOutput, RunLog};
use super::screen;
use crate::plan::model::job::JobState;
use crate::plan::run::event::{Event, EventKind, JobEvent, JobName};
use crate::plan::run::schedule::JobIndex;

/// The displays redraw themselves so often.
const TICK: Duration = Duration::from_millis(250);

/// Characters of a child's line that a live display shows.
const SHOWN: usize = 200;

/// What is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detail {
    /// Whether there is a live display.
    pub is_live: bool,
    /// What is shown of what children print (`-v`).
    pub child_output: ChildOutput,
}

/// The displays of a run, each in a thread of its own.
#[derive(Debug)]
pub struct Displays(Vec<Listener>);

impl Displays {
    /// Starts them. `subscribe` makes a stream of the run's events for each; they end with their streams.
    pub fn start<E: Iterator<Item = Arc<Event>> + Send + 'static>(detail: Detail, mut subscribe: impl FnMut() -> E) -> Self {
        let mut listeners = Vec::new();
        if detail.is_live {
            let mut display = LiveDisplay::new();
            listeners.push(Listener::start(subscribe(), move |event| display.event(event)));
        }
        let mut log = RunLog::new(detail.child_output);
        listeners.push(Listener::start(subscribe(), move |event| log.event(event)));
        if listeners.iter().any(Result::is_err) {
            tracing::warn!("the host has no room for another thread, so that the run is not shown while it lasts; its summary is");
        }
        Self(listeners.into_iter().flatten().collect())
    }

    /// Waits until everything was shown and a live display is off the screen, for as long as that makes headway. The streams
    /// must have ended.
    pub fn finish(self) {
        self.0.into_iter().for_each(Listener::finish);
    }
}

/// Off the screen when dropped.
struct LiveDisplay {
    screen: MultiProgress,
    jobs: Vec<JobName>,
    bars: Arc<Mutex<Bars>>,
}

/// What is on the screen.
#[derive(Default)]
struct Bars {
    total: Option<ProgressBar>,
    running: HashMap<JobIndex, RunningJob>,
}

/// A job that is being done, and its line.
struct RunningJob {
    name: String,
    bar: ProgressBar,
}

impl Bars {
    fn all(&self) -> impl Iterator<Item = &ProgressBar> {
        self.running.values().map(|job| &job.bar).chain(&self.total)
    }
}

impl LiveDisplay {
    /// A display on which nothing is seen yet. From now on log lines are written above it.
    fn new() -> Self {
        let screen = MultiProgress::with_draw_target(screen::target());
        logs::write_above(screen.clone());
        let bars = Arc::default();
        tick(Arc::downgrade(&bars));
        Self { screen, jobs: Vec::new(), bars }
    }

    fn bars(&self) -> MutexGuard<'_, Bars> {
        self.bars.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { jobs, .. } => {
                self.jobs.clone_from(jobs);
                let total = self.screen.add(ProgressBar::new(jobs.len() as u64));
                total.set_style(style("{wide_bar} {pos}/{len} jobs, {elapsed_precise}{msg}"));
                self.bars().total = Some(total);
            }
            EventKind::RunStopping { .. } => {
                if let Some(total) = &self.bars().total {
                    total.set_message(", stopping");
                }
            }
            EventKind::Job { job, event } => self.job(job.index, event),
        }
    }

    fn job(&self, job: JobIndex, event: &JobEvent) {
        match event {
            JobEvent::AttemptStarted { attempt, .. } => self.show(job, *attempt),
            JobEvent::Line(text) => {
                if let Some(RunningJob { name, bar }) = self.bars().running.get(&job) {
                    let text: String = escaped(text).chars().take(SHOWN).collect();
                    bar.set_message(format!("{name} {text}"));
                }
            }
            JobEvent::LinesOmitted(_) | JobEvent::Stage(_) | JobEvent::AttemptEnded { .. } => {}
            JobEvent::Retrying { .. } => self.hide(job),
            JobEvent::Ended { state, .. } => {
                self.hide(job);
                // What a stop or a breaker takes out of a run is not done: the bar stays where it is.
                if !matches!(state, JobState::Cancelled | JobState::Queued)
                    && let Some(total) = &self.bars().total
                {
                    total.inc(1);
                }
            }
        }
    }

    fn show(&self, job: JobIndex, attempt: u32) {
        let mut bars = self.bars();
        let (Some(total), Some(JobName { label, .. })) = (&bars.total, self.jobs.get(job)) else { return };
        let bar = self.screen.insert_before(total, ProgressBar::new_spinner());
        // Whatever is too long for the terminal is cut off: a line that wraps would be drawn again and again.
        bar.set_style(style("{spinner} {elapsed:>3} {wide_msg}"));
        let name = if attempt > 1 { format!("{label} (attempt {attempt})") } else { label.clone() };
        bar.set_message(name.clone());
        bars.running.insert(job, RunningJob { name, bar });
    }

    fn hide(&self, job: JobIndex) {
        if let Some(RunningJob { bar, .. }) = self.bars().running.remove(&job) {
            bar.finish_and_clear();
        }
    }
}

impl Drop for LiveDisplay {
    fn drop(&mut self) {
        for bar in self.bars().all() {
            bar.finish_and_clear();
        }
    }
}

/// Redraws the bars now and then, in a thread that ends with the display. Where the host has no room for a thread, they are redrawn when
/// something happens.
fn tick(bars: Weak<Mutex<Bars>>) {
    let _ = std::thread::Builder::new().spawn(move || {
        while let Some(bars) = bars.upgrade() {
            bars.lock().unwrap_or_else(PoisonError::into_inner).all().for_each(ProgressBar::tick);
            drop(bars);
            std::thread::sleep(TICK);
        }
    });
}

fn style(template: &str) -> ProgressStyle {
    // The templates are ours; a wrong one falls back to the default rather than take a run down.
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_bar())
}
