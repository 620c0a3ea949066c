//! What an attempt has said of its work so far: its stages, messages, metrics and errors, put together from its lines.

use std::collections::BTreeSet;

use chrono::{DateTime, DurationRound, TimeDelta, Utc};

use crate::plan::model::said::{ChildLog, LogLevel, Metric, Records, Said, Stage, StageState};
use crate::plan::run::message::{ChildError, Message, StageCounts};
use crate::plan::text::secrets::Secrets;
use crate::plan::text::size::shortened;

/// Most of each that is kept of an attempt.
const MOST_STAGES: usize = 200;
const MOST_COUNTS: usize = 20;
const MOST_METRICS: usize = 50;
const MOST_LOGS: usize = 1000;
const MOST_LOG_BYTES: usize = 256 * 1024;
/// Most bytes of a name, and of a message.
const LONGEST_NAME: usize = 200;
const LONGEST_MESSAGE: usize = 4096;

/// What is kept of what an attempt says.
#[derive(Debug)]
pub struct Account {
    /// When the attempt began, in whole milliseconds. A time that the child names is believed from then on.
    since: DateTime<Utc>,
    stages: Vec<Stage>,
    /// The stage that a plain line began.
    of_lines: Option<usize>,
    metrics: Vec<Metric>,
    error: Option<ChildError>,
    logs: usize,
    log_bytes: usize,
    /// What was said to be left out.
    omitted: BTreeSet<&'static str>,
    /// What is new since [`Self::news`].
    changed: BTreeSet<usize>,
    new_logs: Vec<ChildLog>,
    has_new_metrics: bool,
}

impl Account {
    /// An account of an attempt that began at this time and has said nothing.
    #[must_use]
    pub fn new(since: DateTime<Utc>) -> Self {
        Self {
            since: since.duration_trunc(TimeDelta::milliseconds(1)).unwrap_or(since),
            stages: Vec::new(),
            of_lines: None,
            metrics: Vec::new(),
            error: None,
            logs: 0,
            log_bytes: 0,
            omitted: BTreeSet::new(),
            changed: BTreeSet::new(),
            new_logs: Vec::new(),
            has_new_metrics: false,
        }
    }

    /// Takes a message that was received at this time, without these secrets. Returns what it says to people, if anything.
    pub fn take(&mut self, message: Message, secrets: &Secrets, now: DateTime<Utc>) -> Option<String> {
        let name = |name: String| shortened(secrets.clean(&name).trim(), LONGEST_NAME).into_owned();
        let text = |text: String| shortened(&secrets.clean(&text), LONGEST_MESSAGE).into_owned();
        match message {
            Message::Status { stage, state, at } => {
                let at = self.believed(at, now);
                self.status(&name(stage), state, at);
                None
            }
            Message::Estimate { stage, at } => {
                if let Some((stage, rows)) = stage {
                    let at = self.believed(at, now);
                    self.change(&name(stage), at, |stage| stage.records.estimate = Some(rows));
                }
                None
            }
            Message::Counts(Some(StageCounts { stage, read, written, rejected, named })) => {
                let named = named.into_iter().map(|(of, count)| (name(of), count)).collect();
                self.count(&StageCounts { stage: name(stage), read, written, rejected, named }, now);
                None
            }
            Message::Counts(None) => None,
            Message::Metric { name: of, value } => {
                self.metric(name(of), value, now);
                None
            }
            Message::Error(ChildError { message, fault }) => {
                let message = text(message);
                self.log(LogLevel::Error, &message, now);
                let line = format!("ERROR: {}", one_line(&message));
                self.error.get_or_insert(ChildError { message, fault });
                Some(line)
            }
            Message::Log { level, message } => {
                let message = text(message);
                self.log(level, &message, now);
                let urgency = match level {
                    LogLevel::Fatal => "FATAL: ",
                    LogLevel::Error => "ERROR: ",
                    LogLevel::Warn => "WARN: ",
                    LogLevel::Info | LogLevel::Debug | LogLevel::Trace | LogLevel::Omitted => "",
                };
                Some(format!("{urgency}{}", one_line(&message)))
            }
        }
    }

