//! What was done on each day.

use std::collections::BTreeMap;
use std::time::Duration;

use chrono::{DateTime, NaiveDate, Utc};
use serde::Serialize;

use super::super::View;
use super::super::metrics::Metrics;
use super::super::terminal::stdout_width;
use super::super::words::{Time, Untrusted, brief, grouped, seconds};
use super::table::{Row, Table};
use crate::plan::model::said::Metric;
use crate::plan::remember::past::{DayMetric, DayOfWork};

/// Days on which runs started, newest first.
#[derive(Debug, Serialize)]
pub struct DaysView<'a> {
    timestamp: Time,
    days: Vec<DayEntry<'a>>,
}

#[derive(Debug, Serialize)]
struct DayEntry<'a> {
    /// Of UTC.
    day: NaiveDate,
    metrics: Metrics,
    work: Vec<WorkEntry<'a>>,
}

/// What an ETL or a source succeeded at.
#[derive(Debug, Serialize)]
struct WorkEntry<'a> {
    name: Untrusted<'a>,
    succeeded: u64,
    duration_seconds: f64,
    longest_seconds: f64,
    #[serde(skip)]
    took: Duration,
}

#[derive(Debug, Default)]
struct Day<'a> {
    metrics: Vec<Metric>,
    work: Vec<&'a DayOfWork>,
}

impl<'a> DaysView<'a> {
    /// The view of the last `most` of these days.
    pub fn new(work: &'a [DayOfWork], metrics: &[DayMetric], most: usize, now: DateTime<Utc>) -> Self {
        let mut days: BTreeMap<NaiveDate, Day<'a>> = BTreeMap::new();
        for of_day in work {
            days.entry(of_day.day).or_default().work.push(of_day);
        }
        for of_day in metrics {
            days.entry(of_day.day).or_default().metrics.push(of_day.metric.clone());
        }
        let entry = |(day, of_day): (NaiveDate, Day<'a>)| DayEntry {
            day,
            metrics: Metrics::new(&of_day.metrics),
            work: of_day.work.into_iter().map(WorkEntry::new).collect(),
        };
        Self { timestamp: Time(now), days: days.into_iter().rev().take(most).map(entry).collect() }
    }
}

impl<'a> WorkEntry<'a> {
    fn new(work: &'a DayOfWork) -> Self {
        Self {
            name: work.filled_by.as_str().into(),
            succeeded: work.succeeded,
            duration_seconds: seconds(work.total),
            longest_seconds: seconds(work.longest),
            took: work.total,
        }
    }
}

impl DayEntry<'_> {
    /// The day with all that succeeded, and below it each ETL and source.
    fn row(&self) -> Row {
        let of = |work: &WorkEntry<'_>| format!("{}: {} in {}", work.name.excerpt(), grouped(work.succeeded), brief(work.took));
        let succeeded = self.work.iter().map(|work| work.succeeded).sum();
        let took = self.work.iter().map(|work| work.took).sum();
        Row {
            cells: vec![self.day.to_string(), grouped(succeeded), brief(took), self.metrics.line()],
            below: self.work.iter().map(of).collect(),
        }
    }
}

impl View for DaysView<'_> {
    fn kind(&self) -> &'static str {
        "runs_per_day"
    }

    fn text(&self) -> String {
        if self.days.is_empty() {
            return "nothing that succeeded then is on record\n".to_owned();
        }
        let table = Table { head: vec!["DAY (UTC)", "SUCCEEDED", "TOOK", "METRICS"], rows: self.days.iter().map(DayEntry::row).collect() };
        table.text(stdout_width())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_has_its_work_and_its_costs() {
        let day = |day: u32| NaiveDate::from_ymd_opt(2026, 11, day).unwrap();
        let work = |on: u32, name: &str, succeeded, seconds| DayOfWork {
            day: day(on),
            filled_by: name.to_owned(),
            succeeded,
            total: Duration::from_secs(seconds),
            longest: Duration::from_secs(seconds / 2),
        };
        let metric = |on: u32, name: &str, value| DayMetric { day: day(on), metric: Metric { name: name.to_owned(), value } };
        let work = [work(1, "old", 1, 1), work(27, "us_house", 4, 80), work(28, "call_summary", 1200, 7200), work(28, "us_house", 4, 84)];
        let metrics = [metric(26, "tokens", 5.0), metric(28, "llm_cost_usd", 15.36), metric(28, "tokens", 384_904.0)];
        let view = DaysView::new(&work, &metrics, 3, "2026-11-29T00:00:00Z".parse().unwrap());
        insta::assert_snapshot!(view.text(), @r"
        DAY (UTC)   SUCCEEDED  TOOK    METRICS
        2026-11-28  1,204      2h 1m   llm_cost_usd 15.36 · tokens 384,904
                    call_summary: 1,200 in 2h
                    us_house: 4 in 1m 24s
        2026-11-27  4          1m 20s
                    us_house: 4 in 1m 20s
        2026-11-26  0          0ms     tokens 5
        ");
        assert_eq!(serde_json::to_value(&view).unwrap()["days"][0]["work"][1]["duration_seconds"], 84.0);
    }
}
