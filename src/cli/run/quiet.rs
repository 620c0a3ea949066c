//! `-q`: a run in which nothing happened prints only what lasts, when that is new and once a day. A run that does not exit with 0 is never
//! quiet. What was said is kept in `state_dir`, so each host says it for itself.

use std::path::Path;

use super::super::exit::{Exit, Failure};
use super::request::RunRequest;
use crate::os::{files, input};
use crate::plan::run::lasting::{self, Said};
use crate::plan::run::summary::RunSummary;

/// The file in `state_dir`.
const FILE: &str = "said.json";

/// Has `say` print the summary where there is something to say. It is said before it is remembered: rather twice than never.
pub(super) fn print(
    request: &RunRequest<'_>,
    summary: &RunSummary,
    exit: Exit,
    say: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let config = &request.context.config;
    let path = config.state_dir.join(FILE);
    let lasting = lasting::of(summary, &config.catalogue);
    let is_noteworthy = exit != Exit::Success || summary.is_noteworthy();
    let next = read(&path).next(&request.args.record().to_string(), lasting, is_noteworthy, (summary.started_at, config.health.tick));
    if next.now {
        say()?;
    }
    if let Some(said) = next.said {
        let written = serde_json::to_string(&said).map_err(std::io::Error::other).and_then(|text| files::replace_soon(&path, &text));
        if let Err(error) = written {
            tracing::warn!("{}: {error}; so the next quiet run says again what lasts", path.display());
        }
    }
    Ok(())
}

/// Nothing where it cannot be read: then everything is new, and the file is written anew.
fn read(path: &Path) -> Said {
    match input::read(path) {
        Ok(file) => serde_json::from_slice(&file.bytes).unwrap_or_else(|error| {
            tracing::debug!("{}: {error}", path.display());
            Said::default()
        }),
        Err(error) => {
            if !error.is_not_found() {
                tracing::debug!("{}: {error}", path.display());
            }
            Said::default()
        }
    }
}
