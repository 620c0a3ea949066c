//! Where the output of an attempt goes: its log, its tail and its events.

use std::path::PathBuf;

use tokio::sync::mpsc;
use tokio::sync::mpsc::OwnedPermit;

use super::lines::text;
use super::log::AttemptLog;
use super::tail::Tail;
use super::task::AttemptEvent;
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
}

impl Record {
    /// A record whose log will be at `log`.
    pub(super) fn new(log: PathBuf, events: mpsc::Sender<AttemptEvent>, secrets: Secrets) -> Self {
        let reserved = events.clone().try_reserve_owned().ok();
        Self { log: AttemptLog::new(log), tail: Tail::default(), events, secrets, omitted: 0, reserved }
    }

    /// Adds bytes to the log alone.
    pub(super) fn append(&mut self, bytes: &[u8]) {
        self.log.append(bytes);
    }

    /// Adds a line to the tail, and sends it on if there is room; otherwise it is counted.
    pub(super) fn line(&mut self, line: &[u8]) {
        let said = text(line);
        let said = self.secrets.clean(&said);
        self.tail.push(said.as_bytes());
        if self.omitted > 0
            && let Ok(room) = self.events.try_reserve()
        {
            room.send(AttemptEvent::LinesOmitted(std::mem::take(&mut self.omitted)));
        }
        match self.events.try_reserve() {
            Ok(room) => room.send(AttemptEvent::Line(said.into_owned())),
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
