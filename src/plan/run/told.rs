//! What channels are told of a run beside its events: how it began, and how it ended.

use std::collections::BTreeMap;
use std::sync::Arc;

use chrono::{DateTime, Utc};

use crate::plan::model::catalogue::Catalogue;
use crate::plan::model::ids::RunId;
use crate::plan::model::settings::Database;
use crate::plan::model::trace_context::TraceContext;
use crate::plan::run::summary::RunSummary;

/// A run that has begun: it has the lock, if it wants one. Nothing else was done yet.
#[derive(Debug, Clone)]
pub struct RunBegin {
    pub id: RunId,
    /// Wall clock.
    pub at: DateTime<Utc>,
    /// Whether it looks at everything. A run with a selection of its own says nothing of the rest.
    pub is_whole: bool,
    /// The banks, ETLs and sources.
    pub catalogue: Arc<Catalogue>,
    /// The trace that it and its programs are in.
    pub trace: TraceContext,
    /// Where its data is.
    pub database: Database,
}

/// How a run ended.
#[derive(Debug, Clone)]
pub struct RunEnd {
    /// Wall clock.
    pub at: DateTime<Utc>,
    /// The exit code of the process.
    pub exit_code: u8,
    /// Whether it did what it should, which does not depend on `--detailed-exit-code`.
    pub is_success: bool,
    /// The signal that stopped it, if one did.
    pub stopped_by: Option<i32>,
    /// What it came to; the error, in a sentence without secrets, where it could not do its work.
    pub outcome: Result<RunSummary, String>,
    /// The same as people read it, without secrets.
    pub text: String,
    /// What channels that tell people of changes have to tell, by their names, without secrets.
    pub messages: BTreeMap<&'static str, Message>,
}

/// What people are told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// One line.
    pub subject: String,
    pub text: String,
    /// The same as a JSON object.
    pub json: String,
}
