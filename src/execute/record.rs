//! Where the output of an attempt goes: its log, its tail and its events.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use chrono::{DateTime, Utc};
use tokio::sync::mpsc;
use tokio::sync::mpsc::OwnedPermit;

use super::lines::text;
use super::log::AttemptLog;
use super::tail::Tail;
use super::task::AttemptEvent;
use crate::plan::model::patterns::{self, StagePattern};
use crate::plan::model::said::Said;
use crate::plan::run::account::Account;
use crate::plan::run::message::{self, ChildError};
use crate::plan::text::secrets::Secrets;

#[derive(Debug)]
pub(super) struct Record {
    log: AttemptLog,
    tail: Tail,
    events: mpsc::Sender<AttemptEvent>,
    /// Taken out of the tail and the events; the log is the program's own.
    secrets: Secrets,
    /// Lines that `events` had no room for, and that are not reported there yet.
    omitted: u64,
    /// Room for the last count of omitted lines.
    reserved: Option<OwnedPermit<AttemptEvent>>,
    /// What it says of its work.
    account: Account,
    /// Which stages plain lines name.
    stages: Vec<StagePattern>,
    /// When the state of a progress bar was told last.
    bar_told: Option<Instant>,
}

/// The state of a progress bar is not told more often.
const BETWEEN_BARS: Duration = Duration::from_millis(500);

/// What is left of the output of an attempt, besides its log.
#[derive(Debug)]
pub(super) struct Recorded {
    /// The last lines.
    pub(super) tail: String,
    /// What it said of its work that `events` had no room for.
    pub(super) said: Said,
    /// What went wrong, by what it said.
    pub(super) error: Option<ChildError>,
}

impl Record {
    /// A record whose log will be at `log`, of an attempt that began at this time.
    pub(super) fn new(log: PathBuf, events: mpsc::Sender<AttemptEvent>, secrets: Secrets, began_at: DateTime<Utc>) -> Self {
        let reserved = events.clone().try_reserve_owned().ok();
        let (log, account) = (AttemptLog::new(log), Account::new(began_at));
        Self { log, tail: Tail::default(), events, secrets, omitted: 0, reserved, account, stages: Vec::new(), bar_told: None }
    }

    /// Plain lines may name these stages.
    pub(super) fn with_stages(self, stages: Vec<StagePattern>) -> Self {
        Self { stages, ..self }
    }

    /// Adds bytes to the log alone.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.log.append(bytes);
    }

    /// Adds a line that may be a message for programs. Such a one is a line for people as far as it says something to them.
    pub(super) fn hear(&mut self, line: &[u8]) {
        let Some(message) = message::parse(line) else { return self.line(line) };
        let line = self.account.take(message, &self.secrets, Utc::now());
        self.send_news();
        if let Some(line) = line {
            self.pass_on(&line);
        }
    }

    /// Adds a plain line.
    pub(super) fn line(&mut self, line: &[u8]) {
        let said = text(line);
        if let Some((stage, records)) = patterns::stage_in(&self.stages, &said) {
            self.account.line_of_stage(stage, records, Utc::now());
            self.send_news();
        }
        let said = self.secrets.clean(&said).into_owned();
        self.pass_on(&said);
    }

    /// Tells the state of a progress bar, unless another was told a moment ago. It is no line yet.
    pub(super) fn progress_bar(&mut self, state: &[u8]) {
        if self.bar_told.is_none_or(|told| told.elapsed() >= BETWEEN_BARS)
            && let Ok(room) = self.events.try_reserve()
        {
            room.send(AttemptEvent::Progress(self.secrets.clean(&text(state)).into_owned()));
            self.bar_told = Some(Instant::now());
        }
    }

    /// The work is one stage of this name, of which so much is done.
    pub(super) fn progress(&mut self, stage: &str, done: Option<u64>, of: Option<u64>) {
        self.account.whole(stage, done, of, Utc::now());
        self.send_news();
    }

    fn send_news(&mut self) {
        if self.account.has_news()
            && let Ok(room) = self.events.try_reserve()
        {
            room.send(AttemptEvent::Said(self.account.news()));
        }
    }

    /// Adds a line to the tail, and sends it on if there is room; otherwise it is counted.
    fn pass_on(&mut self, said: &str) {
        self.tail.push(said.as_bytes());
        if self.omitted > 0
            && let Ok(room) = self.events.try_reserve()
        {
            room.send(AttemptEvent::LinesOmitted(std::mem::take(&mut self.omitted)));
        }
        match self.events.try_reserve() {
            Ok(room) => room.send(AttemptEvent::Line(said.to_owned())),
            Err(_) => self.omitted += 1,
        }
    }

    /// Completes the log of an attempt that ended well or not, and returns what else is left of its output.
    pub(super) fn finish(mut self, well: bool) -> Recorded {
        if let (1.., Some(room)) = (self.omitted, self.reserved) {
            room.send(AttemptEvent::LinesOmitted(self.omitted));
        }
        let error = self.account.error(well);
        self.account.end(well, Utc::now());
        Recorded { tail: self.tail.into_text(&self.log.finish()), said: self.account.news(), error }
    }
}
