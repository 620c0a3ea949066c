//! How a job of a run ended.

use serde::Serialize;

use super::super::metrics::Metrics;
use super::super::names::by_name;
use super::super::words::{Untrusted, seconds};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::remember::failure_history::Eligibility;
use crate::plan::run::summary::JobResult;

/// How a job ended.
#[derive(Debug, Serialize)]
pub(in crate::show) struct JobOutcome<'a> {
    pub(super) id: JobId,
    #[serde(serialize_with = "by_name")]
    pub(in crate::show) state: JobState,
    pub(super) attempts: u32,
    pub(super) duration_seconds: f64,
    pub(super) reason: Option<Untrusted<'a>>,
    /// Whether its gap may be tried by the next run.
    #[serde(skip)]
    pub(super) held: Eligibility,
    /// What its last attempt printed.
    pub(super) log: Option<Untrusted<'a>>,
    #[serde(skip_serializing_if = "Metrics::is_empty")]
    pub(super) metrics: Metrics,
    /// Whether it failed because no attempt was left.
    #[serde(skip)]
    pub(super) exhausted: bool,
}

impl<'a> JobOutcome<'a> {
    pub(in crate::show) fn new(result: &'a JobResult) -> Self {
        Self {
            id: result.id,
            state: result.state,
            attempts: result.attempts,
            duration_seconds: seconds(result.duration),
            reason: result.reason.as_deref().map(Untrusted::from),
            held: result.held,
            log: result.log.as_ref().map(|log| log.to_string_lossy().into()),
            metrics: Metrics::new(&result.metrics),
            exhausted: result.exhausted,
        }
    }
}