    /// A plain line begins a stage, or says more of it: with it the stage of the plain line before ends.
    pub fn line_of_stage(&mut self, stage: &str, records: Option<u64>, now: DateTime<Utc>) {
        let is_same = self.of_lines.and_then(|at| self.stages.get(at)).is_some_and(|open| open.name == stage);
        if !is_same {
            self.end_stage_of_lines(StageState::Complete, now);
            self.of_lines = self.begin(stage, now);
        }
        if let (Some(at), Some(_)) = (self.of_lines, records) {
            self.set(at, |stage| {
                stage.records.read = records;
                stage.state = StageState::Running;
            });
        }
    }

    /// How much of the whole is done, where the work is one stage.
    pub fn whole(&mut self, stage: &str, done: Option<u64>, of: Option<u64>, now: DateTime<Utc>) {
        if done.is_some() || of.is_some() {
            self.line_of_stage(stage, done, now);
            if let Some(place) = self.of_lines {
                self.set(place, |stage| stage.records.estimate = of);
            }
        }
    }

    /// The attempt has ended, well or not; so has the stage of plain lines.
    pub fn end(&mut self, well: bool, now: DateTime<Utc>) {
        self.end_stage_of_lines(if well { StageState::Complete } else { StageState::Incomplete }, now);
    }

    /// What went wrong by its own words: its first error; or, where it ended well, a stage that it left incomplete and did not make up for.
    /// To be asked before [`Self::end`].
    #[must_use]
    pub fn error(&self, ended_well: bool) -> Option<ChildError> {
        let is_last = |stage: &Stage| self.latest(&stage.name).and_then(|at| self.stages.get(at)).is_some_and(|last| last.n == stage.n);
        let incomplete = || self.stages.iter().find(|stage| ended_well && stage.state == StageState::Incomplete && is_last(stage));
        let message = |stage: &Stage| format!("stage {} is incomplete", stage.name);
        self.error.clone().or_else(|| Some(ChildError { message: message(incomplete()?), fault: None }))
    }

    /// Whether there is anything for [`Self::news`].
    #[must_use]
    pub fn has_news(&self) -> bool {
        !self.changed.is_empty() || !self.new_logs.is_empty() || self.has_new_metrics
    }

    /// What is new since the last time.
    pub fn news(&mut self) -> Said {
        let stages = std::mem::take(&mut self.changed).into_iter().filter_map(|at| self.stages.get(at).cloned()).collect();
        let metrics = if std::mem::take(&mut self.has_new_metrics) { self.metrics.clone() } else { Vec::new() };
        Said { stages, logs: std::mem::take(&mut self.new_logs), metrics }
    }

    /// When something happened that the child says happened at `at`, and that was received now.
    fn believed(&self, at: Option<DateTime<Utc>>, now: DateTime<Utc>) -> DateTime<Utc> {
        at.filter(|at| (self.since..=now).contains(at)).unwrap_or(now)
    }

    fn status(&mut self, name: &str, state: StageState, at: DateTime<Utc>) {
        let known = self.latest(name);
        let has_ended = known.and_then(|at| self.stages.get(at)).is_some_and(|stage| stage.state.has_ended());
        match state {
            StageState::Started if known.is_none() || has_ended => drop(self.begin(name, at)),
            // It began, or got on after its end.
            StageState::Started => {}
            StageState::Running if has_ended => {}
            StageState::Running => self.change(name, at, |stage| stage.state = state),
            StageState::Complete | StageState::Incomplete => self.change(name, at, |stage| {
                stage.state = state;
                stage.ended_at = Some(at.max(stage.started_at));
            }),
        }
    }

