//! The configuration file as it is written: shapes and types only. What the values must be is checked elsewhere.
//!
//! The doc comments are the descriptions in the JSON Schema that `etl-orch config schema` prints.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use super::log::Log;
use super::report_types::ReportTypes;
use super::scalars::{MaxParallel, Version, WrittenDuration};
use super::tell::Tell;
use super::written_health::{Gaps, Health};
use super::written_program::with_program_keys;
use super::written_retention::Retention;
use super::written_sources::Source;
use super::written_work::{EndPattern, ExitCodes, Http, Retry, StagePattern};

/// Configuration of etl-orch. `${NAME}` and `${NAME:-default}` expand from the environment and from a `.env` file
/// beside this one; relative paths are relative to this file.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "etl-orch configuration")]
pub(super) struct Written {
    /// The database; without `url` the variables `POSTGRES_HOST`, `POSTGRES_PORT`, `POSTGRES_DATABASE`,
    /// `POSTGRES_USER` and `POSTGRES_PASSWORD` serve.
    pub(super) database: Option<Database>,
    /// Directory for the lock, attempt logs and workspaces; not on a network filesystem. Default: `var`.
    pub(super) state_dir: Option<String>,
    /// The lock that allows one run at a time. Default: `etl-orch.lock` in `state_dir`.
    pub(super) lock_file: Option<String>,
    /// The file of monitored institutions. Default: `monitored_institutions.yaml`.
    pub(super) institutions: Option<String>,
    /// How a run goes about its work.
    pub(super) run: Option<Run>,
    /// How often a job is tried in one run, and how long it waits between.
    pub(super) retry: Option<Retry>,
    /// How often a report that cannot be made is tried again by later runs.
    pub(super) cooldown: Option<Cooldown>,
    /// When an ETL is taken for broken.
    pub(super) breaker: Option<Breaker>,
    /// External resources, each with the number of attempts that may use it at once, over all invocations on one database.
    #[schemars(extend(
        "propertyNames" = {"pattern": "^[a-z0-9][a-z0-9_-]*$"},
        "additionalProperties" = {"type": "integer", "minimum": 1, "maximum": 10_000}
    ))]
    pub(super) pools: Option<BTreeMap<String, i64>>,
    /// How long a run's claims are good without being renewed. A run on another host that renews them no longer is taken for
    /// dead. Default: `10m`.
    pub(super) lease: Option<WrittenDuration>,
    /// Where the data that reports are made from is recorded.
    pub(super) availability: Option<Availability>,
    /// Where reports are recorded.
    pub(super) reports: Option<Reports>,
    /// The page that `etl-orch report` makes.
    pub(super) report: Option<Report>,
    /// The diagnostics on stderr, where no option says otherwise.
    pub(super) log: Option<Log>,
    /// Who is told of runs. None of them can fail or delay one.
    pub(super) tell: Option<Tell>,
    /// What `etl-orch health` counts as healthy.
    pub(super) health: Option<Health>,
    /// How long what is over is kept.
    pub(super) retention: Option<Retention>,
    /// The ETLs by name; the order of declaration is the order in which they run for a bank.
    #[schemars(extend("propertyNames" = {"pattern": "^[a-z0-9][a-z0-9_-]*$"}))]
    pub(super) etls: Option<BTreeMap<String, Etl>>,
    /// The sources of disclosures by id. There is at least one ETL or source.
    #[schemars(extend("propertyNames" = {"pattern": "^[a-z0-9][a-z0-9_-]*$"}))]
    pub(super) sources: Option<BTreeMap<String, Source>>,
}

/// The database.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Database {
    /// `sqlite://PATH`, or `postgres://USER:PASSWORD@HOST:PORT/DATABASE`.
    pub(super) url: Option<String>,
    /// Upper bound of the connection pool. Default: 10.
    #[schemars(range(min = 1))]
    pub(super) max_connections: Option<i64>,
    /// When a record counts as made. Default: `full`.
    pub(super) durability: Option<Durability>,
}

/// When a record counts as made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum Durability {
    /// When it is on disk. Nothing is started or shown before that.
    Full,
    /// At once. A power cut, or a crash of the server, may take back the last moments: an ETL that was started, or has succeeded, may then
    /// be started again.
    Relaxed,
}

/// How a run goes about its work.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Run {
    /// Chains that run at once, or `auto`: one for each core, but at least 4 GiB of memory for each. Default: 4.
    pub(super) max_parallel: Option<MaxParallel>,
    /// What runs one after the other: all jobs of a bank, or those of a bank and a period. Default: `bank`.
    pub(super) chain_by: Option<ChainBy>,
    /// Which periods come first. Default: `newest_first`.
    pub(super) order: Option<PeriodOrder>,
    /// Most jobs that one run starts; what it leaves is reported. Default: 500.
    #[schemars(range(min = 1))]
    pub(super) max_jobs: Option<i64>,
    /// Earlier fiscal years are not looked at. Default: none.
    #[schemars(range(min = 1900, max = 2999))]
    pub(super) from_year: Option<i64>,
    /// No job starts later than this after the run took its lock. Default: none.
    pub(super) deadline: Option<WrittenDuration>,
}

/// How often a report that cannot be made is tried again by later runs.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Cooldown {
    /// Rest after the first run that used up its attempts; each further one doubles it. Default: 10m.
    pub(super) initial: Option<WrittenDuration>,
    /// No rest is longer. Default: 12h.
    pub(super) max: Option<WrittenDuration>,
    /// After that many failed runs in a row it is quarantined. Default: 8.
    #[schemars(range(min = 1, max = 1000))]
    pub(super) quarantine_after: Option<i64>,
}

