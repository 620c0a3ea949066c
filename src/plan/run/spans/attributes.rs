//! What spans say of jobs, outcomes and stages. Names without `etl_orch.` are OpenTelemetry's own.

use std::borrow::Cow;

use chrono::{DateTime, SecondsFormat, Utc};

use crate::plan::model::gap::GapKey;
use crate::plan::model::ids::JobId;
use crate::plan::model::outcome::Outcome;
use crate::plan::model::said::Stage;
use crate::plan::run::ended::End;
use crate::plan::run::event::JobName;
use crate::plan::text::size::shortened;

/// Most bytes of one text.
const LONGEST: usize = 1024;

/// A fact about a span.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attribute {
    pub key: Cow<'static, str>,
    pub value: Value,
}

/// Its value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Value {
    Text(String),
    Integer(i64),
}

pub(super) fn text(key: &'static str, value: &str) -> Attribute {
    Attribute { key: key.into(), value: Value::Text(shortened(value, LONGEST).into_owned()) }
}

pub(super) fn integer(key: &'static str, value: i64) -> Attribute {
    Attribute { key: key.into(), value: Value::Integer(value) }
}

/// The name of a job's span: the same in every period, `call_summary RY-CA`.
pub(super) fn name_of(job: &JobName) -> String {
    match &job.gap {
        GapKey::Report { bank, etl, .. } => format!("{etl} {bank}"),
        GapKey::Source(_) | GapKey::Window { .. } | GapKey::Group { .. } => job.gap.filled_by().to_owned(),
    }
}

/// Which job it is.
pub(super) fn of_job(id: JobId, name: Option<&JobName>) -> Vec<Attribute> {
    let mut attributes = vec![text("etl_orch.job_id", &id.to_string())];
    let Some(name) = name else { return attributes };
    attributes.push(text("etl_orch.gap", &name.gap.to_string()));
    match &name.gap {
        GapKey::Report { bank, period, etl } => {
            attributes.extend([text("etl_orch.bank", bank), text("etl_orch.period", &period.compact()), text("etl_orch.etl", etl)]);
        }
        GapKey::Source(source) | GapKey::Window { source, .. } => attributes.push(text("etl_orch.source", source)),
        GapKey::Group { .. } => {}
    }
    if let Some(window) = name.window {
        let instant = |at: DateTime<Utc>| at.to_rfc3339_opts(SecondsFormat::Secs, true);
        attributes.extend([text("etl_orch.window_start", &instant(window.start)), text("etl_orch.window_end", &instant(window.end))]);
    }
    attributes
}

/// How an attempt ended.
pub(super) fn of_end(end: &End, outcome: Option<&Outcome>) -> Vec<Attribute> {
    let mut attributes = Vec::new();
    if let Some(outcome) = outcome {
        attributes.push(text("etl_orch.outcome", outcome.name()));
        attributes.extend((*outcome != Outcome::Succeeded).then(|| text("error.type", outcome.name())));
    }
    match end {
        End::Exited(code) => attributes.push(integer("process.exit.code", i64::from(*code))),
        End::Signalled(signal) => attributes.push(integer("etl_orch.signal", i64::from(*signal))),
        End::Completed
        | End::Reported { .. }
        | End::Vanished
        | End::TimedOut
        | End::Stopped
        | End::SpawnFailed(_)
        | End::HostShort(_)
        | End::Unseen(_) => {}
    }
    attributes
}

/// What a stage came to.
pub(super) fn of_stage(stage: &Stage) -> Vec<Attribute> {
    let records = [
        ("etl_orch.records.read", stage.records.read),
        ("etl_orch.records.written", stage.records.written),
        ("etl_orch.records.rejected", stage.records.rejected),
    ];
    let mut attributes = vec![text("etl_orch.state", stage.state.name())];
    attributes.extend(records.into_iter().filter_map(|(key, count)| Some(integer(key, i64::try_from(count?).unwrap_or(i64::MAX)))));
    attributes
}
