//! The list of runs.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use serde_json::Value;

use super::super::View;
use super::super::metrics::Metrics;
use super::super::names::by_name;
use super::super::terminal::stdout_width;
use super::super::words::{Time, Untrusted, brief, seconds};
use super::table::{Row, Table, UNKNOWN};
use crate::plan::model::ids::RunId;
use crate::plan::model::job::{RunCounts, RunState};
use crate::plan::remember::past::PastRun;

/// Runs on record, newest first.
#[derive(Debug, Serialize)]
pub struct RunsView<'a> {
    timestamp: Time,
    runs: Vec<RunEntry<'a>>,
}

#[derive(Debug, Serialize)]
pub(in crate::show) struct RunEntry<'a> {
    id: RunId,
    #[serde(serialize_with = "by_name")]
    state: RunState,
    host: Untrusted<'a>,
    pid: u32,
    version: Untrusted<'a>,
    options: &'a Value,
    started_at: Time,
    ended_at: Option<Time>,
    duration_seconds: Option<f64>,
    planned: Option<u64>,
    succeeded: Option<u64>,
    failed: Option<u64>,
    skipped: Option<u64>,
    cancelled: Option<u64>,
    metrics: Metrics,
    #[serde(skip)]
    took: Option<Duration>,
    #[serde(skip)]
    counts: Option<RunCounts>,
}

impl<'a> RunsView<'a> {
    /// The view of these runs at this time.
    pub fn new(runs: &'a [PastRun], now: DateTime<Utc>) -> Self {
        Self { timestamp: Time(now), runs: runs.iter().map(|run| RunEntry::new(run, now)).collect() }
    }
}

impl<'a> RunEntry<'a> {
    pub(in crate::show) fn new(run: &'a PastRun, now: DateTime<Utc>) -> Self {
        let took = run.took(now);
        Self {
            id: run.id,
            state: run.state,
            host: run.host.as_str().into(),
            pid: run.pid,
            version: run.version.as_str().into(),
            options: &run.options,
            started_at: Time(run.started_at),
            metrics: Metrics::new(&run.metrics),
            ended_at: run.ended_at.map(Time),
            duration_seconds: took.map(seconds),
            planned: run.counts.map(|counts| counts.planned),
            succeeded: run.counts.map(|counts| counts.succeeded),
            failed: run.counts.map(|counts| counts.failed),
            skipped: run.counts.map(|counts| counts.skipped),
            cancelled: run.counts.map(|counts| counts.cancelled),
            took,
            counts: run.counts,
        }
    }

    fn row(&self) -> Row {
        let options = options(self.options);
        let below = if options.is_empty() { Vec::new() } else { vec![options] };
        let cells = vec![
            self.id.short(),
            self.state.name().to_owned(),
            self.started_at.to_string(),
            if self.state == RunState::Lost { UNKNOWN.to_owned() } else { self.took.map(brief).unwrap_or_default() },
            self.counts.map(|counts| came_to(self.state, counts)).unwrap_or_default(),
        ];
        Row { cells, below }
    }
}

/// `3 of 5 made, 1 failed`.
pub(in crate::show) fn came_to(state: RunState, counts: RunCounts) -> String {
    let RunCounts { planned, succeeded, failed, skipped, cancelled } = counts;
    if planned == 0 {
        return if state == RunState::Succeeded { "nothing to do" } else { "no job was planned" }.to_owned();
    }
    let others = [(failed, "failed"), (skipped, "skipped"), (cancelled, "cancelled")];
    let others = others.into_iter().filter(|(number, _)| *number > 0).map(|(number, what)| format!(", {number} {what}"));
    format!("{succeeded} of {planned} made{}", others.collect::<String>())
}

/// How it was started, but for options that say nothing: `run --bank-symbol RY --force`, `run-one RY-CA/2025Q2/a, by ann`. Empty for a plain
/// run.
pub(in crate::show) fn options(options: &Value) -> String {
    let Some(fields) = options.as_object() else { return String::new() };
    let mut fields = fields.clone();
    let gap = fields.remove("run_one").map(|gap| format!("run-one {}", word(&gap)));
    let by = fields.remove("by").map(|by| format!(", by {}", word(&by))).unwrap_or_default();
    let recovers = fields.remove("recover").map(|_| "health --recover".to_owned());
    let mut written = Vec::new();
    // PostgreSQL keeps them in an order of its own.
    let sorted: BTreeMap<_, _> = fields.iter().collect();
    for (name, value) in sorted {
        let option = format!("--{}", name.replace('_', "-"));
        match value {
            Value::Null | Value::Bool(false) => {}
            Value::Bool(true) => written.push(option),
            Value::Array(values) => written.extend(values.iter().map(|value| format!("{option} {}", word(value)))),
            Value::Number(_) | Value::String(_) | Value::Object(_) => written.push(format!("{option} {}", word(value))),
        }
    }
    let command = gap.or(recovers);
    let is_plain = command.is_none() && written.is_empty();
    written.insert(0, command.unwrap_or_else(|| "run".to_owned()));
    if is_plain { String::new() } else { Untrusted::from(written.join(" ") + &by).to_string() }
}

fn word(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl View for RunsView<'_> {
    fn kind(&self) -> &'static str {
        "runs"
    }

    fn text(&self) -> String {
        if self.runs.is_empty() {
            return "no such run is on record\n".to_owned();
        }
        let table = Table { head: vec!["RUN", "STATE", "STARTED", "TOOK", "CAME TO"], rows: self.runs.iter().map(RunEntry::row).collect() };
        table.text(stdout_width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn options_that_say_nothing_are_left_out() {
        let given = serde_json::json!({"bank_symbol": ["RY", "BMO"], "etl_type": [], "from_year": null, "force": true, "max_jobs": 3, "no_lock": false});
        assert_eq!(options(&given), "run --bank-symbol RY --bank-symbol BMO --force --max-jobs 3");
        assert_eq!(options(&serde_json::json!({"force": false, "max_jobs": null})), "");
        let by_hand = serde_json::json!({"run_one": "RY-CA/2025Q2/a", "anyway": true, "force": false, "by": "ann"});
        assert_eq!(options(&by_hand), "run-one RY-CA/2025Q2/a --anyway, by ann");
        assert_eq!(options(&serde_json::json!({"recover": true})), "health --recover");
        assert_eq!(options(&Value::Null), "");
    }

    #[test]
    fn what_a_run_came_to_is_counted() {
        let counts = RunCounts { planned: 5, succeeded: 3, failed: 1, skipped: 0, cancelled: 1 };
        assert_eq!(came_to(RunState::Failed, counts), "3 of 5 made, 1 failed, 1 cancelled");
        assert_eq!(came_to(RunState::Succeeded, RunCounts::default()), "nothing to do");
        assert_eq!(came_to(RunState::Failed, RunCounts::default()), "no job was planned");
    }
}