/// When an ETL is taken for broken.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Breaker {
    /// That many different banks in a row must have failed, fewer where fewer are planned. Default: 5.
    #[schemars(range(min = 2, max = 1000))]
    pub(super) banks: Option<i64>,
}

/// Where the data that reports are made from is recorded.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Availability {
    /// `table` or `schema.table`. Default: `aegis_data_availability`.
    pub(super) table: Option<String>,
    /// A column of it that changes when the data does; such a change ends rest and quarantine. Default: none.
    pub(super) version_column: Option<String>,
    /// Files from which availability is learnt before planning. Default: none.
    pub(super) sync: Option<Vec<Sync>>,
}

/// A file of this shape means that its bank has data under `tag` for its period.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Sync {
    /// The tag that is put into `database_names`.
    pub(super) tag: Option<String>,
    /// A path that names bank and period, `transcripts/{bank_symbol}_{fiscal_year}_{quarter}.txt`.
    pub(super) files: Option<String>,
}

/// Where reports are recorded.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Reports {
    /// `table` or `schema.table`. Default: `aegis_reports`.
    pub(super) table: Option<String>,
    /// Who writes a report's row. Default: `etl`.
    pub(super) by: Option<By>,
}

/// The page that `etl-orch report` makes.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Report {
    /// A file in which every run that did something writes the page, other runs once an hour. Default: none.
    pub(super) html_file: Option<String>,
}

/// Who writes a report's row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum By {
    /// The ETL writes it; etl-orch looks whether it is there.
    Etl,
    /// The ETL writes the file `{output}`; etl-orch checks it, puts it at `output` and writes the row.
    Orchestrator,
}

/// What an ETL says of its reports.
#[derive(Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct EtlReports {
    /// Who writes a report's row. Default: `reports.by` of the whole file.
    pub(super) by: Option<By>,
}

with_program_keys! {
    /// A program, or a service, that makes one type of report.
    struct Etl {
        /// The report's type in the reports table, `Call Summary`. Of a list any type counts as there, and the first is written.
        /// Required; two ETLs never share one.
        report_type: Option<ReportTypes>,
        /// What the report is, in words.
        description: Option<String>,
        /// Tags that must all be in `database_names` before the report can be made. Required.
        requires: Option<Vec<String>>,
        /// ETLs, declared earlier, whose reports for the same bank and period must exist before. Default: none.
        needs: Option<Vec<String>>,
        /// The program that makes the report, and its arguments, with `{placeholders}`; no shell is involved. This or `http` is required.
        command: Option<Vec<String>>,
        /// What its exit codes mean; codes that are not listed are transient.
        exit_codes: Option<ExitCodes>,
        /// What an exit other than 0 means by the last lines that were printed; the first entry that applies counts, before `exit_codes`.
        outcomes: Option<Vec<EndPattern>>,
        /// Which lines of the program begin a stage of its work, and end the one before.
        progress: Option<Vec<StagePattern>>,
        /// The service that makes the report, and its row. This or `command` is required.
        http: Option<Http>,
        /// A job that runs longer is named in the warnings. Default: none.
        warn_after: Option<WrittenDuration>,
        /// How long its reports may be missing; what differs from `health.gaps`.
        gaps: Option<Gaps>,
        /// What differs from `retry` of the whole file.
        retry: Option<Retry>,
        /// The pool of `pools` that each of its attempts uses. Default: none.
        pool: Option<String>,
        /// Whatever its version is called; a change of it ends rest and quarantine. Default: none.
        version: Option<Version>,
        /// Who writes its reports' rows.
        reports: Option<EtlReports>,
        /// Where its reports belong, `reports/{period}/{bank_symbol}_{etl}.md`. Required with, and only with,
        /// `reports.by: orchestrator`.
        output: Option<String>,
    }
}

/// What runs one after the other.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum ChainBy {
    /// All jobs of a bank.
    Bank,
    /// The jobs of a bank and a period.
    BankPeriod,
}

/// Which periods come first.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub(super) enum PeriodOrder {
    /// The latest period first.
    NewestFirst,
    /// The earliest period first.
    OldestFirst,
}

/// The JSON Schema of the configuration file.
#[must_use]
pub fn schema() -> serde_json::Value {
    schemars::schema_for!(Written).to_value()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_schema_names_every_key_and_refuses_others() {
        let schema = schema();
        assert_eq!(schema["title"], "etl-orch configuration");
        assert_eq!(schema["additionalProperties"], false);
        let keys: Vec<&str> = schema["properties"].as_object().unwrap().keys().map(String::as_str).collect();
        assert_eq!(
            keys,
            [
                "database",
                "state_dir",
                "lock_file",
                "institutions",
                "run",
                "retry",
                "cooldown",
                "breaker",
                "pools",
                "lease",
                "availability",
                "reports",
                "report",
                "log",
                "tell",
                "health",
                "retention",
                "etls",
                "sources"
            ]
        );
        let etl = &schema["$defs"]["Etl"];
        assert_eq!(etl["properties"]["timeout"]["description"], "The program is ended when it runs longer. Default: 1h.");
        let source = &schema["$defs"]["Source"];
        assert_eq!(source["additionalProperties"], false);
        assert_eq!(source["properties"]["lag"]["description"], "A window is due this long after its end. Default: 0s.");
        assert_eq!(schema["$defs"]["Method"]["enum"], serde_json::json!(["GET", "POST", "PUT", "PATCH", "DELETE"]));
        assert_eq!(schema["$defs"]["Retry"]["properties"]["max_attempts"]["minimum"], 1);
        assert_eq!(schema["properties"]["pools"]["additionalProperties"]["maximum"], 10_000);
    }
}
