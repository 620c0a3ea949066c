//! When everything that is not kept was removed for the last time, or a run began to wait for that, as a file in `state_dir`. So a run knows
//! without the database that it has nothing to look for.

use std::io;
use std::path::Path;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};

use crate::os::{files, input};
use crate::run::error::RunError;

const FILE: &str = "retention.json";

#[derive(Serialize, Deserialize)]
struct Done {
    done_at: DateTime<Utc>,
}

/// `None` where the file is not there or cannot be read.
pub(super) fn last(state_dir: &Path) -> Option<DateTime<Utc>> {
    let file = input::read(&state_dir.join(FILE)).ok()?;
    serde_json::from_slice(&file.bytes).ok().map(|Done { done_at }| done_at)
}

pub(super) fn note(state_dir: &Path, done_at: DateTime<Utc>) -> Result<(), RunError> {
    let path = state_dir.join(FILE);
    let written = serde_json::to_string(&Done { done_at }).map_err(io::Error::other).and_then(|text| files::replace_soon(&path, &text));
    written.map_err(|error| RunError::StateDir(path, error))
}
