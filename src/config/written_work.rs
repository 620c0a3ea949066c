//! The keys that ETLs and sources share, as the file has them: exit codes, `outcomes:`, `progress:`, `http:`, `records:` and `retry:`. Shapes and types only.
//!
//! The doc comments are the descriptions in the JSON Schema that `etl-orch config schema` prints.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalars::WrittenDuration;

/// What exit codes mean. A list replaces the default of its class; a code in it leaves every other class.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct ExitCodes {
    /// Trying again cannot help. Default: 65.
    pub(super) permanent: Option<Vec<i64>>,
    /// The ETL is set up wrongly: it stops for every bank in this run. Default: 64, 77, 78, 126, 127.
    pub(super) config: Option<Vec<i64>>,
    /// Its input is not there yet, which is no failure. Default: 66.
    pub(super) not_ready: Option<Vec<i64>>,
    /// Worth another attempt. Default: 69, 75, and every code that is in no class.
    pub(super) transient: Option<Vec<i64>>,
}

/// What an exit other than 0 means. One of `exit` and `match` at least.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Outcome")]
pub(super) struct EndPattern {
    /// Only for this exit code. Default: for every one but 0.
    #[schemars(range(min = 1, max = 255))]
    pub(super) exit: Option<i64>,
    /// A regular expression that one of the last lines matches. Default: whatever they are.
    pub(super) r#match: Option<String>,
    /// What the exit means. Required.
    pub(super) is: Option<EndClass>,
}

/// What an exit means: the classes of `exit_codes`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Class")]
pub(super) enum EndClass {
    /// Trying again cannot help.
    Permanent,
    /// The ETL is set up wrongly: it stops for every bank in this run.
    Config,
    /// Its input is not there yet, which is no failure.
    NotReady,
    /// Worth another attempt.
    Transient,
}

/// A line that begins a stage.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(rename = "Stage")]
pub(super) struct StagePattern {
    /// A regular expression that the line matches. Required.
    pub(super) r#match: Option<String>,
    /// What the stage is called. Required.
    pub(super) stage: Option<String>,
    /// The number of the group that has the number of records. Default: they are not counted.
    #[schemars(range(min = 1))]
    pub(super) records: Option<i64>,
}

/// A service that works in the background: its trigger answers with the id of a job, whose state is then asked for.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Http {
    /// Headers of every request, with `{placeholders}`.
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// The request that starts the job. Required.
    pub(super) trigger: Option<Request>,
    /// Where the trigger's answer has the job's id, as a JSON pointer. Default: `/job_id`; an answer without it may have a `Location` of the
    /// form of `status.url`.
    pub(super) job_id: Option<String>,
    /// The request for the job's state. Required.
    pub(super) status: Option<Status>,
    /// The request that stops the job. Default: none.
    pub(super) cancel: Option<Request>,
    /// The job is given up when it takes longer. Default: 1h.
    pub(super) timeout: Option<WrittenDuration>,
    /// Limit of one request. Default: 30s.
    pub(super) request_timeout: Option<WrittenDuration>,
    /// How many requests the service takes. What is configured for one host shares it; the strictest counts. Default: no limit; a
    /// service that answers 429 is left alone as long as it says.
    pub(super) rate: Option<Rate>,
    /// Certificates in PEM that are trusted besides those of the system. Default: none.
    pub(super) ca_file: Option<String>,
    /// What a success must have besides its state. Default: nothing.
    pub(super) success_if: Option<SuccessIf>,
    /// Only for sources: how many records were collected, as the service says it. Default: not counted.
    pub(super) records: Option<Records>,
}

/// A request.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Request {
    /// Default: POST.
    pub(super) method: Option<RequestMethod>,
    /// Its address, with `{placeholders}` after the host. Required.
    pub(super) url: Option<String>,
    /// Headers besides those of `http`, or instead of one of the same name.
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// The body: anything, with `{placeholders}` in its texts. A text that is only one placeholder of a number,
    /// such as `"{fiscal_year}"` or `"{window_year}"`, is sent as a number. Default: none.
    #[schemars(extend("additionalProperties" = true))]
    pub(super) json: Option<serde_json::Value>,
}

/// The request for the job's state, and what its answer means.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Status {
    /// Default: GET.
    pub(super) method: Option<RequestMethod>,
    /// Its address; it names `{remote_id}`. Default: the `Location` of the trigger's answer, which must be on the same host.
    pub(super) url: Option<String>,
    /// Headers besides those of `http`, or instead of one of the same name.
    pub(super) headers: Option<BTreeMap<String, String>>,
    /// Time between two of these requests. Default: 10s.
    pub(super) every: Option<WrittenDuration>,
    /// Where the answer has the state, as a JSON pointer. Default: `/status`.
    pub(super) state: Option<String>,
    /// States that mean success, in any case. Default: `[completed]`.
    pub(super) succeeded: Option<Vec<String>>,
    /// States that mean failure, in any case. Default: `[failed, error]`.
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
    pub(super) per: Option<WrittenDuration>,
}

/// How a request is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(rename = "Method")]
pub(super) enum RequestMethod {
    Get,
    Post,
    Put,
    Patch,
    Delete,
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

/// A number that the last answer must have where the service reports success; otherwise the job has failed, and is tried again.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct SuccessIf {
    /// A JSON pointer into the answer. Required.
    pub(super) pointer: Option<String>,
    /// A regular expression for the text there. The number is the sum of its groups. Default: the number itself is there.
    pub(super) pattern: Option<String>,
    /// The least that the number must be. Default: 1.
    #[schemars(range(min = 1, max = 1_000_000_000))]
    pub(super) min: Option<i64>,
}

/// How often a job is tried in one run, and how long it waits between.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Retry {
    /// Attempts, the first included. Default: 3.
    #[schemars(range(min = 1))]
    pub(super) max_attempts: Option<i64>,
    /// Wait after the first failed attempt. Default: 5s.
    pub(super) initial_delay: Option<WrittenDuration>,
    /// Each further wait is this many times the one before. Default: 2.
    #[schemars(range(min = 1))]
    pub(super) multiplier: Option<f64>,
    /// No wait is longer. Default: 5m.
    pub(super) max_delay: Option<WrittenDuration>,
    /// Share of the wait that is random. Default: 0.
    #[schemars(range(min = 0, max = 1))]
    pub(super) jitter: Option<f64>,
}
