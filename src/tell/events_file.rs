//! A file to which what happens to jobs is appended, a JSON object per line, for whoever follows it.

mod append;
mod line;

use std::path::{Path, PathBuf};

use chrono::Utc;
use tokio::sync::mpsc;

use self::append::append_all;
use self::line::{Lines, test_line};
use super::channel::{Channel, Feed, Trouble};
use super::sight;
use crate::os::blocking;
use crate::plan::run::told::RunBegin;

/// Lines that may wait for a slow disk. Beyond that the run's events wait, of which lines of children are then omitted.
const MOST_WAITING: usize = 256;

/// Appends to a file.
pub(super) struct EventsFile {
    path: PathBuf,
    state_dir: PathBuf,
}

impl EventsFile {
    pub(super) fn new(path: PathBuf, state_dir: PathBuf) -> Self {
        Self { path, state_dir }
    }

    fn trouble(&self, error: &std::io::Error) -> Trouble {
        Trouble(format!("{} cannot be written: {error}", Path::new(&self.path).display()))
    }
}

#[async_trait::async_trait]
impl Channel for EventsFile {
    fn name(&self) -> &'static str {
        "events_file"
    }

    async fn tell(&self, run: &RunBegin, mut feed: Feed) -> Result<(), Trouble> {
        let mut lines = Lines::new(run.id);
        // Nothing is opened before there is something to write.
        let Some(first) = feed.event().await else { return Ok(()) };
        let (sender, receiver) = mpsc::channel(MOST_WAITING);
        let path = self.path.clone();
        let writing = blocking::run(move || append_all(&path, receiver));
        let feeding = async move {
            let mut event = Some(first);
            while let Some(next) = event {
                if let Some(line) = lines.event(&next)
                    && sender.send(line).await.is_err()
                {
                    return; // writing has failed
                }
                event = feed.event().await;
            }
        };
        let (written, ()) = tokio::join!(writing, feeding);
        written.and_then(|written| written).map_err(|error| self.trouble(&error))
    }

    async fn test(&self) -> Result<String, Trouble> {
        if !self.path.exists() && !self.state_dir.exists() {
            // The first run makes them, for its user.
            sight::can_append(&self.path, &self.state_dir).map_err(|error| self.trouble(&error))?;
            return Ok(format!("{} can be written; the first run that has something to tell begins it", self.path.display()));
        }
        let (sender, receiver) = mpsc::channel(1);
        // There is room for one.
        let _ = sender.send(test_line(Utc::now())).await;
        drop(sender);
        let path = self.path.clone();
        let written = blocking::run(move || append_all(&path, receiver)).await;
        written.and_then(|written| written).map_err(|error| self.trouble(&error))?;
        Ok(format!("a line was appended to {}", self.path.display()))
    }
}
