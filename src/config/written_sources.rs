//! `sources:` as it is written: shapes and types only.
//!
//! The doc comments are the descriptions in the JSON Schema that `etl-orch config schema` prints.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalars::{Span, Version};
use super::written::{ExitCodes, Retry};

/// Something that collects disclosures, window by window.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Source {
    /// What people call it. Default: its key.
    pub(super) name: Option<String>,
    /// The length of its windows, `6h`; at least 1m. Required.
    pub(super) every: Option<Span>,
    /// A time zone such as `America/New_York`, by whose dates windows of whole days are cut. Default: UTC.
    pub(super) timezone: Option<String>,
    /// What becomes of windows that were missed. Default: `coalesce`.
    pub(super) catch_up: Option<CatchUp>,
    /// A window is due this long after its end. Default: 0s.
    pub(super) lag: Option<Span>,
    /// With `catch_up: each`, the most windows that one run collects. Default: 28.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) max_windows: Option<i64>,
    /// Where the first run ever begins: a date, which is midnight in `timezone`, or a time like `2026-01-01T06:00:00Z`.
    /// Default: the window that ended last.
    pub(super) start: Option<String>,
    /// `{lookback_days}` is at least this; whole days. Default: 30d.
    pub(super) lookback: Option<Span>,
    /// It is late when what was collected last ends longer ago than this and `lag`. Default: 7/6 of `every`.
    pub(super) warn_after: Option<Span>,
    /// It is overdue when what was collected last ends longer ago than this and `lag`. Default: 13/6 of `every`.
    pub(super) error_after: Option<Span>,
    /// How the age of the data itself is seen. Default: not at all.
    pub(super) freshness: Option<Freshness>,
    /// How it is seen that the data is there. Default: what the collector reported is believed.
    pub(super) verify: Option<Verify>,
    /// How many records were collected, as the collector says it. Default: not counted.
    pub(super) records: Option<Records>,
    /// What differs from `retry` of the whole file.
    pub(super) retry: Option<Retry>,
    /// The pool of `pools` that each of its attempts uses. Default: none.
    pub(super) pool: Option<String>,
    /// Whatever its version is called; a change of it ends rest and quarantine. Default: none.
    pub(super) version: Option<Version>,
    /// The program that collects, and its arguments, with `{placeholders}`; no shell is involved. This or `http` is required.
    pub(super) command: Option<Vec<String>>,
    /// Directory in which the program runs. Default: that of this file.
    pub(super) cwd: Option<String>,
    /// Variables for the program's environment, with `{placeholders}`.
    pub(super) env: Option<BTreeMap<String, String>>,
    /// A `.env` file whose variables are put into the program's environment.
    pub(super) env_file: Option<String>,
    /// The program is ended when it runs longer. Default: 1h.
    pub(super) timeout: Option<Span>,
    /// Time between asking the program to end and killing it. Default: 10s.
    pub(super) grace: Option<Span>,
    /// What its exit codes mean; codes that are not listed are transient.
    pub(super) exit_codes: Option<ExitCodes>,
    /// The service that collects. This or `command` is required.
    pub(super) http: Option<Http>,
}

/// What becomes of windows that were missed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum CatchUp {
    /// One job for all of them.
    Coalesce,
    /// A job for each, oldest first, up to the first that fails.
    Each,
}

/// How the age of the data itself is seen.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Freshness {
    /// A query that answers with the time of the newest data. Required.
    pub(super) sql: Option<String>,
}

/// How it is seen that the data is there: `sql`, or `command` and what belongs to it.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Verify {
    /// A query, with `{placeholders}`, whose first value is true, or a number other than 0, or any other text.
    pub(super) sql: Option<String>,
    /// A program and its arguments, with `{placeholders}`, that exits with 0.
    pub(super) command: Option<Vec<String>>,
    /// Directory in which it runs. Default: that of this file.
    pub(super) cwd: Option<String>,
    /// Variables for its environment, with `{placeholders}`.
    pub(super) env: Option<BTreeMap<String, String>>,
    /// A `.env` file whose variables are put into its environment.
    pub(super) env_file: Option<String>,
    /// It is ended when it runs longer. Default: 1h.
    pub(super) timeout: Option<Span>,
    /// Time between asking it to end and killing it. Default: 10s.
    pub(super) grace: Option<Span>,
}

/// How many records were collected, as the collector says it. One of the keys at least.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Records {
    /// A JSON pointer into a service's last answer.
    pub(super) pointer: Option<String>,
    /// A regular expression for the text there, or for a line that a program printed. The number is the sum of its groups.
    pub(super) pattern: Option<String>,
}

/// A service that works in the background: its trigger answers with the id of a job, whose state is then asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    /// Headers of every request, with `{placeholders}`.
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// The request that starts the job. Required.
    pub(super) trigger: Option<Request>,
    /// Where the trigger's answer has the job's id, as a JSON pointer. Default: `/job_id`.
    pub(super) job_id: Option<String>,
    /// The request for the job's state. Required.
    pub(super) status: Option<Status>,
    /// The request that stops the job. Default: none.
    pub(super) cancel: Option<Request>,
    /// The job is given up when it takes longer. Default: 1h.
    pub(super) timeout: Option<Span>,
    /// Limit of one request. Default: 30s.
    pub(super) request_timeout: Option<Span>,
    /// How many requests the service takes. Sources with one host share it; the strictest counts.
    pub(super) rate: Option<Rate>,
    /// Certificates in PEM that are trusted besides those of the system. Default: none.
    pub(super) ca_file: Option<String>,
    /// How many records were collected, as the service says it. Default: not counted.
    pub(super) records: Option<Records>,
}

/// A request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// Default: POST.
    pub(super) method: Option<Method>,
    /// Its address, with `{placeholders}` after the host. Required.
    pub(super) url: Option<String>,
    /// Headers besides those of `http`, or instead of one of the same name.
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// The body: anything, with `{placeholders}` in its texts. A text that is only `"{window_year}"` or `"{lookback_days}"`
    /// is sent as a number. Default: none.
    #[schemars(extend("additionalProperties" = true))]
    pub(super) json: Option<serde_json::Value>,
}

/// The request for the job's state, and what its answer means.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Status {
    /// Default: GET.
    pub(super) method: Option<Method>,
    /// Its address; it names `{remote_id}`. Required.
    pub(super) url: Option<String>,
    /// Headers besides those of `http`, or instead of one of the same name.
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// Time between two of these requests. Default: 10s.
    pub(super) every: Option<Span>,
    /// Where the answer has the state, as a JSON pointer. Default: `/status`.
    pub(super) state: Option<String>,
    /// States that mean success. Default: `[completed]`.
    pub(super) succeeded: Option<Vec<String>>,
    /// States that mean failure. Default: `[failed, error]`.
    pub(super) failed: Option<Vec<String>>,
    /// Where the answer has a sentence for people. Default: `/message`.
    pub(super) message: Option<String>,
    /// Where the answer says how much is done. Default: `/progress`.
    pub(super) progress: Option<String>,
    /// Where the answer says of how much. Default: `/total`.
    pub(super) total: Option<String>,
}

/// At most `requests` in any span of the length `per`.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Rate {
    /// Default: 10.
    #[schemars(range(min = 1, max = 10_000))]
    pub(super) requests: Option<i64>,
    /// Default: 60s.
    pub(super) per: Option<Span>,
}

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub(super) enum Method {
    Get,
    Post,
    Put,
    Patch,
    Delete,
}
