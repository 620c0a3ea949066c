//! What a live display shows: where the chains of a run stand, in lines that fit a terminal. It has no terminal itself.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};

use super::super::escape::escaped;
use super::super::expected;
use super::super::stages;
use super::super::waits;
use super::super::words::{Time, brief, fitted, grouped};
use crate::plan::model::job::JobState;
use crate::plan::model::said::Stage;
use crate::plan::run::event::{Event, EventKind, JobEvent, JobName, ServiceWait};
use crate::plan::run::expectations::Expectations;
use crate::plan::run::schedule::JobIndex;

/// Columns of the bar, at most.
const WIDEST_BAR: usize = 30;

/// A bar with fewer columns says nothing.
const NARROWEST_BAR: usize = 5;

/// Of a stage that has got less far, nobody knows how long it will take.
const LEAST_SHARE: f64 = 0.05;

/// A stage that did not get on for this long, and for much longer than ever before, may have stopped.
const STALE: Duration = Duration::from_secs(10);

/// Less that is left is not told.
const SHORTEST_LEFT: Duration = Duration::from_secs(1);

/// The jobs of a run. Before it starts nothing is shown.
#[derive(Debug, Default)]
pub(super) struct Board {
    names: Vec<JobName>,
    started_at: Option<DateTime<Utc>>,
    expectations: Expectations,
    chains: BTreeMap<JobIndex, Chain>,
    made: usize,
    failed: usize,
    skipped: usize,
    not_run: usize,
    is_stopping: bool,
}

/// The job that a chain is at.
#[derive(Debug)]
struct Chain {
    attempt: u32,
    of: u32,
    doing: Doing,
}

#[derive(Debug)]
enum Doing {
    Working { since: DateTime<Utc>, stage: Option<Headway>, line: String, wait: Option<ServiceWait> },
    Retrying { at: DateTime<Utc>, error: String },
    WaitingForPool(String),
}

/// A stage, and how it gets on.
#[derive(Debug)]
struct Headway {
    stage: Box<Stage>,
    /// When it got on last.
    moved_at: DateTime<Utc>,
    /// The longest time in which it did not get on.
    longest: Duration,
}

impl Headway {
    /// The stage as it is told now, after what was told before.
    fn of(before: Option<Self>, stage: &Stage, at: DateTime<Utc>) -> Self {
        let before = before.filter(|before| before.stage.n == stage.n);
        let (moved_at, longest) = before.as_ref().map_or((stage.started_at, Duration::ZERO), |before| (before.moved_at, before.longest));
        let has_moved = before.is_none_or(|before| before.stage.records != stage.records);
        let (moved_at, longest) = if has_moved { (at, longest.max(elapsed(moved_at, at))) } else { (moved_at, longest) };
        Self { stage: Box::new(stage.clone()), moved_at, longest }
    }

    /// What is left of it, at the rate that it had when it got on last; `None` where that says nothing: when it just began, or has stopped.
    fn left(&self, share: f64, now: DateTime<Utc>) -> Option<Duration> {
        let silent = elapsed(self.moved_at, now);
        if share < LEAST_SHARE || silent > STALE.max(self.longest * 3) {
            return None;
        }
        let took = elapsed(self.stage.started_at, self.moved_at).as_secs_f64();
        let left = Duration::try_from_secs_f64((took * (1.0 - share) / share).round()).ok()?;
        Some(left.saturating_sub(silent)).filter(|left| *left >= SHORTEST_LEFT)
    }
}

impl Board {
    pub(super) fn event(&mut self, event: &Event) {
        match &event.kind {
            EventKind::RunStarted { jobs, expectations, .. } => {
                self.names.clone_from(jobs);
                self.expectations.clone_from(expectations);
                self.started_at = Some(event.at);
            }
            EventKind::RunStopping { .. } => self.is_stopping = true,
            EventKind::Job { job, event: of_job } => self.job(job.index, of_job, event.at),
        }
    }

