//! OpenLineage: which data became which report, told of each job when it starts and when it ends, and of the run that they are in.

mod datasets;
mod message;

use std::collections::BTreeSet;

use chrono::Utc;
use serde_json::Value as Json;
use uuid::Uuid;

use self::datasets::Datasets;
use self::message::{EventType, Message, Parent, Subject};
use super::channel::{Channel, Feed, Trouble};
use super::delivery::{Delivery, News, Target};
use crate::plan::model::ids::JobId;
use crate::plan::model::job::JobState;
use crate::plan::model::tell::{OPENLINEAGE, OpenLineage as Settings};
use crate::plan::run::event::{Event, EventKind, JobEvent, JobName, JobRef};
use crate::plan::run::schedule::JobIndex;
use crate::plan::run::told::{RunBegin, RunEnd};

/// Where events are received, below the address.
const PATH: &str = "/api/v1/lineage";

/// Sends events to a receiver.
pub(super) struct OpenLineage {
    settings: Settings,
    delivery: Delivery,
}

impl OpenLineage {
    pub(super) fn new(settings: Settings, delivery: Delivery) -> Self {
        Self { settings, delivery }
    }

    fn target(&self) -> Target<'_> {
        Target { base: &self.settings.url, path: PATH, headers: &self.settings.headers, complaint: |_| None }
    }
}

#[async_trait::async_trait]
impl Channel for OpenLineage {
    fn name(&self) -> &'static str {
        OPENLINEAGE
    }

    async fn tell(&self, run: &RunBegin, feed: Feed) -> Result<(), Trouble> {
        let mut lineage = Lineage::new(&self.settings.namespace, run);
        let messages = |news: News<'_>| {
            let messages = match news {
                News::Event(event) => lineage.event(event),
                News::End(end) => lineage.end(end).into_iter().collect(),
            };
            messages.iter().map(|message| message.to_string().into_bytes()).collect()
        };
        self.delivery.deliver(self.target(), run, feed, messages).await
    }

    async fn test(&self) -> Result<String, Trouble> {
        let run = Uuid::new_v4().to_string();
        let subject = Subject { run: &run, namespace: &self.settings.namespace, job: "tell_test" };
        let body = Message::new(EventType::Other, Utc::now(), subject).into_json().to_string().into_bytes();
        let (status, _) = self.target().post(&self.delivery.http, body).await.map_err(|refused| refused.why)?;
        Ok(format!("POST {}{PATH} answered {status}", self.settings.url))
    }
}

/// Makes OpenLineage's events from those of a run.
struct Lineage<'a> {
    namespace: &'a str,
    run: &'a RunBegin,
    run_id: String,
    jobs: Vec<JobName>,
    started: BTreeSet<JobIndex>,
}

impl<'a> Lineage<'a> {
    fn new(namespace: &'a str, run: &'a RunBegin) -> Self {
        Self { namespace, run, run_id: run.id.to_string(), jobs: Vec::new(), started: BTreeSet::new() }
    }

    /// What follows from an event.
    fn event(&mut self, event: &Event) -> Vec<Json> {
        match &event.kind {
            EventKind::RunStarted { jobs, .. } => {
                self.jobs.clone_from(jobs);
                vec![Message::new(EventType::Start, self.run.at, self.subject()).into_json()]
            }
            EventKind::Job { job, event: JobEvent::AttemptStarted { .. } } if self.started.insert(job.index) => {
                self.of_job(event, *job, EventType::Start, None).into_iter().collect()
            }
            EventKind::Job { job, event: JobEvent::Ended { state, reason, .. } } => self.job_ended(event, *job, *state, reason.as_deref()),
            EventKind::Job { .. } | EventKind::RunStopping { .. } => Vec::new(),
        }
    }

