//! An event as OpenLineage's specification has it, with the facets that it defines.

use chrono::{DateTime, SecondsFormat, Utc};
use serde_json::{Map, Value as Json, json};

use crate::plan::model::gap::GapKey;
use crate::plan::model::job::JobState;
use crate::plan::model::window::Window;
use crate::plan::text::size::shortened;

/// Who made the events.
const PRODUCER: &str = concat!("urn:etl-orch:", env!("CARGO_PKG_VERSION"));

/// The job that a whole run is a run of.
pub(super) const RUN: &str = "etl-orch";

/// Most bytes of an error.
const LONGEST_ERROR: usize = 4096;

/// What happened to a run of a job.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventType {
    Start,
    Complete,
    Fail,
    Abort,
    Other,
}

impl EventType {
    /// The end of a job.
    pub(super) fn of(state: JobState) -> Self {
        match state {
            JobState::Succeeded => Self::Complete,
            JobState::Failed => Self::Fail,
            JobState::Queued | JobState::Running | JobState::Skipped | JobState::Cancelled | JobState::Lost => Self::Abort,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Start => "START",
            Self::Complete => "COMPLETE",
            Self::Fail => "FAIL",
            Self::Abort => "ABORT",
            Self::Other => "OTHER",
        }
    }
}

/// A run of a job.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    /// A UUID.
    pub(super) run: &'a str,
    pub(super) namespace: &'a str,
    pub(super) job: &'a str,
}

/// The run that the jobs are in.
pub(super) struct Parent<'a> {
    pub(super) run: &'a str,
    pub(super) namespace: &'a str,
}

/// The name of a gap's job, whose runs fill the gaps of all periods: `call_summary.RY-CA`.
pub(super) fn job_name(gap: &GapKey) -> String {
    match gap {
        GapKey::Report { bank, etl, .. } => format!("{etl}.{bank}"),
        GapKey::Source(_) | GapKey::Window { .. } | GapKey::Group { .. } => gap.filled_by().to_owned(),
    }
}

/// An event that is being put together.
pub(super) struct Message {
    event: Map<String, Json>,
    run: String,
    run_facets: Map<String, Json>,
}

impl Message {
    pub(super) fn new(event_type: EventType, at: DateTime<Utc>, subject: Subject<'_>) -> Self {
        let job_type = if subject.job == RUN { "DAG" } else { "TASK" };
        let job_type = facet(
            "2-0-4",
            "JobTypeJobFacet",
            [("processingType", "BATCH".into()), ("integration", "ETL_ORCH".into()), ("jobType", job_type.into())],
        );
        let mut event = Map::new();
        event.insert("eventType".to_owned(), event_type.name().into());
        event.insert("eventTime".to_owned(), instant(at).into());
        event.insert("producer".to_owned(), PRODUCER.into());
        event.insert("schemaURL".to_owned(), "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent".into());
        let job = json!({"namespace": subject.namespace, "name": subject.job, "facets": {"jobType": job_type}});
        event.insert("job".to_owned(), job);
        Self { event, run: subject.run.to_owned(), run_facets: Map::new() }
    }

    /// The run that it is part of.
    pub(super) fn parent(&mut self, parent: &Parent<'_>) {
        let job = json!({"namespace": parent.namespace, "name": RUN});
        self.run_facet("parent", facet("1-2-0", "ParentRunFacet", [("run", json!({"runId": parent.run})), ("job", job)]));
    }

    /// The time that the data is of.
    pub(super) fn nominal_time(&mut self, window: Window) {
        let times = [("nominalStartTime", instant(window.start).into()), ("nominalEndTime", instant(window.end).into())];
        self.run_facet("nominalTime", facet("1-0-1", "NominalTimeRunFacet", times));
    }

    /// Why it failed.
    pub(super) fn error(&mut self, reason: &str) {
        let message = shortened(reason, LONGEST_ERROR).into_owned();
        // The specification requires a language. That of a program is not known.
        let error = [("message", message.into()), ("programmingLanguage", "unknown".into())];
        self.run_facet("errorMessage", facet("1-0-1", "ErrorMessageRunFacet", error));
    }

    pub(super) fn datasets(&mut self, inputs: Vec<Json>, outputs: Vec<Json>) {
        self.event.insert("inputs".to_owned(), inputs.into());
        self.event.insert("outputs".to_owned(), outputs.into());
    }

    pub(super) fn into_json(self) -> Json {
        let mut event = self.event;
        event.insert("run".to_owned(), json!({"runId": self.run, "facets": self.run_facets}));
        Json::Object(event)
    }

    fn run_facet(&mut self, name: &str, facet: Json) {
        self.run_facets.insert(name.to_owned(), facet);
    }
}

/// A facet of the specification, by its name and version there.
fn facet<const N: usize>(version: &str, name: &str, fields: [(&str, Json); N]) -> Json {
    let schema = format!("https://openlineage.io/spec/facets/{version}/{name}.json#/$defs/{name}");
    let base = [("_producer", PRODUCER.into()), ("_schemaURL", schema.into())];
    Json::Object(base.into_iter().chain(fields).map(|(key, value)| (key.to_owned(), value)).collect())
}

fn instant(at: DateTime<Utc>) -> String {
    at.to_rfc3339_opts(SecondsFormat::Millis, true)
}
