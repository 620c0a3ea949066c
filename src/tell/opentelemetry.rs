//! OpenTelemetry: the trace of a run by OTLP over HTTP, as JSON.
//!
//! Spans are sent when they have ended: during the run only as many as fill a batch, the others at its end. What a receiver does not take is
//! not sent again. A run that had nothing to do, or that was started within a trace that is not recorded, sends nothing.

mod wire;

use uuid::Uuid;

use super::channel::{Channel, Feed, Trouble};
use super::http::{self, Http, Post};
use crate::os::identity::this_process;
use crate::plan::model::ids::RunId;
use crate::plan::model::tell::OpenTelemetry as Settings;
use crate::plan::model::trace_context::{SpanId, TraceContext};
use crate::plan::run::spans::{Span, Spans, Status};
use crate::plan::run::told::RunBegin;

/// Spans in one request.
const BATCH: usize = 512;

/// Where spans are received, below the address.
const PATH: &str = "/v1/traces";

/// Sends the traces of runs.
pub(super) struct OpenTelemetry {
    settings: Settings,
    http: Http,
}

impl OpenTelemetry {
    pub(super) fn new(settings: Settings, http: Http) -> Self {
        Self { settings, http }
    }

    async fn send(&self, trace: &TraceContext, spans: &[Span]) -> Result<u16, Trouble> {
        let resource = wire::Resource { service: &self.settings.service_name, host: &this_process().host };
        let body = wire::request(&resource, trace, spans).map_err(|error| Trouble(format!("the spans cannot be written: {error}")))?;
        let (url, shown, headers) = (http::url_below(&self.settings.endpoint, PATH)?, &self.settings.endpoint, &self.settings.headers);
        let (status, answer) = self.http.ask(Post { url, shown, headers, content_type: "application/json", body }).await?;
        match wire::refusal(&answer) {
            Some(refusal) => Err(Trouble(format!("{shown} {refusal}"))),
            None => Ok(status),
        }
    }
}

#[async_trait::async_trait]
impl Channel for OpenTelemetry {
    fn name(&self) -> &'static str {
        "opentelemetry"
    }

    async fn tell(&self, run: &RunBegin, mut feed: Feed) -> Result<(), Trouble> {
        if !run.trace.is_sampled {
            return Ok(());
        }
        let mut spans = Spans::new(run.id, run.trace, run.at);
        let mut ended = Vec::new();
        while let Some(event) = feed.event().await {
            ended.extend(spans.event(&event));
            while ended.len() >= BATCH {
                let rest = ended.split_off(BATCH);
                if let Err(trouble) = self.send(&run.trace, &ended).await {
                    feed.failed(&trouble);
                }
                ended = rest;
            }
        }
        let Some(end) = feed.end().await else { return Ok(()) };
        ended.extend(spans.run(&end));
        let mut told = Ok(());
        for batch in ended.chunks(BATCH) {
            told = told.and(self.send(&run.trace, batch).await.map(drop));
        }
        told
    }

    async fn test(&self) -> Result<String, Trouble> {
        let run = RunId::new(Uuid::new_v4());
        let (trace, now) = (TraceContext::new(run, None), chrono::Utc::now());
        let span = Span {
            id: SpanId::of_run(run),
            parent: None,
            name: "tell test".to_owned(),
            begun_at: now,
            ended_at: now,
            attributes: Vec::new(),
            status: Status::Ok,
        };
        let status = self.send(&trace, &[span]).await?;
        Ok(format!("POST {}{PATH} answered {status}; the trace is {}", self.settings.endpoint, trace.trace_id()))
    }
}
