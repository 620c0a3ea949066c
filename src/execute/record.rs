//! Where what an attempt prints or says goes: its log, its tail, and whoever listens. It decides nothing.

use std::path::PathBuf;

use tokio::sync::mpsc;

use super::AttemptEvent;
use super::lines::text;
use super::log::AttemptLog;
use super::tail::Tail;

/// What is kept of one attempt.
#[derive(Debug)]
pub(super) struct Record {
    log: AttemptLog,
    tail: Tail,
    said: mpsc::Sender<AttemptEvent>,
}

impl Record {
    /// A record whose log will be at `log`.
    pub(super) fn new(log: PathBuf, said: mpsc::Sender<AttemptEvent>) -> Self {
        Self { log: AttemptLog::new(log), tail: Tail::default(), said }
    }

    /// Adds bytes to the log alone.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.log.append(bytes);
    }

    /// Adds a line to the tail, and tells it to who listens if he keeps up.
    pub(super) fn line(&mut self, line: &[u8]) {
        self.tail.push(line);
        if let Ok(place) = self.said.try_reserve() {
            place.send(AttemptEvent::Line(text(line)));
        }
    }

    /// Completes the log, and returns the tail.
    pub(super) fn finish(self) -> String {
        self.tail.into_text(&self.log.finish())
    }
}
