//! `sources:` as it is written: shapes and types only.
//!
//! The doc comments are the descriptions in the JSON Schema that `etl-orch config schema` prints.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::scalars::{Version, WrittenDuration};
use super::written_program::with_program_keys;
use super::written_work::{EndPattern, ExitCodes, Http, Records, Retry, StagePattern};

with_program_keys! {
    /// Something that collects disclosures, window by window.
    struct Source {
        /// What people call it. Default: its key.
        name: Option<String>,
        /// The length of its windows, `6h`; at least 1m. Required.
        every: Option<WrittenDuration>,
        /// A time zone such as `America/New_York`, by whose dates windows of whole days are cut. Default: UTC.
        timezone: Option<String>,
        /// What becomes of windows that were missed. Default: `coalesce`.
        catch_up: Option<CatchUp>,
        /// Whether windows do not depend on earlier ones: each is collected by a job of its own, and one that fails holds up no other.
        /// Default: false.
        independent: Option<bool>,
        /// A window is due this long after its end. Default: 0s.
        lag: Option<WrittenDuration>,
        /// With `catch_up: each` or `independent`, the most windows that one run collects. Default: 28.
        #[schemars(range(min = 1, max = 10_000))]
        max_windows: Option<i64>,
        /// Where the first run ever begins: a date, which is midnight in `timezone`, or a time like `2026-01-01T06:00:00Z`.
        /// Default: the window that ended last.
        start: Option<String>,
        /// `{lookback_days}` is at least this; whole days. Default: 30d.
        lookback: Option<WrittenDuration>,
        /// It is late when what was collected last ends longer ago than this and `lag`. Default: 7/6 of `every`.
        warn_after: Option<WrittenDuration>,
        /// It is overdue when what was collected last ends longer ago than this and `lag`. Default: 13/6 of `every`.
        error_after: Option<WrittenDuration>,
        /// How the age of the data itself is seen. Default: not at all.
        freshness: Option<Freshness>,
        /// How it is seen that the data is there. Default: what the collector reported is believed.
        verify: Option<Verify>,
        /// How many records were collected, as the collector says it. Default: not counted.
        records: Option<Records>,
        /// What differs from `retry` of the whole file.
        retry: Option<Retry>,
        /// The pool of `pools` that each of its attempts uses. Default: none.
        pool: Option<String>,
        /// Whatever its version is called; a change of it ends rest and quarantine. Default: none.
        version: Option<Version>,
        /// The program that collects, and its arguments, with `{placeholders}`; no shell is involved. This or `http` is required.
        command: Option<Vec<String>>,
        /// What its exit codes mean; codes that are not listed are transient.
        exit_codes: Option<ExitCodes>,
        /// What an exit other than 0 means by the last lines that were printed; the first entry that applies counts, before `exit_codes`.
        outcomes: Option<Vec<EndPattern>>,
        /// Which lines of the program begin a stage of its work, and end the one before.
        progress: Option<Vec<StagePattern>>,
        /// The service that collects. This or `command` is required.
        http: Option<Http>,
    }
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

with_program_keys! {
    /// How it is seen that the data is there: `sql`, or `command` and what belongs to it.
    struct Verify {
        /// A query, with `{placeholders}`, whose first value is true, or a number other than 0, or any other text.
        sql: Option<String>,
        /// A program and its arguments, with `{placeholders}`, that exits with 0.
        command: Option<Vec<String>>,
    }
}
