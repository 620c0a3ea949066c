//! What configuration says of a disclosure source, checked (specification §8).

use std::path::PathBuf;
use std::time::Duration;

use chrono::{DateTime, Utc};

use crate::plan::model::etl::{CommandSpec, Pool};
use crate::plan::model::outcome::ExitCodes;
use crate::plan::model::retry::RetryPolicy;
use crate::plan::model::window::{Cadence, Window};
use crate::plan::text::body::Body;
use crate::plan::text::records::RecordsRule;
use crate::plan::text::template::{Placeholder, Template};

/// Position of a source in the order of declaration.
pub type SourceIndex = usize;

/// Something that collects disclosures, window by window.
#[derive(Debug, Clone, PartialEq)]
pub struct Source {
    /// Its key under `sources:`, such as `us_house`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// Its windows.
    pub cadence: Cadence,
    /// What becomes of windows that were missed.
    pub catch_up: CatchUp,
    /// A window is due this long after its end.
    pub lag: Duration,
    /// With [`CatchUp::Each`], the most windows that one run collects; at least 1.
    pub max_windows: usize,
    /// Where the first run ever begins; without it that collects the last ended window alone.
    pub start: Option<DateTime<Utc>>,
    /// `{lookback_days}` is at least this, and reaches back to the begin of the window.
    pub lookback_days: u32,
    /// What collects it.
    pub collector: Collector,
    /// How often it is tried in one run.
    pub retry: RetryPolicy,
    /// The external resource that each of its attempts uses.
    pub pool: Option<Pool>,
    /// Whatever its users call its version; a change of it ends rest and quarantine.
    pub version: Option<String>,
    /// How many records were collected, as the collector says it.
    pub records: Option<RecordsRule>,
    /// How it is seen that the data is there; without it a success is what the collector reported.
    pub verify: Option<Verify>,
    /// A query that answers with the time of the newest data.
    pub freshness: Option<String>,
    /// It is late when what was collected last ends longer ago than this and its lag.
    pub warn_after: Duration,
    /// It is overdue when what was collected last ends longer ago than this and its lag.
    pub error_after: Duration,
}

/// What becomes of windows that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CatchUp {
    /// One job for all of them.
    Coalesce,
    /// A job for each, oldest first, up to the first that fails.
    Each,
}

/// What collects a source.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "there are few, and they stay where they are")]
pub enum Collector {
    /// A program.
    Command {
        /// How to start it.
        command: CommandSpec,
        /// What its exit codes mean.
        exit_codes: ExitCodes,
    },
    /// A service.
    Http(Box<HttpSpec>),
}

/// How it is seen that the data is there.
#[derive(Debug, Clone, PartialEq)]
pub enum Verify {
    /// A query whose first value is true, or a number other than 0, or a text that is neither empty nor one of those.
    Sql(Template),
    /// A program that exits with 0.
    Command(CommandSpec),
}

impl Verify {
    /// Whether what a query found says that the data is there.
    #[must_use]
    pub fn is_true(found: Option<&str>) -> bool {
        found.is_some_and(|found| !matches!(found.trim(), "" | "false" | "f") && found.trim().parse::<f64>() != Ok(0.0))
    }
}

impl Source {
    /// Whether this placeholder is anywhere in how the source is collected, cancelled or verified.
    #[must_use]
    pub fn uses(&self, wanted: Placeholder) -> bool {
        let in_collector = match &self.collector {
            Collector::Command { command, .. } => command.placeholders().any(|found| found == wanted),
            Collector::Http(http) => http.requests().any(|request| request.placeholders().contains(&wanted)),
        };
        in_collector
            || match &self.verify {
                None => false,
                Some(Verify::Sql(query)) => query.placeholders().any(|found| found == wanted),
                Some(Verify::Command(command)) => command.placeholders().any(|found| found == wanted),
            }
    }

