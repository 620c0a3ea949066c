//! What stages did with their records.

use std::collections::BTreeMap;
use std::time::Duration;

use serde::Serialize;

use super::super::words::{Time, Untrusted, count, grouped, seconds};
use crate::plan::model::said::{Records, Stage};

/// A stage.
#[derive(Debug, Serialize)]
pub(super) struct StageEntry<'a> {
    attempt: u32,
    name: Untrusted<'a>,
    state: &'static str,
    started_at: Time,
    ended_at: Option<Time>,
    duration_seconds: f64,
    records_read: Option<u64>,
    records_written: Option<u64>,
    records_rejected: Option<u64>,
    counts: BTreeMap<String, u64>,
    #[serde(skip)]
    told: String,
}

impl<'a> StageEntry<'a> {
    pub(super) fn new(attempt: u32, stage: &'a Stage, took: Duration) -> Self {
        Self {
            attempt,
            name: stage.name.as_str().into(),
            state: stage.state.name(),
            started_at: Time(stage.started_at),
            ended_at: stage.ended_at.map(Time),
            duration_seconds: seconds(took),
            records_read: stage.records.read,
            records_written: stage.records.written,
            records_rejected: stage.records.rejected,
            counts: stage.counts.iter().map(|(name, number)| (Untrusted::from(name.as_str()).to_string(), *number)).collect(),
            told: flow(stage),
        }
    }

    /// `Pre-filtering: 245 read -> 198 written, 47 rejected`; `None` where it counted nothing.
    pub(super) fn line(&self, of_several: bool) -> Option<String> {
        let attempt = if of_several { format!(" (attempt {})", self.attempt) } else { String::new() };
        (!self.told.is_empty()).then(|| format!("{}{attempt}: {}", self.name.excerpt(), self.told))
    }
}

/// `17 records`.
pub(super) fn records_of(records: i64) -> String {
    u64::try_from(records).map_or_else(|_| format!("{records} records"), |records| count(records, "record"))
}

/// `245 read -> 198 written, 47 rejected, 12 flagged`; empty where nothing was counted.
pub(super) fn flow(stage: &Stage) -> String {
    let Records { read, written, rejected, estimate: _ } = stage.records;
    let number = |number: Option<u64>, what: &str| number.map(|number| format!("{} {what}", grouped(number)));
    let through = [number(read, "read"), number(written, "written")].into_iter().flatten().collect::<Vec<_>>().join(" -> ");
    let named = stage.counts.iter().map(|(name, count)| format!("{} {}", grouped(*count), Untrusted::from(name.as_str()).excerpt()));
    let parts = [Some(through).filter(|text| !text.is_empty()), number(rejected, "rejected")].into_iter().flatten();
    parts.chain(named).collect::<Vec<_>>().join(", ")
}