    fn job(&mut self, job: JobIndex, event: &JobEvent, at: DateTime<Utc>) {
        match event {
            JobEvent::WaitsForPool(Some(pool)) => {
                let (attempt, of) = self.chains.get(&job).map_or((1, 1), |chain| (chain.attempt, chain.of));
                self.chains.insert(job, Chain { attempt, of, doing: Doing::WaitingForPool(pool.clone()) });
            }
            JobEvent::WaitsForPool(None) => drop(self.chains.remove(&job)),
            JobEvent::AttemptStarted { attempt, of } => {
                let doing = Doing::Working { since: at, stage: None, line: String::new(), wait: None };
                self.chains.insert(job, Chain { attempt: *attempt, of: *of, doing });
            }
            JobEvent::WaitsForService(waits) => {
                if let Some(Chain { doing: Doing::Working { wait, .. }, .. }) = self.chains.get_mut(&job) {
                    wait.clone_from(waits);
                }
            }
            JobEvent::Line(text) | JobEvent::ProgressBar(text) => {
                if let Some(Chain { doing: Doing::Working { line, .. }, .. }) = self.chains.get_mut(&job) {
                    line.clone_from(text);
                }
            }
            JobEvent::Stage(told) => {
                if let Some(Chain { doing: Doing::Working { stage, .. }, .. }) = self.chains.get_mut(&job) {
                    *stage = Some(Headway::of(stage.take(), told, at));
                }
            }
            JobEvent::LinesOmitted(_) | JobEvent::AttemptEnded { .. } | JobEvent::Retrying { delay: None, .. } => {}
            JobEvent::Retrying { attempt, of, error, delay: Some(delay), .. } => {
                let doing = Doing::Retrying { at: at + *delay, error: error.clone() };
                self.chains.insert(job, Chain { attempt: attempt.saturating_add(1), of: *of, doing });
            }
            JobEvent::Ended { state, .. } => {
                self.chains.remove(&job);
                match state {
                    JobState::Succeeded => self.made += 1,
                    JobState::Failed | JobState::Lost => self.failed += 1,
                    JobState::Skipped => self.skipped += 1,
                    JobState::Cancelled | JobState::Queued | JobState::Running => self.not_run += 1,
                }
            }
        }
    }

    /// The lines on a terminal of so many columns and lines. The last column stays free, as some terminals break a line there.
    pub(super) fn lines(&self, now: DateTime<Utc>, (columns, rows): (usize, usize), is_ascii: bool) -> Vec<String> {
        let Some(started_at) = self.started_at else { return Vec::new() };
        let (width, ellipsis) = (columns.saturating_sub(1), if is_ascii { "..." } else { "…" });
        let mut chains: Vec<_> = self.chains.iter().collect();
        chains.sort_by_key(|(job, chain)| (chain.order(), **job));
        let mut lines: Vec<String> = chains.iter().map(|(job, chain)| self.line(**job, chain, now)).collect();
        // One line for the bar, and one that is left for what is written above.
        let room = rows.saturating_sub(2).max(1);
        if lines.len() > room {
            let shown = room.saturating_sub(1);
            let more = lines.len() - shown;
            lines.truncate(shown);
            lines.push(format!("{:>8}and {more} more", ""));
        }
        lines.push(self.whole(started_at, now, width, is_ascii));
        lines.iter().map(|line| fitted(&terminal_text(line, is_ascii), width, ellipsis).into_owned()).collect()
    }

    fn line(&self, job: JobIndex, chain: &Chain, now: DateTime<Utc>) -> String {
        let label = self.names.get(job).map_or("?", |name| &name.label);
        let Chain { attempt, of, doing } = chain;
        match doing {
            Doing::Working { since, stage, line, wait } => {
                let again = if *attempt > 1 { format!(" (attempt {attempt}/{of})") } else { String::new() };
                let at_stage = stage.as_ref().map(|stage| at_stage(stage, now));
                let said = match (wait, at_stage) {
                    (Some(wait), at_stage) => joined([Some(waits::in_words(wait, now)), at_stage.map(|(said, _)| said)]),
                    (None, Some((said, true))) => said,
                    (None, at_stage) => {
                        let said = at_stage.map_or_else(|| line.clone(), |(said, _)| said);
                        joined([self.left_of(job, chain, elapsed(*since, now)), Some(said)])
                    }
                };
                format!("{:>8} {}{again} {}", in_seconds(elapsed(*since, now)), escaped(label), escaped(&said))
            }
            Doing::Retrying { at, error } => {
                format!("{} {} waits for attempt {attempt}/{of}: {}", Time(*at).clock(), escaped(label), escaped(error))
            }
            Doing::WaitingForPool(pool) => format!("{:>8} {} waits for pool {}", "", escaped(label), escaped(pool)),
        }
    }

