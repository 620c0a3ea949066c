//! Spool files as etl-orch wrote them before format 2. They are still read: what waits in a spool must survive an update.

use chrono::{DateTime, Utc};
use serde::Deserialize;

use crate::plan::model::collection::Collected;
use crate::plan::model::gap::GapKey;
use crate::plan::model::job::{AttemptEnd, Claim, ReportKey, ReportRow};
use crate::plan::remember::failure_history::FailureHistory;
use crate::plan::run::job_end::{Artifact, JobEnd};

#[derive(Deserialize)]
pub(super) struct Record {
    claim: Claim,
    gap: GapKey,
    end: Option<AttemptEnd>,
    #[serde(default)]
    open: Option<String>,
    kind: Kind,
    at: DateTime<Utc>,
}

#[derive(Deserialize)]
enum Kind {
    Succeeded(Option<Box<ReportRow>>),
    Collected(Box<Collected>),
    Unverified { report: ReportKey, before: Option<String> },
    Failed { error: String, memory: FailureHistory },
    Skipped { reason: String, memory: FailureHistory },
    Cancelled { reason: String },
}

impl TryFrom<Record> for super::Record {
    type Error = String;

    fn try_from(old: Record) -> Result<Self, String> {
        let Record { claim, gap, end, open, kind, at } = old;
        let end = match (kind, end) {
            (Kind::Cancelled { reason }, attempt) => JobEnd::Cancelled { attempt, reason, at },
            (_, None) => return Err("it lacks the end of an attempt".to_owned()),
            (Kind::Succeeded(row), Some(attempt)) => {
                JobEnd::Succeeded { attempt, artifact: row.map_or(Artifact::Report, Artifact::ReportRow) }
            }
            (Kind::Collected(collected), Some(attempt)) => JobEnd::Succeeded { attempt, artifact: Artifact::Collection(collected) },
            (Kind::Unverified { report, before }, Some(attempt)) => JobEnd::Unverified { attempt, report, before },
            (Kind::Failed { error, memory }, Some(attempt)) => JobEnd::Failed { attempt, error, history: memory },
            (Kind::Skipped { reason, memory }, Some(attempt)) => JobEnd::Skipped { attempt, reason, history: memory },
        };
        Ok(Self { claim, gap, remote_id: open, staged: None, end })
    }
}