    fn job_ended(&self, event: &Event, job: JobRef, state: JobState, reason: Option<&str>) -> Vec<Json> {
        let end = EventType::of(state);
        let started = self.started.contains(&job.index);
        // A job that was not begun is told of where that is a failure, with the start that has to come before.
        let start = if started || end != EventType::Fail { None } else { self.of_job(event, job, EventType::Start, None) };
        let end = if started || end == EventType::Fail { self.of_job(event, job, end, reason) } else { None };
        start.into_iter().chain(end).collect()
    }

    fn of_job(&self, event: &Event, job: JobRef, event_type: EventType, reason: Option<&str>) -> Option<Json> {
        let name = self.jobs.get(job.index)?;
        let (id, job_name) = (JobId::to_string(&job.id), message::job_name(&name.gap));
        let subject = Subject { run: &id, namespace: self.namespace, job: &job_name };
        let datasets = Datasets { namespace: self.namespace, catalogue: &self.run.catalogue, database: &self.run.database };
        let mut message = Message::new(event_type, event.at, subject);
        message.parent(&Parent { run: &self.run_id, namespace: self.namespace });
        if let Some(window) = name.window {
            message.nominal_time(window);
        }
        if event_type == EventType::Fail {
            message.error(reason.unwrap_or("failed"));
        }
        let outputs = match event_type {
            EventType::Start | EventType::Complete => datasets.outputs(&name.gap),
            EventType::Fail | EventType::Abort | EventType::Other => Vec::new(),
        };
        message.datasets(datasets.inputs(&name.gap), outputs);
        Some(message.into_json())
    }

    /// The end of the run; `None` where it had no jobs.
    fn end(&self, end: &RunEnd) -> Option<Json> {
        if self.jobs.is_empty() {
            return None;
        }
        let event_type = match end {
            RunEnd { stopped_by: Some(_), .. } => EventType::Abort,
            RunEnd { is_success: true, .. } => EventType::Complete,
            _ => EventType::Fail,
        };
        Some(Message::new(event_type, end.at, self.subject()).into_json())
    }

    fn subject(&self) -> Subject<'_> {
        Subject { run: &self.run_id, namespace: self.namespace, job: message::RUN }
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;
    use std::sync::Arc;

    use super::*;
    use crate::plan::model::catalogue::Catalogue;
    use crate::plan::model::etl::{Etl, ReportsBy};
    use crate::plan::model::institution::Institutions;
    use crate::plan::model::settings::{Database, DatabaseTarget, Durability, TableName};
    use crate::plan::model::trace_context::TraceContext;
    use crate::plan::test_events::{at, end, events, run_id};
    use crate::plan::test_support::{bank, etl, source};
    use crate::plan::text::placeholder::Scope;
    use crate::plan::text::template::Template;

    fn run() -> RunBegin {
        let output = Template::parse("/reports/{period}/{bank_symbol}.md", Scope::IN_REPORT_PATH).unwrap();
        let published = Etl { reports: ReportsBy::Orchestrator { output }, ..etl("call_summary", "Call Summary") };
        let catalogue = Catalogue {
            institutions: Institutions::new(vec![bank("RY-CA", 1), bank("TD-CA", 6)]),
            etls: vec![published, etl("key_themes", "Key Themes")],
            sources: vec![source("us_house")],
        };
        let database = Database {
            target: DatabaseTarget::Sqlite(PathBuf::from("/var/etl-orch.db")),
            max_connections: 1,
            durability: Durability::Full,
            availability: TableName::parse("aegis_data_availability").unwrap(),
            version_column: None,
            reports: TableName::parse("aegis_reports").unwrap(),
        };
        let trace = TraceContext::new(run_id(), None);
        RunBegin { id: run_id(), at: at(0), is_whole: true, catalogue: Arc::new(catalogue), trace, database }
    }

    fn told() -> Vec<Json> {
        let run = run();
        let mut lineage = Lineage::new("reports", &run);
        let mut told: Vec<Json> = events().iter().flat_map(|event| lineage.event(event)).collect();
        told.extend(lineage.end(&end(1)));
        told
    }