    /// `{lookback_days}` at this time: whole days, so many that they reach back to the begin of the window.
    #[must_use]
    pub fn lookback(&self, window: Window, now: DateTime<Utc>) -> u32 {
        let days = (now - window.start).num_seconds().max(0).unsigned_abs().div_ceil(24 * 3600);
        u32::try_from(days).unwrap_or(u32::MAX).max(self.lookback_days)
    }
}

/// A service that does its work in the background: a trigger answers with the id of a job, whose state is then asked for.
#[derive(Clone, PartialEq)]
pub struct HttpSpec {
    /// Starts the job.
    pub trigger: RequestSpec,
    /// Where the trigger's answer has the job's id: a JSON pointer.
    pub job_id: String,
    /// Asks for its state.
    pub status: RequestSpec,
    /// Time between two of those.
    pub every: Duration,
    /// Where the answer has the state: a JSON pointer.
    pub state: String,
    /// States that mean success.
    pub succeeded: Vec<String>,
    /// States that mean failure.
    pub failed: Vec<String>,
    /// Where the answer has a sentence for people: a JSON pointer.
    pub message: Option<String>,
    /// Where the answer says how much is done: a JSON pointer.
    pub progress: Option<String>,
    /// Where it says of how much: a JSON pointer.
    pub total: Option<String>,
    /// Stops the job.
    pub cancel: Option<RequestSpec>,
    /// Limit of one request, connecting included.
    pub request_timeout: Duration,
    /// Limit of the whole.
    pub timeout: Duration,
    /// How many requests the service takes. It holds for a host: of sources with the same one the strictest counts.
    pub rate: Rate,
    /// Certificates that are trusted besides those of the system; PEM, absolute.
    pub ca_file: Option<PathBuf>,
}

/// At most `requests` in any span of the length `per`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// At least 1.
    pub requests: u32,
    /// Not zero.
    pub per: Duration,
}

/// A request, as configuration writes it.
#[derive(Clone, PartialEq)]
pub struct RequestSpec {
    /// `GET`, `POST`, `PUT`, `PATCH` or `DELETE`.
    pub method: Method,
    /// `http://` or `https://`. What fills its placeholders is percent-encoded.
    pub url: Template,
    /// Their names are valid; values may be secrets.
    pub headers: Vec<(String, Template)>,
    /// The body.
    pub json: Option<Body>,
}

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Method {
    /// `GET`
    Get,
    /// `POST`
    Post,
    /// `PUT`
    Put,
    /// `PATCH`
    Patch,
    /// `DELETE`
    Delete,
}

impl RequestSpec {
    /// The placeholders in it.
    #[must_use]
    pub fn placeholders(&self) -> Vec<Placeholder> {
        let headers = self.headers.iter().flat_map(|(_, value)| value.placeholders());
        let json = self.json.iter().flat_map(Body::placeholders);
        self.url.placeholders().chain(headers).chain(json).collect()
    }
}

impl HttpSpec {
    /// Every kind of request that is made.
    pub fn requests(&self) -> impl Iterator<Item = &RequestSpec> {
        [&self.trigger, &self.status].into_iter().chain(self.cancel.as_ref())
    }

    /// The sentence for people in an answer, cut where it gets long.
    #[must_use]
    pub fn message_in(&self, answer: &serde_json::Value) -> Option<String> {
        let text = match answer.pointer(self.message.as_deref()?)? {
            serde_json::Value::String(text) => text.clone(),
            serde_json::Value::Null => return None,
            other => other.to_string(),
        };
        Some(text.chars().take(MOST_MESSAGE).collect())
    }
}

/// Characters of a message that are kept.
const MOST_MESSAGE: usize = 1000;

/// Without its requests: configuration may have put secrets into their addresses, headers and bodies.
impl std::fmt::Debug for HttpSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("HttpSpec")
            .field("every", &self.every)
            .field("timeout", &self.timeout)
            .field("rate", &self.rate)
            .finish_non_exhaustive()
    }
}

impl std::fmt::Debug for RequestSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestSpec").field("method", &self.method).finish_non_exhaustive()
    }
}
