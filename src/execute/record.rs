//! Where the output of an attempt goes: its log, its tail and its events.

use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio::sync::mpsc::OwnedPermit;

use super::lines::text;
use super::log::AttemptLog;
use super::tail::Tail;
use super::task::AttemptEvent;

#[derive(Debug)]
pub(super) struct Record {
    log: AttemptLog,
    tail: Tail,
    events: mpsc::Sender<AttemptEvent>,
    /// Lines that `events` had no room for, and that are not reported there yet.
    omitted: u64,
    /// Room for the last count of omitted lines.
    reserved: Option<OwnedPermit<AttemptEvent>>,
}

impl Record {
    /// A record whose log will be at `log`.
    pub(super) fn new(log: PathBuf, events: mpsc::Sender<AttemptEvent>) -> Self {
        let reserved = events.clone().try_reserve_owned().ok();
        Self { log: AttemptLog::new(log), tail: Tail::default(), events, omitted: 0, reserved }
    }

    /// Adds bytes to the log alone.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.log.append(bytes);
    }

    /// Adds a line to the tail, and sends it on if there is room; otherwise it is counted.
    pub(super) fn line(&mut self, line: &[u8]) {
        self.tail.push(line);
        if self.omitted > 0
            && let Ok(room) = self.events.try_reserve()
        {
            room.send(AttemptEvent::LinesOmitted(std::mem::take(&mut self.omitted)));
        }
        match self.events.try_reserve() {
            Ok(room) => room.send(AttemptEvent::Line(text(line))),
            Err(_) => self.omitted += 1,
        }
    }

    /// Completes the log, and returns the tail.
    pub(super) fn finish(self) -> String {
        if let (1.., Some(room)) = (self.omitted, self.reserved) {
            room.send(AttemptEvent::LinesOmitted(self.omitted));
        }
        self.tail.into_text(&self.log.finish())
    }
}
