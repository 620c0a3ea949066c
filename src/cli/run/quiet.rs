//! `-q`: a run in which nothing happened prints only what lasts, when that is new and once a day. A run that does not exit with 0 is never
//! quiet. What was said is kept in `state_dir`, so each host says it for itself.

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::path::Path;

use chrono::{DateTime, Utc};

use super::super::exit::{Exit, Failure};
use super::request::RunRequest;
use crate::os::{files, input};
use crate::plan::run::lasting::{self, Said};
use crate::plan::run::summary::RunSummary;

/// The file in `state_dir`.
const FILE: &str = "said.json";

/// Under what the file has which receivers were not told everything. Runs with other options have the same receivers.
const TOLD: &str = "tell";

/// Has `say` print the summary where there is something to say. It is said before it is remembered: rather twice than never.
pub(super) fn print(
    request: &RunRequest<'_>,
    summary: &RunSummary,
    exit: Exit,
    say: impl FnOnce() -> Result<(), Failure>,
) -> Result<(), Failure> {
    let lasting = lasting::of(summary, &request.context.config.catalogue);
    let is_noteworthy = exit != Exit::Success || summary.is_noteworthy();
    say_once(request, &request.args.record().to_string(), (lasting, is_noteworthy, summary.started_at), say)
}

/// Logs what could not be told to receivers. All of it where the run has not succeeded.
pub(super) fn log(request: &RunRequest<'_>, troubles: &[(String, String)], is_success: bool, now: DateTime<Utc>) {
    if !request.is_quiet() {
        return;
    }
    let lasting = troubles.iter().map(|(what, _)| what.clone()).collect();
    let log = || {
        for (_, sentence) in troubles {
            tracing::warn!("{sentence}");
        }
        Ok::<_, Infallible>(())
    };
    let Ok(()) = say_once(request, TOLD, (lasting, !is_success, now), log);
}

/// When a quiet run said last that it could not tell this channel everything.
pub(in crate::cli) fn untold(state_dir: &Path, channel: &str) -> Option<DateTime<Utc>> {
    let said = read(&state_dir.join(FILE));
    said.last(TOLD).filter(|(_, channels)| channels.contains(channel)).map(|(at, _)| at)
}

/// Has `say` say what lasts, where that is new, old enough or `is_noteworthy`.
fn say_once<E>(
    request: &RunRequest<'_>,
    what: &str,
    (lasting, is_noteworthy, now): (BTreeSet<String>, bool, DateTime<Utc>),
    say: impl FnOnce() -> Result<(), E>,
) -> Result<(), E> {
    let config = &request.context.config;
    let path = config.state_dir.join(FILE);
    let next = read(&path).next(what, lasting, is_noteworthy, (now, config.health.tick));
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