    fn count(&mut self, counts: &StageCounts, now: DateTime<Utc>) {
        let add = |sum: &mut Option<u64>, more: Option<u64>| {
            if let Some(more) = more {
                *sum = Some(sum.unwrap_or_default().saturating_add(more));
            }
        };
        let mut is_full = false;
        self.change(&counts.stage, now, |stage| {
            add(&mut stage.records.read, counts.read);
            add(&mut stage.records.written, counts.written);
            add(&mut stage.records.rejected, counts.rejected);
            if stage.state == StageState::Started {
                stage.state = StageState::Running;
            }
            for (name, more) in &counts.named {
                if let Some((_, sum)) = stage.counts.iter_mut().find(|(known, _)| known == name) {
                    *sum = sum.saturating_add(*more);
                } else if stage.counts.len() < MOST_COUNTS {
                    stage.counts.push((name.clone(), *more));
                } else {
                    is_full = true;
                }
            }
        });
        if is_full {
            self.omit("counts of a stage", MOST_COUNTS, now);
        }
    }

    fn metric(&mut self, name: String, value: f64, now: DateTime<Utc>) {
        self.has_new_metrics = true;
        if let Some(known) = self.metrics.iter_mut().find(|known| known.name == name) {
            known.value += value;
        } else if self.metrics.len() < MOST_METRICS {
            self.metrics.push(Metric { name, value });
        } else {
            self.omit("metrics", MOST_METRICS, now);
        }
    }

    fn log(&mut self, level: LogLevel, message: &str, at: DateTime<Utc>) {
        if self.logs >= MOST_LOGS || self.log_bytes + message.len() > MOST_LOG_BYTES {
            self.omit("messages", MOST_LOGS, at);
            return;
        }
        self.log_bytes += message.len();
        self.push_log(level, message.to_owned(), at);
    }

    /// Says once that there is more of something than is kept.
    fn omit(&mut self, what: &'static str, most: usize, at: DateTime<Utc>) {
        if self.omitted.insert(what) {
            let message = format!("at most {most} {what} of an attempt are stored; the log has the rest");
            self.push_log(LogLevel::Omitted, message, at);
        }
    }

    fn push_log(&mut self, level: LogLevel, message: String, at: DateTime<Utc>) {
        self.logs += 1;
        self.new_logs.push(ChildLog { n: u32::try_from(self.logs).unwrap_or(u32::MAX), at, level, message });
    }

    /// The last stage of this name.
    fn latest(&self, name: &str) -> Option<usize> {
        self.stages.iter().rposition(|stage| stage.name == name)
    }

    /// Begins a stage, unless there are too many.
    fn begin(&mut self, name: &str, at: DateTime<Utc>) -> Option<usize> {
        let place = self.stages.len();
        if place >= MOST_STAGES {
            self.omit("stages", MOST_STAGES, at);
            return None;
        }
        self.stages.push(Stage {
            n: u32::try_from(place + 1).unwrap_or(u32::MAX),
            name: name.to_owned(),
            state: StageState::Started,
            started_at: at,
            ended_at: None,
            records: Records::default(),
            counts: Vec::new(),
        });
        self.changed.insert(place);
        Some(place)
    }

    /// Changes the last stage of this name, which begins now if there is none.
    fn change(&mut self, name: &str, at: DateTime<Utc>, change: impl FnOnce(&mut Stage)) {
        if let Some(place) = self.latest(name).or_else(|| self.begin(name, at)) {
            self.set(place, change);
        }
    }

    fn set(&mut self, place: usize, change: impl FnOnce(&mut Stage)) {
        if let Some(stage) = self.stages.get_mut(place) {
            change(stage);
            self.changed.insert(place);
        }
    }

    fn end_stage_of_lines(&mut self, state: StageState, now: DateTime<Utc>) {
        if let Some(place) = self.of_lines.take() {
            self.set(place, |stage| {
                stage.state = state;
                stage.ended_at = Some(now.max(stage.started_at));
            });
        }
    }
}

fn one_line(message: &str) -> String {
    message.split(['\n', '\r']).map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests;
