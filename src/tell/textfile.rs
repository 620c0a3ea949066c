//! The file from which node_exporter takes the metrics of the last run that looked at everything.

use std::path::PathBuf;

use super::channel::{Channel, Feed, Trouble};
use super::{metrics, sight};
use crate::os::{blocking, files, input};
use crate::plan::run::told::RunBegin;

/// Writes a file of metrics.
pub(super) struct Textfile {
    path: PathBuf,
    state_dir: PathBuf,
}

impl Textfile {
    pub(super) fn new(path: PathBuf, state_dir: PathBuf) -> Self {
        Self { path, state_dir }
    }

    /// Does something with files, which may take long.
    async fn with_files(&self, work: impl FnOnce(PathBuf) -> std::io::Result<()> + Send + 'static) -> Result<(), Trouble> {
        let path = self.path.clone();
        let done = blocking::run(move || work(path)).await.flatten();
        done.map_err(|error| Trouble(format!("cannot write {}: {error}", self.path.display())))
    }
}

#[async_trait::async_trait]
impl Channel for Textfile {
    fn name(&self) -> &'static str {
        "textfile"
    }

    async fn tell(&self, run: &RunBegin, feed: Feed) -> Result<(), Trouble> {
        let run = run.clone();
        let Some(end) = feed.end().await.filter(|_| run.is_whole) else { return Ok(()) };
        self.with_files(move |path| {
            // Without it only the time of the last success is not known.
            let before = input::read(&path).map(|file| String::from_utf8_lossy(&file.bytes).into_owned()).unwrap_or_default();
            files::replace_for_everybody(&path, &metrics::text(&run, &end, &before))
        })
        .await
    }

    async fn test(&self) -> Result<String, Trouble> {
        let state_dir = self.state_dir.clone();
        self.with_files(move |path| {
            if !state_dir.exists() {
                // The first run makes it, for its user.
                return sight::can_replace(&path, &state_dir);
            }
            // node_exporter does not read it.
            let beside = path.with_file_name(".etl-orch-tell-test");
            files::replace_for_everybody(&beside, "")?;
            std::fs::remove_file(beside)
        })
        .await?;
        Ok(format!("{} can be written; each run does", self.path.display()))
    }
}