    #[test]
    fn jobs_and_their_run_are_told_of_at_their_start_and_their_end() {
        let text = |value: &Json| value.as_str().unwrap_or_default().to_owned();
        let line = |event: &Json| {
            let names = |key: &str| event[key].as_array().into_iter().flatten().map(|set| text(&set["name"])).collect::<Vec<_>>().join(" ");
            let facets: Vec<&String> = event["run"]["facets"].as_object().into_iter().flatten().map(|(name, _)| name).collect();
            let (event_type, job, at) = (text(&event["eventType"]), text(&event["job"]["name"]), text(&event["eventTime"]));
            format!("{at} {event_type} {job}: {facets:?}; in {}; out {}", names("inputs"), names("outputs"))
        };
        insta::assert_snapshot!(told().iter().map(line).collect::<Vec<_>>().join("\n"), @r#"
        2026-01-16T06:15:00.000Z START etl-orch: []; in ; out 
        2026-01-16T06:15:01.000Z START call_summary.RY-CA: ["parent"]; in transcripts/RY-CA/2025Q2; out aegis_reports /reports/2025Q2/RY.md
        2026-01-16T06:15:02.000Z START key_themes.TD-CA: ["parent"]; in transcripts/TD-CA/2025Q2; out aegis_reports
        2026-01-16T06:15:06.000Z FAIL key_themes.TD-CA: ["parent", "errorMessage"]; in transcripts/TD-CA/2025Q2; out 
        2026-01-16T06:15:15.000Z COMPLETE call_summary.RY-CA: ["parent"]; in transcripts/RY-CA/2025Q2; out aegis_reports /reports/2025Q2/RY.md
        2026-01-16T06:15:16.000Z FAIL etl-orch: []; in ; out
        "#);
    }

    #[test]
    fn an_event_is_as_the_specification_has_it() {
        let told = told();
        let failed = told.iter().find(|event| event["eventType"] == "FAIL").unwrap();
        insta::assert_snapshot!(serde_json::to_string_pretty(failed).unwrap().replace(env!("CARGO_PKG_VERSION"), "VERSION"), @r#"
        {
          "eventType": "FAIL",
          "eventTime": "2026-01-16T06:15:06.000Z",
          "producer": "urn:etl-orch:VERSION",
          "schemaURL": "https://openlineage.io/spec/2-0-2/OpenLineage.json#/$defs/RunEvent",
          "job": {
            "namespace": "reports",
            "name": "key_themes.TD-CA",
            "facets": {
              "jobType": {
                "_producer": "urn:etl-orch:VERSION",
                "_schemaURL": "https://openlineage.io/spec/facets/2-0-4/JobTypeJobFacet.json#/$defs/JobTypeJobFacet",
                "processingType": "BATCH",
                "integration": "ETL_ORCH",
                "jobType": "TASK"
              }
            }
          },
          "inputs": [
            {
              "namespace": "reports",
              "name": "transcripts/TD-CA/2025Q2"
            }
          ],
          "outputs": [],
          "run": {
            "runId": "00000000-0000-0000-0000-000000002002",
            "facets": {
              "parent": {
                "_producer": "urn:etl-orch:VERSION",
                "_schemaURL": "https://openlineage.io/spec/facets/1-2-0/ParentRunFacet.json#/$defs/ParentRunFacet",
                "run": {
                  "runId": "00000000-0000-0000-0000-000000007007"
                },
                "job": {
                  "namespace": "reports",
                  "name": "etl-orch"
                }
              },
              "errorMessage": {
                "_producer": "urn:etl-orch:VERSION",
                "_schemaURL": "https://openlineage.io/spec/facets/1-0-1/ErrorMessageRunFacet.json#/$defs/ErrorMessageRunFacet",
                "message": "ended by signal 11",
                "programmingLanguage": "unknown"
              }
            }
          }
        }
        "#);
    }

    #[test]
    fn a_run_without_jobs_is_not_told_of() {
        assert_eq!(Lineage::new("reports", &run()).end(&end(0)), None);
    }
}