    /// `about 3m left`, by the last successes, which are counted from a job's first attempt.
    fn left_of(&self, job: JobIndex, chain: &Chain, elapsed: Duration) -> Option<String> {
        let lengths = self.expectations.lengths.get(job)?.as_ref().filter(|_| chain.attempt == 1)?;
        let left = lengths.left_after(elapsed)?.median;
        (left >= SHORTEST_LEFT).then(|| format!("about {} left", brief(left)))
    }

    /// `█████░░░░ 29 made, 2 failed, 25 left, 1m 20s, expected 14:10–14:25`.
    fn whole(&self, started_at: DateTime<Utc>, now: DateTime<Utc>, width: usize, is_ascii: bool) -> String {
        let over = self.made + self.failed + self.skipped + self.not_run;
        let left = self.names.len().saturating_sub(over);
        let counts = [("made", self.made, true), ("failed", self.failed, false), ("skipped", self.skipped, false)];
        let more = [("not run", self.not_run, false), ("left", left, true)];
        let counts = counts.into_iter().chain(more).filter(|(_, number, always)| *always || *number > 0);
        let counts: Vec<String> = counts.map(|(name, number, _)| format!("{} {name}", grouped(number as u64))).collect();
        let end = self.expectations.end_after(now).map(|end| format!(", expected {}", expected::interval(end, now)));
        let end = if self.is_stopping { ", stopping".to_owned() } else { end.unwrap_or_default() };
        let text = format!("{}, {}{end}", counts.join(", "), in_seconds(elapsed(started_at, now)));
        let columns = width.saturating_sub(text.chars().count() + 1).min(WIDEST_BAR);
        if columns < NARROWEST_BAR {
            return text;
        }
        let full = columns * over / self.names.len().max(1);
        let (done, to_do) = if is_ascii { ("#", "-") } else { ("█", "░") };
        format!("{}{} {text}", done.repeat(full), to_do.repeat(columns - full))
    }
}

impl Chain {
    /// Those that work first, the oldest at the top; then those that wait, by the end of their wait where it is known.
    fn order(&self) -> (u8, Option<DateTime<Utc>>) {
        match &self.doing {
            Doing::Working { since, .. } => (0, Some(*since)),
            Doing::Retrying { at, .. } => (1, Some(*at)),
            Doing::WaitingForPool(_) => (2, None),
        }
    }
}

/// Whole seconds, so that a line does not change more often than that.
fn elapsed(since: DateTime<Utc>, now: DateTime<Utc>) -> Duration {
    Duration::from_secs((now - since).num_seconds().try_into().unwrap_or_default())
}

/// Whole seconds in words.
fn in_seconds(span: Duration) -> String {
    if span.is_zero() { "0s".to_owned() } else { brief(span) }
}

fn joined<const N: usize>(parts: [Option<String>; N]) -> String {
    let parts: Vec<String> = parts.into_iter().flatten().filter(|part| !part.is_empty()).collect();
    parts.join("; ")
}

/// `7%, about 3m left: Embedding, 45 of 594 read`, and whether it says what is left. The numbers come first, as the end may be cut off.
fn at_stage(headway: &Headway, now: DateTime<Utc>) -> (String, bool) {
    let stage = &headway.stage;
    let Some(share) = share(stage).filter(|_| !stage.state.has_ended()) else { return (stages::in_words(stage), false) };
    let left = headway.left(share, now).map(|left| format!(", about {} left", brief(left)));
    let (has_left, left) = (left.is_some(), left.unwrap_or_default());
    (format!("{:.0}%{left}: {}, {}", (share * 100.0).floor(), stage.name, stages::records(&stage.records)), has_left)
}

/// How far a stage has got, where its child says how much there is.
#[expect(clippy::cast_precision_loss, reason = "a share of so many records is shown in percent")]
fn share(stage: &Stage) -> Option<f64> {
    let records = &stage.records;
    let all = records.estimate.filter(|all| *all > 0)?;
    Some((records.read.or(records.written)? as f64 / all as f64).min(1.0))
}

fn terminal_text(line: &str, is_ascii: bool) -> std::borrow::Cow<'_, str> {
    if is_ascii { super::super::terminal::in_ascii(line) } else { line.into() }
}
