//! OpenTelemetry: the trace of a run by OTLP over HTTP, as JSON.
//!
//! Spans are sent when they have ended: during the run only as many as fill a batch, the others at its end. A run that had nothing to do, or that
//! was started within a trace that is not recorded, has none.

mod wire;

use uuid::Uuid;

use super::channel::{Channel, Feed, Trouble};
use super::delivery::{Delivery, News, Target};
use crate::os::identity::this_process;
use crate::plan::model::ids::RunId;
use crate::plan::model::tell::{OPENTELEMETRY, OpenTelemetry as Settings};
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
    delivery: Delivery,
}

impl OpenTelemetry {
    pub(super) fn new(settings: Settings, delivery: Delivery) -> Self {
        Self { settings, delivery }
    }

    fn target(&self) -> Target<'_> {
        Target { base: &self.settings.endpoint, path: PATH, headers: &self.settings.headers, complaint: wire::complaint }
    }

    fn request(&self, trace: &TraceContext, spans: &[Span]) -> Result<Vec<u8>, Trouble> {
        let resource = wire::Resource { service: &self.settings.service_name, host: &this_process().host };
        wire::request(&resource, trace, spans).map_err(|error| Trouble(format!("the spans cannot be written: {error}")))
    }
}

#[async_trait::async_trait]
impl Channel for OpenTelemetry {
    fn name(&self) -> &'static str {
        OPENTELEMETRY
    }

    async fn tell(&self, run: &RunBegin, feed: Feed) -> Result<(), Trouble> {
        let report = feed.report.clone();
        let mut spans = Spans::new(run.id, run.trace, run.at);
        let mut ended = Vec::new();
        let requests = |news: News<'_>| {
            let least = match news {
                News::Event(event) => {
                    ended.extend(spans.event(event));
                    BATCH
                }
                News::End(end) => {
                    ended.extend(spans.run(end));
                    1
                }
            };
            let mut requests = Vec::new();
            while ended.len() >= least {
                let batch: Vec<Span> = ended.drain(..ended.len().min(BATCH)).collect();
                requests.extend(self.request(&run.trace, &batch).inspect_err(|trouble| report.failed(trouble)).ok());
            }
            // Of a trace that is not recorded nothing is told.
            if run.trace.is_sampled { requests } else { Vec::new() }
        };
        self.delivery.deliver(self.target(), run, feed, requests).await
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
        let body = self.request(&trace, &[span])?;
        let (status, complaint) = self.target().post(&self.delivery.http, body).await.map_err(|refused| refused.why)?;
        if let Some(complaint) = complaint {
            return Err(complaint);
        }
        Ok(format!("POST {}{PATH} answered {status}; the trace is {}", self.settings.endpoint, trace.trace_id()))
    }
}
